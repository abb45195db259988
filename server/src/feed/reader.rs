//! [`Reader`]: where a subscription stands between the log and its ring, and what it is sent next.

use std::{mem, sync::Arc};

use bytes::Bytes;
use highwater_core::{
    control::Control,
    sse::{encode_comment, encode_control, encode_event},
    version::{Position, Sequence},
};
use tokio::time::Instant;

use super::{
    Ending, Lagging, Lost, Next,
    batch::{Batch, FRAME_REST_BYTES, Reached},
    ring::{BatchNumber, Due, Join},
    tail::{Membership, Tail},
};
use crate::{store::LogPage, telemetry::Source};

/// See the [module](self).
pub(super) struct Reader {
    pub(super) tail: Arc<Tail>,
    pub(super) membership: Membership,
    lagging: Lagging,
    /// To be told first.
    lost: Option<Lost>,
    /// Everything up to here has been sent.
    pub(super) known: Sequence,
    /// The last event sent, or where the reader began: the `prev` of what comes next.
    last: Sequence,
    /// The highest position told.
    told: Sequence,
    /// Where history ends.
    live_from: Sequence,
    /// Whether the end of history has been told.
    is_ready: bool,
    /// Whether the ring has let go of what came next.
    pub(super) is_behind: bool,
    /// When something must be said at the latest while the log is read.
    heartbeat_at: Instant,
}

impl Reader {
    /// A reader that starts at a cursor, or where a useless one leads. Up to `live_from` everything is history. Where there is none, the
    /// reader is live before anything is sent: what overtook that would have come before its cursor.
    pub(super) fn new(
        membership: Membership,
        start: Result<Sequence, Lost>,
        live_from: Sequence,
        lagging: Lagging,
    ) -> Self {
        let tail = Arc::clone(membership.tail());
        let cursor = start.unwrap_or_else(|lost| lost.resume);
        let heartbeat_at = Instant::now() + tail.options.heartbeat;
        Self {
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
        }
    }

    pub(super) async fn next(&mut self) -> Result<Next, Ending> {
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

    pub(super) fn sent(&mut self, batch: &Batch) {
        self.arrive(batch.reached);
        if batch.events() > 0 {
            self.tail.metrics.sent(Source::Live, batch.events() as u64, batch.chunk().len() as u64);
        }
    }

    pub(super) fn arrive(&mut self, reached: Reached) {
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
