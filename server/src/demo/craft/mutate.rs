//! Small slips in a program's text: an operator, a number or a truth value taken for one that is close to it.
//!
//! Every slip can be undone by another one, so that who looks for a repair among them can find it.

/// Operators and truth values, each group of which is taken for another of it.
const CONFUSED: [&[&str]; 7] = [
    &["<", "<=", ">", ">="],
    &["==", "!="],
    &["+", "-", "*"],
    &["%", "/"],
    &["&&", "||"],
    &["+=", "-=", "*="],
    &["true", "false"],
];
/// Operators that are not taken for another, and must not be read as parts of one.
const OTHER_OPERATORS: [&str; 5] = ["..=", "..", "/=", "%=", "=>"];
const NUMBER_DIGITS_MAX: usize = 9;

/// One slip: this range of the source gets this text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::demo) struct Mutation {
    start: usize,
    end: usize,
    text: String,
}

/// Every single slip that the source can have, in its order.
pub(in crate::demo) fn mutations(source: &str) -> Vec<Mutation> {
    let mut mutations = Vec::new();
    let mut at = 0;
    while let Some(token) = next_token(&source[at..]) {
        let end = at + token.len();
        let slips = confused_with(token).into_iter().map(|text| Mutation { start: at, end, text });
        mutations.extend(slips);
        at = end;
    }
    mutations
}

/// The source with these slips. Of two that overlap, the later one in the source is made.
pub(in crate::demo) fn apply(source: &str, mutations: &[&Mutation]) -> String {
    let mut ordered = mutations.to_vec();
    ordered.sort_by_key(|mutation| std::cmp::Reverse(mutation.start));
    let mut mutated = source.to_owned();
    let mut untouched = source.len();
    for mutation in ordered {
        if mutation.end <= untouched {
            mutated.replace_range(mutation.start..mutation.end, &mutation.text);
            untouched = mutation.start;
        }
    }
    mutated
}

/// Whether both can be made at once.
pub(in crate::demo) fn apart(one: &Mutation, other: &Mutation) -> bool {
    one.end <= other.start || other.end <= one.start
}

fn confused_with(token: &str) -> Vec<String> {
    if token.len() <= NUMBER_DIGITS_MAX
        && let Ok(number) = token.parse::<u32>()
    {
        return [number.checked_sub(1), number.checked_add(1)].into_iter().flatten().map(|n| n.to_string()).collect();
    }
    let Some(group) = CONFUSED.iter().find(|group| group.contains(&token)) else { return Vec::new() };
    group.iter().filter(|other| **other != token).map(|other| (*other).to_owned()).collect()
}

/// The first token of the text, white space and comments being tokens too. `None` at the end.
fn next_token(text: &str) -> Option<&str> {
    let first = text.chars().next()?;
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let length = if text.starts_with("//") {
        text.find('\n')
    } else if first == '"' {
        string_end(text)
    } else if first.is_ascii_digit() {
        text.find(|c: char| !c.is_ascii_digit())
    } else if is_word(first) {
        text.find(|c: char| !is_word(c))
    } else {
        Some(operator(text).map_or(first.len_utf8(), str::len))
    };
    Some(&text[..length.unwrap_or(text.len())])
}

fn string_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    let close = text.char_indices().skip(1).find(|&(_, c)| {
        let closes = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closes
    });
    close.map(|(at, _)| at + 1)
}

/// The longest operator that the text begins with.
fn operator(text: &str) -> Option<&'static str> {
    let operators = CONFUSED.iter().copied().flatten().chain(&OTHER_OPERATORS).copied();
    operators.filter(|operator| text.starts_with(operator)).max_by_key(|operator| operator.len())
}
