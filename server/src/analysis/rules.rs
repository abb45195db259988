//! [`Rules`]: reads texts by what people say when they mean something. The same texts always give the same.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use async_trait::async_trait;
use highwater_core::domain::{
    knowledge::{Atom, AtomKind, Found, Item, Topic},
    proposal::{Priority, ProposedTask, SOURCES_MAX},
};

use super::{
    AnalysisError, Analyst, Extractor, Heard, Known,
    text::{likeness, sentences, shortened, signed, words},
};

/// The most topics that one reading finds.
const TOPICS_MAX: usize = 20;
/// The most atoms that one reading finds.
const ATOMS_MAX: usize = 80;
/// A word that so many messages have is a topic.
const TOPIC_MESSAGES_MIN: usize = 2;
const KEYWORDS_MAX: usize = 5;
/// A longer sentence is cut.
const TEXT_CHARS_MAX: usize = 500;
const TITLE_CHARS_MAX: usize = 80;
/// The most that are quoted for a task.
const VOICES_MAX: usize = 10;
/// From so much likeness on, two texts ask for the same task.
const LIKENESS_MIN: f64 = 0.5;

/// What is said where something is meant, in the order in which it is looked for.
const SIGNS: [(AtomKind, &[&str]); 6] = [
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
        AtomKind::Requirement,
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
    (
        AtomKind::Solution,
        &[
            "maybe",
            "could we",
            "we could",
            "how about",
            "what if",
            "idea",
            "would be nice",
            "consider",
            "workaround",
            "solution",
        ],
    ),
    (AtomKind::Insight, &["turns out", "it seems", "i noticed", "we noticed", "because", "root cause", "learned"]),
    (AtomKind::Question, &["?"]),
];
const NOW: [&str; 4] = ["asap", "immediately", "outage", "production is down"];
const SOON: [&str; 5] = ["blocker", "blocking", "critical", "production", "urgent"];
const SOME_DAY: [&str; 5] = ["eventually", "later", "nice to have", "someday", "would be nice"];

/// Reads texts by what people say when they mean something: it knows some English, and no model. The same texts always give the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules;

#[async_trait]
impl Extractor for Rules {
    async fn extract(&self, extraction: &str, messages: &[Heard]) -> Result<Vec<Found>, AnalysisError> {
        let topics = topics(messages);
        let atoms = atoms(extraction, messages, &topics);
        let proposed = |(at, topic): (usize, (Topic, BTreeSet<usize>))| Found {
            id: topic_id(extraction, at),
            item: Item::Topic(topic.0),
        };
        let topics = topics.into_iter().enumerate().map(proposed);
        let atoms = atoms
            .into_iter()
            .enumerate()
            .map(|(at, atom)| Found { id: format!("{extraction}-a{at}"), item: Item::Atom(atom) });
        Ok(topics.chain(atoms).collect())
    }
}

#[async_trait]
impl Analyst for Rules {
    async fn analyze(
        &self,
        window: &[Known],
        topics: &BTreeMap<String, Topic>,
    ) -> Result<Vec<ProposedTask>, AnalysisError> {
        let mut groups: Vec<Vec<(&Known, &Atom)>> = Vec::new();
        for known in window {
            let Item::Atom(atom) = &known.item else { continue };
            if !asks_for_a_task(atom.kind) {
                continue;
            }
            match groups.iter_mut().find(|group| likeness(&group[0].1.text, &atom.text) >= LIKENESS_MIN) {
                Some(group) => group.push((known, atom)),
                None => groups.push(vec![(known, atom)]),
            }
        }
        Ok(groups.iter().map(|group| task(group, topics)).collect())
    }
}

fn topic_id(extraction: &str, at: usize) -> String {
    format!("{extraction}-t{at}")
}

fn asks_for_a_task(kind: AtomKind) -> bool {
    match kind {
        AtomKind::Problem | AtomKind::Requirement | AtomKind::Decision => true,
        AtomKind::Question | AtomKind::Solution | AtomKind::Insight => false,
    }
}

fn task(group: &[(&Known, &Atom)], topics: &BTreeMap<String, Topic>) -> ProposedTask {
    let (_, first) = group[0];
    let verb = if first.kind == AtomKind::Problem { "Fix: " } else { "" };
    let said = group.iter().take(VOICES_MAX).map(|(_, atom)| format!("“{}”", shortened(&atom.text, TEXT_CHARS_MAX)));
    let said = said.collect::<Vec<_>>().join("\n");
    let topic = first.topic.as_ref().and_then(|id| topics.get(id));
    let about = topic.map(|topic| format!("About {}:\n", shortened(&topic.title, TITLE_CHARS_MAX))).unwrap_or_default();
    // One voice is worth half, each further one half of what is left; a topic that is approved bears it out.
    let voices = 100 - 100 / (1_u32 << group.len().min(6));
    let confidence = if topic.is_some() { voices } else { voices * 4 / 5 };
    ProposedTask {
        title: shortened(&format!("{verb}{}", first.text), TITLE_CHARS_MAX),
        description: format!("{about}{said}"),
        priority: group.iter().map(|(_, atom)| priority(&atom.text)).max(),
        confidence_percent: u8::try_from(confidence).ok(),
        sources: group.iter().map(|(known, _)| known.stream.clone()).take(SOURCES_MAX).collect(),
    }
}

fn priority(text: &str) -> Priority {
    let text = text.to_lowercase();
    let says = |signs: &[&str]| signs.iter().any(|sign| contains(&text, sign));
    if says(&NOW) {
        Priority::Critical
    } else if says(&SOON) {
        Priority::High
    } else if says(&SOME_DAY) {
        Priority::Low
    } else {
        Priority::Medium
    }
}

/// What the messages say, sentence by sentence. Who repeats what was said says nothing new.
fn atoms(extraction: &str, messages: &[Heard], topics: &[(Topic, BTreeSet<usize>)]) -> Vec<Atom> {
    let mut atoms: Vec<Atom> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let topic = topics
            .iter()
            .position(|(_, messages)| messages.contains(&at))
            .map(|topic| format!("topic-{}", topic_id(extraction, topic)));
        for sentence in sentences(&message.text) {
            let Some(kind) = kind_of(sentence) else { continue };
            let text = shortened(sentence, TEXT_CHARS_MAX);
            let is_new = !atoms.iter().any(|atom| atom.kind == kind && atom.text == text);
            if is_new && atoms.len() < ATOMS_MAX {
                atoms.push(Atom {
                    kind,
                    title: shortened(sentence, TITLE_CHARS_MAX),
                    keywords: words(sentence).into_iter().take(KEYWORDS_MAX).collect(),
                    text,
                    topic: topic.clone(),
                    sources: vec![message.stream.clone()],
                    said_at: message.sent_at,
                });
            }
        }
    }
    atoms
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

/// What several messages speak of, and which of them do: their tags, and the words that they share.
fn topics(messages: &[Heard]) -> Vec<(Topic, BTreeSet<usize>)> {
    let of_message = |message: &Heard| words(&message.text).into_iter().chain(signed(&message.text, '#')).collect();
    let telling: Vec<BTreeSet<String>> = messages.iter().map(of_message).collect();
    let tags: BTreeSet<String> = messages.iter().flat_map(|message| signed(&message.text, '#')).collect();
    let mut speaking: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for (at, words) in telling.iter().enumerate() {
        words.iter().for_each(|word| {
            speaking.entry(word).or_default().insert(at);
        });
    }
    let is_topic = |word: &str, messages: usize| tags.contains(word) || messages >= TOPIC_MESSAGES_MIN;
    let mut names: Vec<(&str, &BTreeSet<usize>)> =
        speaking.iter().filter(|(word, at)| is_topic(word, at.len())).map(|(word, at)| (*word, at)).collect();
    names.sort_by_key(|(word, at)| (!tags.contains(*word), Reverse(at.len()), *word));
    let mut topics: Vec<(Topic, BTreeSet<usize>)> = Vec::new();
    for (name, at) in names {
        // Words that always come together are one topic.
        if topics.len() < TOPICS_MAX && !topics.iter().any(|(_, known)| known == at) {
            topics.push((topic(name, at, messages, &telling), at.clone()));
        }
    }
    topics
}

fn topic(name: &str, at: &BTreeSet<usize>, messages: &[Heard], telling: &[BTreeSet<String>]) -> Topic {
    let spoken = || at.iter().map(|&at| &messages[at]);
    Topic {
        title: name.to_owned(),
        text: spoken()
            .next()
            .and_then(|first| sentences(&first.text).first().map(|said| shortened(said, TEXT_CHARS_MAX)))
            .unwrap_or_default(),
        keywords: keywords(name, at, telling),
        sources: spoken().map(|message| message.stream.clone()).take(SOURCES_MAX).collect(),
        said_at: spoken().map(|message| message.sent_at).max().unwrap_or(messages[0].sent_at),
    }
}

/// The name, and the words that stand beside it most often.
fn keywords(name: &str, at: &BTreeSet<usize>, telling: &[BTreeSet<String>]) -> Vec<String> {
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
    use highwater_core::{stream::StreamName, time::Timestamp};

    use super::*;

    fn stream(kind: &str, id: impl ToString) -> StreamName {
        StreamName::new(&format!("space:1:{kind}:{}", id.to_string())).unwrap()
    }

    fn messages(texts: &[&str]) -> Vec<Heard> {
        let heard = |(at, text): (usize, &&str)| Heard {
            stream: stream("messages", at),
            sent_at: Timestamp::from_unix_micros(at as i64 * 60_000_000).unwrap(),
            text: (*text).to_owned(),
        };
        texts.iter().enumerate().map(heard).collect()
    }

    fn known(id: &str, kind: AtomKind, text: &str) -> Known {
        let said_at = Timestamp::from_unix_micros(0).unwrap();
        let (title, topic) = (text.to_owned(), Some("topic-x-t0".to_owned()));
        let atom = Atom { kind, title, text: text.to_owned(), keywords: vec![], topic, sources: vec![], said_at };
        Known { stream: stream("knowledge", id), item: Item::Atom(atom) }
    }

    #[tokio::test]
    async fn messages_give_their_topics_and_what_they_say() {
        let heard = messages(&[
            "Checkout fails with error 500 on mobile. #payments",
            "We decided to move checkout to the new API.",
            "Lunch?",
            "Checkout fails with error 500 on mobile.",
        ]);
        let found = Rules.extract("x", &heard).await.unwrap();
        let titles: Vec<(&str, &str)> = found.iter().map(|found| (found.id.as_str(), found.item.title())).collect();
        assert_eq!(
            titles,
            [
                ("x-t0", "payments"),
                ("x-t1", "checkout"),
                ("x-t2", "error"),
                ("x-a0", "Checkout fails with error 500 on mobile."),
                ("x-a1", "We decided to move checkout to the new API."),
                ("x-a2", "Lunch?"),
            ],
            "first the tags; 'fails' and 'mobile' are wherever 'error' is"
        );
        assert_eq!(found[1].item.sources(), [0, 1, 3].map(|at| stream("messages", at)));
        assert_eq!(found[3].item.topic(), Some("topic-x-t0"));
        assert_eq!(found[5].item.topic(), None);
    }

    #[tokio::test]
    async fn what_asks_for_the_same_is_one_task() {
        let window = [
            known("a", AtomKind::Problem, "Checkout fails on mobile"),
            known("b", AtomKind::Solution, "Maybe we could rewrite it"),
            known("c", AtomKind::Problem, "urgent: checkout fails on mobile"),
            known("d", AtomKind::Requirement, "Please document the API"),
        ];
        let tasks = Rules.analyze(&window, &BTreeMap::new()).await.unwrap();
        let of: Vec<(&str, Option<Priority>, Option<u8>)> =
            tasks.iter().map(|task| (task.title.as_str(), task.priority, task.confidence_percent)).collect();
        assert_eq!(
            of,
            [
                ("Fix: Checkout fails on mobile", Some(Priority::High), Some(60)),
                ("Please document the API", Some(Priority::Medium), Some(40)),
            ]
        );
        assert_eq!(tasks[0].sources, ["a", "c"].map(|id| stream("knowledge", id)));
    }

    #[test]
    fn a_sign_is_a_whole_word() {
        assert_eq!(kind_of("The debugger is nice"), None);
        assert_eq!(kind_of("It doesn’t work"), Some(AtomKind::Problem));
        assert_eq!(kind_of("Is it done? Yes"), None);
    }
}
