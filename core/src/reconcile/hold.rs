//! Events that wait for what is missing before them: bounded in number and in bytes.

use std::mem;

use crate::{
    envelope::scan,
    version::{Revision, Sequence},
};

/// How much may wait for what is missing. What goes beyond is dropped whole and fetched anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldLimits {
    /// The most events.
    pub events_max: usize,
    /// The most bytes of their envelopes.
    pub bytes_max: usize,
}

impl Default for HoldLimits {
    fn default() -> Self {
        Self { events_max: 1_024, bytes_max: 4 * 1024 * 1024 }
    }
}

/// An event that waits.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) prev: Sequence,
    pub(super) envelope: Box<str>,
}

/// What an overflow dropped.
pub(super) struct Dropped {
    pub(super) events: u64,
    /// The highest of their sequences.
    pub(super) last: Sequence,
}

#[derive(Debug)]
pub(super) struct Hold {
    limits: HoldLimits,
    /// In order of their sequences. The first `released` have gone: to move the rest up for each would take long.
    events: Vec<(Sequence, Held)>,
    released: usize,
    bytes: usize,
}

impl Hold {
    pub(super) fn new(limits: HoldLimits) -> Self {
        Self { limits, events: Vec::new(), released: 0, bytes: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting().len()
    }

    /// Whether an event waits already that came again. What follows `prev` in fewer topics follows more closely: of what is said
    /// to come before it, the least counts.
    pub(super) fn meets(&mut self, sequence: Sequence, prev: Sequence) -> bool {
        let Ok(at) = self.place(sequence) else { return false };
        if let Some((_, held)) = self.events.get_mut(at) {
            held.prev = held.prev.min(prev);
        }
        true
    }

    pub(super) fn first(&self) -> Option<(Sequence, &Held)> {
        self.waiting().first().map(|(sequence, held)| (*sequence, held))
    }

    /// The revision of the first event of a stream that waits.
    pub(super) fn first_of(&self, stream: &str) -> Option<Revision> {
        let headers = self.waiting().iter().filter_map(|(_, held)| scan(&held.envelope).ok());
        let mut own = headers.filter(|header| header.stream.decode().as_deref() == Some(stream));
        own.next().map(|header| header.revision)
    }

    /// Takes an event, or drops all where that would be too much.
    pub(super) fn insert(&mut self, sequence: Sequence, held: Held) -> Result<(), Dropped> {
        self.bytes += held.envelope.len();
        match self.place(sequence) {
            Ok(at) => {
                if let Some((_, replaced)) = self.events.get_mut(at) {
                    self.bytes -= mem::replace(replaced, held).envelope.len();
                }
            }
            Err(at) => self.events.insert(at, (sequence, held)),
        }
        if self.len() <= self.limits.events_max && self.bytes <= self.limits.bytes_max {
            return Ok(());
        }
        let last = self.events.last().map_or(sequence, |(last, _)| *last);
        Err(Dropped { events: self.clear(), last })
    }

    /// Lets the first event go.
    pub(super) fn release(&mut self) -> Option<Held> {
        let (_, held) = self.events.get_mut(self.released)?;
        let held = mem::take(held);
        self.bytes -= held.envelope.len();
        self.released += 1;
        if self.released * 2 >= self.events.len() {
            self.events = self.events.split_off(self.released);
            self.released = 0;
        }
        Some(held)
    }

    fn waiting(&self) -> &[(Sequence, Held)] {
        self.events.get(self.released..).unwrap_or_default()
    }

    /// Where an event waits, or where it would.
    fn place(&self, sequence: Sequence) -> Result<usize, usize> {
        let at = |at| at + self.released;
        self.waiting().binary_search_by_key(&sequence, |(sequence, _)| *sequence).map(at).map_err(at)
    }

    /// Drops all and says how many they were.
    pub(super) fn clear(&mut self) -> u64 {
        let events = self.len() as u64;
        self.events.clear();
        self.released = 0;
        self.bytes = 0;
        events
    }
}
