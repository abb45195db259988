//! [`StreamName`]: the name of one entity's events, `segment:segment:…:id`.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::json::json_text;

/// The longest stream name or topic, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 512;
/// The fewest segments of a stream name.
pub const SEGMENTS_MIN: usize = 2;
/// The most segments of a stream name.
pub const SEGMENTS_MAX: usize = 8;

/// The name of a stream, e.g. `space:42:tasks:task-abc`: 2 to 8 segments joined by `:`, at most 512 bytes.
///
/// A segment is not empty and holds no control character, white space, `:`, `*` or `/`. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StreamName(Arc<str>);

/// Why a text is no stream name or topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Longer than [`NAME_BYTES_MAX`].
    #[error("is longer than {NAME_BYTES_MAX} bytes")]
    TooLong,
    /// Fewer than [`SEGMENTS_MIN`] segments, or more than [`SEGMENTS_MAX`].
    #[error("must have {SEGMENTS_MIN} to {SEGMENTS_MAX} segments joined by ':', such as space:42:tasks:task-abc")]
    SegmentCount,
    /// A segment is empty, or holds what no segment may hold.
    #[error(
        "has a segment that is empty or holds a control character, white space, '*' or '/': percent-encode such characters"
    )]
    Segment,
    /// In a topic: `**` anywhere but at the end, or `*` beside other characters.
    #[error("may use '*' only as a whole segment, and '**' only as the last one")]
    Wildcard,
}

impl StreamName {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// [`InvalidName`] says which rule the text breaks.
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        if name.len() > NAME_BYTES_MAX {
            return Err(InvalidName::TooLong);
        }
        let segments = || name.as_bytes().split(|byte| *byte == b':');
        if !(SEGMENTS_MIN..=SEGMENTS_MAX).contains(&segments().count()) {
            return Err(InvalidName::SegmentCount);
        }
        let is_good = segments().all(is_plain_segment) || name.split(':').all(is_segment);
        is_good.then(|| Self(name.into())).ok_or(InvalidName::Segment)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name's segments, first to last.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split(':')
    }
}

/// Whether a segment is good at the first glance, which is all that most need.
fn is_plain_segment(segment: &[u8]) -> bool {
    !segment.is_empty() && segment.iter().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b':' | b'*' | b'/'))
}

/// Whether a text may stand between the colons of a name.
pub(crate) fn is_segment(segment: &str) -> bool {
    let forbidden = |c: char| c.is_control() || c.is_whitespace() || matches!(c, ':' | '*' | '/');
    !segment.is_empty() && !segment.contains(forbidden)
}

json_text!(StreamName, Self(Arc::default()), |stream, to| to.text(stream.as_str()), "space:1:things:text");

impl FromStr for StreamName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl TryFrom<String> for StreamName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text)
    }
}

impl From<StreamName> for String {
    fn from(name: StreamName) -> Self {
        name.as_str().to_owned()
    }
}

impl AsRef<str> for StreamName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for StreamName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_seeds_are_good() {
        for name in ["space:42", "space:42:tasks:task-abc", "wiki:%23en.wikipedia:Ærø", "a:b:c:d:e:f:g:h"] {
            assert_eq!(StreamName::new(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn each_rule_has_its_error() {
        use InvalidName::*;
        let long = format!("a:{}", "b".repeat(NAME_BYTES_MAX));
        for (name, error) in [
            ("", SegmentCount),
            ("alone", SegmentCount),
            ("a:b:c:d:e:f:g:h:i", SegmentCount),
            ("a:", Segment),
            ("a: b", Segment),
            ("a:b\u{a0}c", Segment),
            ("a:b\nc", Segment),
            ("a:*", Segment),
            ("a:b/c", Segment),
            (&long, TooLong),
        ] {
            assert_eq!(StreamName::new(name), Err(error), "{name:?}");
        }
    }
}
