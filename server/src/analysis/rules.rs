//! [`Rules`]: reads texts by what people say when they mean something. The same texts always give the same.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use async_trait::async_trait;

use super::{
    AnalysisError, Analyst, AtomKind, Extracted, Extractor, FoundAtom, FoundTask, FoundTopic, Known, Message, Priority,
    text::{likeness, sentences, shortened, signed, words},
};

/// The most topics that one reading finds.
const TOPICS_MAX: usize = 20;
/// The most atoms that one reading finds.
const ATOMS_MAX: usize = 200;
/// A word that so many messages have is a topic.
const TOPIC_MESSAGES_MIN: usize = 2;
const KEYWORDS_MAX: usize = 5;
/// A longer sentence is cut.
const TEXT_CHARS_MAX: usize = 500;
const TITLE_CHARS_MAX: usize = 80;
/// From so much likeness on, two texts ask for the same task.
const LIKENESS_MIN: f64 = 0.5;

/// What is said where something is meant, in the order in which it is looked for.
const SIGNS: [(AtomKind, &[&str]); 5] = [
    (
        AtomKind::Problem,
        &[
            "bug",
            "broken",
            "crash",
            "crashes",
            "crashed",
            "doesn't work",
            "does not work",
            "error",
            "errors",
            "fails",
            "failed",
            "failing",
            "fault",
            "wrong",
            "timeout",
            "regression",
        ],
    ),
    (
        AtomKind::Decision,
        &["we decided", "decided to", "decision", "we agreed", "agreed to", "we will", "we'll", "let's", "approved"],
    ),
    (
        AtomKind::Request,
        &[
            "please",
            "need to",
            "needs to",
            "we need",
            "have to",
            "has to",
            "must",
            "should",
            "todo",
            "make sure",
            "asap",
        ],
    ),
    (AtomKind::Idea, &["maybe", "could we", "we could", "how about", "what if", "idea", "would be nice", "consider"]),
    (AtomKind::Question, &["?"]),
];
const URGENT: [&str; 8] = ["asap", "blocker", "blocking", "critical", "immediately", "outage", "production", "urgent"];
const UNHURRIED: [&str; 5] = ["eventually", "later", "nice to have", "someday", "would be nice"];

/// See the [module](self).
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules;

#[async_trait]
impl Extractor for Rules {
    async fn extract(&self, messages: &[Message]) -> Result<Extracted, AnalysisError> {
        let topics = topics(messages);
        let mut atoms: Vec<FoundAtom> = Vec::new();
        for message in messages {
            let topic = topics.iter().find(|topic| topic.messages.contains(&message.stream)).map(|topic| &topic.name);
            for sentence in sentences(&message.text) {
                let Some(kind) = kind_of(sentence) else { continue };
                let text = shortened(sentence, TEXT_CHARS_MAX);
                // Who repeats what was said says nothing new.
                let is_new = !atoms.iter().any(|atom| atom.kind == kind && atom.text == text);
                if is_new && atoms.len() < ATOMS_MAX {
                    let (message, said) = (message.stream.clone(), message.sent);
                    atoms.push(FoundAtom { kind, text, message, said, topic: topic.cloned() });
                }
            }
        }
        Ok(Extracted { topics, atoms })
    }
}

#[async_trait]
impl Analyst for Rules {
    async fn analyze(&self, window: &[Known], topics: &[String]) -> Result<Vec<FoundTask>, AnalysisError> {
        let mut groups: Vec<Vec<&Known>> = Vec::new();
        for known in window.iter().filter(|known| known.kind.is_some_and(asks_for_a_task)) {
            match groups.iter_mut().find(|group| likeness(&group[0].text, &known.text) >= LIKENESS_MIN) {
                Some(group) => group.push(known),
                None => groups.push(vec![known]),
            }
        }
        Ok(groups.iter().map(|group| task(group, topics)).collect())
    }
}

fn asks_for_a_task(kind: AtomKind) -> bool {
    match kind {
        AtomKind::Problem | AtomKind::Request | AtomKind::Decision => true,
        AtomKind::Question | AtomKind::Idea => false,
    }
}

fn task(group: &[&Known], topics: &[String]) -> FoundTask {
    let first = group[0];
    let verb = if first.kind == Some(AtomKind::Problem) { "Fix: " } else { "" };
    let said = group.iter().map(|known| format!("“{}”", known.text)).collect::<Vec<_>>().join("; ");
    let topic = first.topic.as_ref().filter(|topic| topics.contains(topic));
    let about = topic.map(|topic| format!("About {topic}: ")).unwrap_or_default();
    FoundTask {
        title: shortened(&format!("{verb}{}", first.text), TITLE_CHARS_MAX),
        rationale: format!("{about}{said}"),
        priority: group.iter().map(|known| priority(known)).max().unwrap_or(Priority::Medium),
        // One voice is worth half, each further one half of what is left; a topic that is approved bears it out.
        confidence: (1.0 - 0.5_f64.powi(group.len().min(10) as i32)) * if topic.is_some() { 1.0 } else { 0.8 },
        sources: group.iter().map(|known| known.id.clone()).collect(),
    }
}

fn priority(known: &Known) -> Priority {
    let text = known.text.to_lowercase();
    let says = |signs: &[&str]| signs.iter().any(|sign| contains(&text, sign));
    if says(&URGENT) {
        Priority::High
    } else if says(&UNHURRIED) {
        Priority::Low
    } else {
        Priority::Medium
    }
}

fn kind_of(sentence: &str) -> Option<AtomKind> {
    let sentence = sentence.to_lowercase().replace('’', "'");
    SIGNS.iter().find(|(_, signs)| signs.iter().any(|sign| contains(&sentence, sign))).map(|(kind, _)| *kind)
}

/// Whether a text has these words, whole; or this punctuation, at its end.
fn contains(text: &str, sign: &str) -> bool {
    if !sign.starts_with(char::is_alphanumeric) {
        return text.ends_with(sign);
    }
    text.match_indices(sign).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + sign.len()..].chars().next();
        let is_edge = |beside: Option<char>| beside.is_none_or(|beside| !beside.is_alphanumeric());
        is_edge(before) && is_edge(after)
    })
}

/// What several messages speak of: their tags, and the words that they share.
fn topics(messages: &[Message]) -> Vec<FoundTopic> {
    let telling: Vec<BTreeSet<String>> = messages
        .iter()
        .map(|message| words(&message.text).into_iter().chain(signed(&message.text, '#')).collect())
        .collect();
    let tags: BTreeSet<String> = messages.iter().flat_map(|message| signed(&message.text, '#')).collect();
    let mut with: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, words) in telling.iter().enumerate() {
        words.iter().for_each(|word| with.entry(word).or_default().push(at));
    }
    let is_topic = |word: &str, in_messages: usize| tags.contains(word) || in_messages >= TOPIC_MESSAGES_MIN;
    let mut names: Vec<(&str, &Vec<usize>)> =
        with.iter().filter(|(word, at)| is_topic(word, at.len())).map(|(word, at)| (*word, at)).collect();
    names.sort_by_key(|(word, at)| (!tags.contains(*word), Reverse(at.len()), *word));
    let mut topics: Vec<FoundTopic> = Vec::new();
    let mut taken: BTreeSet<&Vec<usize>> = BTreeSet::new();
    for (name, at) in names {
        // Words that always come together are one topic.
        if topics.len() < TOPICS_MAX && taken.insert(at) {
            let messages = at.iter().map(|&at| messages[at].stream.clone()).collect();
            topics.push(FoundTopic { name: name.to_owned(), keywords: keywords(name, at, &telling), messages });
        }
    }
    topics
}

/// The words that stand beside a name most often, and the name.
fn keywords(name: &str, at: &[usize], telling: &[BTreeSet<String>]) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for word in at.iter().flat_map(|&at| &telling[at]).filter(|word| *word != name) {
        *counts.entry(word).or_default() += 1;
    }
    let mut beside: Vec<(&str, usize)> = counts.into_iter().collect();
    beside.sort_by_key(|(word, count)| (Reverse(*count), *word));
    std::iter::once(name)
        .chain(beside.into_iter().map(|(word, _)| word))
        .take(KEYWORDS_MAX)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use highwater_core::time::Timestamp;

    use super::*;

    fn messages(texts: &[&str]) -> Vec<Message> {
        let message = |(at, text): (usize, &&str)| Message {
            stream: format!("space:1:messages:{at}"),
            sent: Timestamp::from_unix_micros(at as i64 * 60_000_000).unwrap(),
            text: (*text).to_owned(),
        };
        texts.iter().enumerate().map(message).collect()
    }

    fn known(id: &str, kind: AtomKind, text: &str) -> Known {
        let said = Timestamp::from_unix_micros(0).unwrap();
        Known { id: id.into(), kind: Some(kind), text: text.into(), said, topic: Some("checkout".into()) }
    }

    #[tokio::test]
    async fn messages_give_their_topics_and_what_they_say() {
        let found = Rules
            .extract(&messages(&[
                "Checkout fails with error 500 on mobile. #payments",
                "We decided to move checkout to the new API.",
                "Lunch?",
                "Checkout fails with error 500 on mobile.",
            ]))
            .await
            .unwrap();
        let names: Vec<&str> = found.topics.iter().map(|topic| topic.name.as_str()).collect();
        assert_eq!(
            names,
            ["payments", "checkout", "error"],
            "first the tags; 'fails' and 'mobile' are wherever 'error' is"
        );
        assert_eq!(found.topics[1].messages, ["space:1:messages:0", "space:1:messages:1", "space:1:messages:3"]);
        let said: Vec<(AtomKind, &str)> = found.atoms.iter().map(|atom| (atom.kind, atom.text.as_str())).collect();
        assert_eq!(
            said,
            [
                (AtomKind::Problem, "Checkout fails with error 500 on mobile."),
                (AtomKind::Decision, "We decided to move checkout to the new API."),
                (AtomKind::Question, "Lunch?"),
            ]
        );
    }

    #[tokio::test]
    async fn what_asks_for_the_same_is_one_task() {
        let window = [
            known("a", AtomKind::Problem, "Checkout fails on mobile"),
            known("b", AtomKind::Idea, "Maybe we could rewrite it"),
            known("c", AtomKind::Problem, "urgent: checkout fails on mobile"),
            known("d", AtomKind::Request, "Please document the API"),
        ];
        let tasks = Rules.analyze(&window, &["checkout".into()]).await.unwrap();
        let of: Vec<(&str, Priority, &[String])> =
            tasks.iter().map(|task| (task.title.as_str(), task.priority, task.sources.as_slice())).collect();
        assert_eq!(
            of,
            [
                ("Fix: Checkout fails on mobile", Priority::High, &["a".to_owned(), "c".to_owned()][..]),
                ("Please document the API", Priority::Medium, &["d".to_owned()][..]),
            ]
        );
        assert!(tasks[0].confidence > tasks[1].confidence);
    }

    #[test]
    fn a_sign_is_a_whole_word() {
        assert_eq!(kind_of("The debugger is nice"), None);
        assert_eq!(kind_of("It doesn’t work"), Some(AtomKind::Problem));
        assert_eq!(kind_of("Is it done? Yes"), None);
    }
}
