//! Every question that is asked of the tables and every row that is written, typed. No rule of the log is in here.

use std::error::Error as StdError;

use highwater_core::{
    clock::VectorClock,
    envelope::parse_event,
    event::{Actor, EventId},
    time::Timestamp,
    version::{Revision, Sequence, Version},
};
use rusqlite::{
    Connection, Error, OptionalExtension, Result, Row,
    types::{FromSql, Type},
};

use super::prepare::{Digest, Identity, id_key};
use crate::store::{CommandDigest, CommandIdentity, CommandKey, RecordedCommand, RecordedEvent};

/// A stream's number in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct StreamId(pub(super) i64);

/// An actor's number in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ActorId(i64);

/// How a stream stands at one of its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StreamMark {
    pub(super) revision: Revision,
    pub(super) sequence: Sequence,
    /// The highest version of its events up to this one.
    pub(super) version: Version,
}

/// An event found by its source and id.
pub(super) struct Known {
    pub(super) sequence: Sequence,
    pub(super) revision: Revision,
    pub(super) digest: Digest,
}

/// An event's row, of which it is known that it is what was written.
pub(super) struct EventRow<'a> {
    pub(super) sequence: Sequence,
    pub(super) stream: StreamId,
    pub(super) revision: Revision,
    pub(super) envelope: &'a str,
    /// Whether a checksum has told that it is what was written.
    pub(super) is_checked: bool,
}

/// The disk gives back something else than was written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Damage {
    /// An event's row is not what it was.
    #[error("event {0} is not what was recorded")]
    Changed(i64),
    /// The log has another event there, or none.
    #[error("event {0} is not where it must be")]
    NoSequence(u64),
    /// The stream has another event there, or none.
    #[error("revision {0} of a stream is not where it must be")]
    NoRevision(u32),
    /// The names of streams are not what they were.
    #[error("the table of streams is not whole: {0}")]
    Streams(String),
}

/// Asks for what [`event`] reads.
macro_rules! select_events {
    ($rest:literal) => {
        concat!("SELECT sequence, stream_id, revision, checksum, envelope FROM events ", $rest)
    };
}
pub(super) use select_events;

/// A command found by its identity.
pub(super) struct KnownCommand {
    pub(super) digest: CommandDigest,
    /// Its first event's place, or the end of the log where it made none.
    first: Sequence,
    events: u64,
}

/// An event to write.
pub(super) struct NewRow<'a> {
    pub(super) stream: StreamId,
    pub(super) mark: StreamMark,
    pub(super) actor: ActorId,
    pub(super) actor_name: &'a Actor,
    pub(super) clock: &'a VectorClock,
    pub(super) id: &'a EventId,
    pub(super) identity: Identity,
    pub(super) digest: Digest,
    pub(super) envelope: &'a str,
}

/// The number of a stream that has events.
pub(super) fn stream_id(database: &Connection, name: &str) -> Result<Option<StreamId>> {
    let mut find = database.prepare_cached("SELECT id FROM streams WHERE name = ?")?;
    find.query_row([name], |row| row.get(0).map(StreamId)).optional()
}

/// The name of a stream.
pub(super) fn stream_name(database: &Connection, stream: StreamId) -> Result<String> {
    database.prepare_cached("SELECT name FROM streams WHERE id = ?")?.query_row([stream.0], |row| row.get(0))
}

/// Gives a stream its number.
pub(super) fn add_stream(database: &Connection, name: &str) -> Result<StreamId> {
    database.prepare_cached("INSERT INTO streams (name) VALUES (?)")?.insert([name]).map(StreamId)
}

/// The number of an actor, given on its first event.
pub(super) fn actor_id(database: &Connection, actor: &Actor) -> Result<ActorId> {
    let mut find = database.prepare_cached("SELECT id FROM actors WHERE name = ?")?;
    if let Some(id) = find.query_row([actor.as_str()], |row| row.get(0)).optional()? {
        return Ok(ActorId(id));
    }
    database.prepare_cached("INSERT INTO actors (name) VALUES (?)")?.insert([actor.as_str()]).map(ActorId)
}

/// The last event of the log, and what is written of it.
pub(super) fn last_event(database: &Connection) -> Result<Option<(Sequence, String)>> {
    let last = select_events!("ORDER BY sequence DESC LIMIT 1");
    database.query_row(last, [], |row| event(row).map(|event| (event.sequence, event.envelope.to_owned()))).optional()
}

/// How a stream stands at its last event.
pub(super) fn last_mark(database: &Connection, stream: StreamId) -> Result<Option<StreamMark>> {
    let mut find = database.prepare_cached(
        "SELECT revision, sequence, version_mark FROM events WHERE stream_id = ? ORDER BY revision DESC LIMIT 1",
    )?;
    find.query_row([stream.0], mark).optional()
}

/// How a stream stood at one of its events.
pub(super) fn mark_at(database: &Connection, stream: StreamId, revision: Revision) -> Result<StreamMark> {
    let mut find = database
        .prepare_cached("SELECT revision, sequence, version_mark FROM events WHERE stream_id = ? AND revision = ?")?;
    find.query_row((stream.0, revision.get()), mark)
}

/// The first revision that a stream still has.
pub(super) fn first_revision(database: &Connection, stream: StreamId) -> Result<Revision> {
    let mut find = database.prepare_cached("SELECT min(revision) FROM events WHERE stream_id = ?")?;
    find.query_row([stream.0], |row| revision(row, 0))
}

/// The place of one of a stream's events.
pub(super) fn sequence_at(database: &Connection, stream: StreamId, revision: Revision) -> Result<Sequence> {
    let mut find = database.prepare_cached("SELECT sequence FROM events WHERE stream_id = ? AND revision = ?")?;
    find.query_row((stream.0, revision.get()), |row| sequence(row, 0))
}

/// When one of a stream's events was recorded.
pub(super) fn recorded_at(database: &Connection, stream: StreamId, revision: Revision) -> Result<Timestamp> {
    let mut find = database.prepare_cached(select_events!("WHERE stream_id = ? AND revision = ?"))?;
    find.query_row((stream.0, revision.get()), |row| {
        let event = parse_event(event(row)?.envelope.as_bytes()).map_err(|error| malformed(ENVELOPE, error))?;
        Ok(event.recorded_time)
    })
}

/// The event of this source and id.
pub(super) fn known(database: &Connection, identity: Identity) -> Result<Option<Known>> {
    let mut find = database.prepare_cached("SELECT sequence, revision, digest FROM events WHERE identity = ?")?;
    let known = |row: &Row<'_>| {
        Ok(Known { sequence: sequence(row, 0)?, revision: revision(row, 1)?, digest: Digest(row.get(2)?) })
    };
    find.query_row([identity.0], known).optional()
}

/// What is written of the event at this place.
pub(super) fn envelope(database: &Connection, at: Sequence) -> Result<String> {
    let mut find = database.prepare_cached(select_events!("WHERE sequence = ?"))?;
    find.query_row([sql(at)], |row| event(row).map(|event| event.envelope.to_owned()))
}

/// The clock of an actor's event with the highest counter in a stream.
pub(super) fn latest_clock(
    database: &Connection,
    stream: StreamId,
    (actor, name): (ActorId, &Actor),
) -> Result<Option<VectorClock>> {
    let mut find = database.prepare_cached(
        "SELECT counter, clock FROM events WHERE stream_id = ? AND actor_id = ? ORDER BY counter DESC LIMIT 1",
    )?;
    find.query_row((stream.0, actor.0), |row| clock(name.as_str(), row, 0)).optional()
}

/// The clock of the stream's event of this id: the last one, where several sources have used the id.
pub(super) fn clock_of(database: &Connection, stream: StreamId, id: &EventId) -> Result<Option<VectorClock>> {
    let mut find = database.prepare_cached(
        "SELECT actors.name, identity, counter, clock FROM events JOIN actors ON actors.id = events.actor_id
         WHERE stream_id = ? AND id_key = ? ORDER BY sequence DESC",
    )?;
    let mut rows = find.query((stream.0, id_key(id)))?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let actor = Actor::new(&name).map_err(|error| malformed(0, error))?;
        if Identity(row.get(1)?) == Identity::of(&actor, id) {
            return clock(&name, row, 2).map(Some);
        }
    }
    Ok(None)
}

/// Whether an event of the actor in the stream has this counter.
pub(super) fn is_counter_used(database: &Connection, stream: StreamId, actor: ActorId, counter: u64) -> Result<bool> {
    let mut find =
        database.prepare_cached("SELECT 1 FROM events WHERE stream_id = ? AND actor_id = ? AND counter = ?")?;
    find.exists((stream.0, actor.0, counter.cast_signed()))
}

/// Writes an event.
pub(super) fn insert(database: &Connection, row: &NewRow<'_>) -> Result<()> {
    let own = row.clock.get(row.actor_name.as_str());
    let clock = (row.clock.len() > 1).then(|| row.clock.to_string());
    let mut insert = database.prepare_cached("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
    insert.execute((
        sql(row.mark.sequence),
        row.stream.0,
        row.mark.revision.get(),
        row.mark.version.get(),
        row.actor.0,
        own.cast_signed(),
        clock,
        id_key(row.id),
        row.identity.0,
        row.digest.0,
        row.envelope,
        checksum(row.mark.sequence, row.stream, row.mark.revision, row.envelope),
    ))?;
    Ok(())
}

/// Writes that a command was carried out. Its events lie one behind the other from the first on; where there are none, that
/// is the end of the log.
pub(super) fn add_command(database: &Connection, command: CommandKey, first: Sequence, events: usize) -> Result<()> {
    let mut insert = database.prepare_cached("INSERT INTO commands VALUES (?, ?, ?, ?)")?;
    insert.execute((command.identity.0, command.digest.0, sql(first), events as i64)).map(|_| ())
}

/// A command found by its identity.
pub(super) fn command(database: &Connection, identity: CommandIdentity) -> Result<Option<KnownCommand>> {
    let mut find = database.prepare_cached("SELECT digest, sequence, events FROM commands WHERE identity = ?")?;
    let known = |row: &Row<'_>| {
        let digest = CommandDigest(row.get(0)?);
        Ok(KnownCommand { digest, first: sequence(row, 1)?, events: get::<i64>(row, 2)?.cast_unsigned() })
    };
    find.query_row([identity.0], known).optional()
}

/// What was recorded of a command.
pub(super) fn recorded(database: &Connection, command: KnownCommand) -> Result<RecordedCommand> {
    let last = command.last()?;
    let mut find = database.prepare_cached(select_events!("WHERE sequence BETWEEN ? AND ?"))?;
    let from = if command.events > 0 { sql(command.first) } else { i64::MAX };
    let events = find.query_map((from, sql(last)), |row| {
        let event = parse_event(event(row)?.envelope.as_bytes()).map_err(|error| malformed(ENVELOPE, error))?;
        let (stream, id) = (event.stream, event.id);
        Ok(RecordedEvent { stream, id, sequence: event.sequence, revision: event.revision })
    })?;
    Ok(RecordedCommand { digest: command.digest, sequence: last, events: events.collect::<Result<_>>()? })
}

impl KnownCommand {
    /// Its last event's place, or the end of the log where it made none.
    pub(super) fn last(&self) -> Result<Sequence> {
        let last = self.first.get() + self.events.saturating_sub(1);
        Sequence::new(last).map_err(|error| malformed(1, error))
    }
}

/// Reads an event's row.
///
/// # Errors
/// [`Damage::Changed`] where it is not what was written. A row from before there were checksums is taken as it is.
pub(super) fn event<'a>(row: &'a Row<'_>) -> Result<EventRow<'a>> {
    let damaged = |_| damage(Damage::Changed(row.get(0).unwrap_or_default()));
    let envelope = row.get_ref(ENVELOPE)?.as_str().map_err(|error| malformed(ENVELOPE, error)).map_err(damaged)?;
    let written = row.get::<_, Option<u32>>(3).map_err(damaged)?;
    let event = EventRow {
        sequence: sequence(row, 0).map_err(damaged)?,
        stream: StreamId(row.get(1)?),
        revision: revision(row, 2).map_err(damaged)?,
        envelope,
        is_checked: written.is_some(),
    };
    match written {
        Some(written) if written != checksum(event.sequence, event.stream, event.revision, envelope) => {
            Err(damage(Damage::Changed(sql(event.sequence))))
        }
        _ => Ok(event),
    }
}

/// The column of the envelope in [`select_events`].
const ENVELOPE: usize = 4;

/// CRC-32 of an event's place and envelope, to find out what a disk has done. It keeps nobody from changing the log on purpose.
fn checksum(sequence: Sequence, stream: StreamId, revision: Revision, envelope: &str) -> u32 {
    let mut hash = crc32fast::Hasher::new();
    hash.update(&sequence.get().to_be_bytes());
    hash.update(&stream.0.to_be_bytes());
    hash.update(&revision.get().to_be_bytes());
    hash.update(envelope.as_bytes());
    hash.finalize()
}

/// The database is damaged. Told by the variant that says nothing more than its cause.
pub(super) fn damage(damage: Damage) -> Error {
    Error::ToSqlConversionFailure(Box::new(damage))
}

/// Whether an error says that the database is not what was written.
pub(super) fn is_damage(error: &Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error, Error::FromSqlConversionFailure(..))
        || matches!(error, Error::ToSqlConversionFailure(cause) if cause.is::<Damage>())
        || matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

/// A sequence as the database takes it.
pub(super) fn sql(sequence: Sequence) -> i64 {
    sequence.get().cast_signed()
}

/// Reads a sequence from a column.
pub(super) fn sequence(row: &Row<'_>, column: usize) -> Result<Sequence> {
    number(row, column, Sequence::new)
}

fn revision(row: &Row<'_>, column: usize) -> Result<Revision> {
    number(row, column, Revision::new)
}

fn mark(row: &Row<'_>) -> Result<StreamMark> {
    Ok(StreamMark { revision: revision(row, 0)?, sequence: sequence(row, 1)?, version: number(row, 2, Version::new)? })
}

/// Reads the clock of an actor's event from its counter and, in the next column, the rest where there is more.
fn clock(actor: &str, row: &Row<'_>, column: usize) -> Result<VectorClock> {
    let text: Option<String> = row.get(column + 1)?;
    if let Some(text) = text {
        return text.parse().map_err(|error| malformed(column + 1, error));
    }
    let mut clock = VectorClock::new();
    let counter = get::<i64>(row, column)?.cast_unsigned();
    clock.set(actor, counter).map_err(|error| malformed(column, error))?;
    Ok(clock)
}

fn number<T, E>(row: &Row<'_>, column: usize, make: impl FnOnce(u64) -> Result<T, E>) -> Result<T>
where
    E: StdError + Send + Sync + 'static,
{
    make(get::<i64>(row, column)?.cast_unsigned()).map_err(|error| malformed(column, error))
}

fn get<T: FromSql>(row: &Row<'_>, column: usize) -> Result<T> {
    row.get(column)
}

/// A column holds what nobody has written there.
pub(super) fn malformed(column: usize, error: impl StdError + Send + Sync + 'static) -> Error {
    Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}
