//! [`EventBroker`]: publish and subscribe over one log. Every append and every subscription of the server goes through it,
//! and so do those of programs that mount the server's routes; nothing reaches around it.
//!
//! What lies behind it is an [`EventStore`]: the broker is in this process, and where the log is, the store's to say.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use highwater_core::{
    control::ResetReason,
    envelope::parse_event,
    event::{Event, InvalidEvent},
    reconcile::Message,
    sse::{Decoder, Frame},
    topic::Topics,
    version::{After, Position, Sequence},
};
use serde::Deserialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    config::Settings,
    feed::{Feed, Lagging, Subscription},
    host::{Host, Machine},
    sockets::Sockets,
    store::{Commit, CommitError, Committed, EventStore},
    telemetry::{BrokerStatus, Held, Metrics},
};

/// See the [module](self). Clones are handles to the same broker.
#[derive(Clone)]
pub struct EventBroker {
    host: Arc<dyn Host>,
    store: Arc<dyn EventStore>,
    feed: Feed,
    sockets: Option<Sockets>,
    metrics: Arc<Metrics>,
    /// Cancelled when subscriptions are to end.
    closing: CancellationToken,
    /// How it stands, as it is counted.
    counted: Arc<Mutex<Held>>,
}

/// How a broker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whether it takes and hands out events.
    pub is_open: bool,
    /// The last durable event's place.
    pub head: Position,
    /// How many subscriptions there are.
    pub subscriptions: usize,
    /// How many distinct sets of topics they ask for.
    pub rings: usize,
    /// How many bytes are kept ready for them.
    pub rings_bytes: usize,
}

/// What a subscription brings.
#[derive(Clone, Debug, PartialEq)]
pub enum Delivery {
    /// An event, and its place.
    Event {
        /// Where it is in the log.
        position: Position,
        /// The event.
        event: Box<Event>,
    },
    /// History is done: what follows is live. Everything up to here has been delivered.
    Ready(Position),
    /// The subscriber was too slow and chose [`Lagging::Latest`]: events between these two places are not delivered.
    Skipped {
        /// Where it was.
        from: Sequence,
        /// Where it goes on.
        to: Sequence,
    },
    /// The cursor was of no use: the subscription goes on from here.
    Reset {
        /// Why.
        reason: ResetReason,
        /// From where.
        position: Position,
    },
}

/// What went wrong in a subscription.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionError {
    /// Something in the log is no event. The subscription goes on behind it.
    #[error("what is stored at {position} is no event: it {error}")]
    Malformed {
        /// Where.
        position: Position,
        /// What is wrong with it.
        error: InvalidEvent,
    },
    /// The broker is closing, the subscription has lasted long enough or was too slow: subscribe again from the last
    /// position. It ends here.
    #[error("the subscription was ended: go on from its last position")]
    Ended,
    /// The log can't be read. The subscription ends here.
    #[error("{0}")]
    Unavailable(String),
}

/// The events of a set of topics, history first. Dropped, it is unsubscribed.
pub struct Events {
    frames: Pin<Box<dyn Stream<Item = Bytes> + Send>>,
    decoder: Decoder,
    due: VecDeque<Result<Delivery, SubscriptionError>>,
}

impl EventBroker {
    /// Connects to a log, on the runtime that is running.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    #[must_use]
    pub fn connect(store: Arc<dyn EventStore>, settings: &Settings) -> Self {
        let closing = CancellationToken::new();
        let metrics = Arc::new(Metrics::new(store.metrics()));
        let stall_timeout = Duration::from_millis(settings.stall_timeout_ms);
        let sockets = Sockets::start(stall_timeout, Arc::clone(&metrics), &closing);
        let sockets = sockets.inspect_err(|error| tracing::warn!("subscribers stay with HTTP: {error}")).ok();
        Self::new(Arc::new(Machine), store, settings, closing, metrics, sockets)
    }

    /// The same on another host than this machine. Subscribers stay with HTTP: no thread is theirs.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    #[must_use]
    pub fn connect_on(host: Arc<dyn Host>, store: Arc<dyn EventStore>, settings: &Settings) -> Self {
        let metrics = Arc::new(Metrics::new(store.metrics()));
        Self::new(host, store, settings, CancellationToken::new(), metrics, None)
    }

    fn new(
        host: Arc<dyn Host>,
        store: Arc<dyn EventStore>,
        settings: &Settings,
        closing: CancellationToken,
        metrics: Arc<Metrics>,
        sockets: Option<Sockets>,
    ) -> Self {
        let listener = sockets.as_ref().map(Sockets::listener);
        let feed = Feed::start(Arc::clone(&store), settings.into(), metrics.feed.clone(), listener, closing.clone());
        let counted = Arc::new(Mutex::new(metrics.broker.connection(BrokerStatus::Connected)));
        Self { host, store, feed, sockets, metrics, closing, counted }
    }

    /// Appends all events of a commit, or none, once they are found valid.
    ///
    /// # Errors
    /// [`CommitError`]; after any but [`CommitError::Unavailable`] nothing is stored.
    pub async fn publish(&self, commit: Commit) -> Result<Committed, CommitError> {
        let events = commit.events.len() as u64;
        let committed = self.store.commit(commit).await;
        match &committed {
            Ok(_) => self.metrics.broker.published(events),
            Err(CommitError::Invalid { .. }) => self.metrics.broker.invalid(),
            Err(_) => {}
        }
        committed
    }

    /// Subscribes to these topics, exact streams or patterns. Each event is checked before it is delivered.
    #[must_use]
    pub fn subscribe(&self, topics: Topics, after: After, lagging: Lagging) -> Events {
        let frames = Box::pin(self.frames(topics, after, lagging, None).frames());
        Events { frames, decoder: Decoder::new(), due: VecDeque::new() }
    }

    /// Subscribes as those do who pass on frames as they are.
    pub(crate) fn frames(
        &self,
        topics: Topics,
        after: After,
        lagging: Lagging,
        ends_at: Option<Instant>,
    ) -> Subscription {
        self.feed.subscribe(topics, after, lagging, ends_at)
    }

    /// The machine that it runs on.
    pub(crate) fn host(&self) -> &Arc<dyn Host> {
        &self.host
    }

    /// For reading pages of the log.
    pub(crate) fn store(&self) -> &Arc<dyn EventStore> {
        &self.store
    }

    /// What is counted of it, and of all that the server does.
    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Cancelled when subscriptions are to end. What is appended until [`close`](Self::close) is still taken.
    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// Where sockets of subscribers can go.
    pub(crate) fn sockets(&self) -> Option<Sockets> {
        self.sockets.clone()
    }

    /// How it is.
    #[must_use]
    pub fn status(&self) -> Status {
        let (rings, rings_bytes) = self.feed.size();
        Status {
            is_open: !self.closing.is_cancelled(),
            head: Position::new(self.store.epoch(), *self.store.head().borrow()),
            subscriptions: self.feed.subscriptions(),
            rings,
            rings_bytes,
        }
    }

    /// Ends every subscription, stores what was accepted and lets the log go.
    pub async fn close(&self) {
        self.closing.cancel();
        if let Some(sockets) = &self.sockets {
            sockets.closed().await;
        }
        self.store.close().await;
        *self.counted.lock().unwrap_or_else(PoisonError::into_inner) =
            self.metrics.broker.connection(BrokerStatus::Closed);
    }
}

impl Stream for Events {
    type Item = Result<Delivery, SubscriptionError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(delivery) = this.due.pop_front() {
                return Poll::Ready(Some(delivery));
            }
            let Some(frames) = ready!(this.frames.poll_next_unpin(cx)) else { return Poll::Ready(None) };
            this.decoder.push(&frames);
            // Frames are of a size that the decoder takes: settings that would allow larger ones are refused.
            while let Ok(Some(frame)) = this.decoder.next_frame() {
                this.due.extend(delivery(&frame));
            }
        }
    }
}

/// The body of a control frame, as far as it concerns a subscriber.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Body {
    Ready,
    Heartbeat,
    Reset { reason: ResetReason },
    Skipped { from: Sequence, to: Sequence },
    Goodbye,
    Error { problem: Detail },
}

#[derive(Deserialize)]
struct Detail {
    detail: String,
}

fn delivery(frame: &Frame<'_>) -> Option<Result<Delivery, SubscriptionError>> {
    if let Message::Event(arrival) = Message::read(frame) {
        let position = arrival.position;
        let event = parse_event(arrival.envelope);
        return Some(match event {
            Ok(event) => Ok(Delivery::Event { position, event: Box::new(event) }),
            Err(error) => Err(SubscriptionError::Malformed { position, error }),
        });
    }
    let position = frame.id.and_then(Position::read);
    match (serde_json::from_slice(frame.data).ok()?, position) {
        (Body::Ready, Some(position)) => Some(Ok(Delivery::Ready(position))),
        (Body::Reset { reason }, Some(position)) => Some(Ok(Delivery::Reset { reason, position })),
        (Body::Skipped { from, to }, _) => Some(Ok(Delivery::Skipped { from, to })),
        (Body::Goodbye, _) => Some(Err(SubscriptionError::Ended)),
        (Body::Error { problem }, _) => Some(Err(SubscriptionError::Unavailable(problem.detail))),
        (Body::Heartbeat | Body::Ready | Body::Reset { .. }, _) => None,
    }
}
