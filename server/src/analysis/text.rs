//! Reading text: sentences, words, and how alike two texts are. It knows the commonest words of English, and nothing else of a language.

use std::collections::BTreeSet;

/// Words that say nothing of what a text is about.
const STOP_WORDS: &[&str] = &[
    "about", "above", "after", "again", "all", "also", "and", "another", "any", "anyone", "are", "aren", "because",
    "been", "before", "being", "below", "between", "both", "but", "can", "cannot", "could", "did", "didn", "does",
    "doesn", "doing", "don", "done", "down", "each", "even", "ever", "every", "few", "for", "from", "get", "gets",
    "getting", "going", "gone", "got", "had", "has", "hasn", "have", "haven", "having", "her", "here", "hers", "him",
    "his", "how", "into", "isn", "its", "just", "let", "like", "many", "may", "maybe", "might", "more", "most", "much",
    "must", "need", "needs", "not", "now", "off", "once", "one", "only", "other", "our", "out", "over", "own",
    "please", "really", "same", "see", "she", "should", "shouldn", "since", "some", "still", "such", "than", "thanks",
    "that", "the", "their", "them", "then", "there", "these", "they", "thing", "this", "those", "through", "too",
    "under", "until", "very", "want", "was", "wasn", "were", "what", "when", "where", "which", "while", "who", "why",
    "will", "with", "without", "would", "you", "your", "yours",
];
/// Shorter words are articles, prepositions and the like in most languages.
const WORD_CHARS_MIN: usize = 3;
/// Longer ones are no words, but keys, sums and the like.
const WORD_CHARS_MAX: usize = 40;

/// The sentences of a text, without white space around them. A line break ends one, as people write in chats.
pub(crate) fn sentences(text: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, character)) = chars.next() {
        // A full stop inside of a number, a name or a link ends nothing.
        let is_last = chars.peek().is_none_or(|(_, next)| next.is_whitespace());
        if character == '\n' || (matches!(character, '.' | '!' | '?' | '…') && is_last) {
            sentences.push(&text[start..at + character.len_utf8()]);
            start = at + character.len_utf8();
        }
    }
    sentences.push(&text[start..]);
    sentences.into_iter().map(str::trim).filter(|sentence| sentence.chars().any(char::is_alphanumeric)).collect()
}

/// The words of a text that say what it is about: in lower case, in order, links left out.
pub(crate) fn words(text: &str) -> Vec<String> {
    let is_link = |part: &&str| part.contains("://");
    let of_part = |part: &str| {
        let pieces = part.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-');
        pieces.map(|piece| piece.trim_matches(['-', '_']).to_lowercase()).collect::<Vec<_>>()
    };
    let parts = text.split_whitespace().filter(|part| !is_link(part));
    parts.flat_map(of_part).filter(|word| is_telling(word)).collect()
}

fn is_telling(word: &str) -> bool {
    (WORD_CHARS_MIN..=WORD_CHARS_MAX).contains(&word.chars().count())
        && word.chars().any(char::is_alphabetic)
        && STOP_WORDS.binary_search(&word).is_err()
}

/// What begins with this sign, without it and in lower case: `#` for tags, `@` for people.
pub(crate) fn signed(text: &str, sign: char) -> Vec<String> {
    let name = |part: &str| {
        let rest = part.trim_start_matches(['(', '"', '\'']).strip_prefix(sign)?;
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        (end > 0 && rest[..end].chars().count() <= WORD_CHARS_MAX).then(|| rest[..end].to_lowercase())
    };
    text.split_whitespace().filter_map(name).collect()
}

/// The links of a text, as they stand there.
pub(crate) fn links(text: &str) -> Vec<String> {
    let link = |part: &str| {
        let part = part.trim_matches(['(', ')', '<', '>', '"', '\'', ',', '.', ';', '!', '?']);
        (part.starts_with("http://") || part.starts_with("https://")).then(|| part.to_owned())
    };
    text.split_whitespace().filter_map(link).collect()
}

/// How much two texts are about the same, from 0 to 1: the share of their telling words that both have (Jaccard's index).
pub(crate) fn likeness(one: &str, other: &str) -> f64 {
    let set = |text| words(text).into_iter().collect::<BTreeSet<_>>();
    let (one, other) = (set(one), set(other));
    let all = one.union(&other).count();
    if all == 0 { 0.0 } else { one.intersection(&other).count() as f64 / all as f64 }
}

/// A text of at most so many characters, cut at a word where there is one.
pub(crate) fn shortened(text: &str, chars_max: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(chars_max) else { return text.to_owned() };
    let cut = &text[..end];
    let at_word = cut.rfind(char::is_whitespace).map_or(cut, |at| &cut[..at]);
    format!("{}…", at_word.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stop_words_are_sorted() {
        assert!(STOP_WORDS.is_sorted());
    }

    #[test]
    fn sentences_end_where_people_end_them() {
        let text = "Login fails on v1.2! See https://example.com/a.b?c=d for more.\nWe need a fix… ok? ... \n";
        let expected = ["Login fails on v1.2!", "See https://example.com/a.b?c=d for more.", "We need a fix…", "ok?"];
        assert_eq!(sentences(text), expected);
    }

    #[test]
    fn words_are_those_that_tell_something() {
        assert_eq!(words("The Login-page doesn't load, see https://x.y/login (500)"), ["login-page", "load"]);
        assert_eq!(words("Überprüfung der Anmeldung"), ["überprüfung", "der", "anmeldung"]);
    }

    #[test]
    fn tags_people_and_links_are_found() {
        let text = "(@Ann) look at #Payments, #404 and https://example.com/x.";
        assert_eq!(signed(text, '@'), ["ann"]);
        assert_eq!(signed(text, '#'), ["payments", "404"]);
        assert_eq!(links(text), ["https://example.com/x"]);
    }

    #[test]
    fn likeness_is_of_words() {
        assert_eq!(likeness("The payment fails", "payment: it fails!"), 1.0);
        assert_eq!(likeness("payment fails", "login works"), 0.0);
        assert_eq!(likeness("", ""), 0.0);
    }

    #[test]
    fn a_text_is_cut_at_a_word() {
        assert_eq!(shortened("one two three", 9), "one two…");
        assert_eq!(shortened("äöü", 3), "äöü");
        assert_eq!(shortened("äöüß", 3), "äöü…");
    }
}
