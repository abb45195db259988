//! Binary mode of the CloudEvents HTTP binding: the attributes of an event are `ce-` headers, and its data is the body. Fuzzed on its own.

use std::{borrow::Cow, str};

use highwater_core::{
    envelope::{Proposed, proposed_from_text},
    event::{Data, InvalidEvent, Limits},
    stream::StreamName,
};
use percent_encoding::percent_decode;

const ATTRIBUTE_PREFIX: &str = "ce-";

/// Reads an event. Names of headers are in lower case; `media_type` is the body's, empty where it is not named, and `is_json` whether that
/// is JSON's.
pub(super) fn event<'a>(
    headers: impl Iterator<Item = (&'a str, &'a [u8])>,
    media_type: &str,
    is_json: bool,
    body: &[u8],
    stream: Option<&StreamName>,
    limits: &Limits,
) -> Result<Proposed, InvalidEvent> {
    let mut attributes = Vec::new();
    for (header, value) in headers {
        if let Some(name) = header.strip_prefix(ATTRIBUTE_PREFIX) {
            let invalid = || InvalidEvent::attribute(name, "must be UTF-8, percent-encoded");
            attributes.push((name, attribute_value(value).ok_or_else(invalid)?));
        }
    }
    if !media_type.is_empty() {
        attributes.push(("datacontenttype", media_type.into()));
    }
    let data = match str::from_utf8(body) {
        _ if body.is_empty() => Data::None,
        Ok(text) if is_json => Data::json(text)?,
        Err(_) if is_json => return Err(InvalidEvent::attribute("data", "must be UTF-8")),
        _ => Data::Binary(body.to_vec()),
    };
    let attributes = attributes.iter().map(|(name, value)| (*name, value.as_ref()));
    proposed_from_text(attributes, data, stream, limits)
}

/// A header's text by section 3.1.3.2 of the CloudEvents HTTP binding: without quotes, then percent-decoded.
fn attribute_value(value: &[u8]) -> Option<Cow<'_, str>> {
    let unquoted = match value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) {
        None => Cow::Borrowed(value),
        Some(inner) => {
            let mut escaped = false;
            let literal = |byte: &u8| {
                escaped = !escaped && *byte == b'\\';
                !escaped
            };
            inner.iter().copied().filter(literal).collect()
        }
    };
    let decoded: Cow<'_, [u8]> = percent_decode(&unquoted).into();
    String::from_utf8(decoded.into_owned()).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_values_are_decoded_as_the_binding_says() {
        for (value, text) in [
            (&b"plain"[..], Some("plain")),
            (b"Euro%20%E2%82%AC%20%F0%9F%98%80", Some("Euro \u{20ac} \u{1f600}")),
            (b"\"quo\\\"ted \\\\ %22\"", Some("quo\"ted \\ \"")),
            (b"100%", Some("100%")),
            (b"\xE2\x82\xAC", Some("\u{20ac}")),
            (b"%FF", None),
            (b"\"", Some("\"")),
        ] {
            assert_eq!(attribute_value(value).as_deref(), text, "{value:?}");
        }
    }
}
