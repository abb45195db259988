//! The borrowed header scan: what a verdict needs of an event, without parsing the event.

pub use super::scanner::JsonText;
use super::scanner::{elements, members};
use crate::{
    find::{Block, find_either, find_soon, is_free_of},
    number::{leading_number, sixteen_digits, whole_number},
    version::{Position, Revision, Sequence, Version},
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

/// Reads the header of a recorded event. Of an event that [`parse_event`](super::parse_event) takes it says the same, as long as no name has an escape.
///
/// It stops once it has all it needs: as the server writes `data` last, that is never looked at.
///
/// # Errors
/// [`InvalidHeader`] where a part of it is missing or not what it must be.
#[inline(never)] // There are more of its values than registers: it is quicker alone.
pub fn scan(envelope: &[u8]) -> Result<Header<'_>, InvalidHeader> {
    if let Some(header) = header_as_written(envelope) {
        Ok(header)
    } else {
        header_of_members(envelope).ok_or(InvalidHeader)
    }
}

const SEQUENCE: &[u8; 12] = b"\"sequence\":\"";
/// At least as much as stands before an event's subject.
const BEFORE_SUBJECT_LEAST: usize = r#""specversion":"1.0","id":"1","source":"a","type":"a","#.len();
/// As much as stands between most events' subject and sequence.
const BEFORE_SEQUENCE_MOSTLY: usize = r#"","time":"2026-11-20T12:23:40.199775Z","recordedtime":"2026-11-20T12:23:40.201112Z","datacontenttype":"application/json","#.len();

/// The header where it stands as [`write_event`](super::write_event) writes it. `None` says nothing of it.
///
/// With its quotes and the colon a name stands only where it is one: in a string quotes have backslashes, and no attribute's name begins with
/// one. It is the event's own, as no `{` lies between it and the event's first.
pub(super) fn header_as_written(envelope: &[u8]) -> Option<Header<'_>> {
    let rest = behind(behind_free(envelope.strip_prefix(b"{")?, BEFORE_SUBJECT_LEAST)?, b"\"subject\":\"")?;
    let (stream, rest) = rest.split_at_checked(find_soon(b'"', rest)?)?;
    let rest = match behind_free(rest, BEFORE_SEQUENCE_MOSTLY).and_then(|rest| strip(rest, SEQUENCE)) {
        None => behind(rest, SEQUENCE)?,
        Some(rest) => rest,
    };
    let (&sequence, rest) = rest.split_first_chunk()?;
    let (revision, rest) = leading_number(strip(rest, b"\",\"revision\":")?)?;
    let (version, rest) = leading_number(strip(rest, b",\"version\":")?)?;
    if stream.ends_with(b"\\") || !matches!(rest.first(), Some(b',' | b'}')) {
        return None;
    }
    Some(Header {
        stream: JsonText::from_bytes(stream),
        sequence: Sequence::new(sixteen_digits(sequence)?).ok()?,
        revision: Revision::new(revision).ok()?,
        version: Version::new(version).ok()?,
    })
}

/// What stands behind this, unless a `{` stands before it. It is found by its fifth character, which is rare where it is looked for.
fn behind<'a, const N: usize>(json: &'a [u8], wanted: &[u8; N]) -> Option<&'a [u8]> {
    const RARE: usize = 4;
    let mut at = 0;
    loop {
        at += find_either(wanted[RARE], b'{', json.get(at..)?)?;
        if json[at] == b'{' {
            return None;
        }
        let rest = json.get(at.wrapping_sub(RARE)..).and_then(|json| strip(json, wanted));
        if rest.is_some() {
            return rest;
        }
        at += 1;
    }
}

/// What stands behind so many bytes, if all blocks up to there are free of `{`.
fn behind_free(json: &[u8], len: usize) -> Option<&[u8]> {
    let (blocks, _) = json.as_chunks();
    is_free_of(b'{', blocks.get(..len.div_ceil(size_of::<Block>()))?).then(|| json.get(len..)).flatten()
}

/// What stands behind a text that begins with this. Its first eight bytes and its last are compared: browsers compare slices byte by byte.
fn strip<'a, const N: usize>(text: &'a [u8], wanted: &[u8; N]) -> Option<&'a [u8]> {
    const { assert!(N >= 8 && N <= 16) };
    let (first, rest) = text.split_first_chunk::<N>()?;
    let word = |word: Option<&[u8; 8]>| word.map(|word| u64::from_le_bytes(*word));
    let is_wanted = word(first.first_chunk()) == word(wanted.first_chunk())
        && word(first.last_chunk()) == word(wanted.last_chunk());
    is_wanted.then_some(rest)
}

/// Any event's header.
#[cold]
#[inline(never)]
pub(super) fn header_of_members(envelope: &[u8]) -> Option<Header<'_>> {
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
    u32::try_from(whole_number(value)?).ok()
}
