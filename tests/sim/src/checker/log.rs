//! [`Logs`]: what is in the log, as the database has it, and what must not have changed since.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use super::{Check, Violation, broken, hold, wants};

/// An event of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Its place in the log.
    pub sequence: u64,
    /// Its stream.
    pub stream: String,
    /// Its place there.
    pub revision: u64,
    /// The entity's version that it is about.
    pub version: u64,
    /// Its id.
    pub id: String,
    /// The command that made it.
    pub command: Option<String>,
    /// All of it.
    pub event: Value,
    /// The same, as it is stored.
    pub envelope: String,
}

/// The log of one epoch.
#[derive(Clone, Debug, Default)]
pub struct Log {
    events: Vec<Recorded>,
    /// Up to here somebody was told of it.
    pub served: u64,
    streams: BTreeMap<String, (u64, u64)>,
    counters: BTreeSet<(String, String, u64)>,
    /// Where each event is, by source and id.
    places: BTreeMap<(String, String), u64>,
    clocks: BTreeMap<(String, String), BTreeMap<String, u64>>,
}

/// The logs of all epochs, and the one that is there.
#[derive(Default)]
pub struct Logs {
    all: BTreeMap<String, Log>,
    current: String,
    database: Option<Connection>,
    put_back: u64,
}

impl Logs {
    /// The one that is there.
    #[must_use]
    pub fn current(&self) -> (&str, &Log) {
        (&self.current, &self.all[&self.current])
    }

    /// How often somebody put an older one in its place.
    #[must_use]
    pub const fn put_back(&self) -> u64 {
        self.put_back
    }

    /// That of an epoch.
    #[must_use]
    pub fn get(&self, epoch: &str) -> Option<&Log> {
        self.all.get(epoch)
    }

    /// A server has started on this database. `is_restored` says that somebody put an older one in its place.
    ///
    /// # Errors
    /// [`Violation`]
    pub fn started(&mut self, database: &Path, epoch: &str, is_restored: bool) -> Check {
        let before = self.all.get(&self.current).cloned().unwrap_or_default();
        let read_only = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        self.database = Some(Connection::open_with_flags(database, read_only).map_err(unreadable)?);
        let mut now = Log::default();
        now.read(self.database.as_ref().expect("it was opened above"))?;
        let lost = before
            .events
            .iter()
            .take_while(|event| event.sequence <= before.served)
            .find(|event| now.at(event.sequence).is_none_or(|found| found.envelope != event.envelope));
        if let Some(lost) = lost {
            let (id, sequence) = (&lost.id, lost.sequence);
            hold(16, is_restored, || format!("'{id}' was served at {sequence} and is gone"))?;
            hold(22, !self.all.contains_key(epoch), || {
                format!("'{id}' at {sequence} was taken from the log, which is still served as {epoch}")
            })?;
        }
        self.put_back += u64::from(is_restored);
        let is_new = epoch != self.current && !self.current.is_empty();
        hold(22, !is_new || !self.all.contains_key(epoch), || format!("epoch {epoch} comes back"))?;
        // What was told of a log that is the same, and has another name, was told of that one too.
        now.served = if lost.is_none() { before.served } else { 0 };
        self.current = epoch.to_owned();
        self.all.insert(epoch.to_owned(), now);
        Ok(())
    }

    /// Whether any log has an event of this command.
    #[must_use]
    pub fn has_command(&self, id: &str) -> bool {
        self.all.values().any(|log| log.has_command(id))
    }

    /// Those that were served before the present one.
    pub fn earlier(&self) -> impl Iterator<Item = &Log> {
        self.all.iter().filter(|(epoch, _)| **epoch != self.current).map(|(_, log)| log)
    }

    /// Reads on.
    ///
    /// # Errors
    /// [`Violation`]
    pub fn read(&mut self) -> Check {
        let Some(database) = &self.database else { return Ok(()) };
        self.all.get_mut(&self.current).expect("a server has started").read(database)
    }

    /// Somebody is told that everything up to this place is there.
    ///
    /// # Errors
    /// [`Violation`]
    pub fn serve(&mut self, epoch: &str, sequence: u64) -> Check {
        hold(22, epoch == self.current, || format!("{epoch}-{sequence} is told of a log that is {}", self.current))?;
        if self.current().1.end() < sequence {
            self.read()?;
        }
        let log = self.all.get_mut(&self.current).expect("a server has started");
        hold(17, log.end() >= sequence, || format!("{sequence} is told, and the log ends at {}", log.end()))?;
        log.served = log.served.max(sequence);
        Ok(())
    }

    /// Lets go of the database.
    pub fn stopped(&mut self) {
        self.database = None;
    }
}

impl Log {
    /// The last event's place.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.events.last().map_or(0, |event| event.sequence)
    }

    /// All events.
    #[must_use]
    pub fn events(&self) -> &[Recorded] {
        &self.events
    }

    /// Whether it has an event of this command.
    #[must_use]
    pub fn has_command(&self, id: &str) -> bool {
        self.events.iter().any(|event| event.command.as_deref() == Some(id))
    }

    /// The event at this place.
    #[must_use]
    pub fn at(&self, sequence: u64) -> Option<&Recorded> {
        let at = self.events.binary_search_by_key(&sequence, |event| event.sequence).ok()?;
        self.events.get(at)
    }

    /// The first event of a set of topics after a place.
    #[must_use]
    pub fn next(&self, topics: &[String], after: u64) -> Option<&Recorded> {
        let from = self.events.partition_point(|event| event.sequence <= after);
        self.events[from..].iter().find(|event| wants(topics, &event.stream))
    }

    fn read(&mut self, database: &Connection) -> Check {
        let rows = "SELECT sequence, envelope FROM events WHERE sequence > ? ORDER BY sequence";
        let mut rows = database.prepare_cached(rows).map_err(unreadable)?;
        let mut rows = rows.query([self.end() as i64]).map_err(unreadable)?;
        while let Some(row) = rows.next().map_err(unreadable)? {
            let sequence: i64 = row.get(0).map_err(unreadable)?;
            let envelope: String = row.get(1).map_err(unreadable)?;
            self.take(sequence as u64, envelope)?;
        }
        Ok(())
    }

    fn take(&mut self, sequence: u64, envelope: String) -> Check {
        let event: Value = serde_json::from_str(&envelope).unwrap_or_default();
        let text = |member: &str| event[member].as_str().unwrap_or_default().to_owned();
        let (stream, id) = (text("subject"), text("id"));
        let number = |member: &str| event[member].as_u64().unwrap_or_default();
        let (revision, version) = (number("revision"), number("version"));
        hold(15, sequence > self.end() && text("sequence").parse() == Ok(sequence), || {
            format!("'{id}' is at {sequence}, says {}, and comes after {}", text("sequence"), self.end())
        })?;
        let (last, highest) = self.streams.get(&stream).copied().unwrap_or_default();
        hold(15, revision == last + 1, || format!("revision {revision} of '{stream}' comes after {last}"))?;
        // With a `Z` at its end, a time without a fraction would come after one with.
        let time = |event: &Value| event["recordedtime"].as_str().unwrap_or_default().trim_end_matches('Z').to_owned();
        let before = self.events.last().map(|last| time(&last.event));
        let recorded = time(&event);
        hold(21, before.as_ref().is_none_or(|before| *before <= recorded), || {
            format!("'{id}' was recorded at {recorded}, after one at {before:?}")
        })?;
        self.take_identity(&event, sequence)?;
        self.take_version(&event, (&stream, version, highest))?;
        self.take_clock(&event, &stream)?;
        self.streams.insert(stream.clone(), (revision, highest.max(version)));
        let command = event["commandid"].as_str().map(str::to_owned);
        self.events.push(Recorded { sequence, stream, revision, version, id, command, event, envelope });
        Ok(())
    }

    /// An event is there once. Those of a command are there once, too, in one commit: each lies right behind the one before it.
    fn take_identity(&mut self, event: &Value, sequence: u64) -> Check {
        let text = |member: &str| event[member].as_str().unwrap_or_default().to_owned();
        let (source, id) = (text("source"), text("id"));
        let before = self.places.insert((source.clone(), id.clone()), sequence);
        if let Some(command) = event["commandid"].as_str() {
            hold(60, before.is_none(), || {
                format!("'{command}' is carried out at {before:?}, and again at {sequence}")
            })?;
            let number = id.strip_prefix(command).and_then(|rest| rest.strip_prefix('.')?.parse::<u64>().ok());
            let due = match number {
                None => Some(sequence),
                Some(1) => self.places.get(&(source, command.to_owned())).map(|first| first + 1),
                Some(number) => self.places.get(&(source, format!("{command}.{}", number - 1))).map(|last| last + 1),
            };
            hold(60, due == Some(sequence), || format!("'{id}' of '{command}' is at {sequence}, and not at {due:?}"))?;
        }
        hold(19, before.is_none(), || format!("'{id}' is at {before:?}, and again at {sequence}"))
    }

    /// A task's version rises by one, by new code and by nothing else.
    fn take_version(&self, event: &Value, (stream, version, highest): (&str, u64, u64)) -> Check {
        if !stream.contains(":tasks:") {
            return Ok(());
        }
        let raises = ["task.code_generated.v1", "task.code_refined.v1", "task.correction_completed.v1"]
            .contains(&event["type"].as_str().unwrap_or_default());
        let is_right = if raises { version == highest + 1 } else { version <= highest };
        hold(58, is_right, || format!("{} at version {version} comes after version {highest}", event["type"]))
    }

    /// A counter stands on one event, and a derived clock comes after its cause.
    fn take_clock(&mut self, event: &Value, stream: &str) -> Check {
        let (id, source) = (event["id"].as_str().unwrap_or_default(), event["source"].as_str().unwrap_or_default());
        let clock = clock_of(&event["clock"]);
        let own = clock.get(&source.replace('%', "%25")).copied().unwrap_or_default();
        let is_first = self.counters.insert((stream.to_owned(), source.to_owned(), own));
        hold(20, own > 0 && is_first, || format!("counter {own} of {source} in '{stream}' is not one event's alone"))?;
        if let Some(cause) = event["causationid"].as_str()
            && let Some(known) = self.clocks.get(&(stream.to_owned(), cause.to_owned()))
        {
            let is_after = known.iter().all(|(actor, counter)| clock.get(actor).is_some_and(|own| own >= counter));
            hold(20, is_after, || format!("'{id}' does not know what its cause '{cause}' knew"))?;
        }
        self.clocks.insert((stream.to_owned(), id.to_owned()), clock);
        Ok(())
    }
}

/// A clock by its text: the counters of actors, named as they are written.
pub(super) fn clock_of(text: &Value) -> BTreeMap<String, u64> {
    let pairs = text.as_str().unwrap_or_default().split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(actor, counter)| (actor.to_owned(), counter.parse().unwrap_or_default())).collect()
}

fn unreadable(error: rusqlite::Error) -> Violation {
    broken::<()>(16, format!("the database can't be read: {error}")).unwrap_err()
}
