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
use rusqlite::{Connection, Error, Result, Rows};

use super::rows::{self, Damage, EventRow, StreamId, StreamMark, damage, select_events, sql};
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
    let first_revision = rows::first_revision(database, stream)?;
    let mut page = Page::new(limit);
    let mut events = database.prepare_cached(EVENTS_OF_STREAM)?;
    let mut events = events.query((stream.0, from.get(), mark.revision.get()))?;
    let mut due = Some(from.max(first_revision)).filter(|first| *first <= mark.revision);
    while let Some(revision) = due {
        let is_due = |event: &EventRow<'_>| (event.stream, event.revision) == (stream, revision);
        let event = match due_event(&mut events, is_due, Damage::NoRevision(revision.get())) {
            Ok(event) => event,
            Err(error) => {
                page.end_before(error)?;
                break;
            }
        };
        if !page.take(&event) {
            break;
        }
        due = revision.next().filter(|next| *next <= mark.revision);
    }
    Ok(Some(StreamPage { events: page.events, first_revision, revision: mark.revision, version: mark.version, head }))
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

const EVENTS_OF_STREAM: &str = select_events!("WHERE stream_id = ? AND revision BETWEEN ? AND ? ORDER BY revision");

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

/// Looks at every event in the order of the log, which has no holes. Returns where it stopped before the head.
fn scan(
    database: &Connection,
    topics: &Topics,
    after: Sequence,
    head: Sequence,
    page: &mut Page,
) -> Result<Option<Sequence>> {
    let mut wanted: HashMap<StreamId, bool> = HashMap::new();
    let mut events =
        database.prepare_cached(select_events!("WHERE sequence > ? AND sequence <= ? ORDER BY sequence"))?;
    let mut events = events.query((sql(after), sql(head)))?;
    let mut scanned = after;
    for _ in 0..SCANNED_EVENTS_MAX {
        if scanned >= head {
            return Ok(None);
        }
        let due = scanned.get() + 1;
        let is_due = |event: &EventRow<'_>| event.sequence.get() == due;
        let event = match due_event(&mut events, is_due, Damage::NoSequence(due)) {
            Ok(event) => event,
            Err(error) => return page.end_before(error).map(|()| Some(scanned)),
        };
        let is_wanted = match wanted.get(&event.stream) {
            Some(known) => *known,
            None => {
                let matches = topics.matches(&rows::stream_name(database, event.stream)?);
                *wanted.entry(event.stream).or_insert(matches)
            }
        };
        if is_wanted && !page.take(&event) {
            return Ok(Some(scanned));
        }
        scanned = event.sequence;
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
    let mut find = database.prepare_cached(select_events!("WHERE sequence = ?"))?;
    let mut merged = after;
    while let Some(Reverse((sequence, revision, stream, last))) = next.pop() {
        let mut found = find.query([sql(sequence)])?;
        let is_due = |event: &EventRow<'_>| (event.stream, event.revision) == (stream, revision);
        let event = match due_event(&mut found, is_due, Damage::NoSequence(sequence.get())) {
            Ok(event) => event,
            Err(error) => return page.end_before(error).map(|()| Some(merged)),
        };
        if !page.take(&event) {
            return Ok(Some(merged));
        }
        merged = sequence;
        if let Some(revision) = revision.next().filter(|revision| *revision <= last) {
            next.push(Reverse((rows::sequence_at(database, stream, revision)?, revision, stream, last)));
        }
    }
    Ok(None)
}

/// The event of the next row, which must be there and be the one that is due.
fn due_event<'a>(
    events: &'a mut Rows<'_>,
    is_due: impl FnOnce(&EventRow<'_>) -> bool,
    otherwise: Damage,
) -> Result<EventRow<'a>> {
    match events.next()?.map(rows::event).transpose()? {
        Some(event) if is_due(&event) => Ok(event),
        _ => Err(damage(otherwise)),
    }
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

    /// What lies before damage is a page of its own; whoever reads on from there gets the error.
    fn end_before(&self, error: Error) -> Result<()> {
        if rows::is_damage(&error) && !self.events.is_empty() { Ok(()) } else { Err(error) }
    }

    /// Takes an event, unless the page is full.
    fn take(&mut self, event: &EventRow<'_>) -> bool {
        let length = event.envelope.len();
        let is_full = self.events.len() >= self.limit.events || self.bytes + length > self.limit.bytes;
        if is_full && !self.events.is_empty() {
            return false;
        }
        self.bytes += length;
        let envelope = Bytes::copy_from_slice(event.envelope.as_bytes());
        self.events.push(Stored { sequence: event.sequence, envelope, is_checked: event.is_checked });
        true
    }
}
