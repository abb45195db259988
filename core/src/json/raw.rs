//! [`Raw`]: JSON as it was written.

use std::fmt;

use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::value::RawValue;

use super::{Error, FromJson, Node, ToJson, Writer, from_str, parse, to_string};
use crate::event::DATA_DEPTH_MAX;

/// Any JSON, kept as it was written but for white space: numbers keep all their digits, objects their order. It is no deeper than
/// [`DATA_DEPTH_MAX`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw(Box<str>);

impl Raw {
    /// Takes JSON, without its white space.
    ///
    /// # Errors
    /// Where the text is none, or is nested too deeply.
    pub fn new(text: &str) -> Result<Self, Error> {
        let is_compact = parse::is_compact(text, DATA_DEPTH_MAX)?;
        Ok(Self(if is_compact { text.into() } else { compact(text).into() }))
    }

    /// JSON without white space, as whoever wrote it vouches.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn vouched(text: &str) -> Self {
        Self(text.into())
    }

    /// A value as JSON.
    #[must_use]
    pub fn of(value: &dyn ToJson) -> Self {
        Self(to_string(value).into())
    }

    /// Some value of a type, with something in every member that there may be.
    #[must_use]
    pub fn sample_of<T: FromJson>() -> Self {
        let mut to = Writer::default();
        T::sample(&mut to);
        Self(to.into_text().into())
    }

    /// The text.
    #[must_use]
    pub fn get(&self) -> &str {
        &self.0
    }

    /// Any value that is in it.
    ///
    /// # Errors
    /// Where it is not what the type says.
    pub fn read<T: FromJson>(&self) -> Result<T, Error> {
        from_str(&self.0)
    }
}

/// A member that may be anything. White space and needless escapes are gone from it.
impl FromJson for Raw {
    fn placeholder() -> Self {
        Self("null".into())
    }

    fn read(&mut self, node: &Node<'_>) -> Result<(), Error> {
        let mut to = Writer::default();
        to.node(node);
        self.0 = to.into_text().into();
        Ok(())
    }

    fn sample(to: &mut Writer) {
        to.text("text");
    }
}

impl ToJson for Raw {
    fn write(&self, to: &mut Writer) {
        to.raw(&self.0);
    }
}

/// As it stands, where `serde_json` is what writes it.
impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(S::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// JSON without the white space between its tokens.
fn compact(text: &str) -> String {
    let mut compact = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for character in text.chars() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if matches!(character, ' ' | '\t' | '\n' | '\r') {
            continue;
        } else {
            in_string = character == '"';
        }
        compact.push(character);
    }
    compact
}
