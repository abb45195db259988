//! The members of one envelope by name, before it is known what they mean.

use std::{borrow::Cow, fmt, str::FromStr};

use crate::{
    event::{ExtensionName, ExtensionValue, InvalidEvent, TEXT_BYTES_MAX},
    json::{self, Node},
    sorted::SortedMap,
};

/// No event has more members than this, however many extensions a server allows.
const MEMBERS_MAX: usize = 1_024;

/// A member as it came: JSON from a body, or text from a header.
pub(super) enum Field<'a> {
    Json(&'a str),
    Text(Cow<'a, str>),
}

/// Members by name, none of them twice. What was asked for is gone; what remains at the end are extensions.
#[derive(Default)]
pub(super) struct Fields<'a>(SortedMap<Cow<'a, str>, Field<'a>>);

impl<'a> Fields<'a> {
    pub(super) fn from_json(json: &'a [u8]) -> Result<Self, InvalidEvent> {
        let text = str::from_utf8(json).map_err(|error| InvalidEvent::Json(error.to_string()))?;
        let members = json::members(text).map_err(|error| InvalidEvent::Json(error.to_string()))?;
        if members.len() > MEMBERS_MAX {
            return Err(InvalidEvent::Json(format!("it has {} members, more than {MEMBERS_MAX}", members.len())));
        }
        let mut fields = Self::default();
        for (name, json) in members {
            if fields.0.get(&name).is_some() {
                return Err(InvalidEvent::Json(format!("'{name}' is there twice")));
            }
            fields.0.insert(name, Field::Json(json));
        }
        Ok(fields)
    }

    /// Adds a member that is text.
    pub(super) fn insert_text(&mut self, name: &'a str, text: &'a str) -> Result<(), InvalidEvent> {
        match self.0.insert(name.into(), Field::Text(text.into())) {
            None => Ok(()),
            Some(_) => Err(InvalidEvent::attribute(name, "is given twice")),
        }
    }

    /// Whether there is such a member, and not `null`.
    pub(super) fn present(&self, name: &str) -> bool {
        match self.0.get(name) {
            None => false,
            Some(Field::Json(json)) => *json != "null",
            Some(Field::Text(_)) => true,
        }
    }

    /// A member whose JSON `null` means something.
    pub(super) fn json(&mut self, name: &str) -> Option<&'a str> {
        match self.0.remove(name)? {
            Field::Json(json) => Some(json),
            Field::Text(_) => None,
        }
    }

    /// A member that must be text; `null` is absence.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<Cow<'a, str>>, InvalidEvent> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(Field::Text(text)) => Ok(Some(text)),
            Some(Field::Json("null")) => Ok(None),
            Some(Field::Json(json)) => {
                json_text(json).map(Some).map_err(|_| InvalidEvent::attribute(name, "must be a string"))
            }
        }
    }

    /// A member that must be text of a type.
    pub(super) fn parsed<T: FromStr<Err: fmt::Display>>(&mut self, name: &str) -> Result<Option<T>, InvalidEvent> {
        let parse = |text: Cow<'_, str>| text.parse().map_err(|error| InvalidEvent::attribute(name, error));
        self.text(name)?.map(parse).transpose()
    }

    /// As [`Self::parsed`], but it must be there.
    pub(super) fn required<T: FromStr<Err: fmt::Display>>(&mut self, name: &str) -> Result<T, InvalidEvent> {
        self.parsed(name)?.ok_or_else(|| InvalidEvent::attribute(name, "is missing"))
    }

    /// A member that must be a whole number; in a header its digits.
    pub(super) fn number<T: FromStr<Err: fmt::Display>>(&mut self, name: &str) -> Result<Option<T>, InvalidEvent> {
        let field = self.0.remove(name);
        let digits: &str = match &field {
            None => return Ok(None),
            Some(Field::Json("null")) => return Ok(None),
            Some(Field::Json(json)) => json,
            Some(Field::Text(text)) => text,
        };
        digits.parse().map(Some).map_err(|error| {
            let quoted = if digits.starts_with('"') { ", not a string" } else { "" };
            InvalidEvent::attribute(name, format_args!("{error}{quoted}"))
        })
    }

    /// Short text without a type of its own.
    pub(super) fn short_text(&mut self, name: &str) -> Result<Option<Box<str>>, InvalidEvent> {
        match self.text(name)? {
            Some(text) if text.is_empty() || text.len() > TEXT_BYTES_MAX => {
                Err(InvalidEvent::attribute(name, format_args!("must be 1 to {TEXT_BYTES_MAX} bytes")))
            }
            text => Ok(text.map(Into::into)),
        }
    }

    /// Everything that is left, which are extension attributes.
    pub(super) fn extensions(self) -> Result<SortedMap<ExtensionName, ExtensionValue>, InvalidEvent> {
        let mut extensions = SortedMap::new();
        for (name, field) in self.0 {
            let key = ExtensionName::new(&name).map_err(|error| InvalidEvent::attribute(&*name, error))?;
            if let Some(value) = extension_value(&name, field)? {
                extensions.insert(key, value);
            }
        }
        Ok(extensions)
    }
}

fn extension_value(name: &str, field: Field<'_>) -> Result<Option<ExtensionValue>, InvalidEvent> {
    let text = match field {
        Field::Text(text) => text,
        Field::Json(json) => match json {
            "null" => return Ok(None),
            "true" => return Ok(Some(ExtensionValue::Boolean(true))),
            "false" => return Ok(Some(ExtensionValue::Boolean(false))),
            number if number.parse::<i32>().is_ok() => {
                return Ok(number.parse().ok().map(ExtensionValue::Integer));
            }
            _ => json_text(json).map_err(|_| {
                InvalidEvent::attribute(name, "must be a string, a boolean or a whole number of 32 bits")
            })?,
        },
    };
    if text.len() > TEXT_BYTES_MAX {
        return Err(InvalidEvent::attribute(name, format_args!("must be at most {TEXT_BYTES_MAX} bytes")));
    }
    Ok(Some(ExtensionValue::String(text.into())))
}

/// A JSON string's text; borrowed where it has no escapes.
fn json_text(json: &str) -> Result<Cow<'_, str>, json::Error> {
    match Node::parse(json)? {
        Node::Text(text) => Ok(text),
        other => other.text().map(|text| text.to_owned().into()),
    }
}
