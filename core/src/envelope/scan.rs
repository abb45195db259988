//! The borrowed header scan: what a verdict needs of an event, without parsing the event.

pub use super::scanner::JsonText;
use super::scanner::{Scanner, for_each_member};
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
pub fn scan(envelope: &str) -> Result<Header<'_>, InvalidHeader> {
    scan_header(envelope).ok_or(InvalidHeader)
}

fn scan_header(envelope: &str) -> Option<Header<'_>> {
    let (mut stream, mut sequence, mut revision, mut version) = (None, None, None, None);
    for_each_member(envelope, &mut |name, scanner| {
        match name {
            "subject" => stream = Some(scanner.string()?),
            "sequence" => sequence = Some(scan_sequence(scanner.string()?)?),
            "revision" => revision = Some(scanner.value()?.parse().ok()?),
            "version" => version = Some(scanner.value()?.parse().ok()?),
            _ => {
                scanner.value()?;
            }
        }
        let is_whole = stream.is_some() && sequence.is_some() && revision.is_some() && version.is_some();
        (!is_whole).then_some(())
    });
    Some(Header { stream: stream?, sequence: sequence?, revision: revision?, version: version? })
}

fn scan_sequence(text: JsonText<'_>) -> Option<Sequence> {
    let text = text.decode()?;
    if text.len() == 16 { text.parse().ok() } else { None }
}

/// A page of events as the server answers it, its events untouched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page<'a> {
    /// The envelopes, in order.
    pub events: Vec<&'a str>,
    /// The sequence of the event before the first one in this set of topics; a stream's page has none.
    pub prev: Option<Sequence>,
    /// Up to here the log was read; a stream's page has none.
    pub next: Option<Position>,
    /// The log's end, when it was read; a stream's page has none.
    pub head: Option<Position>,
}

/// Splits a page of the log or of a stream into its events. `None` where it is none.
#[must_use]
pub fn scan_page(json: &str) -> Option<Page<'_>> {
    let mut page = Page::default();
    for_each_member(json, &mut |name, scanner| {
        match name {
            "events" => page.events = scan_array(scanner)?,
            "prev" => page.prev = Some(scanner.value()?.parse().ok()?),
            "next" => page.next = Some(scanner.string()?.decode()?.parse().ok()?),
            "head" => page.head = Some(scanner.string()?.decode()?.parse().ok()?),
            _ => {
                scanner.value()?;
            }
        }
        Some(())
    })?;
    Some(page)
}

fn scan_array<'a>(scanner: &mut Scanner<'a>) -> Option<Vec<&'a str>> {
    let mut values = Vec::new();
    scanner.take(b'[')?;
    while scanner.take(b']').is_none() {
        let _ = scanner.take(b','); // As in `for_each_member`.
        values.push(scanner.value()?);
    }
    Some(values)
}

/// The member of this name of a JSON object, where it is a string.
#[must_use]
pub fn text_member<'a>(json: &'a str, wanted: &str) -> Option<JsonText<'a>> {
    let mut found = None;
    for_each_member(json, &mut |name, scanner| {
        if name == wanted {
            found = scanner.string();
            return None;
        }
        scanner.value().map(|_| ())
    });
    found
}

/// The member of this name of a JSON object, where it is a number without sign, fraction and exponent.
#[must_use]
pub fn number_member(json: &str, wanted: &str) -> Option<u32> {
    let mut found = None;
    for_each_member(json, &mut |name, scanner| {
        let value = scanner.value()?;
        if name == wanted {
            found = digits(value.as_bytes());
            return None;
        }
        Some(())
    });
    u32::try_from(found?).ok()
}
