//! What a busy connection brings: events of many streams, some of which came before or are stale; and what a reader makes of them.

use highwater_core::{
    reconcile::{Arrival, Attempt, Counts, HoldLimits, Reconciler},
    version::{After, Epoch, Position, Sequence},
};

use crate::events::{Place, envelope, task_event};

/// How many events are judged. They fit into a core's cache: what a decoder hands on is there, as it has just read it.
pub(crate) const EVENTS: usize = 2_048;
/// How many came before them, one of each stream first, so that all are known.
const EVENTS_BEFORE: usize = 1_024;
const STREAMS: u64 = 256;
/// Of a hundred events, as many do not move the state. One half came before, the other is of an old version.
const DROPPED_PERCENT: u64 = 30;
/// So far back a repeated event lies at most.
const REPEATED_MAX: u64 = 100;

/// An event as the decoder hands it on.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) position: Position,
    pub(crate) prev: Sequence,
    pub(crate) envelope: Vec<u8>,
}

impl Sent {
    pub(crate) fn arrival(&self) -> Arrival<'_> {
        Arrival { position: self.position, prev: self.prev, envelope: &self.envelope }
    }
}

/// What a connection brings.
pub(crate) struct Traffic {
    before: Vec<Sent>,
    pub(crate) events: Vec<Sent>,
}

/// The same each time.
pub(crate) fn traffic() -> Traffic {
    let mut random = Random(1);
    let mut streams = [(0, 0); STREAMS as usize];
    let mut recorded = 0;
    let mut sent: Vec<Sent> = Vec::with_capacity(EVENTS_BEFORE + EVENTS);
    while sent.len() < EVENTS_BEFORE + EVENTS {
        let at = if recorded < STREAMS { recorded } else { random.below(STREAMS) };
        let (revision, version) = &mut streams[at as usize];
        let is_dropped = *revision > 0 && random.below(100) < DROPPED_PERCENT;
        if is_dropped && random.below(2) == 0 {
            let back = 1 + random.below(REPEATED_MAX.min(sent.len() as u64));
            sent.push(sent[sent.len() - back as usize].clone());
            continue;
        }
        recorded += 1;
        *revision += 1;
        *version += u64::from(!is_dropped);
        let stream = format!("space:42:tasks:task-{:04}", 1_000 + at);
        let said_version = *version - u64::from(is_dropped);
        let event =
            task_event(Place { stream: &stream, sequence: recorded, revision: *revision, version: said_version });
        sent.push(Sent {
            position: Position::new(Epoch::from_bits(1), event.sequence),
            prev: event.sequence.previous().unwrap_or_default(),
            envelope: envelope(&event),
        });
    }
    let events = sent.split_off(EVENTS_BEFORE);
    Traffic { before: sent, events }
}

/// Who judges.
pub(crate) struct Reader {
    reconciler: Reconciler,
    attempt: Attempt,
}

impl Reader {
    /// One that has judged what came before.
    pub(crate) fn of(traffic: &Traffic) -> Self {
        let mut reconciler = Reconciler::new(After::Earliest, HoldLimits::DEFAULT);
        let mut reader = Self { attempt: reconciler.connect(), reconciler };
        reader.judge(&traffic.before);
        reader
    }

    /// Judges events, and is drained after each.
    pub(crate) fn judge(&mut self, events: &[Sent]) -> Counts {
        for sent in events {
            self.reconciler.event(self.attempt, &sent.arrival());
            while self.reconciler.poll().is_some() {}
        }
        self.reconciler.counts()
    }
}

/// [SplitMix64](https://prng.di.unimi.it/splitmix64.c).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % limit
    }
}
