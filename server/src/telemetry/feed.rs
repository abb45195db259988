//! What is counted of subscribers and of what they are sent.

use std::{
    sync::atomic::AtomicU64,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use highwater_core::time::Timestamp;
use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::{
    gauge::Held,
    label::{PerLabel, label},
};

label! {
    /// How a subscriber is connected.
    Transport as "transport" {
        /// An event stream whose socket was taken out of HTTP.
        SseSocket = "sse_socket",
        /// An event stream as the body of an HTTP answer.
        SseBody = "sse_body",
        /// A subscription over a WebSocket.
        WebSocket = "ws",
    }
}

label! {
    /// Where the events that were sent came from.
    Source as "source" {
        /// The log, before the subscriber was live for the first time.
        History = "history",
        /// Memory, as they were appended.
        Live = "live",
        /// The log, for a subscriber that had been live and was too slow for memory.
        CaughtUp = "caught_up",
    }
}

label! {
    /// What happened to a subscriber that was too slow for memory.
    OverrunPolicy as "policy" {
        /// It reads the log from its cursor.
        CatchUp = "catch_up",
        /// It goes on from the head, and is told what it skipped.
        Latest = "latest",
        /// Its connection was ended.
        Disconnect = "disconnect",
    }
}

label! {
    /// Why a subscription ended.
    Ended as "reason" {
        /// The client went, or the network did.
        Gone = "gone",
        /// The server shut down.
        Shutdown = "shutdown",
        /// Its connection had its longest lifetime, or its token did.
        Expired = "expired",
        /// The client took nothing for too long, or chose to be ended when it lagged.
        TooSlow = "too_slow",
        /// The log could not be read on.
        Failed = "failed",
    }
}

/// From a millisecond, which is a delivery on a quiet machine, to ten minutes of lag.
const LAG_SECONDS: [f64; 15] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0];
const LAG_EVENTS: [f64; 9] = [0.0, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6, 1e7];

/// The numbers of all subscribers.
#[derive(Clone, Debug)]
pub struct FeedMetrics {
    subscribers: PerLabel<Transport, Gauge>,
    ended: PerLabel<Ended, Counter>,
    rings: Gauge,
    ring_bytes: Gauge,
    sent_frames: PerLabel<Source, Counter>,
    sent_bytes: Counter,
    skipped_events: Counter,
    overruns: PerLabel<OverrunPolicy, Counter>,
    lag_events: PerLabel<Source, Histogram>,
    lag_seconds: PerLabel<Source, Histogram>,
    slowest_events: Gauge,
    slowest_seconds: Gauge<f64, AtomicU64>,
}

impl Default for FeedMetrics {
    fn default() -> Self {
        Self {
            subscribers: PerLabel::default(),
            ended: PerLabel::default(),
            rings: Gauge::default(),
            ring_bytes: Gauge::default(),
            sent_frames: PerLabel::default(),
            sent_bytes: Counter::default(),
            skipped_events: Counter::default(),
            overruns: PerLabel::default(),
            lag_events: PerLabel::new(|| Histogram::new(LAG_EVENTS)),
            lag_seconds: PerLabel::new(|| Histogram::new(LAG_SECONDS)),
            slowest_events: Gauge::default(),
            slowest_seconds: Gauge::default(),
        }
    }
}

impl FeedMetrics {
    pub(super) fn register(&self, to: &mut Registry) {
        to.register("subscribers", "Subscribers connected, by transport", self.subscribers.clone());
        to.register("subscriptions_ended", "Subscriptions that ended, by reason", self.ended.clone());
        to.register("rings", "Distinct sets of topics with a ring of frames in memory", self.rings.clone());
        to.register("ring_bytes", "Bytes of frames in all rings", self.ring_bytes.clone());
        to.register("sent_frames", "Event frames sent, by where they came from", self.sent_frames.clone());
        to.register("sent_bytes", "Bytes of event frames sent", self.sent_bytes.clone());
        to.register(
            "skipped_events",
            "Events that subscribers with lagging=latest were not sent",
            self.skipped_events.clone(),
        );
        to.register(
            "overruns",
            "Times that a subscriber was too slow for memory, by what it chose for then",
            self.overruns.clone(),
        );
        to.register(
            "lag_events",
            "How many sequences the last event of a write was behind the head",
            self.lag_events.clone(),
        );
        to.register("lag_seconds", "How old the last event of a write was", self.lag_seconds.clone());
        to.register(
            "slowest_lag_events",
            "How many sequences the slowest subscriber is behind the head",
            self.slowest_events.clone(),
        );
        to.register(
            "slowest_lag_seconds",
            "How old the next event of the slowest subscriber is",
            self.slowest_seconds.clone(),
        );
    }

    /// A subscriber is connected, until what this returns is dropped.
    #[must_use]
    pub fn subscribed(&self, transport: Transport) -> Subscribed {
        Subscribed { held: Held::new(&self.subscribers[transport], 1), ended: self.ended[Ended::Gone].clone() }
    }

    /// A ring is there, until what this returns is dropped.
    #[must_use]
    pub fn ring(&self) -> Ring {
        Ring { _ring: Held::new(&self.rings, 1), bytes: Held::new(&self.ring_bytes, 0) }
    }

    /// So many event frames were sent.
    pub fn sent(&self, source: Source, frames: u64, bytes: u64) {
        self.sent_frames[source].inc_by(frames);
        self.sent_bytes.inc_by(bytes);
    }

    /// A subscriber was not sent so many events, and was told so.
    pub fn skipped(&self, events: u64) {
        self.skipped_events.inc_by(events);
    }

    /// A subscriber was too slow for memory.
    pub fn overrun(&self, policy: OverrunPolicy) {
        self.overruns[policy].inc();
    }

    /// A write is done: its last event was `events` behind the head by then, and so old. Once a write, or where many
    /// subscribers are written to in one round, once a round and for the last of them: a lock is taken.
    pub fn lag(&self, source: Source, events: u64, age: Duration) {
        self.lag_events[source].observe(events as f64);
        self.lag_seconds[source].observe(age.as_secs_f64());
    }

    /// The subscriber that is furthest behind was found to be so far behind; zeros when nobody is. To be told regularly,
    /// by whoever looks through all subscribers: who takes nothing is in no write, so that [`Self::lag`] misses them.
    pub fn slowest(&self, events: u64, age: Duration) {
        self.slowest_events.set(i64::try_from(events).unwrap_or(i64::MAX));
        self.slowest_seconds.set(age.as_secs_f64());
    }
}

/// A subscriber that is counted. Dropped, it has [gone](Ended::Gone), unless [`Self::end`] said otherwise.
#[derive(Debug)]
pub struct Subscribed {
    held: Held,
    ended: Counter,
}

impl Subscribed {
    /// Why it is about to end.
    pub fn end(&mut self, metrics: &FeedMetrics, reason: Ended) {
        self.ended = metrics.ended[reason].clone();
    }

    /// It goes on over another transport.
    pub fn moved(&mut self, metrics: &FeedMetrics, transport: Transport) {
        self.held = Held::new(&metrics.subscribers[transport], 1);
    }
}

impl Drop for Subscribed {
    fn drop(&mut self) {
        self.ended.inc();
    }
}

/// A ring that is counted.
#[derive(Debug)]
pub struct Ring {
    _ring: Held,
    bytes: Held,
}

impl Ring {
    /// How many bytes of frames it holds now.
    pub fn holds(&mut self, bytes: usize) {
        self.bytes.set(bytes);
    }
}

/// How long ago an event was recorded, by its envelope as the log has it. An event from the future is new.
#[must_use]
pub fn age(envelope: &[u8]) -> Option<Duration> {
    // Quotes inside of strings are escaped, so the first of these is the attribute.
    const NAME: &[u8] = b"\"recordedtime\":\"";
    let at = envelope.windows(NAME.len()).position(|window| window == NAME)?;
    let rest = envelope.get(at + NAME.len()..)?;
    let text = rest.split(|byte| *byte == b'"').next()?;
    let recorded: Timestamp = str::from_utf8(text).ok()?.parse().ok()?;
    let recorded = Duration::from_micros(u64::try_from(recorded.unix_micros()).ok()?);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Some(now.saturating_sub(recorded))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::label::Label;

    #[test]
    fn a_subscriber_counts_while_it_is_there() {
        let feed = FeedMetrics::default();
        let mut subscribed = feed.subscribed(Transport::SseBody);
        let gone = feed.subscribed(Transport::WebSocket);
        subscribed.moved(&feed, Transport::SseSocket);
        let count = || Transport::ALL.iter().map(|transport| feed.subscribers[*transport].get()).collect::<Vec<_>>();
        assert_eq!(count(), [1, 0, 1]);
        subscribed.end(&feed, Ended::Shutdown);
        drop((subscribed, gone));
        assert_eq!(count(), [0, 0, 0]);
        assert_eq!((feed.ended[Ended::Shutdown].get(), feed.ended[Ended::Gone].get()), (1, 1));
    }

    #[test]
    fn rings_count_what_they_hold() {
        let feed = FeedMetrics::default();
        let (mut one, mut other) = (feed.ring(), feed.ring());
        one.holds(100);
        other.holds(20);
        one.holds(50);
        assert_eq!((feed.rings.get(), feed.ring_bytes.get()), (2, 70));
        drop(one);
        assert_eq!((feed.rings.get(), feed.ring_bytes.get()), (1, 20));
    }

    #[test]
    fn an_events_age_is_read_from_its_envelope() {
        let envelope =
            |time: &str| format!(r#"{{"subject":"a:\"recordedtime\":\"","recordedtime":"{time}","data":1}}"#);
        let year = Duration::from_secs(365 * 24 * 3600);
        assert!(age(envelope("2001-02-03T04:05:06Z").as_bytes()).unwrap() > 20 * year);
        assert_eq!(age(envelope("9999-01-01T00:00:00.000001Z").as_bytes()), Some(Duration::ZERO));
        for none in ["{}", r#"{"recordedtime":"soon"}"#, r#"{"recordedtime":""#] {
            assert_eq!(age(none.as_bytes()), None, "{none}");
        }
    }
}
