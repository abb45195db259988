//! Events that wait for what is missing before them: bounded in number and in bytes.

use std::mem;

use crate::version::Sequence;

/// How much may wait for what is missing. What goes beyond is dropped whole and fetched anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldLimits {
    /// The most events.
    pub events_max: usize,
    /// The most bytes of their envelopes.
    pub bytes_max: usize,
}

impl HoldLimits {
    /// What suits a browser.
    pub const DEFAULT: Self = Self { events_max: 1_024, bytes_max: 4 * 1024 * 1024 };
}

impl Default for HoldLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// An event that waits.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) prev: Sequence,
    pub(super) envelope: Box<[u8]>,
}

#[derive(Debug)]
pub(super) struct Hold {
    pub(super) limits: HoldLimits,
    /// In order of their sequences. The first `released` have gone: to move the rest up for each would take long.
    events: Vec<(Sequence, Held)>,
    released: usize,
    bytes: usize,
}

impl Hold {
    pub(super) const fn new(limits: HoldLimits) -> Self {
        Self { limits, events: Vec::new(), released: 0, bytes: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting().len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.released == self.events.len()
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

    /// The highest sequence.
    pub(super) fn last(&self) -> Sequence {
        self.waiting().last().map_or(Sequence::ZERO, |(sequence, _)| *sequence)
    }

    /// Takes an event that is not held yet.
    pub(super) fn insert(&mut self, sequence: Sequence, held: Held) {
        if self.released * 2 > self.events.len() {
            self.events = self.events.split_off(self.released);
            self.released = 0;
        }
        self.bytes += held.envelope.len();
        let (Ok(at) | Err(at)) = self.place(sequence);
        self.events.insert(at, (sequence, held));
    }

    /// Whether more waits than may.
    pub(super) fn is_too_full(&self) -> bool {
        self.len() > self.limits.events_max || self.bytes > self.limits.bytes_max
    }

    /// Lets the first event go.
    pub(super) fn release(&mut self) -> Option<(Sequence, Held)> {
        let first = mem::take(self.events.get_mut(self.released)?);
        self.bytes -= first.1.envelope.len();
        self.released += 1;
        Some(first)
    }

    /// Takes back the event that went last.
    pub(super) fn put_back(&mut self, first: (Sequence, Held)) {
        self.bytes += first.1.envelope.len();
        self.released -= 1;
        self.events[self.released] = first;
    }

    fn waiting(&self) -> &[(Sequence, Held)] {
        &self.events[self.released..]
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
