//! What is counted of the lists.

use std::{sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

/// The numbers of the lists that a server keeps.
#[derive(Clone, Debug, Default)]
pub struct ListsMetrics {
    lag_events: Gauge,
    lag_seconds: Gauge<f64, AtomicU64>,
    applied: Counter,
    poisoned: Counter,
    set_aside: Gauge,
    set_aside_limit: Gauge,
    building: Gauge,
    rebuilds: Counter,
}

impl ListsMetrics {
    pub(super) fn register(&self, to: &mut Registry) {
        to.register("lag_events", "How many sequences the lists are behind the head", self.lag_events.clone());
        to.register(
            "lag_seconds",
            "How long ago the first event was recorded that the lists don't know yet",
            self.lag_seconds.clone(),
        );
        to.register("applied_events", "Events that were folded, in all generations", self.applied.clone());
        to.register("poisoned_events", "Times that an event could not be folded", self.poisoned.clone());
        to.register("set_aside_events", "Events that are set aside by name", self.set_aside.clone());
        to.register("set_aside_events_limit", "The most events set aside by name", self.set_aside_limit.clone());
        to.register("building", "Whether the lists are being built anew", self.building.clone());
        to.register("rebuilds", "Times that the lists were built anew", self.rebuilds.clone());
    }

    /// They are so far behind the log.
    pub fn lag(&self, events: u64, age: Duration) {
        self.lag_events.set(i64::try_from(events).unwrap_or(i64::MAX));
        self.lag_seconds.set(age.as_secs_f64());
    }

    /// So many events had their effect, and so many could not be folded.
    pub fn applied(&self, events: u64, poisoned: u64) {
        self.applied.inc_by(events);
        self.poisoned.inc_by(poisoned);
    }

    /// So many events are set aside.
    pub fn set_aside(&self, events: usize) {
        self.set_aside.set(i64::try_from(events).unwrap_or(i64::MAX));
    }

    /// So many may be.
    pub fn limit(&self, events: usize) {
        self.set_aside_limit.set(i64::try_from(events).unwrap_or(i64::MAX));
    }

    /// Whether they are being built anew.
    pub fn building(&self, is_building: bool) {
        self.building.set(is_building.into());
    }

    /// They have been built anew.
    pub fn rebuilt(&self) {
        self.rebuilds.inc();
    }
}
