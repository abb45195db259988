//! The feed: history, then live, for a set of topics.
//!
//! The end of the log is read once for everybody (`tail`), and what a set of topics gets of it is made ready once, in a
//! ring that all its subscribers share (`ring`). History comes from the log, and so does what a slow subscriber missed
//! in its ring (`subscription`). Both sides of the seam are known by sequence, so nothing is lost or repeated there; and
//! what a subscriber costs is its place, however slow it is.

mod batch;
mod index;
mod reader;
mod ring;
mod subscription;
mod tail;

use std::{str::FromStr, sync::Arc, time::Duration};

use highwater_core::{
    control::ResetReason,
    mutation::{Mutation, mutated},
    topic::Topics,
    version::{After, Sequence},
};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

pub(crate) use self::{
    batch::{Batch, Reached, chunk_of},
    ring::{BatchNumber, Due, Ring, RingId},
    subscription::{Ending, Next, Subscription},
    tail::Listener,
};
use self::{subscription::Bounds, tail::Tail};
use crate::{
    config::Settings,
    store::{EventStore, ReadLimit},
    telemetry::{FeedMetrics, OverrunPolicy},
};

/// A cursor that is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Why.
    pub reason: ResetReason,
    /// From where it can go on.
    pub resume: Sequence,
}

/// Finds the cursor that a reader means.
///
/// # Errors
/// [`Lost`] where the log does not have that place.
pub fn locate(store: &dyn EventStore, after: After) -> Result<Sequence, Lost> {
    let head = *store.head().borrow();
    match after {
        After::Earliest => Ok(Sequence::ZERO),
        After::Latest => Ok(head),
        After::Position(position) if mutated(Mutation::TakeAnyCursor) => Ok(position.sequence),
        After::Position(position) if position.epoch != store.epoch() => {
            Err(Lost { reason: ResetReason::EpochChanged, resume: Sequence::ZERO })
        }
        After::Position(position) if position.sequence > head => {
            Err(Lost { reason: ResetReason::CursorAhead, resume: head })
        }
        After::Position(position) => Ok(position.sequence),
    }
}

/// What happens to a subscriber who is slower than what its ring keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lagging {
    /// It gets everything, from the log.
    #[default]
    CatchUp,
    /// It goes on at the end, and is told what it missed.
    Latest,
    /// It is sent away, to come back with its cursor.
    Disconnect,
}

impl From<Lagging> for OverrunPolicy {
    fn from(lagging: Lagging) -> Self {
        match lagging {
            Lagging::CatchUp => Self::CatchUp,
            Lagging::Latest => Self::Latest,
            Lagging::Disconnect => Self::Disconnect,
        }
    }
}

/// The text is no policy for slow subscribers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be catch_up, latest or disconnect")]
pub struct InvalidLagging;

impl FromStr for Lagging {
    type Err = InvalidLagging;

    fn from_str(text: &str) -> Result<Self, InvalidLagging> {
        match text {
            "catch_up" => Ok(Self::CatchUp),
            "latest" => Ok(Self::Latest),
            "disconnect" => Ok(Self::Disconnect),
            _ => Err(InvalidLagging),
        }
    }
}

/// How a [`Feed`] works.
#[derive(Clone, Debug)]
pub(crate) struct FeedOptions {
    /// How much of the log is read at a time.
    limit: ReadLimit,
    /// The most that all rings together hold.
    rings_bytes_max: usize,
    /// The most that one ring holds.
    ring_bytes_max: usize,
    /// The longest silence of a subscription.
    heartbeat: Duration,
    /// How soon a quiet subscription learns that the log has grown.
    head_heartbeat: Duration,
    /// How long subscribers that are sent away shall wait.
    goodbye_retry_ms: u64,
}

impl From<&Settings> for FeedOptions {
    fn from(settings: &Settings) -> Self {
        Self {
            limit: ReadLimit { events: settings.subscriber_events_max, bytes: settings.subscriber_bytes_max },
            rings_bytes_max: settings.rings_bytes_max,
            ring_bytes_max: settings.ring_bytes_max,
            heartbeat: Duration::from_millis(settings.heartbeat_ms),
            head_heartbeat: Duration::from_millis(settings.head_heartbeat_ms),
            goodbye_retry_ms: settings.goodbye_retry_ms,
        }
    }
}

/// Hands out subscriptions to one log. Its tail runs as long as it or one of them is there, and no longer than the server.
#[derive(Clone)]
pub(crate) struct Feed {
    tail: Arc<Tail>,
    shutdown: CancellationToken,
    /// Stops the tail with the last of those who need it.
    _running: Arc<DropGuard>,
}

impl Feed {
    /// Starts the feed of this log on the runtime that is running. Subscriptions end with `shutdown`. The listener is told
    /// of every ring that has something new.
    pub(crate) fn start(
        store: Arc<dyn EventStore>,
        options: FeedOptions,
        metrics: FeedMetrics,
        listener: Option<Arc<dyn Listener>>,
        shutdown: CancellationToken,
    ) -> Self {
        let tail = Arc::new(Tail::new(store, options, metrics, listener));
        let stop = shutdown.child_token();
        tokio::spawn(Arc::clone(&tail).run(stop.clone()));
        Self { tail, shutdown, _running: Arc::new(stop.drop_guard()) }
    }

    /// Subscribes to these topics, until `ends_at` at the latest.
    pub(crate) fn subscribe(
        &self,
        topics: Topics,
        after: After,
        lagging: Lagging,
        ends_at: Option<Instant>,
    ) -> Subscription {
        let membership = self.tail.join(topics);
        // Asked first, so that who starts at the head has no history.
        let live_from = *self.tail.store.head().borrow();
        let start = locate(&*self.tail.store, after);
        let bounds = Bounds { shutdown: self.shutdown.clone(), ends_at };
        Subscription::new(membership, start, live_from, lagging, bounds, Arc::clone(&self._running))
    }

    /// How many subscriptions there are.
    pub(crate) fn subscriptions(&self) -> usize {
        self.tail.members()
    }

    /// How many rings there are, and how many bytes they hold.
    pub(crate) fn size(&self) -> (usize, usize) {
        self.tail.size()
    }
}

#[cfg(test)]
mod schedules;
#[cfg(test)]
mod tests;
