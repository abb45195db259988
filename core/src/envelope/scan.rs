//! The borrowed header scan: what a verdict needs of an event, without parsing the event.

pub use super::scanner::JsonText;
use super::scanner::{elements, members};
use crate::{
    find::find_either,
    version::{Position, Revision, Sequence, Version, digits},
};

/// What an event is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// The stream's name.
    pub stream: JsonText<'a>,
    /// Its place in the log.
    pub sequence: Sequence,
    /// Its place in its stream.
    pub revision: Revision,
    /// The entity's version that it is about.
    pub version: Version,
}

/// The text is no recorded event that could be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no recorded event: subject, sequence, revision and version must be there")]
pub struct InvalidHeader;

/// Reads the header of a recorded event. Of an event that [`parse_event`](super::parse_event) takes it says the same.
///
/// It stops once it has all it needs: as the server writes `data` last, that is never looked at.
///
/// # Errors
/// [`InvalidHeader`] where a part of it is missing or not what it must be.
pub fn scan(envelope: &[u8]) -> Result<Header<'_>, InvalidHeader> {
    scan_header(envelope).ok_or(InvalidHeader)
}

fn scan_header(envelope: &[u8]) -> Option<Header<'_>> {
    let names = ["subject", "sequence", "revision", "version"];
    let [stream, sequence, revision, version] =
        members_as_written(envelope).unwrap_or_else(|| members(envelope, names));
    Some(Header {
        stream: JsonText::new(stream)?,
        sequence: scan_sequence(JsonText::new(sequence)?.as_bytes())?,
        revision: Revision::read(revision)?,
        version: Version::read(version)?,
    })
}

fn scan_sequence(text: &[u8]) -> Option<Sequence> {
    if text.len() == 16 { Sequence::read(text) } else { None }
}

/// The members that make a header, where they stand as [`write_event`](super::write_event) writes them. `None` says nothing of them.
///
/// With its quotes and the colon a name stands only where it is one: in a string quotes have backslashes, and no attribute's name begins with
/// one. It is the event's own, as no `{` lies between it and the event's first.
fn members_as_written(envelope: &[u8]) -> Option<[&[u8]; 4]> {
    const NAMES: &[&[u8]; 4] = &[b"\"subject\":", b"\"sequence\":", b"\"revision\":", b"\"version\":"];
    let mut values = [&[][..]; 4];
    let mut rest = envelope.strip_prefix(b"{")?;
    for (name, value) in NAMES.iter().zip(&mut values) {
        rest = behind(rest, name)?;
        let end = match rest.strip_prefix(b"\"") {
            Some(text) => find_either(b'"', b'\\', text)? + 2,
            None => rest.iter().position(|byte| !byte.is_ascii_digit()).filter(|end| *end > 0)?,
        };
        (*value, rest) = rest.split_at_checked(end)?;
        if !matches!(rest.first(), Some(b',' | b'}')) {
            return None;
        }
    }
    values[0].ends_with(b"\"").then_some(values)
}

/// What stands behind a member's name, unless a `{` stands before it. Names are found by their fifth character, which is rare where they are looked for.
fn behind<'a>(json: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    const RARE: usize = 4;
    let mut at = 0;
    loop {
        at += find_either(name[RARE], b'{', json.get(at..)?)?;
        if json[at] == b'{' {
            return None;
        }
        let rest = json.get(at.wrapping_sub(RARE)..).and_then(|json| json.strip_prefix(name));
        if rest.is_some() {
            return rest;
        }
        at += 1;
    }
}

/// A page of events as the server answers it, its events untouched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page<'a> {
    /// The envelopes, in order.
    pub events: Vec<&'a [u8]>,
    /// The sequence of the event before the first one in this set of topics; a stream's page has none.
    pub prev: Option<Sequence>,
    /// Up to here the log was read; a stream's page has none.
    pub next: Option<Position>,
    /// The log's end, when it was read; a stream's page has none.
    pub head: Option<Position>,
}

/// Splits a page of the log or of a stream into its events. `None` where it is none.
#[must_use]
pub fn scan_page(json: &[u8]) -> Option<Page<'_>> {
    let [events, prev, next, head] = members(json, ["events", "prev", "next", "head"]);
    Some(Page {
        events: elements(events)?,
        prev: Sequence::read(prev),
        next: scan_position(next),
        head: scan_position(head),
    })
}

fn scan_position(value: &[u8]) -> Option<Position> {
    Position::read(JsonText::new(value)?.as_bytes())
}

/// The member of this name of a JSON object, where it is a string.
#[must_use]
pub fn text_member<'a>(json: &'a [u8], name: &str) -> Option<JsonText<'a>> {
    let [value] = members(json, [name]);
    JsonText::new(value)
}

/// The member of this name of a JSON object, where it is a number without sign, fraction and exponent.
#[must_use]
pub fn number_member(json: &[u8], name: &str) -> Option<u32> {
    let [value] = members(json, [name]);
    u32::try_from(digits(value)?).ok()
}
