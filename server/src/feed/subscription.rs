//! [`Subscription`]: one reader's way through a set of topics, from its cursor on. It takes the log until it has caught up
//! with its ring, the ring from then on, and the log again should it fall behind what the ring keeps.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, stream};
use highwater_core::{
    control::Control,
    mutation::{Mutation, mutated},
    sse::{encode_control, encode_retry},
    version::Sequence,
};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    Lagging, Lost,
    batch::{Batch, Reached},
    reader::Reader,
    ring::{BatchNumber, Due, Ring},
    tail::Membership,
};
use crate::{
    auth::Principal,
    error::Problem,
    serve::Place,
    store::Unavailable,
    telemetry::{Ended, Source, Subscribed, Transport},
};

/// How many batches a reader without a socket of its own takes at a time.
const BATCHES_AT_A_TIME: usize = 16;

/// See the [module](self).
pub(crate) struct Subscription {
    /// Among those of who asked for it. It goes first: who sees the subscription gone finds its place free.
    place: Option<Place<Principal>>,
    bounds: Bounds,
    reader: Reader,
    counted: Subscribed,
    /// Keeps the tail running.
    _running: Arc<DropGuard>,
}

/// What ends a subscription whose log can be read.
#[derive(Clone)]
pub(super) struct Bounds {
    pub(super) shutdown: CancellationToken,
    /// When it ends at the latest.
    pub(super) ends_at: Option<Instant>,
}

/// How a subscription goes on.
#[derive(Debug)]
pub(crate) enum Next {
    /// Send these frames, then ask again.
    Frames(Bytes),
    /// All of the log is sent: go on in the ring, with this batch.
    Live(BatchNumber),
}

/// Why a subscription ends.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    /// The server does.
    ShuttingDown,
    /// It has lasted as long as it may.
    Over,
    /// Its reader is too slow, and chose this.
    TooSlow,
    /// The log can't be read.
    Unavailable(Unavailable),
}

impl Subscription {
    /// Through these topics, as [`Reader::new`] says.
    pub(super) fn new(
        membership: Membership,
        start: Result<Sequence, Lost>,
        live_from: Sequence,
        lagging: Lagging,
        bounds: Bounds,
        running: Arc<DropGuard>,
    ) -> Self {
        let reader = Reader::new(membership, start, live_from, lagging);
        let counted = reader.tail.metrics.subscribed(Transport::SseBody);
        Self { place: None, bounds, reader, counted, _running: running }
    }

    /// The same, which holds a place as long as it lasts, whatever way it ends.
    pub(crate) fn with_place(self, place: Option<Place<Principal>>) -> Self {
        Self { place, ..self }
    }

    /// The ring in which it is live.
    pub(crate) fn ring(&self) -> &Arc<Ring> {
        &self.reader.membership.ring
    }

    /// When it ends at the latest.
    pub(crate) fn ends_at(&self) -> Option<Instant> {
        self.bounds.ends_at
    }

    /// It is sent by other means than as the body of an answer.
    pub(crate) fn goes_over(&mut self, transport: Transport) {
        self.counted.moved(&self.reader.tail.metrics, transport);
    }

    /// How far behind the log's end it is.
    pub(crate) fn behind(&self) -> u64 {
        self.reader.tail.reached().borrow().get().saturating_sub(self.reader.known.get())
    }

    /// What to do before it is live.
    ///
    /// # Errors
    /// [`Ending`]: send its [last words](Self::last_words) and close.
    pub(crate) async fn next(&mut self) -> Result<Next, Ending> {
        self.bounds.within(self.reader.next()).await?
    }

    /// Takes note of how far it has come in the ring by other means than [`frames`](Self::frames).
    pub(crate) fn arrive(&mut self, reached: Reached) {
        self.reader.arrive(reached);
    }

    /// The ring has let go of what comes next: ask for [`next`](Self::next) again.
    pub(crate) fn fell_behind(&mut self) {
        self.reader.is_behind = true;
    }

    /// What is sent before the end.
    pub(crate) fn last_words(&mut self, ending: Ending) -> Bytes {
        self.ends(&ending);
        let retry_ms = self.reader.tail.options.goodbye_retry_ms;
        let mut frames = Vec::new();
        match ending {
            Ending::ShuttingDown | Ending::Over | Ending::TooSlow => {
                // Plain clients learn from `retry` what ours read in the frame.
                encode_retry(&mut frames, retry_ms);
                encode_control(&mut frames, None, None, Control::Goodbye { retry_ms }.to_json());
            }
            Ending::Unavailable(why) => {
                let problem = Problem::Unavailable(why);
                tracing::warn!("a subscription ends: {problem}");
                encode_control(&mut frames, None, None, Control::Error { problem: &problem.document() }.to_json());
            }
        }
        frames.into()
    }

    /// Takes note of why it ends.
    pub(crate) fn ends(&mut self, ending: &Ending) {
        // Before its client hears of it, who may come back at once.
        self.place = None;
        let reason = match ending {
            Ending::ShuttingDown => Ended::Shutdown,
            Ending::Over => Ended::Expired,
            Ending::TooSlow => Ended::TooSlow,
            Ending::Unavailable(_) => Ended::Failed,
        };
        self.counted.end(&self.reader.tail.metrics, reason);
    }

    /// All frames, to be sent over a transport that waits for its reader. It holds no more than a page, or what the ring
    /// holds anyway.
    pub(crate) fn frames(self) -> impl Stream<Item = Bytes> + Send {
        let due = Vec::new().into_iter();
        let state = Some((self, None, due));
        stream::unfold(state, |state| async {
            let (mut subscription, mut live, mut due) = state?;
            loop {
                if let Some(batch) = due.next() {
                    let batch: Arc<Batch> = batch;
                    subscription.reader.sent(&batch);
                    subscription.reader.tail.metrics.lag(Source::Live, subscription.behind(), batch.made.elapsed());
                    return Some((batch.frames(), Some((subscription, live, due))));
                }
                let step = match live {
                    None => subscription.next().await,
                    Some(next) => match subscription.wait(next).await {
                        Ok(Some(batches)) => {
                            live = Some(next + batches.len() as BatchNumber);
                            due = batches.into_iter();
                            continue;
                        }
                        Ok(None) => {
                            subscription.fell_behind();
                            subscription.next().await
                        }
                        Err(ending) => Err(ending),
                    },
                };
                match step {
                    Ok(Next::Live(next)) => live = Some(next),
                    Ok(Next::Frames(frames)) => return Some((frames, Some((subscription, None, due)))),
                    Err(_) if mutated(Mutation::LeaveInSilence) => return None,
                    Err(ending) => return Some((subscription.last_words(ending), None)),
                }
            }
        })
    }

    /// Waits for batches from this one on; `None` where the ring has let go of it.
    async fn wait(&self, next: BatchNumber) -> Result<Option<Vec<Arc<Batch>>>, Ending> {
        match self.bounds.within(self.ring().wait(next, BATCHES_AT_A_TIME)).await? {
            Due::Batches(batches) => Ok(Some(batches)),
            Due::Overrun => Ok(None),
            Due::Ended(why) => Err(Ending::Unavailable(why)),
        }
    }
}

impl Bounds {
    async fn within<T>(&self, work: impl Future<Output = T>) -> Result<T, Ending> {
        let over = async {
            match self.ends_at {
                Some(ends_at) if ends_at <= Instant::now() => {}
                Some(ends_at) => sleep_until(ends_at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.shutdown.cancelled() => Err(Ending::ShuttingDown),
            () = over => Err(Ending::Over),
            done = work => Ok(done),
        }
    }
}
