//! [`Queue`]: the bounded way from those who commit to the one writer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{mpsc, oneshot};

use super::prepare::PreparedCommit;
use crate::{
    bound::{Bound, Full, Room},
    store::{CommitError, Committed, Unavailable},
    sync::{Mutex, MutexGuard, PoisonError},
    telemetry::StoreMetrics,
};

/// What became of a commit.
pub(super) type Outcome = Result<Committed, CommitError>;

/// Takes commits while there is room for their events and bytes. What is taken counts until it is answered.
pub(super) struct Queue {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    events: Bound,
    bytes: Bound,
    failing: Failing,
    metrics: StoreMetrics,
}

/// Whether the writer could not store the last group that it took. It writes this, the queue reads it.
#[derive(Clone, Default)]
pub(super) struct Failing(Arc<AtomicBool>);

impl Failing {
    pub(super) fn set(&self, failing: bool) {
        self.0.store(failing, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A commit on its way, and who waits for it.
pub(super) struct Job {
    pub(super) commit: PreparedCommit,
    pub(super) reply: Reply,
}

/// Whom to answer. Dropped unanswered, it tells them that the writer is gone.
pub(super) struct Reply {
    outcome: oneshot::Sender<Outcome>,
    room: [Room; 2],
}

impl Reply {
    /// Makes room in the queue, so that whoever hears the answer finds it, and answers. Nobody may be waiting any more:
    /// that is fine.
    pub(super) fn send(self, outcome: Outcome) {
        drop(self.room);
        let _ = self.outcome.send(outcome);
    }
}

impl Queue {
    /// A queue and the writer's end of it.
    pub(super) fn new(
        (events_max, bytes_max): (usize, usize),
        failing: Failing,
        metrics: StoreMetrics,
    ) -> (Self, mpsc::Receiver<Job>) {
        let events = Bound::new(events_max, metrics.queue_events(events_max));
        let bytes = Bound::new(bytes_max, metrics.queue_bytes(bytes_max));
        let (sender, receiver) = mpsc::channel(events.max());
        (Self { jobs: Mutex::new(Some(sender)), events, bytes, failing, metrics }, receiver)
    }

    /// A queue that takes nothing.
    pub(super) fn closed() -> Self {
        let none = || Bound::new(0, Gauge::default());
        let (failing, metrics) = (Failing::default(), StoreMetrics::default());
        Self { jobs: Mutex::new(None), events: none(), bytes: none(), failing, metrics }
    }

    /// Hands a commit to the writer and waits for what becomes of it.
    pub(super) async fn submit(&self, commit: PreparedCommit) -> Outcome {
        let began = Instant::now();
        let outcome = self.push(commit)?;
        let outcome = outcome.await.unwrap_or_else(|_| Err(unavailable("the writer has stopped")));
        if outcome.is_ok() {
            self.metrics.answered(began.elapsed());
        }
        outcome
    }

    pub(super) fn metrics(&self) -> &StoreMetrics {
        &self.metrics
    }

    /// Whether the writer is there and stores what it gets. Where it failed, it is asked to try again.
    pub(super) async fn check(&self) -> Result<(), Unavailable> {
        let is_open = || self.jobs().as_ref().is_some_and(|jobs| !jobs.is_closed());
        if is_open() && !self.failing.get() {
            return Ok(());
        }
        match self.submit(PreparedCommit::default()).await {
            Ok(_) => Ok(()),
            Err(CommitError::Unavailable(unavailable)) => Err(unavailable),
            Err(error) => Err(Unavailable { reason: format!("an append failed, and {error}") }),
        }
    }

    fn push(&self, commit: PreparedCommit) -> Result<oneshot::Receiver<Outcome>, CommitError> {
        // A commit without events is one, too.
        let room = [self.events.take(commit.events.len().max(1))?, self.bytes.take(commit.bytes.max(1))?];
        let (outcome, receiver) = oneshot::channel();
        let job = Job { commit, reply: Reply { outcome, room } };
        match self.jobs().as_ref().map(mpsc::Sender::try_reserve) {
            Some(Ok(place)) => {
                place.send(job);
                Ok(receiver)
            }
            Some(Err(mpsc::error::TrySendError::Full(_))) => Err(CommitError::Overloaded),
            Some(Err(mpsc::error::TrySendError::Closed(_))) => Err(unavailable("the writer has stopped")),
            None => Err(unavailable("it takes no appends: it is closed or open for reading only")),
        }
    }

    /// Refuses whatever comes from now on. The writer still gets what was taken, then the end.
    pub(super) fn close(&self) {
        self.jobs().take();
    }

    fn jobs(&self) -> MutexGuard<'_, Option<mpsc::Sender<Job>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unavailable(reason: &str) -> CommitError {
    Unavailable { reason: reason.to_owned() }.into()
}

impl From<Full> for CommitError {
    fn from(_: Full) -> Self {
        Self::Overloaded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(events_max: usize, bytes_max: usize) -> (Queue, mpsc::Receiver<Job>) {
        Queue::new((events_max, bytes_max), Failing::default(), StoreMetrics::default())
    }

    fn commit(bytes: usize) -> PreparedCommit {
        PreparedCommit { bytes, ..PreparedCommit::default() }
    }

    fn overloaded(result: Result<oneshot::Receiver<Outcome>, CommitError>) -> bool {
        matches!(result, Err(CommitError::Overloaded))
    }

    #[test]
    fn room_comes_back_with_the_answer() {
        let (queue, mut jobs) = queue(2, 100);
        let _first = queue.push(commit(1)).unwrap();
        let _second = queue.push(commit(1)).unwrap();
        assert!(overloaded(queue.push(commit(1))), "three of two");
        jobs.try_recv().unwrap().reply.send(Err(CommitError::Overloaded));
        assert!(queue.push(commit(1)).is_ok());
    }

    #[test]
    fn bytes_count_and_the_largest_gets_in_alone() {
        let (queue, mut jobs) = queue(10, 100);
        let _large = queue.push(commit(1_000_000)).unwrap();
        assert!(overloaded(queue.push(commit(1))));
        drop(jobs.try_recv().unwrap());
        assert!(queue.push(commit(60)).is_ok());
        assert!(overloaded(queue.push(commit(60))));
    }

    #[tokio::test]
    async fn a_writer_that_dies_leaves_nobody_waiting() {
        let (queue, mut jobs) = queue(10, 100);
        let queue = Arc::new(queue);
        let waiting = tokio::spawn({
            let queue = queue.clone();
            async move { queue.submit(commit(1)).await }
        });
        let taken = jobs.recv().await.unwrap();
        let also_waiting = queue.push(commit(1)).unwrap();
        assert!(queue.check().await.is_ok());
        drop((taken, jobs));
        assert!(matches!(waiting.await.unwrap(), Err(CommitError::Unavailable(_))));
        assert!(also_waiting.await.is_err());
        assert!(matches!(queue.submit(commit(1)).await, Err(CommitError::Unavailable(_))));
        assert!(queue.check().await.unwrap_err().reason.contains("stopped"));
    }

    #[tokio::test]
    async fn a_closed_queue_hands_over_what_it_took() {
        let (queue, mut jobs) = queue(10, 100);
        let _taken = queue.push(commit(1)).unwrap();
        queue.close();
        assert!(matches!(queue.submit(commit(1)).await, Err(CommitError::Unavailable(_))));
        assert!(jobs.recv().await.is_some());
        assert!(jobs.recv().await.is_none());
    }
}
