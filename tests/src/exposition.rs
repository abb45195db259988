//! What `/metrics` answers, read by the letter of
//! [Prometheus' text format](https://prometheus.io/docs/instrumenting/exposition_formats/), version 0.0.4.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    ops::RangeBounds,
};

use reqwest::Client;
use tokio::{task::yield_now, time::timeout};

use crate::server::PATIENCE;

/// All samples of one scrape.
#[derive(Debug, Default)]
pub struct Exposition {
    /// The names of the families and their types.
    pub families: BTreeMap<String, String>,
    samples: BTreeMap<String, f64>,
}

impl Exposition {
    /// Scrapes `/metrics` at this URL.
    ///
    /// # Panics
    /// Where the answer is not by the letter.
    pub async fn scrape(client: &Client, url: &str) -> Self {
        let response = client.get(url).send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        let text = response.text().await.expect("a whole body");
        Self::parse(&text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
    }

    /// Scrapes until a sample has a value, and gives what was scraped then.
    ///
    /// # Panics
    /// Where it never has.
    pub async fn scrape_until(client: &Client, url: &str, series: &str, value: f64) -> Self {
        Self::scrape_until_within(client, url, series, value..=value).await
    }

    /// Scrapes until a sample's value lies within a range, and gives what was scraped then.
    ///
    /// # Panics
    /// Where it never does.
    pub async fn scrape_until_within(
        client: &Client,
        url: &str,
        series: &str,
        range: impl RangeBounds<f64> + Debug,
    ) -> Self {
        let reached = async {
            loop {
                let scraped = Self::scrape(client, url).await;
                if scraped.samples.get(series).is_some_and(|value| range.contains(value)) {
                    return scraped;
                }
                yield_now().await;
            }
        };
        timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("{series} never was within {range:?}"))
    }

    /// A sample's value, by its name and labels as they are written.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn value(&self, series: &str) -> f64 {
        *self.samples.get(series).unwrap_or_else(|| panic!("{series} is not in {:#?}", self.samples.keys()))
    }

    /// The names of all samples, without labels: what a query can ask for.
    #[must_use]
    pub fn names(&self) -> BTreeSet<&str> {
        self.samples.keys().map(|series| series.split('{').next().unwrap_or_default()).collect()
    }

    /// How many series there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Reads a whole exposition.
    ///
    /// # Errors
    /// Says what is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.ends_with('\n') {
            return Err("the last line does not end".into());
        }
        let mut exposition = Self::default();
        let mut family = None;
        for line in text.lines() {
            let wrong = |what: &str| format!("{what}: '{line}'");
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, text) = help.split_once(' ').ok_or_else(|| wrong("no help"))?;
                if !is_name(name) || text.is_empty() {
                    return Err(wrong("not a help"));
                }
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').ok_or_else(|| wrong("no type"))?;
                let known = ["counter", "gauge", "histogram"].contains(&kind);
                if !known || !is_name(name) || kind == "counter" && !name.ends_with("_total") {
                    return Err(wrong("not a type"));
                }
                if exposition.families.insert(name.to_owned(), kind.to_owned()).is_some() {
                    return Err(wrong("a family that was there"));
                }
                family = Some((name, kind));
            } else {
                let (series, value) = line.rsplit_once(' ').ok_or_else(|| wrong("no value"))?;
                let value: f64 = value.parse().map_err(|_| wrong("not a number"))?;
                let name = check_series(series).ok_or_else(|| wrong("not a series"))?;
                let (family, kind) = family.ok_or_else(|| wrong("a sample without a type"))?;
                if !belongs(name, family, kind) {
                    return Err(wrong("a sample of another family"));
                }
                if exposition.samples.insert(series.to_owned(), value).is_some() {
                    return Err(wrong("a series that was there"));
                }
            }
        }
        exposition.check_histograms(text)?;
        Ok(exposition)
    }

    /// Buckets count all that is in smaller ones, and the last of them counts everything.
    fn check_histograms(&self, text: &str) -> Result<(), String> {
        let mut before: Option<(String, f64, f64)> = None;
        for line in text.lines().filter(|line| line.contains("_bucket{")) {
            let wrong = || format!("not a bucket: '{line}'");
            let (series, value) = line.rsplit_once(' ').ok_or_else(wrong)?;
            let (rest, bound) = series.split_once("le=\"").ok_or_else(wrong)?;
            let bound: f64 = bound.trim_end_matches("\"}").parse().map_err(|_| wrong())?;
            let value: f64 = value.parse().map_err(|_| wrong())?;
            if let Some((its_rest, its_bound, its_value)) = &before
                && its_rest == rest
                && (*its_bound >= bound || *its_value > value)
            {
                return Err(wrong());
            }
            if bound.is_infinite() {
                let (name, labels) = rest.split_once("_bucket{").ok_or_else(wrong)?;
                let count = match labels.trim_end_matches(',') {
                    "" => format!("{name}_count"),
                    labels => format!("{name}_count{{{labels}}}"),
                };
                if self.samples.get(&count) != Some(&value) {
                    return Err(format!("{count} is not {value}"));
                }
            }
            before = Some((rest.to_owned(), bound, value));
        }
        Ok(())
    }
}

fn belongs(sample: &str, family: &str, kind: &str) -> bool {
    match sample.strip_prefix(family) {
        Some("") => kind != "histogram",
        Some("_bucket" | "_sum" | "_count") => kind == "histogram",
        _ => false,
    }
}

fn is_name(name: &str) -> bool {
    let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    letters && !name.is_empty() && !name.starts_with(|first: char| first.is_ascii_digit())
}

/// The name of a series, if it and its labels are well-formed.
fn check_series(series: &str) -> Option<&str> {
    let Some((name, labels)) = series.split_once('{') else {
        return is_name(series).then_some(series);
    };
    let mut rest = labels.strip_suffix('}')?;
    while !rest.is_empty() {
        let (label, after) = rest.split_once("=\"")?;
        let mut escaped = false;
        let end = after.bytes().position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        })?;
        if !is_name(label) {
            return None;
        }
        let after = &after[end + 1..];
        rest = if after.is_empty() { after } else { after.strip_prefix(',')? };
    }
    is_name(name).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_by_the_letter_is_refused() {
        let good = "# HELP a_total Some.\n# TYPE a_total counter\na_total{b=\"c\\\"}\",d=\"\"} 1\n\
                    # HELP h Some.\n# TYPE h histogram\nh_bucket{x=\"y\",le=\"1\"} 1\nh_bucket{x=\"y\",le=\"+Inf\"} 2\n\
                    h_sum{x=\"y\"} 3.5\nh_count{x=\"y\"} 2\n\
                    # HELP i Some.\n# TYPE i histogram\ni_bucket{le=\"+Inf\"} 0\ni_sum 0\ni_count 0\n";
        let read = Exposition::parse(good).unwrap();
        assert_eq!((read.value("a_total{b=\"c\\\"}\",d=\"\"}"), read.value("h_count{x=\"y\"}")), (1.0, 2.0));
        for (from, to) in [
            ("} 1\n", "} 1"),
            ("a_total{", "b_total{"),
            ("d=", "d"),
            (",d=", "d="),
            ("\\\"}", "\"}"),
            ("# TYPE a_total counter", "# TYPE a_total number"),
            ("# TYPE a_total counter\n", ""),
            ("h_count{x=\"y\"} 2", "h_count{x=\"y\"} 3"),
            ("h_bucket{x=\"y\",le=\"1\"} 1", "h_bucket{x=\"y\",le=\"1\"} 3"),
            ("i_count 0", "i_count 1"),
            ("i_count 0", "i_sum 0"),
            ("3.5", "many"),
        ] {
            assert!(Exposition::parse(&good.replacen(from, to, 1)).is_err(), "{from} → {to}");
        }
    }
}
