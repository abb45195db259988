//! [`Batch`]: events of consecutive lines as the body of one append.

use std::num::NonZeroUsize;

use bytes::Bytes;
use highwater_core::{envelope::write_new_event, event::NewEvent};

/// How large a batch may become.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchLimits {
    pub(super) events_max: NonZeroUsize,
    /// An event that is larger alone is sent alone, for the server to judge.
    pub(super) bytes_max: usize,
}

/// A JSON array of events, and of which line each was made.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The array without its closing bracket.
    body: Vec<u8>,
    /// Of each event, its line and where it ends in the body.
    events: Vec<(u64, usize)>,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// The line of an event.
    pub(super) fn line(&self, index: usize) -> Option<u64> {
        self.events.get(index).map(|(line, _)| *line)
    }

    /// Adds an event. If it has no more room there, the batch as it was is given back, and the event opens the next.
    pub(super) fn push(&mut self, event: &NewEvent, line: u64, limits: BatchLimits) -> Option<Self> {
        let full = self.add(event, line, limits);
        if full.is_some() {
            self.add(event, line, limits);
        }
        full
    }

    fn add(&mut self, event: &NewEvent, line: u64, limits: BatchLimits) -> Option<Self> {
        let before = self.body.len();
        self.body.push(if self.is_empty() { b'[' } else { b',' });
        write_new_event(event, &mut self.body);
        let fits = self.len() < limits.events_max.get() && self.body.len() < limits.bytes_max;
        if fits || self.is_empty() {
            self.events.push((line, self.body.len()));
            return None;
        }
        self.body.truncate(before);
        Some(std::mem::take(self))
    }

    /// The events before this one, and the others.
    pub(super) fn split_at(mut self, index: usize) -> (Self, Self) {
        let index = index.min(self.len());
        let mut events = self.events.split_off(index);
        let cut = self.events.last().map_or(0, |(_, end)| *end);
        let mut body = self.body.split_off(cut);
        // What was between the events begins an array now.
        if let Some(comma) = body.first_mut() {
            *comma = b'[';
        }
        for (_, end) in &mut events {
            *end -= cut;
        }
        (self, Self { body, events })
    }

    /// What is sent.
    pub(super) fn body(&self) -> Bytes {
        let mut body = Vec::with_capacity(self.body.len() + 1);
        body.extend_from_slice(&self.body);
        body.push(b']');
        body.into()
    }
}

#[cfg(test)]
mod tests {
    use highwater_core::{
        envelope::parse_proposed_batch,
        event::{Actor, EventType, Limits},
        stream::StreamName,
    };

    use super::*;

    fn event(actor: &str) -> NewEvent {
        NewEvent::new(StreamName::new("a:b").unwrap(), Actor::new(actor).unwrap(), EventType::new("a.b.v1").unwrap())
    }

    fn actors(batch: &Batch) -> Vec<String> {
        let events = parse_proposed_batch(&batch.body(), None, &Limits::default()).unwrap();
        events.into_iter().map(|proposed| proposed.event.source.as_str().to_owned()).collect()
    }

    #[test]
    fn batches_end_at_their_limits() {
        let one = {
            let mut batch = Batch::default();
            let limits = BatchLimits { events_max: NonZeroUsize::MIN, bytes_max: 0 };
            assert!(batch.push(&event("a"), 1, limits).is_none(), "one event always fits");
            batch.body().len()
        };
        for (events_max, bytes_max) in [(2, usize::MAX), (usize::MAX, 2 * one - 1)] {
            let limits = BatchLimits { events_max: events_max.try_into().unwrap(), bytes_max };
            let mut batch = Batch::default();
            let full: Vec<Batch> = ["a", "b", "c"]
                .iter()
                .zip(1..)
                .filter_map(|(actor, line)| batch.push(&event(actor), line, limits))
                .collect();
            assert_eq!(full.len(), 1);
            assert_eq!((actors(&full[0]), full[0].line(1)), (vec!["a".to_owned(), "b".to_owned()], Some(2)));
            assert!(full[0].body().len() <= bytes_max);
            assert_eq!((actors(&batch), batch.line(0)), (vec!["c".to_owned()], Some(3)));
        }
    }

    #[test]
    fn a_batch_can_be_split_before_any_event() {
        let limits = BatchLimits { events_max: NonZeroUsize::MAX, bytes_max: usize::MAX };
        let mut batch = Batch::default();
        for (actor, line) in ["a", "b", "c"].iter().zip(1..) {
            batch.push(&event(actor), line, limits);
        }
        let (before, rest) = batch.split_at(2);
        assert_eq!((actors(&before), actors(&rest)), (vec!["a".to_owned(), "b".to_owned()], vec!["c".to_owned()]));
        assert_eq!((before.line(1), rest.line(0)), (Some(2), Some(3)));
        let (nothing, all) = before.split_at(0);
        assert!(nothing.is_empty());
        let (one, other) = all.split_at(1);
        assert_eq!((actors(&one), actors(&other)), (vec!["a".to_owned()], vec!["b".to_owned()]));
        let (all, nothing) = one.split_at(7);
        assert_eq!((actors(&all), nothing.is_empty()), (vec!["a".to_owned()], true));
    }
}
