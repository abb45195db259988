//! What is counted of the work that a server does by itself.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use highwater_core::{time::Timestamp, version::Sequence};
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder},
    metrics::{MetricType, counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{
    gauge::Held,
    label::{Label, PerLabel, label},
};

label! {
    /// What is to be done about an event.
    Due as "work" {
        /// A message is read as soon as it has come.
        Enrich = "enrich",
        /// Messages are read for topics and atoms.
        Extract = "extract",
        /// A run is executed.
        Run = "run",
        /// A run that somebody else executes is waited for.
        Watch = "watch",
    }
}

label! {
    /// What came of a piece of work.
    WorkOutcome as "outcome" {
        /// It is done, and recorded.
        Done = "done",
        /// There was nothing to do, or not any more.
        Nothing = "nothing",
        /// It can't be done, and that is recorded.
        Failed = "failed",
        /// Nothing can be recorded of it.
        GivenUp = "given_up",
    }
}

/// The numbers of the work that a server does by itself.
#[derive(Clone, Debug)]
pub struct WorkMetrics {
    pending: PerLabel<Due, Gauge>,
    pending_limit: Gauge,
    ended: Family<Ended, Counter>,
    retries: PerLabel<Due, Counter>,
    oldest: Oldest,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    work: &'static str,
    outcome: &'static str,
}

impl Default for WorkMetrics {
    fn default() -> Self {
        let ended = Family::default();
        for due in Due::ALL {
            for outcome in WorkOutcome::ALL {
                drop(ended.get_or_create(&Ended::of(*due, *outcome)));
            }
        }
        Self {
            pending: PerLabel::default(),
            pending_limit: Gauge::default(),
            ended,
            retries: PerLabel::default(),
            oldest: Oldest::default(),
        }
    }
}

impl WorkMetrics {
    pub(super) fn register(&self, to: &mut Registry) {
        to.register("pending", "Pieces of work that are begun and not done", self.pending.clone());
        to.register("pending_limit", "The most of them, but for those who watch", self.pending_limit.clone());
        to.register("ended", "Pieces of work that came to an end, by what came of them", self.ended.clone());
        to.register("retries", "Times that a piece of work was to be tried again", self.retries.clone());
        to.register(
            "oldest_seconds",
            "How long ago the first event was recorded whose work is begun and not done, but for those who watch",
            self.oldest.clone(),
        );
    }

    /// So many pieces may be pending.
    pub fn limit(&self, pending: usize) {
        self.pending_limit.set(i64::try_from(pending).unwrap_or(i64::MAX));
    }

    /// A piece of work about an event is pending until what this returns is dropped.
    #[must_use]
    pub fn begun(&self, due: Due, sequence: Sequence, recorded: Timestamp) -> PendingWork {
        // Whoever watches waits as long as others take.
        let oldest = (due != Due::Watch).then(|| (self.oldest.clone(), sequence));
        if let Some((oldest, sequence)) = &oldest {
            oldest.all().insert(*sequence, recorded);
        }
        PendingWork { _held: Held::new(&self.pending[due], 1), oldest }
    }

    /// A piece of work has come to its end.
    pub fn ended(&self, due: Due, outcome: WorkOutcome) {
        self.ended.get_or_create(&Ended::of(due, outcome)).inc();
    }

    /// A piece of work will be tried again.
    pub fn retried(&self, due: Due) {
        self.retries[due].inc();
    }
}

impl Ended {
    fn of(due: Due, outcome: WorkOutcome) -> Self {
        Self { work: due.text(), outcome: outcome.text() }
    }
}

/// A piece of work that is counted as pending.
#[derive(Debug)]
pub struct PendingWork {
    _held: Held,
    oldest: Option<(Oldest, Sequence)>,
}

impl Drop for PendingWork {
    fn drop(&mut self) {
        if let Some((oldest, sequence)) = &self.oldest {
            oldest.all().remove(sequence);
        }
    }
}

/// When the events of pending work were recorded. Their age is that of the scrape: nothing needs to move for it to grow.
#[derive(Clone, Debug, Default)]
struct Oldest(Arc<Mutex<BTreeMap<Sequence, Timestamp>>>);

impl Oldest {
    fn all(&self) -> MutexGuard<'_, BTreeMap<Sequence, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn age(&self) -> Duration {
        let Some(recorded) = self.all().first_key_value().map(|(_, recorded)| *recorded) else { return Duration::ZERO };
        let recorded = Duration::from_micros(recorded.unix_micros().max(0).unsigned_abs());
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(recorded)
    }
}

impl EncodeMetric for Oldest {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        encoder.encode_gauge(&self.age().as_secs_f64())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }
}
