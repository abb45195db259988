//! The members of one envelope by name, before it is known what they mean.

use std::{borrow::Cow, collections::BTreeMap, fmt, str::FromStr};

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::event::{ExtensionName, ExtensionValue, InvalidEvent, TEXT_BYTES_MAX};

/// A member as it came: JSON from a body, or text from a header.
pub(super) enum Field<'a> {
    Json(&'a RawValue),
    Text(Cow<'a, str>),
}

/// Members by name, none of them twice. What was asked for is gone; what remains at the end are extensions.
#[derive(Default)]
pub(super) struct Fields<'a>(BTreeMap<Cow<'a, str>, Field<'a>>);

impl<'a> Fields<'a> {
    pub(super) fn from_json(json: &'a [u8]) -> Result<Self, InvalidEvent> {
        // One way to read JSON is all that a browser needs.
        let text = str::from_utf8(json).map_err(|error| InvalidEvent::Json(error.to_string()))?;
        serde_json::from_str(text).map_err(|error| InvalidEvent::Json(error.to_string()))
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
            Some(Field::Json(json)) => json.get() != "null",
            Some(Field::Text(_)) => true,
        }
    }

    /// A member whose JSON `null` means something.
    pub(super) fn json(&mut self, name: &str) -> Option<&'a RawValue> {
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
            Some(Field::Json(json)) if json.get() == "null" => Ok(None),
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
        let digits = match &field {
            None => return Ok(None),
            Some(Field::Json(json)) if json.get() == "null" => return Ok(None),
            Some(Field::Json(json)) => json.get(),
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
    pub(super) fn extensions(self) -> Result<BTreeMap<ExtensionName, ExtensionValue>, InvalidEvent> {
        let mut extensions = BTreeMap::new();
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
        Field::Json(json) => match json.get() {
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
fn json_text(json: &RawValue) -> Result<Cow<'_, str>, serde_json::Error> {
    let text = json.get();
    match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) if !inner.contains('\\') => Ok(inner.into()),
        _ => serde_json::from_str(text).map(Cow::Owned),
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

/// A member's name, borrowed where it has no escapes: serde copies a `Cow` unless it is told not to.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut fields = Fields::default();
        while let Some((Name(name), json)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
            if fields.0.contains_key(&name) {
                return Err(M::Error::custom(format_args!("'{name}' is there twice")));
            }
            fields.0.insert(name, Field::Json(json));
        }
        Ok(fields)
    }
}
