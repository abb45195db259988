//! Why a value is not read.

use std::fmt::{self, Display};

/// Why something is not read: where in it, and what must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Box<Wrong>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Wrong {
    /// Members and places from the outside in; empty for the value itself.
    path: String,
    /// What is wrong, as it goes on after the name of what is.
    reason: String,
}

impl Error {
    /// Something is wrong: `reason` goes on after the name of the value, such as "must be a string".
    pub fn new(reason: &dyn Display) -> Self {
        Self::of(reason.to_string())
    }

    fn of(reason: String) -> Self {
        Self(Box::new(Wrong { path: String::new(), reason }))
    }

    /// The value is another one.
    #[must_use]
    pub fn must_be(what: &str) -> Self {
        Self::of(format!("must be {what}"))
    }

    /// It must be one of these names.
    #[must_use]
    pub fn one_of(names: &[&str]) -> Self {
        let mut known = String::from("one of ");
        for (at, name) in names.iter().enumerate() {
            known.push_str(if at == 0 { "" } else { ", " });
            known.push_str(name);
        }
        Self::must_be(&known)
    }

    /// It is not there.
    pub(super) fn missing() -> Self {
        Self::new(&"is missing")
    }

    /// It is there more than once.
    pub(super) fn twice() -> Self {
        Self::new(&"is there twice")
    }

    /// What is wrong, without the name of what is.
    pub(crate) fn reason(&self) -> &str {
        &self.0.reason
    }

    /// It is in that member.
    #[must_use]
    pub fn inside(mut self, name: &str) -> Self {
        let path = &mut self.0.path;
        let between = if path.is_empty() || path.starts_with('[') { "" } else { "." };
        path.insert_str(0, between);
        path.insert_str(0, name);
        self
    }

    /// It is at that place of a list.
    #[must_use]
    pub(super) fn at(self, place: usize) -> Self {
        self.inside(&format!("[{place}]"))
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Wrong { path, reason } = &*self.0;
        match path.as_str() {
            "" => f.write_str("it ")?,
            path => write!(f, "'{path}' ")?,
        }
        f.write_str(reason)
    }
}

impl std::error::Error for Error {}
