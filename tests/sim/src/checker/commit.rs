//! [`Commits`]: what was asked of the log, what it answered, and what is there of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Check, Log, Logs, Recorded, broken, hold};
use crate::producer::{Answer, Write};

/// What is answered by these may be recorded when it is asked for again.
const NOT_NOW: [u16; 4] = [401, 408, 425, 429];

/// What is known of commits.
#[derive(Default)]
pub struct Commits {
    writes: BTreeMap<String, Write>,
    /// Which write each event is of.
    events: BTreeMap<String, String>,
    /// What was answered for each write, in each log.
    answers: BTreeMap<(String, String), Value>,
    commands: BTreeMap<String, Command>,
    /// What a network has repeated may be carried out after it was refused.
    repeated: BTreeSet<String>,
    /// What was refused, and how often an older log had been put back by then.
    refused: BTreeMap<String, u64>,
    /// What another log had recorded is sent to the new one once that is heard of, which may be late.
    of_old_logs: BTreeSet<String>,
    /// Up to where the log was looked at.
    seen: (String, usize),
}

/// A command that somebody gave.
#[derive(Clone, Debug)]
struct Command {
    /// Who.
    client: usize,
    /// For which task.
    stream: String,
    /// The how-manieth.
    order: u64,
    /// What it says.
    data: Value,
}

impl Commits {
    /// Somebody is about to ask for this.
    pub fn asked(&mut self, write: Write) {
        for event in &write.events {
            self.events.insert(event["id"].as_str().unwrap_or_default().to_owned(), write.id.clone());
        }
        self.writes.insert(write.id.clone(), write);
    }

    /// Somebody is about to give this command.
    pub fn commanded(&mut self, id: String, client: usize, stream: &str, body: &Value) {
        let order = self.commands.len() as u64;
        self.commands.insert(id, Command { client, stream: stream.to_owned(), order, data: body["data"].clone() });
    }

    /// The network repeats a request.
    pub fn repeated(&mut self, id: &str) {
        self.repeated.insert(id.to_owned());
    }

    /// A client rolls a command back. A refusal says nothing of a log that was put back after it: that one may have the command, from
    /// before it was lost, and whoever was refused can't know.
    ///
    /// # Errors
    /// [`Violation`](super::Violation)
    pub fn rolled_back(&self, id: &str, logs: &Logs) -> Check {
        let refused = self.refused.get(id);
        hold(82, refused.is_some(), || format!("'{id}' is rolled back, which no server has refused"))?;
        let is_bound = !self.repeated.contains(id) && refused == Some(&logs.put_back());
        hold(82, !is_bound || !logs.current().1.has_command(id), || format!("'{id}' is rolled back, which is recorded"))
    }

    /// The server answers a write. It may be a repetition that nobody waits for.
    ///
    /// # Errors
    /// [`Violation`](super::Violation)
    pub fn answered(&mut self, id: &str, answer: &Answer, logs: &mut Logs) -> Check {
        if answer.status >= 300 {
            return self.refused(id, answer, logs);
        }
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let Some((epoch, sequence)) = body["position"].as_str().and_then(|position| position.split_once('-')) else {
            return broken(19, format!("the answer to '{id}' has no position"));
        };
        logs.serve(epoch, sequence.parse().unwrap_or_default())?;
        logs.read()?;
        let log = logs.current().1;
        let placed = body["events"].as_array().cloned().unwrap_or_default();
        for place in &placed {
            let found = log.at(place["sequence"].as_u64().unwrap_or_default());
            let is_there = found.is_some_and(|found| place["id"] == *found.id && place["revision"] == found.revision);
            hold(16, is_there, || format!("'{id}' is answered with {place}, and there is {found:?}"))?;
        }
        if let Some(write) = self.writes.get(id) {
            hold(18, placed.len() == write.events.len(), || {
                format!("'{id}' is answered with {} events", placed.len())
            })?;
        }
        let is_command = self.commands.contains_key(id);
        let first = self.answers.entry((epoch.to_owned(), id.to_owned())).or_insert_with(|| body.clone());
        if is_command {
            return hold(60, *first == body, || format!("'{id}' was answered with {first}, and now with {body}"));
        }
        hold(19, *first == body, || format!("'{id}' was answered with {first}, and now with {body}"))
    }

    /// After a refusal nothing is stored.
    fn refused(&mut self, id: &str, answer: &Answer, logs: &mut Logs) -> Check {
        if !(400..500).contains(&answer.status) {
            return Ok(());
        }
        if !NOT_NOW.contains(&answer.status) {
            self.refused.insert(id.to_owned(), logs.put_back());
            self.was_not_answered(id, answer, logs)?;
        }
        if self.repeated.contains(id) {
            return Ok(());
        }
        logs.read()?;
        let is_its = |recorded: &&Recorded| {
            recorded.command.as_deref() == Some(id) || self.events.get(&recorded.id).is_some_and(|write| write == id)
        };
        let stored = logs.current().1.events().iter().find(is_its);
        let what = || format!("'{id}' is refused by {}, and there is {stored:?}", answer.status);
        if self.commands.contains_key(id) { hold(61, stored.is_none(), what) } else { hold(18, stored.is_none(), what) }
    }

    /// What is recorded is known before any precondition is looked at.
    fn was_not_answered(&self, id: &str, answer: &Answer, logs: &Logs) -> Check {
        let first = self.answers.get(&(logs.current().0.to_owned(), id.to_owned()));
        let what = || format!("'{id}' was answered with {first:?}, and is refused by {}", answer.status);
        if self.commands.contains_key(id) { hold(60, first.is_none(), what) } else { hold(19, first.is_none(), what) }
    }

    /// Whether a write that was answered is a command, under whose key another one might be given.
    #[must_use]
    pub fn is_command(&self, id: &str) -> bool {
        self.commands.contains_key(id)
    }

    /// The server answers another command under a key that is taken.
    ///
    /// # Errors
    /// [`Violation`](super::Violation)
    pub fn reused(&self, id: &str, answer: &Answer) -> Check {
        let is_refused = answer.status == 422 || answer.status >= 500;
        hold(61, is_refused, || format!("another command as '{id}' is answered by {}", answer.status))
    }

    /// Looks at what is new in the log.
    ///
    /// # Errors
    /// [`Violation`](super::Violation)
    pub fn look(&mut self, logs: &Logs) -> Check {
        let (epoch, log) = logs.current();
        if self.seen.0 != epoch {
            self.seen = (epoch.to_owned(), 0);
            let recorded = logs.earlier().flat_map(Log::events).filter_map(|event| event.command.clone());
            self.of_old_logs.extend(self.answers.keys().map(|(_, id)| id.clone()).chain(recorded));
        }
        let from = std::mem::replace(&mut self.seen.1, log.events().len());
        for recorded in &log.events()[from.min(log.events().len())..] {
            match (self.events.get(&recorded.id), &recorded.command) {
                (Some(write), None) => self.is_of_write(recorded, &self.writes[write], log)?,
                (None, Some(command)) => self.is_of_command(recorded, command)?,
                _ => return broken(18, format!("nobody asked for '{}'", recorded.id)),
            }
        }
        self.commands_are_in_order(log)
    }

    /// An event is as it was given, beside all others of its commit.
    fn is_of_write(&self, recorded: &Recorded, write: &Write, log: &Log) -> Check {
        let at = write.events.iter().position(|event| event["id"] == *recorded.id).expect("it is the event's");
        let given = &write.events[at];
        let is_same =
            ["source", "type", "subject", "data", "causationid"].iter().all(|name| given[name] == recorded.event[name]);
        hold(18, is_same, || format!("'{}' is recorded as {}", recorded.id, recorded.envelope))?;
        let version = given["version"].as_u64();
        hold(18, version.is_none_or(|version| version == recorded.version), || {
            format!("'{}' has another version", recorded.id)
        })?;
        let first = recorded.sequence - at as u64;
        for (at, given) in write.events.iter().enumerate() {
            let found = log.at(first + at as u64);
            hold(18, found.is_some_and(|found| given["id"] == *found.id), || {
                format!("of '{}' there is '{}', and not {}", write.id, recorded.id, given["id"])
            })?;
        }
        let expected = write.events.iter().filter(|event| event["subject"] == *recorded.stream);
        let before = log.events().iter().rfind(|event| event.stream == recorded.stream && event.sequence < first);
        let (revision, highest) = before.map_or((0, 0), |before| {
            let stream = log.events().iter().filter(|event| event.stream == recorded.stream && event.sequence < first);
            (before.revision, stream.map(|event| event.version).max().unwrap_or_default())
        });
        for event in expected {
            let is_met = event["expectedrevision"].as_u64().is_none_or(|expected| expected == revision);
            hold(18, is_met, || format!("'{}' is recorded after revision {revision}: {event}", recorded.id))?;
        }
        let rises = !write.is_monotonic || recorded.version >= highest;
        hold(18, rises, || format!("'{}' is monotonic, of version {} after {highest}", recorded.id, recorded.version))
    }

    fn is_of_command(&self, recorded: &Recorded, command: &str) -> Check {
        let Some(given) = self.commands.get(command) else {
            return broken(61, format!("'{}' is of a command '{command}' that nobody gave", recorded.id));
        };
        let is_its =
            recorded.id == command || recorded.id.strip_prefix(command).is_some_and(|rest| rest.starts_with('.'));
        hold(60, is_its && recorded.stream == given.stream, || format!("'{}' is of '{command}'", recorded.id))?;
        let is_same = recorded.event["data"] == given.data;
        hold(61, is_same, || format!("'{command}' says {}, and is recorded as {}", given.data, recorded.envelope))
    }

    /// What one user meant for one task is recorded in that order.
    fn commands_are_in_order(&self, log: &Log) -> Check {
        let mut last: BTreeMap<(usize, &str), (u64, &str)> = BTreeMap::new();
        for recorded in log.events() {
            let is_free = |id: &&String| self.repeated.contains(*id) || self.of_old_logs.contains(*id);
            let Some(id) = recorded.command.as_ref().filter(|id| !is_free(id)) else { continue };
            let Some(command) = self.commands.get(id) else { continue };
            let (order, before) = last.entry((command.client, &recorded.stream)).or_insert((command.order, id));
            hold(45, command.order >= *order, || {
                format!("'{id}' was meant before '{before}', and is recorded after it")
            })?;
            (*order, *before) = (command.order, id);
        }
        Ok(())
    }
}
