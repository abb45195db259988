//! [`Subscription`]: one reader's way through a set of topics, from its cursor on. It takes the log until it has caught up
//! with its ring, the ring from then on, and the log again should it fall behind what the ring keeps.

use std::{mem, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, stream};
use highwater_core::{
    control::Control,
    sse::{encode_comment, encode_control, encode_event, encode_retry},
    version::{Position, Sequence},
};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    Lagging, Lost,
    batch::{Batch, FRAME_REST_BYTES, Reached},
    ring::{BatchNumber, Due, Join, Ring},
    tail::{Membership, Tail},
};
use crate::{
    auth::Principal,
    error::Problem,
    serve::Place,
    store::{LogPage, Unavailable},
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

struct Reader {
    tail: Arc<Tail>,
    membership: Membership,
    lagging: Lagging,
    /// To be told first.
    lost: Option<Lost>,
    /// Everything up to here has been sent.
    known: Sequence,
    /// The last event sent, or where the reader began: the `prev` of what comes next.
    last: Sequence,
    /// The highest position told.
    told: Sequence,
    /// Where history ends.
    live_from: Sequence,
    /// Whether the end of history has been told.
    is_ready: bool,
    /// Whether the ring has let go of what came next.
    is_behind: bool,
    /// When something must be said at the latest while the log is read.
    heartbeat_at: Instant,
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
    /// A reader that starts at a cursor, or where a useless one leads. Up to `live_from` everything is history. Where there
    /// is none, the reader is live before anything is sent: what overtook that would have come before its cursor.
    pub(super) fn new(
        membership: Membership,
        start: Result<Sequence, Lost>,
        live_from: Sequence,
        lagging: Lagging,
        bounds: Bounds,
        running: Arc<DropGuard>,
    ) -> Self {
        let tail = Arc::clone(membership.tail());
        let cursor = start.unwrap_or_else(|lost| lost.resume);
        let heartbeat_at = Instant::now() + tail.options.heartbeat;
        let reader = Reader {
            tail,
            membership,
            lagging,
            lost: start.err(),
            known: cursor,
            last: cursor,
            told: cursor,
            live_from,
            is_ready: false,
            is_behind: false,
            heartbeat_at,
        };
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

impl Reader {
    async fn next(&mut self) -> Result<Next, Ending> {
        if let Some(lost) = self.lost.take() {
            return Ok(Next::Frames(self.control(lost.resume, &Control::Reset { reason: lost.reason })));
        }
        if mem::take(&mut self.is_behind) {
            self.tail.metrics.overrun(self.lagging.into());
            match self.lagging {
                Lagging::CatchUp => {}
                Lagging::Latest => return Ok(Next::Frames(self.skip())),
                Lagging::Disconnect => return Err(Ending::TooSlow),
            }
        }
        loop {
            if !self.is_ready && self.known >= self.live_from {
                self.is_ready = true;
                let heartbeat_ms = self.tail.options.heartbeat.as_millis() as u64;
                return Ok(Next::Frames(self.control(self.known, &Control::Ready { heartbeat_ms })));
            }
            match self.meet().await {
                // In the ring, a reader must have been told of everything before.
                Join::At(_) if self.is_ready && self.told < self.known => {
                    return Ok(Next::Frames(self.control(self.known, &Control::Heartbeat)));
                }
                Join::At(number) if self.is_ready => return Ok(Next::Live(number)),
                Join::At(number) => {
                    if let Some(frames) = self.take_batch(number) {
                        return Ok(Next::Frames(frames));
                    }
                }
                Join::Within(batch) => {
                    let frames = batch.frames_after(self.known).unwrap_or_default();
                    self.sent(&batch);
                    return Ok(Next::Frames(frames));
                }
                Join::Behind => {
                    let page = self.tail.read(&self.membership.ring.topics, self.known).await;
                    if let Some(frames) = self.take(page.map_err(Ending::Unavailable)?) {
                        return Ok(Next::Frames(frames));
                    }
                }
                Join::Ended(why) => return Err(Ending::Unavailable(why)),
            }
        }
    }

    /// Asks the ring for the reader's place in it, once that has come as far as the reader and as its history.
    async fn meet(&self) -> Join {
        let mut reached = self.tail.reached();
        let needed = self.known.max(self.live_from);
        loop {
            // Asked first: what was reached then is in the ring by now.
            let has_come = *reached.borrow_and_update() >= needed;
            let join = self.membership.ring.join(self.known);
            if has_come || matches!(join, Join::Ended(_)) {
                return join;
            }
            // Never an error: the tail is ours.
            let _ = reached.changed().await;
        }
    }

    /// The frames of a batch that is history for this reader. Where there is none, all of its history is sent.
    fn take_batch(&mut self, number: BatchNumber) -> Option<Bytes> {
        let Due::Batches(batches) = self.membership.ring.due(number, 1) else { return None };
        let Some(batch) = batches.first() else {
            self.known = self.known.max(self.live_from);
            return None;
        };
        self.sent(batch);
        Some(batch.frames())
    }

    /// The frames of a page; where it has none, something to show for the search, now and then.
    fn take(&mut self, page: LogPage) -> Option<Bytes> {
        let had_progress = self.told < self.known;
        self.known = page.next;
        if !page.events.is_empty() {
            let epoch = self.tail.epoch();
            let bytes = page.events.iter().map(|event| event.envelope.len() + FRAME_REST_BYTES).sum();
            let mut frames = Vec::with_capacity(bytes);
            for event in &page.events {
                encode_event(&mut frames, Position::new(epoch, event.sequence), self.last.get(), &event.envelope);
                self.last = event.sequence;
            }
            self.told = self.last;
            self.speak();
            self.tail.metrics.sent(self.source(), page.events.len() as u64, frames.len() as u64);
            return Some(frames.into());
        }
        let now = Instant::now();
        if !had_progress {
            self.heartbeat_at = self.heartbeat_at.min(now + self.tail.options.head_heartbeat);
        }
        if now < self.heartbeat_at {
            return None;
        }
        if self.told < self.known {
            return Some(self.control(self.known, &Control::Heartbeat));
        }
        self.speak();
        let mut comment = Vec::new();
        encode_comment(&mut comment, "reading");
        Some(comment.into())
    }

    /// Where events come from that are read in the log.
    fn source(&self) -> Source {
        if self.is_ready { Source::CaughtUp } else { Source::History }
    }

    /// Goes to the end of what the rings have, and says so.
    fn skip(&mut self) -> Bytes {
        let (from, to) = (self.known, (*self.tail.reached().borrow()).max(self.known));
        self.known = to;
        self.tail.metrics.skipped(to.get() - from.get());
        self.control(to, &Control::Skipped { from, to })
    }

    fn sent(&mut self, batch: &Batch) {
        self.arrive(batch.reached);
        if batch.events() > 0 {
            self.tail.metrics.sent(Source::Live, batch.events() as u64, batch.chunk().len() as u64);
        }
    }

    fn arrive(&mut self, reached: Reached) {
        self.known = self.known.max(reached.told);
        self.told = self.known;
        self.last = reached.last;
    }

    /// A control frame that moves its reader's cursor.
    fn control(&mut self, at: Sequence, control: &Control<'_>) -> Bytes {
        self.told = at;
        self.speak();
        let mut frame = Vec::new();
        let id = Position::new(self.tail.epoch(), at);
        encode_control(&mut frame, Some(&id), Some(self.last.get()), control.to_json());
        frame.into()
    }

    fn speak(&mut self) {
        self.heartbeat_at = Instant::now() + self.tail.options.heartbeat;
    }
}
