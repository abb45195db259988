//! What is counted of the brokers that carry events between servers.

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

use super::{
    gauge::Held,
    label::{PerLabel, label},
};

label! {
    /// How a broker's connection stands.
    BrokerStatus as "status" {
        /// It is being made, or made anew.
        Connecting = "connecting",
        /// Events go through.
        Connected = "connected",
        /// It was closed.
        Closed = "closed",
    }
}

/// The numbers of the brokers that carry events.
#[derive(Clone, Debug, Default)]
pub struct BrokerMetrics {
    connections: PerLabel<BrokerStatus, Gauge>,
    published: Counter,
    invalid: Counter,
}

impl BrokerMetrics {
    pub(super) fn register(&self, to: &mut Registry) {
        to.register("connections", "Connections to brokers, by how they stand", self.connections.clone());
        to.register("published_events", "Events handed to brokers", self.published.clone());
        to.register(
            "invalid_events",
            "Events that were refused when they were published or consumed",
            self.invalid.clone(),
        );
    }

    /// A connection stands so, until what this returns is dropped or replaced.
    #[must_use]
    pub fn connection(&self, status: BrokerStatus) -> Held {
        Held::new(&self.connections[status], 1)
    }

    /// So many events were published.
    pub fn published(&self, events: u64) {
        self.published.inc_by(events);
    }

    /// An event was not valid where it was published or consumed.
    pub fn invalid(&self) {
        self.invalid.inc();
    }
}
