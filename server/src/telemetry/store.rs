//! What a store counts.

use std::time::Duration;

use highwater_core::version::Sequence;
use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

/// From a tenth of a millisecond, which is a commit on a fast disk, to ten seconds.
const SECONDS: [f64; 16] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const GROUP_COMMITS: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0, 4096.0];

/// A log's numbers. The store makes them and counts; whoever serves it reads.
#[derive(Clone, Debug)]
pub struct StoreMetrics {
    head: Gauge,
    writable: Gauge,
    appended_events: Counter,
    appended_bytes: Counter,
    append: Histogram,
    commit: Histogram,
    group_commits: Histogram,
    failed_groups: Counter,
    queue_events: Gauge,
    queue_bytes: Gauge,
    queue_events_limit: Gauge,
    queue_bytes_limit: Gauge,
}

impl Default for StoreMetrics {
    fn default() -> Self {
        let writable = Gauge::default();
        writable.set(1);
        Self {
            head: Gauge::default(),
            writable,
            appended_events: Counter::default(),
            appended_bytes: Counter::default(),
            append: Histogram::new(SECONDS),
            commit: Histogram::new(SECONDS),
            group_commits: Histogram::new(GROUP_COMMITS),
            failed_groups: Counter::default(),
            queue_events: Gauge::default(),
            queue_bytes: Gauge::default(),
            queue_events_limit: Gauge::default(),
            queue_bytes_limit: Gauge::default(),
        }
    }
}

impl StoreMetrics {
    pub(super) fn register(&self, to: &mut Registry) {
        to.register("head_sequence", "The last durable event's sequence", self.head.clone());
        to.register("writable", "Whether the last group of commits could be stored", self.writable.clone());
        to.register("appended_events", "Events stored since the start", self.appended_events.clone());
        to.register("appended_bytes", "Bytes of their envelopes", self.appended_bytes.clone());
        to.register(
            "append_duration_seconds",
            "From handing a commit to the store to its being durable and visible",
            self.append.clone(),
        );
        to.register(
            "commit_duration_seconds",
            "How long the writer took for a group of commits, the sync of the disk included",
            self.commit.clone(),
        );
        to.register("group_commits", "Commits that shared a sync of the disk", self.group_commits.clone());
        to.register("failed_groups", "Groups of commits that could not be stored", self.failed_groups.clone());
        to.register("queue_events", "Events on their way to the disk", self.queue_events.clone());
        to.register("queue_bytes", "Bytes on their way to the disk", self.queue_bytes.clone());
        to.register("queue_events_limit", "The most events on their way at a time", self.queue_events_limit.clone());
        to.register("queue_bytes_limit", "The most bytes on their way at a time", self.queue_bytes_limit.clone());
    }

    /// Where the log ends. Also to be told once it is open.
    pub fn head(&self, head: Sequence) {
        self.head.set(head.get().cast_signed());
    }

    /// Events are durable and visible, up to a head.
    pub fn appended(&self, head: Sequence, events: u64, bytes: u64) {
        self.head(head);
        self.appended_events.inc_by(events);
        self.appended_bytes.inc_by(bytes);
    }

    /// A commit was answered: stored, or known already.
    pub fn answered(&self, latency: Duration) {
        self.append.observe(latency.as_secs_f64());
    }

    /// A group of so many commits went through the writer in this time.
    pub fn group_stored(&self, commits: usize, took: Duration) {
        self.writable.set(1);
        self.group_commits.observe(commits as f64);
        self.commit.observe(took.as_secs_f64());
    }

    /// A group could not be stored.
    pub fn group_failed(&self) {
        self.writable.set(0);
        self.failed_groups.inc();
    }

    /// The gauge of events on their way to the disk, of which there may be so many.
    #[must_use]
    pub fn queue_events(&self, limit: usize) -> Gauge {
        self.queue_events_limit.set(i64::try_from(limit).unwrap_or(i64::MAX));
        self.queue_events.clone()
    }

    /// The gauge of bytes on their way to the disk, of which there may be so many.
    #[must_use]
    pub fn queue_bytes(&self, limit: usize) -> Gauge {
        self.queue_bytes_limit.set(i64::try_from(limit).unwrap_or(i64::MAX));
        self.queue_bytes.clone()
    }
}
