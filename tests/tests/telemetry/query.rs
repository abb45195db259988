//! The names of metrics in a PromQL query, as far as this project's files use PromQL.

use std::collections::BTreeSet;

/// Words that stand where a name could, and are none. Functions are told by the parenthesis that follows them; an aggregation
/// may have its labels before that.
const WORDS: [&str; 17] = [
    "and",
    "avg",
    "bool",
    "bottomk",
    "by",
    "count",
    "group_left",
    "group_right",
    "ignoring",
    "max",
    "min",
    "on",
    "or",
    "sum",
    "topk",
    "unless",
    "without",
];
/// Those of them that labels follow, in parentheses.
const BEFORE_LABELS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// Every name of a metric that a query asks for.
pub(crate) fn metrics(query: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        rest = match first {
            '{' => after(rest, '}'),
            '[' => after(rest, ']'),
            '"' => after(&rest[1..], '"'),
            'a'..='z' | 'A'..='Z' | '_' => {
                let end = rest.find(|next: char| !next.is_ascii_alphanumeric() && next != '_' && next != ':');
                let (word, behind) = rest.split_at(end.unwrap_or(rest.len()));
                let opens = behind.trim_start().starts_with('(');
                if BEFORE_LABELS.contains(&word) && opens {
                    after(behind, ')')
                } else {
                    if !opens && !WORDS.contains(&word) {
                        names.insert(word);
                    }
                    behind
                }
            }
            // A number, with its unit or exponent.
            '0'..='9' => rest.trim_start_matches(|next: char| next.is_ascii_alphanumeric() || next == '.'),
            other => &rest[other.len_utf8()..],
        };
    }
    names
}

fn after(text: &str, end: char) -> &str {
    text.split_once(end).map_or("", |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_metrics_are_metrics() {
        let query = "sum by (le, route) (rate(a_bucket{code=~\"b|c\",d=\"e\"}[$__rate_interval]))\n/ on(job) group_left \
                     clamp_min(f_total, 1e9) > bool 0.8 and g == 1";
        assert_eq!(metrics(query), BTreeSet::from(["a_bucket", "f_total", "g"]));
        assert_eq!(metrics("up{job=\"x\"} == 0"), BTreeSet::from(["up"]));
        assert_eq!(metrics("histogram_quantile(0.99, sum(rate(h[5m])) by (le))"), BTreeSet::from(["h"]));
    }
}
