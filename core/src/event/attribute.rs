//! The small validated types that an event's attributes have.

use std::{borrow::Borrow, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::uri;
use crate::{clock::ACTOR_BYTES_MAX, json::json_text, number::whole_number};

/// The longest text of any attribute that has no shorter limit of its own, in bytes.
pub const TEXT_BYTES_MAX: usize = 1_024;
const ID_BYTES_MAX: usize = 255;
const TYPE_BYTES_MAX: usize = 255;
const EXTENSION_NAME_BYTES_MAX: usize = 64;

/// What the protocol gives a meaning: no extension may have such a name.
const RESERVED: [&str; 18] = [
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "recordedtime",
    "datacontenttype",
    "dataschema",
    "sequence",
    "revision",
    "version",
    "clock",
    "causationid",
    "correlationid",
    "commandid",
    "expectedrevision",
    "data",
];

/// What an attribute must be, told to whoever sent something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidAttribute(&'static str);

macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $sample:literal, $valid:expr, $rule:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// Checks and takes a text.
            ///
            /// # Errors
            /// [`InvalidAttribute`] says what it must be.
            pub fn new(text: &str) -> Result<Self, InvalidAttribute> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { Ok(Self(text.into())) } else { Err(InvalidAttribute($rule)) }
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// A text that was checked when it was written, as a log vouches.
            #[cfg(not(target_family = "wasm"))]
            pub(crate) fn vouched(text: &str) -> Self {
                Self(text.into())
            }
        }

        json_text!($name, Self(Box::default()), |value, to| to.text(value.as_str()), $sample);

        impl FromStr for $name {
            type Err = InvalidAttribute;

            fn from_str(text: &str) -> Result<Self, InvalidAttribute> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidAttribute;

            fn try_from(text: String) -> Result<Self, InvalidAttribute> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0.into()
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked_text! {
    /// One sequential process that makes events; CloudEvents calls it `source`.
    Actor,
    "text",
    |text| {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~'));
        (1..=ACTOR_BYTES_MAX).contains(&text.len()) && (is_plain || uri::is_reference(text))
    },
    "must be a URI reference (RFC 3986) of 1 to 255 bytes: percent-encode other characters"
}
checked_text! {
    /// What names an event within its source; also a causation, a correlation or a command.
    EventId,
    "text",
    |text| {
        let is_plain = text.bytes().fold(true, |is_plain, byte| is_plain & matches!(byte, b' '..=b'~'));
        (1..=ID_BYTES_MAX).contains(&text.len()) && (is_plain || !text.contains(char::is_control))
    },
    "must be 1 to 255 bytes without control characters"
}
checked_text! {
    /// What happened, ending in the version of its schema, e.g. `task.correction_completed.v1`.
    EventType,
    "text.v1",
    |text| text.len() <= TYPE_BYTES_MAX && schema_version(text).is_some(),
    "must be at most 255 bytes of visible ASCII and end in its schema version, such as task.code_generated.v1"
}
checked_text! {
    /// The name of an attribute that the protocol does not know.
    ExtensionName,
    "text",
    |name| {
        let length = (1..=EXTENSION_NAME_BYTES_MAX).contains(&name.len());
        let letters = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        length && letters && !RESERVED.contains(&name)
    },
    "is no extension attribute's name: use 1 to 64 lower-case letters and digits, and no name of the protocol's own"
}

impl EventType {
    /// The version of the event's schema: the N of the final `.vN`.
    #[must_use]
    pub fn schema_version(&self) -> u32 {
        schema_version(&self.0).expect("checked when it was made")
    }
}

fn schema_version(kind: &str) -> Option<u32> {
    let digits = kind.bytes().rev().take_while(u8::is_ascii_digit).count();
    let (name, number) = kind.split_at(kind.len() - digits);
    let name = name.strip_suffix(".v")?;
    let visible = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
    if visible && !number.starts_with('0') { whole_number(number.as_bytes())?.try_into().ok() } else { None }
}

/// The value of an extension attribute: CloudEvents knows scalars only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ExtensionValue {
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number of 32 bits.
    Integer(i32),
    /// Text of at most [`TEXT_BYTES_MAX`] bytes.
    String(Box<str>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[test]
    fn types_end_in_a_schema_version() {
        assert_eq!(EventType::new("task.correction_completed.v12").unwrap().schema_version(), 12);
        for bad in ["", "task", "task.v", "task.v0", "task.v01", ".v1", "a b.v1", "task.v1x", "task.v99999999999"] {
            assert!(EventType::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn each_is_read_from_json_as_from_text() {
        assert_eq!(json::from_str(r#""tester""#), Ok(Actor::new("tester").unwrap()));
        assert_eq!(json::from_str(r#""task-1""#), Ok(EventId::new("task-1").unwrap()));
        assert_eq!(json::from_str(r#""task.made.v1""#), Ok(EventType::new("task.made.v1").unwrap()));
        assert_eq!(json::from_str(r#""traceparent""#), Ok(ExtensionName::new("traceparent").unwrap()));
        assert!(json::from_str::<EventType>(r#""task""#).is_err());
    }

    #[test]
    fn actors_are_uri_references() {
        for good in ["corrector", "https://example.com/a?b#c", "urn:uuid:6e8bc430", "1-555-123-4567", "J%C3%BCrgen"] {
            assert!(Actor::new(good).is_ok(), "{good}");
        }
        for bad in ["", "two words", "Jürgen", "%zz", "1:2", "a\nb"] {
            assert!(Actor::new(bad).is_err(), "{bad}");
        }
        assert!(Actor::new(&"a".repeat(256)).is_err());
    }

    #[test]
    fn extensions_leave_the_protocols_names_alone() {
        assert!(ExtensionName::new("traceparent").is_ok());
        for bad in ["", "Trace", "trace_parent", "sequence", "clock", "expectedrevision"] {
            assert!(ExtensionName::new(bad).is_err(), "{bad}");
        }
    }
}
