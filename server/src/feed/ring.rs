//! [`Ring`]: the latest batches of one set of topics, bounded, each kept once however many read it.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use highwater_core::{
    mutation::{Mutation, mutated},
    topic::Topics,
    version::Sequence,
};
use tokio::{sync::watch, time::Instant};

use super::batch::Batch;
use crate::{
    store::Unavailable,
    sync::{Mutex, MutexGuard, PoisonError},
    telemetry,
};

/// Where a reader is in a ring: the number of the batch that it takes next. Batches are numbered from 0.
pub(crate) type BatchNumber = u64;

/// What a batch takes in memory beside its bytes, about.
const BATCH_REST_BYTES: usize = 256;

/// See the [module](self). Only the tail publishes.
#[derive(Debug)]
pub(crate) struct Ring {
    /// Told from every other ring that there is or was.
    pub(crate) id: RingId,
    pub(super) topics: Topics,
    inner: Mutex<Inner>,
    /// How many batches there have been: what a reader without a socket of its own waits for.
    published: watch::Sender<BatchNumber>,
    budget: Arc<Budget>,
}

/// A ring's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RingId(pub(super) u64);

#[derive(Debug)]
struct Inner {
    batches: VecDeque<Arc<Batch>>,
    /// The number of the first of them.
    first: BatchNumber,
    bytes: usize,
    /// Every event of the topics after this, as far as the tail has come, is here.
    low: Sequence,
    /// The last event published, or where the ring began.
    last: Sequence,
    /// The last position published, or where the ring began.
    told: Sequence,
    /// When that was.
    published: Instant,
    /// Why nothing more will come.
    ended: Option<Unavailable>,
    counted: telemetry::Ring,
}

/// What all rings together may hold.
#[derive(Debug)]
pub(super) struct Budget {
    bytes_max: usize,
    /// The most that one ring keeps.
    ring_bytes_max: usize,
    rings: AtomicUsize,
    bytes: AtomicUsize,
}

/// What a ring answers to a reader who has read the log up to somewhere.
#[derive(Debug)]
pub(super) enum Join {
    /// Go on with this batch: everything before it is known.
    At(BatchNumber),
    /// First take the end of a batch whose beginning is known.
    Within(Arc<Batch>),
    /// The ring begins later: read on in the log.
    Behind,
    /// Nothing more will come.
    Ended(Unavailable),
}

/// What a reader in a ring has to take.
#[derive(Debug)]
pub(crate) enum Due {
    /// These batches, or none, if the reader has all.
    Batches(Vec<Arc<Batch>>),
    /// The next batch is gone: read the log.
    Overrun,
    /// Nothing more will come.
    Ended(Unavailable),
}

impl Ring {
    /// A ring in which the events after `low` will be.
    pub(super) fn new(
        id: RingId,
        topics: Topics,
        low: Sequence,
        budget: Arc<Budget>,
        counted: telemetry::Ring,
    ) -> Self {
        budget.rings.fetch_add(1, Ordering::Relaxed);
        let inner = Inner {
            batches: VecDeque::new(),
            first: 0,
            bytes: 0,
            low,
            last: low,
            told: low,
            published: Instant::now(),
            ended: None,
            counted,
        };
        Self { id, topics, inner: Mutex::new(inner), published: watch::Sender::new(0), budget }
    }

    /// Adds the batch that is made from the last event so far. Old batches make room for it.
    pub(super) fn publish(&self, make: impl FnOnce(Sequence) -> Batch) {
        let mut inner = self.lock();
        let batch = make(inner.last);
        inner.last = batch.reached.last;
        inner.told = batch.reached.told;
        let bytes = cost(&batch);
        inner.published = batch.made;
        inner.bytes += bytes;
        self.budget.bytes.fetch_add(bytes, Ordering::Relaxed);
        inner.batches.push_back(Arc::new(batch));
        self.cut(&mut inner, self.budget.ring_bytes_max);
        let count = inner.first + inner.batches.len() as u64;
        drop(inner);
        self.published.send_replace(count);
    }

    /// Lets old batches go until the ring holds no more than this. A reader who still wanted them reads the log.
    pub(super) fn shrink(&self, bytes_max: usize) {
        self.cut(&mut self.lock(), bytes_max);
    }

    fn cut(&self, inner: &mut Inner, bytes_max: usize) {
        while inner.bytes > bytes_max
            && let Some(oldest) = inner.batches.pop_front()
        {
            let bytes = cost(&oldest);
            inner.first += 1;
            inner.low = oldest.reached.told;
            inner.bytes -= bytes;
            self.budget.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        inner.counted.holds(inner.bytes);
    }

    /// The position last published, and when; or where and when the ring began.
    pub(super) fn told(&self) -> (Sequence, Instant) {
        let inner = self.lock();
        (inner.told, inner.published)
    }

    /// Tells every reader that nothing more will come.
    pub(super) fn end(&self, why: Unavailable) {
        self.lock().ended = Some(why);
        self.published.send_modify(|_| {});
    }

    /// Finds the place of a reader who knows everything up to `known`, which the tail has reached.
    pub(super) fn join(&self, known: Sequence) -> Join {
        let inner = self.lock();
        if let Some(why) = &inner.ended {
            return Join::Ended(why.clone());
        }
        if known < inner.low {
            return Join::Behind;
        }
        let at = inner.batches.partition_point(|batch| batch.reached.told <= known);
        match inner.batches.get(at) {
            Some(batch) if batch.frames_after(known).is_some() => Join::Within(Arc::clone(batch)),
            _ => Join::At(inner.first + at as u64),
        }
    }

    /// What there is from this batch on, at most `batches_max` of it.
    pub(crate) fn due(&self, next: BatchNumber, batches_max: usize) -> Due {
        let inner = self.lock();
        let Some(at) = next.checked_sub(inner.first).or(mutated(Mutation::SkipOverrun).then_some(0)) else {
            return Due::Overrun;
        };
        match (inner.batches.len().checked_sub(at as usize), &inner.ended) {
            (None | Some(0), Some(why)) => Due::Ended(why.clone()),
            (None | Some(0), None) => Due::Batches(Vec::new()),
            (Some(_), _) => Due::Batches(inner.batches.range(at as usize..).take(batches_max).cloned().collect()),
        }
    }

    /// Like [`due`](Self::due), but waits until there is something.
    pub(crate) async fn wait(&self, next: BatchNumber, batches_max: usize) -> Due {
        let mut published = self.published.subscribe();
        loop {
            match self.due(next, batches_max) {
                Due::Batches(none) if none.is_empty() => {}
                due => return due,
            }
            // Never an error: the sender is the ring's own.
            let _ = published.changed().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let bytes = self.lock().bytes;
        self.budget.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.budget.rings.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Budget {
    pub(super) fn new(bytes_max: usize, ring_bytes_max: usize) -> Self {
        Self { bytes_max, ring_bytes_max, rings: AtomicUsize::new(0), bytes: AtomicUsize::new(0) }
    }

    pub(super) fn is_exceeded(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > self.bytes_max
    }

    /// How many rings there are, and how many bytes they hold.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.rings.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }

    /// What each ring may keep when all together hold too much.
    pub(super) fn share(&self) -> usize {
        self.bytes_max / self.rings.load(Ordering::Relaxed).max(1)
    }
}

fn cost(batch: &Batch) -> usize {
    batch.chunk().len() + batch.events() * size_of::<(Sequence, usize)>() + BATCH_REST_BYTES
}
