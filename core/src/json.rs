//! JSON as values: [`Json`], and its derive.
//!
//! serde makes code for each type, each way to read it and each text that it is read from, which is fast, and all of it is downloaded by
//! browsers: an entity would cost twenty kilobytes. So text is read in one place, into a [`Node`], and a type takes its members from there, on
//! the server as in the browser: what one of them takes, the other does.
//!
//! ```
//! use highwater_core::json::{self, Json};
//!
//! #[derive(Debug, PartialEq, Json)]
//! struct Bulb {
//!     watts: u32,
//!     #[json(default)]
//!     colors: Vec<String>,
//!     #[json(skip_none)]
//!     maker: Option<String>,
//! }
//!
//! let bulb = Bulb { watts: 7, colors: Vec::new(), maker: None };
//! assert_eq!(json::to_string(&bulb), r#"{"watts":7,"colors":[]}"#);
//! assert_eq!(json::from_str(r#"{"watts":7}"#), Ok(bulb));
//! let error = json::from_str::<Bulb>(r#"{"watts":-1}"#).unwrap_err();
//! assert_eq!(error.to_string(), "'watts' must be a whole number from 0 to 4294967295");
//! ```
//!
//! # The derive
//!
//! - A **struct** is an object with its fields as members. A member that nobody knows is passed over. `#[json(default)]` is for a field that
//!   may be absent; an `Option` may be so in any case, and `#[json(skip_none)]` leaves it out where it is `None`, in place of `null`. A
//!   struct around one value is that value.
//! - An **enum** of names alone is a string, in snake case: `InProgress` is `"in_progress"`. A variant that holds something is an object: by
//!   itself `{"variant":…}`; with `#[json(tag = "type", content = "data")]` `{"type":"variant","data":…}`, as commands are, where data that is
//!   not there is an empty object; with `#[json(tag = "kind")]` `{"kind":"variant",…}`.
//! - `#[json(rename = "…")]` is what a field or a variant is called in JSON, `#[json(alias = "…")]` what a field was called in older JSON.

mod error;
mod node;
mod parse;
mod raw;
mod values;
mod write;

pub use highwater_derive::Json;

pub use self::{
    error::Error,
    node::{Members, Node},
    parse::{items, members},
    raw::Raw,
    write::Writer,
};

/// What is read from JSON and written as JSON. See the [module](self) for its derive.
pub trait Json: FromJson + ToJson {}

impl<T: FromJson + ToJson> Json for T {}

/// What is read from JSON. It is read in place, and any value is asked in the same way: so a type costs little more code than the names of its
/// members.
pub trait FromJson {
    /// A value that is cheap to make, to read another into. It need not be a valid one: nobody may look at it before.
    fn placeholder() -> Self
    where
        Self: Sized;

    /// Becomes what is read. Where that fails, it may be anything.
    ///
    /// # Errors
    /// [`Error`] where it is not what the type says.
    fn read(&mut self, node: &Node<'_>) -> Result<(), Error>;

    /// Writes some value, with something in every member that there may be: what holds published schemas is made of these.
    fn sample(to: &mut Writer)
    where
        Self: Sized;

    /// Whether a member may be absent, which is as if it were `null`.
    fn may_be_absent(&self) -> bool {
        false
    }
}

/// What is written as JSON.
pub trait ToJson {
    /// Writes it: exactly one value.
    fn write(&self, to: &mut Writer);
}

/// A [`FromJson`] that is an object with members of known names, which may stand among others.
pub trait FromMembers: FromJson {
    /// Reads its members.
    fn read_members(&mut self, members: &mut Members<'_, '_>);

    /// Writes its members as [`FromJson::sample`] does.
    fn sample_members(to: &mut Writer)
    where
        Self: Sized;
}

/// A [`ToJson`] that is an object, whose members may stand among others.
pub trait ToMembers: ToJson {
    /// Writes its members.
    fn write_members(&self, to: &mut Writer);
}

/// Reads a value from text.
///
/// # Errors
/// [`Error`] where the text is no JSON, or not of that type.
pub fn from_str<T: FromJson>(text: &str) -> Result<T, Error> {
    from_node(&Node::parse(text)?)
}

/// Reads a value.
///
/// # Errors
/// [`Error`] where it is not of that type.
pub fn from_node<T: FromJson>(node: &Node<'_>) -> Result<T, Error> {
    let mut value = T::placeholder();
    value.read(node)?;
    Ok(value)
}

/// For the derive: one object is read as all are.
#[doc(hidden)]
pub fn read_record(record: &mut dyn FromMembers, node: &Node<'_>) -> Result<(), Error> {
    let mut members = node.members()?;
    record.read_members(&mut members);
    members.finish()
}

/// For the derive: one object is written as all are.
#[doc(hidden)]
pub fn write_record(record: &dyn ToMembers, to: &mut Writer) {
    to.begin_object();
    record.write_members(to);
    to.end_object();
}

/// Writes a value as text without white space.
#[must_use]
pub fn to_string(value: &dyn ToJson) -> String {
    let mut writer = Writer::default();
    value.write(&mut writer);
    writer.into_text()
}

/// A value that is its text, for types that are read by [`FromStr`](std::str::FromStr): a placeholder, how it is written, and a text that is one.
macro_rules! json_text {
    ($name:ty, $placeholder:expr, $text:expr, $sample:literal) => {
        impl $crate::json::FromJson for $name {
            fn placeholder() -> Self {
                $placeholder
            }

            fn read(&mut self, node: &$crate::json::Node<'_>) -> Result<(), $crate::json::Error> {
                *self = node.text()?.parse().map_err(|error| $crate::json::Error::new(&error))?;
                Ok(())
            }

            fn sample(to: &mut $crate::json::Writer) {
                to.text($sample);
            }
        }

        impl $crate::json::ToJson for $name {
            fn write(&self, to: &mut $crate::json::Writer) {
                let text: fn(&Self, &mut $crate::json::Writer) = $text;
                text(self, to);
            }
        }
    };
}
pub(crate) use json_text;
pub(crate) use write::write_string;

#[cfg(test)]
mod tests;
