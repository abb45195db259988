//! [`Mangler`]: what happens to the frames of one connection. No I/O, no clock of its own.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::faults::Faults;

/// How many later frames go before one that is reordered or repeated, at most.
const LATER_FRAMES_MAX: u64 = 8;
/// What may be on the way before no more is taken from the server.
const PENDING_FRAMES_MAX: usize = 256;
const PENDING_BYTES_MAX: usize = 1024 * 1024;
/// How probably a cut goes through a frame, where one is due.
const CUT_WITHIN_FRAME: f64 = 0.5;

/// Takes frames with [`take`](Self::take) and gives what is to be sent with [`poll`](Self::poll), to be called again at
/// [`next_timeout`](Self::next_timeout) and after every input.
pub(super) struct Mangler {
    rng: StdRng,
    opened: Instant,
    arrived: u64,
    put: u64,
    /// By the order in which they go.
    pending: BTreeMap<Place, Pending>,
    pending_bytes: usize,
    sent: u64,
    /// Nothing more will arrive, or nobody shall wait any longer.
    closing: bool,
}

/// A frame's place: at the arrival of this number, before or after what arrived then; and what tells it from others there.
type Place = (u64, bool, u64);

struct Pending {
    frame: Bytes,
    due: Instant,
    /// When it no longer waits for later ones.
    patience: Instant,
}

/// What is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    Frame(Bytes),
    /// The connection is cut after these bytes.
    Cut(Bytes),
}

impl Mangler {
    pub(super) fn new(seed: u64, opened: Instant) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            opened,
            arrived: 0,
            put: 0,
            pending: BTreeMap::new(),
            pending_bytes: 0,
            sent: 0,
            closing: false,
        }
    }

    /// Whether more may be taken.
    pub(super) fn has_room(&self) -> bool {
        self.pending.len() < PENDING_FRAMES_MAX && self.pending_bytes < PENDING_BYTES_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// A frame has arrived.
    pub(super) fn take(&mut self, frame: Bytes, faults: &Faults, now: Instant) {
        let arrival = self.arrived;
        self.arrived += 1;
        if self.rng.random_bool(faults.repeat) {
            let later = self.rng.random_range(0..=LATER_FRAMES_MAX);
            self.put((arrival + later, true), frame.clone(), faults, now);
        }
        let place = if self.rng.random_bool(faults.reorder) {
            (arrival + self.rng.random_range(1..=LATER_FRAMES_MAX), true)
        } else {
            (arrival, false)
        };
        self.put(place, frame, faults, now);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing
    }

    /// Nothing waits any longer.
    pub(super) fn close(&mut self) {
        self.closing = true;
    }

    /// What is to be sent now.
    pub(super) fn poll(&mut self, faults: &Faults, now: Instant) -> Option<Sending> {
        let due = self.pending.first_entry().filter(|first| {
            let waits = self.arrived <= first.key().0 && now < first.get().patience;
            self.closing || faults.spare_frames() || (!waits && now >= first.get().due)
        });
        let frame = due.map(|first| first.remove().frame);
        self.pending_bytes -= frame.as_ref().map_or(0, Bytes::len);
        if !self.closing && self.cut_at(faults).is_some_and(|at| now >= at) {
            return Some(Sending::Cut(self.part_of(frame)));
        }
        self.sent += u64::from(frame.is_some());
        frame.map(Sending::Frame)
    }

    /// When there may be something to send although nothing has arrived.
    pub(super) fn next_timeout(&self, faults: &Faults) -> Option<Instant> {
        let frame = self.pending.first_key_value().map(|((place, ..), pending)| {
            if self.arrived > *place { pending.due } else { pending.due.max(pending.patience) }
        });
        [frame, self.cut_at(faults)].into_iter().flatten().min()
    }

    /// A connection that has carried nothing yet is let live: else a reader might never get on.
    fn cut_at(&self, faults: &Faults) -> Option<Instant> {
        faults.cut_every_ms.filter(|_| self.sent > 0).map(|every| self.opened + Duration::from_millis(every))
    }

    fn put(&mut self, (place, after): (u64, bool), frame: Bytes, faults: &Faults, now: Instant) {
        let [min, max] = faults.delay_ms;
        let due = now + Duration::from_millis(self.rng.random_range(min..=max));
        self.pending_bytes += frame.len();
        self.put += 1;
        let patience = due + Duration::from_millis(faults.patience_ms);
        self.pending.insert((place, after, self.put), Pending { frame, due, patience });
    }

    /// What of a frame still gets through.
    fn part_of(&mut self, frame: Option<Bytes>) -> Bytes {
        match frame {
            Some(frame) if frame.len() > 1 && self.rng.random_bool(CUT_WITHIN_FRAME) => {
                frame.slice(..self.rng.random_range(1..frame.len()))
            }
            _ => Bytes::new(),
        }
    }
}
