//! The borrowed header scan: what a verdict needs of an event, without parsing the event.

pub use super::scanner::JsonText;
use super::scanner::{elements, members};
use crate::version::{Position, Revision, Sequence, Version, digits};

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
    let [stream, sequence, revision, version] = members(envelope, ["subject", "sequence", "revision", "version"]);
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
