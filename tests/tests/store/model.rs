//! The rules once more, as plainly as they can be written: a list that is searched from end to end. Random commits must
//! come out of a store as they come out of this.

use highwater_core::{
    clock::VectorClock,
    envelope::Proposed,
    event::{Event, NewEvent, Recording},
    version::{Revision, Sequence, Version},
};
use highwater_server::store::{Commit, Expected};

use super::{revision, sequence};

/// The log, with what was given for each event.
#[derive(Default)]
pub(crate) struct Model {
    pub(crate) log: Vec<(NewEvent, Event)>,
}

/// Places and whether all was known, or the name of the error and the index it is about.
pub(crate) type Answer = Result<(Vec<(u64, u32)>, bool), String>;

impl Model {
    pub(crate) fn commit(&mut self, commit: &Commit) -> Answer {
        let length = self.log.len();
        let answer = self.try_commit(commit);
        if answer.is_err() {
            self.log.truncate(length);
        }
        answer
    }

    fn try_commit(&mut self, commit: &Commit) -> Answer {
        for (index, Proposed { event, .. }) in commit.events.iter().enumerate() {
            let same_id = |other: &NewEvent| (&other.id, &other.source) == (&event.id, &event.source);
            let in_log = self.log.iter().filter(|(given, _)| same_id(given));
            let differs_in_log = in_log.clone().any(|(given, recorded)| given != event && as_given(recorded) != *event);
            let earlier = &commit.events[..index];
            if differs_in_log || earlier.iter().any(|other| same_id(&other.event) && other.event != *event) {
                return Err(format!("IdConflict {index}"));
            }
        }
        let all_known = commit.events.iter().all(|proposed| self.find(&proposed.event).is_some());
        if !all_known {
            let of_commit = commit.expectations.iter().map(|expected| (&expected.stream, expected.expected));
            let new = commit.events.iter().filter(|proposed| self.find(&proposed.event).is_none());
            let of_events = new.filter_map(|new| Some((&new.event.stream, Expected::At(new.expected_revision?))));
            for (stream, expected) in of_commit.chain(of_events) {
                if Expected::At(self.revision(stream.as_str())) != expected {
                    return Err(format!("RevisionConflict {stream}"));
                }
            }
        }
        let mut places = Vec::new();
        for (index, Proposed { event, .. }) in commit.events.iter().enumerate() {
            if self.find(event).is_none() {
                let recorded = self.record(index, event, commit.monotonic)?;
                self.log.push((event.clone(), recorded));
            }
            let found = self.find(event).unwrap();
            places.push((found.sequence.get(), found.revision.get()));
        }
        Ok((places, all_known))
    }

    fn find(&self, event: &NewEvent) -> Option<&Event> {
        self.log
            .iter()
            .map(|(_, recorded)| recorded)
            .find(|recorded| Some(&recorded.id) == event.id.as_ref() && recorded.source == event.source)
    }

    fn of_stream(&self, stream: &str) -> impl DoubleEndedIterator<Item = &Event> {
        self.log.iter().map(|(_, recorded)| recorded).filter(move |event| event.stream.as_str() == stream)
    }

    fn revision(&self, stream: &str) -> Revision {
        revision(self.of_stream(stream).count() as u32)
    }

    fn record(&self, index: usize, event: &NewEvent, monotonic: bool) -> Result<Event, String> {
        let stream = event.stream.as_str();
        let current = self.of_stream(stream).map(|event| event.version).max().unwrap_or(Version::ZERO);
        let version = event.version.unwrap_or(current);
        if version.get() > current.get() + 1_000 {
            return Err(format!("VersionJump {index}"));
        }
        if monotonic && version < current {
            return Err(format!("StaleVersion {index}"));
        }
        Ok(event.clone().record(Recording {
            id: event.id.clone().unwrap(),
            recorded_time: "2026-11-21T00:00:00Z".parse().unwrap(),
            sequence: sequence(self.log.len() as u64 + 1),
            revision: self.revision(stream).next().unwrap(),
            version,
            clock: self.clock(index, event)?,
        }))
    }

    fn clock(&self, index: usize, event: &NewEvent) -> Result<VectorClock, String> {
        let own = event.source.as_str();
        let of_actor = || self.of_stream(event.stream.as_str()).filter(|other| other.source == event.source);
        if let Some(given) = &event.clock {
            let used = of_actor().any(|other| other.clock.get(own) == given.get(own));
            return if used { Err(format!("ClockReused {index}")) } else { Ok(given.clone()) };
        }
        let latest = of_actor().max_by_key(|other| other.clock.get(own)).map(|other| other.clock.clone());
        let cause =
            self.of_stream(event.stream.as_str()).rev().find(|other| Some(&other.id) == event.causation_id.as_ref());
        let mut clock = latest.unwrap_or_default();
        clock.merge(&cause.map(|cause| cause.clock.clone()).unwrap_or_default()).unwrap();
        clock.tick(own).unwrap();
        Ok(clock)
    }

    pub(crate) fn head(&self) -> Sequence {
        sequence(self.log.len() as u64)
    }
}

fn as_given(recorded: &Event) -> NewEvent {
    NewEvent::from(recorded.clone())
}
