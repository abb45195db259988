//! What a read brings. Rows never change, so a read is exact for the head that it is given, whatever is written
//! meanwhile; nothing above that head is ever looked at.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use bytes::Bytes;
use highwater_core::{
    stream::StreamName,
    topic::Topics,
    version::{Revision, Sequence},
};
use rusqlite::{Connection, Result, Row};

use super::rows::{self, StreamId, StreamMark, sql};
use crate::store::{At, CommandIdentity, LogPage, ReadLimit, RecordedCommand, Stored, StreamPage};

/// How many events a read of patterns looks at, at most; the page then says how far it came.
const SCANNED_EVENTS_MAX: usize = 10_000;

/// Reads the events of these topics after a sequence, up to the head.
pub(super) fn log(
    database: &Connection,
    topics: &Topics,
    after: Sequence,
    head: Sequence,
    limit: ReadLimit,
) -> Result<LogPage> {
    let mut page = Page::new(limit);
    let stopped_at = match topics.as_streams() {
        Some(streams) => merge(database, &streams, after, head, &mut page)?,
        None => scan(database, topics, after, head, &mut page)?,
    };
    // A cursor above the head stays where it is: whoever judges cursors has to judge that one.
    Ok(LogPage { events: page.events, next: stopped_at.unwrap_or(head).max(after), head })
}

/// Reads one stream from a revision on, as it stands at the head.
pub(super) fn stream(
    database: &Connection,
    name: &StreamName,
    from: Revision,
    head: Sequence,
    limit: ReadLimit,
) -> Result<Option<StreamPage>> {
    let Some(stream) = rows::stream_id(database, name.as_str())? else { return Ok(None) };
    let Some(mark) = mark_at_head(database, stream, head)? else { return Ok(None) };
    let mut page = Page::new(limit);
    let mut events = database.prepare_cached(EVENTS_OF_STREAM)?;
    let mut events = events.query((stream.0, from.get(), mark.revision.get()))?;
    while let Some(row) = events.next()? {
        if !page.take(row)? {
            break;
        }
    }
    Ok(Some(StreamPage {
        events: page.events,
        first_revision: rows::first_revision(database, stream)?,
        revision: mark.revision,
        version: mark.version,
        head,
    }))
}

/// The last revision of a stream at a moment, as the log stands at the head.
pub(super) fn revision_at(
    database: &Connection,
    name: &StreamName,
    at: At,
    head: Sequence,
) -> Result<Option<Revision>> {
    let Some(stream) = rows::stream_id(database, name.as_str())? else { return Ok(None) };
    let Some(last) = mark_at_head(database, stream, head)? else { return Ok(None) };
    let first = rows::first_revision(database, stream)?;
    let later = first_where((first, last.revision), |revision| {
        Ok(match at {
            At::Now => false,
            At::Sequence(at) => rows::sequence_at(database, stream, revision)? > at,
            At::Time(at) => rows::recorded_at(database, stream, revision)? > at,
            At::Version(at) => rows::mark_at(database, stream, revision)?.version > at,
        })
    })?;
    Ok(match later {
        None => Some(last.revision),
        Some(later) => later.previous().filter(|revision| *revision >= first),
    })
}

const EVENTS_OF_STREAM: &str =
    "SELECT sequence, envelope FROM events WHERE stream_id = ? AND revision BETWEEN ? AND ? ORDER BY revision";

/// The command of this identity, if all that it did lies at the head or before it.
pub(super) fn command(
    database: &Connection,
    identity: CommandIdentity,
    head: Sequence,
) -> Result<Option<RecordedCommand>> {
    match rows::command(database, identity)? {
        Some(known) if known.last()? <= head => rows::recorded(database, known).map(Some),
        _ => Ok(None),
    }
}

/// Looks at every event in the order of the log. Returns where it stopped before the head.
fn scan(
    database: &Connection,
    topics: &Topics,
    after: Sequence,
    head: Sequence,
    page: &mut Page,
) -> Result<Option<Sequence>> {
    let mut wanted: HashMap<StreamId, bool> = HashMap::new();
    let mut events = database.prepare_cached(
        "SELECT sequence, envelope, stream_id FROM events WHERE sequence > ? AND sequence <= ? ORDER BY sequence",
    )?;
    let mut events = events.query((sql(after), sql(head)))?;
    let mut scanned = after;
    for _ in 0..SCANNED_EVENTS_MAX {
        let Some(row) = events.next()? else { return Ok(None) };
        let stream = StreamId(row.get(2)?);
        let is_wanted = match wanted.get(&stream) {
            Some(known) => *known,
            None => {
                let matches = topics.matches(&rows::stream_name(database, stream)?);
                *wanted.entry(stream).or_insert(matches)
            }
        };
        if is_wanted && !page.take(row)? {
            return Ok(Some(scanned));
        }
        scanned = rows::sequence(row, 0)?;
    }
    Ok(Some(scanned))
}

/// Follows each stream by its own index and merges them by sequence. Returns where it stopped before the head.
fn merge(
    database: &Connection,
    streams: &[StreamName],
    after: Sequence,
    head: Sequence,
    page: &mut Page,
) -> Result<Option<Sequence>> {
    let mut next = BinaryHeap::with_capacity(streams.len());
    for name in streams {
        if let Some(stream) = rows::stream_id(database, name.as_str())?
            && let Some(last) = mark_at_head(database, stream, head)?
            && let Some(revision) = first_after(database, stream, after, last)?
        {
            next.push(Reverse((rows::sequence_at(database, stream, revision)?, revision, stream, last.revision)));
        }
    }
    let mut find = database.prepare_cached("SELECT sequence, envelope FROM events WHERE sequence = ?")?;
    let mut merged = after;
    while let Some(Reverse((sequence, revision, stream, last))) = next.pop() {
        if !find.query_row([sql(sequence)], |row| page.take(row))? {
            return Ok(Some(merged));
        }
        merged = sequence;
        if let Some(revision) = revision.next().filter(|revision| *revision <= last) {
            next.push(Reverse((rows::sequence_at(database, stream, revision)?, revision, stream, last)));
        }
    }
    Ok(None)
}

/// How a stream stands at the head. Its last event may be above: then it is durable, but not yet to be seen.
fn mark_at_head(database: &Connection, stream: StreamId, head: Sequence) -> Result<Option<StreamMark>> {
    let Some(last) = rows::last_mark(database, stream)? else { return Ok(None) };
    let Some(unseen) = first_after(database, stream, head, last)? else { return Ok(Some(last)) };
    match unseen.previous() {
        Some(revision) if revision >= rows::first_revision(database, stream)? => {
            rows::mark_at(database, stream, revision).map(Some)
        }
        _ => Ok(None),
    }
}

/// The first revision of a stream whose event lies above a sequence. Revisions have no holes and rise with the sequence, so
/// no index by sequence needs to be kept.
fn first_after(database: &Connection, stream: StreamId, after: Sequence, last: StreamMark) -> Result<Option<Revision>> {
    if last.sequence <= after {
        return Ok(None);
    }
    let first = rows::first_revision(database, stream)?;
    first_where((first, last.revision), |revision| Ok(rows::sequence_at(database, stream, revision)? > after))
}

/// The first of these revisions of which something is so that is so of all after it, too: by a binary search.
fn first_where(
    (first, last): (Revision, Revision),
    mut is_so: impl FnMut(Revision) -> Result<bool>,
) -> Result<Option<Revision>> {
    let revision = |number: u32| Revision::new(number.into()).map_err(|error| rows::malformed(0, error));
    let (mut low, mut high) = (first.get(), last.get() + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        if is_so(revision(middle)?)? {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    if low > last.get() { Ok(None) } else { revision(low).map(Some) }
}

/// Events gathered up to a limit, but at least one.
struct Page {
    events: Vec<Stored>,
    limit: ReadLimit,
    bytes: usize,
}

impl Page {
    fn new(limit: ReadLimit) -> Self {
        Self { events: Vec::new(), limit, bytes: 0 }
    }

    /// Takes a row of sequence and envelope, unless the page is full.
    fn take(&mut self, row: &Row<'_>) -> Result<bool> {
        let envelope = row.get_ref(1)?;
        let envelope = envelope.as_bytes().map_err(|error| rows::malformed(1, error))?;
        let is_full = self.events.len() >= self.limit.events || self.bytes + envelope.len() > self.limit.bytes;
        if is_full && !self.events.is_empty() {
            return Ok(false);
        }
        self.bytes += envelope.len();
        self.events.push(Stored { sequence: rows::sequence(row, 0)?, envelope: Bytes::copy_from_slice(envelope) });
        Ok(true)
    }
}
