//! What is seen of a running server: [`Metrics`], counted where things happen and read at `/metrics`, and the span that
//! each request runs in.
//!
//! Nothing here is global: a server owns its numbers, so that two in one process don't share any. A handle is a pointer
//! or two; cloned, it counts into the same place. Labels are closed enums, codes of problems and templates of routes: never
//! a stream, a topic, an actor or a token, so that the number of series is bounded and a scrape tells nobody's secrets.
//! docs/operations.md says what each metric means to who runs the server.

mod broker;
mod feed;
mod gauge;
mod http;
mod intake;
mod label;
mod lists;
mod process;
mod store;
mod trace;
mod work;

use prometheus_client::{
    encoding::{EncodeLabelSet, prometheus_text},
    metrics::info::Info,
    registry::Registry,
};

pub(crate) use self::http::observe;
pub use self::{
    broker::{BrokerMetrics, BrokerStatus},
    feed::{Ended, FeedMetrics, OverrunPolicy, Ring, Source, Subscribed, Transport, age},
    gauge::Held,
    http::{ConnectionId, HttpMetrics, Refused, Wire},
    intake::IntakeMetrics,
    lists::ListsMetrics,
    store::StoreMetrics,
    trace::TraceParent,
    work::{Due, PendingWork, WorkMetrics, WorkOutcome},
};

/// What [`Metrics::text`] is, as a media type.
pub(crate) const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// Every number of one server.
#[derive(Debug)]
pub struct Metrics {
    /// The log, counted by the store itself.
    pub store: StoreMetrics,
    /// Appends on their way in.
    pub intake: IntakeMetrics,
    /// Subscribers and what they are sent.
    pub feed: FeedMetrics,
    /// What carries events between servers.
    pub broker: BrokerMetrics,
    /// The lists that are kept of entities' streams.
    pub lists: ListsMetrics,
    /// What the server does by itself.
    pub work: WorkMetrics,
    /// Requests and connections.
    pub http: HttpMetrics,
    registry: Registry,
}

impl Metrics {
    /// Begins to count, with what the store has counted already.
    #[must_use]
    pub fn new(store: StoreMetrics) -> Self {
        let (intake, feed) = (IntakeMetrics::default(), FeedMetrics::default());
        let (broker, http) = (BrokerMetrics::default(), HttpMetrics::default());
        let (lists, work) = (ListsMetrics::default(), WorkMetrics::default());
        let mut registry = Registry::default();
        process::register(&mut registry);
        let ours = registry.sub_registry_with_prefix("highwater");
        ours.register("build", "What is running, as labels", Info::new(Build { version: env!("CARGO_PKG_VERSION") }));
        store.register(ours.sub_registry_with_prefix("store"));
        intake.register(ours);
        feed.register(ours.sub_registry_with_prefix("feed"));
        broker.register(ours.sub_registry_with_prefix("broker"));
        lists.register(ours.sub_registry_with_prefix("lists"));
        work.register(ours.sub_registry_with_prefix("work"));
        http.register(ours.sub_registry_with_prefix("http"));
        Self { store, intake, feed, broker, lists, work, http, registry }
    }

    /// All of it in Prometheus' text format, version 0.0.4, which every scraper reads.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry).expect("a string takes all of it");
        text
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_servers_share_no_number() {
        let (one, other) = (Metrics::new(StoreMetrics::default()), Metrics::new(StoreMetrics::default()));
        let _subscribed = one.feed.subscribed(Transport::SseBody);
        assert!(one.text().contains("highwater_feed_subscribers{transport=\"sse_body\"} 1\n"), "{}", one.text());
        assert!(other.text().contains("highwater_feed_subscribers{transport=\"sse_body\"} 0\n"), "{}", other.text());
    }
}
