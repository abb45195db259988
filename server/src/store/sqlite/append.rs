//! The rules of an append: what is known already, what is expected, and which place, version and clock an event gets.
//!
//! All of it runs inside the writer's transaction, one commit after the other, so what is looked up here is what will be.

use std::collections::HashMap;

use highwater_core::{
    clock::{ClockError, VectorClock},
    envelope::{parse_event, write_event},
    event::{Event, ExtensionName, ExtensionValue, Limits, NewEvent, Recording},
    mutation::{Mutation, mutated},
    stream::StreamName,
    time::Timestamp,
    version::{Revision, Sequence, Version},
};
use rusqlite::Connection;

use super::{
    prepare::{Digest, Identity, Prepared, PreparedCommit},
    rows::{self, ActorId, Known, NewRow, StreamId, StreamMark},
};
use crate::{
    store::{
        CommandKey, CommitError, Committed, Expectation, Expected, Placed, RecordedCommand, RecordedEvent, Unavailable,
    },
    telemetry::TraceParent,
};

/// The end of the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tail {
    /// The last event's place.
    pub(super) sequence: Sequence,
    /// When it was recorded.
    pub(super) recorded: Timestamp,
    /// How many bytes of envelopes were written since the log was opened.
    pub(super) written_bytes: u64,
}

impl Default for Tail {
    /// Of an empty log.
    fn default() -> Self {
        Self { sequence: Sequence::ZERO, recorded: Timestamp::UNIX_EPOCH, written_bytes: 0 }
    }
}

/// Why a commit was not appended.
pub(super) enum Failure {
    /// It breaks a rule; others beside it may be fine.
    Refused(CommitError),
    /// The database failed; nothing in this transaction can be trusted.
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl From<CommitError> for Failure {
    fn from(error: CommitError) -> Self {
        Self::Refused(error)
    }
}

/// Appends a commit at the tail, which moves. After a failure the caller rolls the database and the tail back.
///
/// # Errors
/// [`Failure`] where a rule or the database says no.
pub(super) fn append(
    database: &Connection,
    tail: &mut Tail,
    commit: PreparedCommit,
    limits: &Limits,
) -> Result<Committed, Failure> {
    if let Some(known) = known_command(database, commit.command)? {
        return Ok(known);
    }
    let (monotonic, trace, command) = (commit.monotonic, commit.trace.clone(), commit.command);
    let mut append = Append { database, tail, limits, monotonic, trace, streams: HashMap::new() };
    let found = append.look_up(&commit.events)?;
    if command.is_some()
        && let Some(index) = found.iter().position(|found| !matches!(found, Found::New))
    {
        return Err(CommitError::IdConflict { index }.into());
    }
    let all_known = !found.is_empty() && found.iter().all(|found| !matches!(found, Found::New));
    if !all_known && !mutated(Mutation::ExpectNothing) {
        append.check(&commit, &found)?;
    }
    let mut places: Vec<Placed> = Vec::with_capacity(found.len());
    for (index, (event, found)) in commit.events.into_iter().zip(found).enumerate() {
        let placed = match found {
            Found::InLog(known) => Placed { id: event.id, sequence: known.sequence, revision: known.revision },
            Found::InCommit(earlier) => places[earlier].clone(),
            Found::New => append.add(index, event)?,
        };
        places.push(placed);
    }
    let end = tail.sequence;
    if let Some(command) = command
        && !mutated(Mutation::ForgetCommands)
    {
        let first = places.first().map_or(end, |first| first.sequence);
        rows::add_command(database, command, first, places.len())?;
    }
    Ok(Committed { events: places, all_known, end })
}

/// The answer to a command that was carried out before.
fn known_command(database: &Connection, command: Option<CommandKey>) -> Result<Option<Committed>, Failure> {
    let Some(CommandKey { identity, digest }) = command else { return Ok(None) };
    let Some(known) = rows::command(database, identity)? else { return Ok(None) };
    if known.digest != digest && !mutated(Mutation::TakeAnyCommand) {
        return Err(CommitError::CommandConflict.into());
    }
    let RecordedCommand { events, sequence, .. } = rows::recorded(database, known)?;
    let place = |event: RecordedEvent| Placed { id: event.id, sequence: event.sequence, revision: event.revision };
    Ok(Some(Committed { events: events.into_iter().map(place).collect(), all_known: true, end: sequence }))
}

/// Where an event's source and id were found.
enum Found {
    InLog(Known),
    /// It is the same as an earlier event of its commit.
    InCommit(usize),
    New,
}

struct Append<'a> {
    database: &'a Connection,
    tail: &'a mut Tail,
    limits: &'a Limits,
    monotonic: bool,
    trace: Option<TraceParent>,
    /// How the streams of the commit stand by now.
    streams: HashMap<StreamName, (StreamId, StreamMark)>,
}

impl Append<'_> {
    fn look_up(&self, events: &[Prepared]) -> Result<Vec<Found>, Failure> {
        let mut earlier: HashMap<Identity, usize> = HashMap::with_capacity(events.len());
        let mut all = Vec::with_capacity(events.len());
        for (index, event) in events.iter().enumerate() {
            let conflict = CommitError::IdConflict { index };
            let found = match (earlier.get(&event.identity), self.known(event)?) {
                (Some(&earlier), _) if events[earlier].digest != event.digest => return Err(conflict.into()),
                (_, Some(known)) if !self.is_same(&known, event)? => return Err(conflict.into()),
                (_, Some(known)) => Found::InLog(known),
                (Some(&earlier), None) => Found::InCommit(earlier),
                (None, None) => Found::New,
            };
            earlier.entry(event.identity).or_insert(index);
            all.push(found);
        }
        Ok(all)
    }

    /// The event of the same source and id that is in the log.
    fn known(&self, event: &Prepared) -> Result<Option<Known>, Failure> {
        let is_of_command = event.event.command_id.is_some();
        if mutated(Mutation::ForgetEvents) || mutated(Mutation::ForgetCommands) && is_of_command {
            return Ok(None);
        }
        Ok(rows::known(self.database, event.identity)?)
    }

    /// Whether what is given is what was given before, or what was recorded then: an export may be imported again.
    fn is_same(&self, known: &Known, event: &Prepared) -> Result<bool, Failure> {
        if known.digest == event.digest {
            return Ok(true);
        }
        let envelope = rows::envelope(self.database, known.sequence)?;
        let recorded = parse_event(envelope.as_bytes()).map_err(|error| rows::malformed(0, error))?;
        Ok(Digest::of(&NewEvent::from(recorded), &mut Vec::new()) == event.digest)
    }

    /// Whether the streams are where the commit expects them, and each of its events that the log has not got.
    fn check(&self, commit: &PreparedCommit, found: &[Found]) -> Result<(), Failure> {
        for Expectation { stream, expected } in &commit.expectations {
            self.expect(stream, *expected)?;
        }
        for (Prepared { event, expected_revision, .. }, found) in commit.events.iter().zip(found) {
            match (expected_revision, found) {
                (None, _) | (_, Found::InLog(_)) => {}
                (Some(revision), Found::New | Found::InCommit(_)) => {
                    self.expect(&event.stream, Expected::At(*revision))?
                }
            }
        }
        Ok(())
    }

    fn expect(&self, stream: &StreamName, expected: Expected) -> Result<(), Failure> {
        let current = match rows::stream_id(self.database, stream.as_str())? {
            Some(id) => rows::last_mark(self.database, id)?.map_or(Revision::ZERO, |mark| mark.revision),
            None => Revision::ZERO,
        };
        if expected == Expected::At(current) {
            return Ok(());
        }
        Err(CommitError::RevisionConflict { stream: stream.clone(), expected, current }.into())
    }

    fn add(&mut self, index: usize, prepared: Prepared) -> Result<Placed, Failure> {
        let Prepared { id, identity, digest, event, expected_revision: _ } = prepared;
        let (stream, before) = self.stream(&event.stream)?;
        let version = self.version(index, &event, before.version)?;
        let actor = rows::actor_id(self.database, &event.source)?;
        let clock = self.clock(index, &event, stream, actor)?;
        let mark = StreamMark {
            revision: self.revision_after(before.revision)?,
            sequence: self.tail.sequence.next().ok_or_else(|| full("the log"))?,
            version: version.max(before.version),
        };
        let placed = Placed { id, sequence: mark.sequence, revision: mark.revision };
        let mut event = event.record(Recording {
            id: placed.id.clone(),
            recorded_time: self.tail.recorded,
            sequence: mark.sequence,
            revision: mark.revision,
            version,
            clock,
        });
        self.put_into_trace(&mut event);
        self.insert(&event, NewPlace { stream, mark, actor, identity, digest })?;
        self.tail.sequence = mark.sequence;
        self.streams.insert(event.stream, (stream, mark));
        Ok(placed)
    }

    fn stream(&mut self, name: &StreamName) -> Result<(StreamId, StreamMark), Failure> {
        if let Some(known) = self.streams.get(name) {
            return Ok(*known);
        }
        let before_first = StreamMark { revision: Revision::ZERO, sequence: Sequence::ZERO, version: Version::ZERO };
        Ok(match rows::stream_id(self.database, name.as_str())? {
            Some(id) => (id, rows::last_mark(self.database, id)?.unwrap_or(before_first)),
            None => (rows::add_stream(self.database, name.as_str())?, before_first),
        })
    }

    fn revision_after(&self, last: Revision) -> Result<Revision, Failure> {
        if mutated(Mutation::CountTheLog) {
            return Revision::new(self.tail.sequence.get() + 1).map_err(|_| full("the stream").into());
        }
        last.next().ok_or_else(|| full("the stream").into())
    }

    fn version(&self, index: usize, event: &NewEvent, current: Version) -> Result<Version, CommitError> {
        let version = event.version.unwrap_or(current);
        let max_jump = self.limits.version_jump_max;
        if version.get() > current.get().saturating_add(max_jump) {
            return Err(CommitError::VersionJump { index, version, current, max_jump });
        }
        if self.monotonic && version < current {
            return Err(CommitError::StaleVersion { index, version, current });
        }
        Ok(version)
    }

    fn clock(&self, index: usize, event: &NewEvent, stream: StreamId, actor: ActorId) -> Result<VectorClock, Failure> {
        let Some(given) = &event.clock else {
            return self.derived_clock(index, event, stream, actor);
        };
        let counter = given.get(event.source.as_str());
        if rows::is_counter_used(self.database, stream, actor, counter)? {
            return Err(CommitError::ClockReused { index, counter }.into());
        }
        Ok(given.clone())
    }

    /// All that the actor's latest event and the cause knew, and one more of the actor's own. Where the cause knew of
    /// more of the actor's events than the stream has, the count goes on from there: the event still comes after its cause.
    fn derived_clock(
        &self,
        index: usize,
        event: &NewEvent,
        stream: StreamId,
        actor: ActorId,
    ) -> Result<VectorClock, Failure> {
        let full = |error| match error {
            ClockError::CounterOutOfRange { .. } => CommitError::CounterSpent { index },
            _ => CommitError::ClockFull { index },
        };
        let latest = rows::latest_clock(self.database, stream, (actor, &event.source))?;
        let mut clock = latest.unwrap_or_default();
        if let Some(cause) = &event.causation_id
            && !mutated(Mutation::ForgetCause)
            && let Some(known_to_cause) = rows::clock_of(self.database, stream, cause)?
        {
            clock.merge(&known_to_cause).map_err(full)?;
        }
        clock.tick(event.source.as_str()).map_err(full)?;
        Ok(clock)
    }

    /// An event that names no trace is of its request's. Not one that has as many attributes as it may: exported, it could
    /// not be imported again.
    fn put_into_trace(&self, event: &mut Event) {
        if let Some(trace) = &self.trace
            && event.extensions.len() < self.limits.extensions_max
        {
            let name = ExtensionName::new("traceparent").expect("lower-case letters");
            if event.extensions.get(&name).is_none() {
                event.extensions.insert(name, ExtensionValue::String(trace.as_str().into()));
            }
        }
    }

    fn insert(&mut self, event: &Event, place: NewPlace) -> Result<(), Failure> {
        let mut envelope = Vec::with_capacity(512 + event.data.len());
        write_event(event, &mut envelope);
        let row = NewRow {
            stream: place.stream,
            mark: place.mark,
            actor: place.actor,
            actor_name: &event.source,
            clock: &event.clock,
            id: &event.id,
            identity: place.identity,
            digest: place.digest,
            envelope: str::from_utf8(&envelope).expect("JSON is written in UTF-8"),
        };
        rows::insert(self.database, &row)?;
        self.tail.written_bytes += envelope.len() as u64;
        Ok(())
    }
}

struct NewPlace {
    stream: StreamId,
    mark: StreamMark,
    actor: ActorId,
    identity: Identity,
    digest: Digest,
}

fn full(what: &str) -> CommitError {
    Unavailable { reason: format!("{what} has no number left for another event") }.into()
}
