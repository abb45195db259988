//! [`Topic`], a filter over stream names, and [`Topics`], the set of them that one subscription asks for.

use std::{fmt, str::FromStr};

use crate::stream::{InvalidName, NAME_BYTES_MAX, SEGMENTS_MAX, SEGMENTS_MIN, StreamName, is_segment};

/// The most topics of one request. It is no setting: a reader's cursor is of its set of topics, so a set that one server
/// takes must be one that every server takes.
pub const TOPICS_MAX: usize = 64;

/// A filter over streams: an exact stream, or a pattern in which `*` stands for one segment and a final `**` for one
/// or more. `**` alone is every stream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic(Box<str>);

impl Topic {
    /// Checks and takes a topic.
    ///
    /// # Errors
    /// [`InvalidName`] says which rule the text breaks.
    pub fn new(topic: &str) -> Result<Self, InvalidName> {
        if topic.len() > NAME_BYTES_MAX {
            return Err(InvalidName::TooLong);
        }
        let segments = topic.split(':').count();
        let open = topic == "**" || topic.ends_with(":**");
        if segments > SEGMENTS_MAX || (segments < SEGMENTS_MIN && !open) {
            return Err(InvalidName::SegmentCount);
        }
        for (at, segment) in topic.split(':').enumerate() {
            let wildcard = segment == "*" || (segment == "**" && at + 1 == segments);
            if !wildcard && !is_segment(segment) {
                let misplaced = segment.contains('*');
                return Err(if misplaced { InvalidName::Wildcard } else { InvalidName::Segment });
            }
        }
        Ok(Self(topic.into()))
    }

    /// The topic as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The one stream that this topic names, unless it is a pattern.
    #[must_use]
    pub fn as_stream(&self) -> Option<StreamName> {
        StreamName::new(&self.0).ok()
    }

    /// Whether a stream of this name belongs to the topic.
    #[must_use]
    pub fn matches(&self, stream: &str) -> bool {
        matches(self.0.as_bytes(), stream.as_bytes())
    }

    /// Whether every stream of the other topic belongs to this one too.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        // A stream has at least two segments and at most eight. So `**` alone is `*:**`, and an eighth `**` is `*`.
        let theirs = if &*other.0 == "**" { "*:**" } else { &*other.0 };
        let theirs_full = theirs.split(':').count() == SEGMENTS_MAX;
        let mut theirs = theirs.split(':').map(|segment| if segment == "**" && theirs_full { "*" } else { segment });
        for ours in self.0.split(':') {
            match (ours, theirs.next()) {
                ("**", Some(_)) => return true,
                (_, None | Some("**")) => return false,
                ("*", Some(_)) => {}
                (literal, Some(segment)) if literal == segment => {}
                _ => return false,
            }
        }
        theirs.next().is_none()
    }
}

/// Whether a stream of this name belongs to a topic that somebody has checked.
#[must_use]
pub fn matches(topic: &[u8], stream: &[u8]) -> bool {
    let is_colon = |byte: &u8| *byte == b':';
    let mut segments = stream.split(is_colon);
    for wanted in topic.split(is_colon) {
        match (wanted, segments.next()) {
            (b"**", Some(_)) => return true,
            (_, None) => return false,
            (b"*", Some(_)) => {}
            (literal, Some(segment)) if literal == segment => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

impl From<&StreamName> for Topic {
    fn from(stream: &StreamName) -> Self {
        Self(stream.as_str().into())
    }
}

impl FromStr for Topic {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A set of topics, sorted and without repeats, so that equal sets are equal values. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topics(Box<[Topic]>);

/// Why a list of topics is no set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTopics {
    /// There is none.
    #[error("no topic is named: name at least one, such as space:42:** (** is every stream)")]
    Empty,
    /// More than [`TOPICS_MAX`].
    #[error("more than {TOPICS_MAX} topics are named: use patterns, or ask in several requests")]
    TooMany,
    /// One of them is no topic.
    #[error("topic '{topic}' {reason}")]
    Topic {
        /// The text that is no topic.
        topic: String,
        /// What is wrong with it.
        reason: InvalidName,
    },
}

impl Topics {
    /// Checks every topic and makes the set.
    ///
    /// # Errors
    /// [`InvalidTopics`] where there is none, too many, or one that is no topic.
    pub fn new<'a>(topics: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidTopics> {
        let mut set = Vec::new();
        for topic in topics {
            if set.len() == TOPICS_MAX {
                return Err(InvalidTopics::TooMany);
            }
            let invalid = |reason| InvalidTopics::Topic { topic: topic.to_owned(), reason };
            set.push(Topic::new(topic).map_err(invalid)?);
        }
        set.sort_unstable();
        set.dedup();
        if set.is_empty() { Err(InvalidTopics::Empty) } else { Ok(Self(set.into())) }
    }

    /// The set of one topic: every stream.
    #[must_use]
    pub fn everything() -> Self {
        Self([Topic("**".into())].into())
    }

    /// Whether a stream of this name belongs to the set.
    #[must_use]
    pub fn matches(&self, stream: &str) -> bool {
        self.0.iter().any(|topic| topic.matches(stream))
    }

    /// Whether some topic of the set contains this one. Topics that only together would are not looked for.
    #[must_use]
    pub fn contains(&self, topic: &Topic) -> bool {
        self.0.iter().any(|granted| granted.contains(topic))
    }

    /// The streams, where every topic of the set names exactly one.
    #[must_use]
    pub fn as_streams(&self) -> Option<Vec<StreamName>> {
        self.0.iter().map(Topic::as_stream).collect()
    }

    /// The topics in order.
    pub fn iter(&self) -> impl Iterator<Item = &Topic> {
        self.0.iter()
    }
}

impl fmt::Display for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, topic) in self.iter().enumerate() {
            write!(f, "{}{topic}", if at == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_segments() {
        for (topic, stream, matches) in [
            ("space:42:analysis_runs:*", "space:42:analysis_runs:7", true),
            ("space:42:analysis_runs:*", "space:42:analysis_runs", false),
            ("space:42:analysis_runs:*", "space:42:analysis_runs:7:x", false),
            ("space:*:tasks:*", "space:42:tasks:a", true),
            ("space:*:tasks:*", "space:42:runs:a", false),
            ("space:42:**", "space:42:tasks:a", true),
            ("space:42:**", "space:42", false),
            ("space:42:**", "space:421:tasks:a", false),
            ("**", "space:42", true),
            ("space:42", "space:42", true),
            ("space:42", "space:421", false),
        ] {
            assert_eq!(Topic::new(topic).unwrap().matches(stream), matches, "{topic} {stream}");
        }
    }

    #[test]
    fn misplaced_wildcards_are_refused() {
        for (topic, error) in [
            ("space:**:tasks", InvalidName::Wildcard),
            ("space:task-*", InvalidName::Wildcard),
            ("space:***", InvalidName::Wildcard),
            ("*", InvalidName::SegmentCount),
            ("", InvalidName::SegmentCount),
            ("space: x", InvalidName::Segment),
        ] {
            assert_eq!(Topic::new(topic), Err(error), "{topic}");
        }
    }

    #[test]
    fn a_topic_contains_what_is_nowhere_wider() {
        for (topic, other, contains) in [
            ("**", "**", true),
            ("**", "space:42:*", true),
            ("*:**", "**", true),
            ("*:*", "**", false),
            ("space:**", "**", false),
            ("space:42:**", "space:42:tasks:*", true),
            ("space:42:**", "space:42:**", true),
            ("space:42:**", "space:42", false),
            ("space:42:**", "space:*:tasks", false),
            ("space:42:*", "space:42:**", false),
            ("space:42:*:**", "space:42:**", false),
            ("space:*:tasks", "space:42:tasks", true),
            ("space:42:tasks", "space:*:tasks", false),
            ("space:42", "space:421", false),
            ("a:b:c:d:e:f:g:*", "a:b:c:d:e:f:g:**", true),
            ("a:b:c:d:e:f:*:*", "a:b:c:d:e:f:**", false),
        ] {
            let [topic, other] = [topic, other].map(|text| Topic::new(text).unwrap());
            assert_eq!(topic.contains(&other), contains, "{topic} {other}");
        }
        let set = Topics::new(["a:*", "b:**"]).unwrap();
        assert!(set.contains(&Topic::new("b:*:c").unwrap()));
        assert!(!set.contains(&Topic::new("*:*").unwrap()));
    }

    #[test]
    fn a_set_is_sorted_and_bounded() {
        let set = Topics::new(["b:**", "a:1", "b:**"]).unwrap();
        assert_eq!(set, Topics::new(["a:1", "b:**"]).unwrap());
        assert_eq!(set.to_string(), "a:1 b:**");
        assert_eq!(set.as_streams(), None);
        assert_eq!(Topics::new(["a:1"]).unwrap().as_streams().unwrap()[0].as_str(), "a:1");
        assert_eq!(Topics::everything(), Topics::new(["**"]).unwrap());
        assert_eq!(Topics::new([]), Err(InvalidTopics::Empty));
        assert_eq!(Topics::new(std::iter::repeat_n("a:1", TOPICS_MAX + 1)), Err(InvalidTopics::TooMany));
    }
}
