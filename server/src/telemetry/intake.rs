//! What is counted of appends on their way in, before the store has them.

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::label::Code;

/// The numbers of appends that are being read, and of those refused.
#[derive(Clone, Debug, Default)]
pub struct IntakeMetrics {
    in_flight: Gauge,
    in_flight_limit: Gauge,
    bytes: Gauge,
    bytes_limit: Gauge,
    rejected: Family<Code, Counter>,
}

impl IntakeMetrics {
    pub(super) fn register(&self, to: &mut Registry) {
        to.register("appends_in_flight", "Append requests being read or stored", self.in_flight.clone());
        to.register("appends_limit", "The most append requests at a time", self.in_flight_limit.clone());
        to.register("append_bytes_in_flight", "Bytes of bodies of the appends in flight", self.bytes.clone());
        to.register("append_bytes_limit", "The most bytes of them at a time", self.bytes_limit.clone());
        to.register("appends_rejected", "Append requests answered with a problem, by its code", self.rejected.clone());
    }

    /// An append was answered with the problem of this code.
    pub fn rejected(&self, code: &'static str) {
        self.rejected.get_or_create(&Code { code }).inc();
    }

    /// The gauge of appends in flight, of which there may be so many.
    #[must_use]
    pub fn in_flight(&self, limit: usize) -> Gauge {
        self.in_flight_limit.set(i64::try_from(limit).unwrap_or(i64::MAX));
        self.in_flight.clone()
    }

    /// The gauge of bytes in flight, of which there may be so many.
    #[must_use]
    pub fn bytes(&self, limit: usize) -> Gauge {
        self.bytes_limit.set(i64::try_from(limit).unwrap_or(i64::MAX));
        self.bytes.clone()
    }
}
