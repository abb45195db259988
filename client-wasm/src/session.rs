//! [`Session`]: one reader of a set of topics.

mod intents;
mod judge;
#[cfg(not(target_family = "wasm"))]
mod native;

use std::mem;

use highwater_core::control::ControlKind;
use highwater_core::envelope::{Page, number_member, scan, scan_page};
use highwater_core::mutation::{Mutation, mutated};
use highwater_core::overlay::Overlay;
use highwater_core::reconcile::{Arrival, Handled, HoldLimits, Missing, Output};
use highwater_core::sse::Decoder;
use highwater_core::subscription::{Cause, Input, Options, Status, Subscription};
use highwater_core::version::{After, Position};

#[cfg(not(target_family = "wasm"))]
pub use self::native::View;

use self::judge::Judge;
use crate::inputs::{Event, PageKind};
use crate::outputs::{Kind, Reason, StatusCode, Transport};

/// Longer than an hour nobody waits, whatever a server says.
const GOODBYE_MS_MAX: u32 = 3_600_000;

/// A reader of a set of topics, over all its connections.
///
/// Texts come in as the chunks do: JavaScript writes them into the room that a method lends. A method that judges answers
/// where its view stands, which is good until the next such call. `now` is milliseconds since 1970.
#[derive(Debug)]
pub struct Session {
    decoder: Decoder,
    judge: Judge,
    subscription: Subscription,
    options: Options,
    seed: u64,
    /// Whether another tab has the connection.
    is_fed: bool,
    overlay: Overlay,
    /// Whether it is known which log positions are of.
    is_placed: bool,
    /// A page or an event that JavaScript hands in.
    text: Vec<u8>,
    /// How much data came that has no place; the reconciler does not count it.
    unplaced: u64,
    counts: [f64; 9],
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

impl Session {
    /// A reader of what is recorded from now on.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            decoder: Decoder::new(),
            judge: Judge::new(),
            subscription: Subscription::new(Options::DEFAULT, 0),
            options: Options::DEFAULT,
            seed: 0,
            is_fed: false,
            overlay: Overlay::new(0),
            is_placed: false,
            text: Vec::new(),
            unplaced: 0,
            counts: [0.0; 9],
        }
    }

    /// Takes a random number, of which the delays before reconnects come.
    pub fn seed(&mut self, seed: f64) {
        self.seed = seed.to_bits();
    }

    /// Starts after what stands in [`Self::room`] instead: a position, `earliest` or `latest`. `false` where it is none.
    pub fn start(
        &mut self,
        held_events_max: usize,
        held_bytes_max: usize,
        intents_max: usize,
        connect_timeout_ms: u32,
        backoff_base_ms: u32,
        backoff_max_ms: u32,
    ) -> bool {
        let Some(after) = After::read(&self.text) else { return false };
        self.judge.reconciler.start(after, HoldLimits { events_max: held_events_max, bytes_max: held_bytes_max });
        self.overlay = Overlay::new(intents_max);
        self.is_placed = matches!(after, After::Position(_));
        self.options = Options { connect_timeout_ms, backoff_base_ms, backoff_max_ms };
        self.subscription = Subscription::new(self.options, self.seed);
        true
    }

    /// Takes what stands in [`Self::room`] as the topics that are ours, as they stand in JSON, a line each, of a connection that others share.
    pub fn share(&mut self) {
        self.judge.topics = mem::take(&mut self.text);
    }

    /// Begins to be fed with what another tab receives, or with what it receives on another connection.
    pub fn feed(&mut self) {
        self.is_fed = true;
        if !mutated(Mutation::FedConnects) {
            self.subscription = Subscription::new(self.options, self.seed);
        }
        self.begin();
    }

    /// Which kinds of events are told besides those that always are, a bit each. All are counted.
    pub fn listen(&mut self, kinds: u32) {
        self.judge.listened = kinds;
    }

    /// Takes what happens outside.
    pub fn happened(&mut self, now: f64, event: u32, status: u16, delay_ms: u32) -> *const f64 {
        let event = Event::from(event);
        self.judge.outputs.clear();
        self.is_fed &= event != Event::Open;
        let input = match event {
            Event::Open => Input::Open,
            Event::Answered => Input::Answered,
            Event::Heard => Input::Heard,
            Event::Paused => Input::Paused,
            Event::Fetching => Input::Fetching,
            Event::Lost => Input::Ended(Cause::Lost),
            Event::Refused => Input::Ended(Cause::Refused { status, retry_after_ms: delay_ms }),
            Event::Unfit => Input::Ended(Cause::Unfit),
            Event::Restart => Input::Restart,
            Event::Awake => Input::Awake,
            Event::Timeout => Input::Timeout,
            Event::Close => Input::Close,
        };
        self.handle(now, input, Reason::Told);
        self.finish()
    }

    /// Room for a chunk of `len` bytes.
    pub fn spare(&mut self, len: usize) -> *mut u8 {
        self.decoder.spare(len).as_mut_ptr()
    }

    /// Judges the chunk that was written into what [`Self::spare`] lent.
    pub fn received(&mut self, now: f64, len: usize) -> *const f64 {
        self.judge.outputs.clear();
        self.handle(now, Input::Heard, Reason::Told);
        let mut before = Some(self.judge.reconciler.resume());
        self.decoder.commit(len);
        while !self.subscription.is_over() {
            let frame = match self.decoder.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(_) => {
                    self.handle(now, Input::Ended(Cause::Unfit), Reason::Broken);
                    break;
                }
            };
            let mut said = None;
            match self.judge.frame(&frame) {
                Handled::Unplaced => self.unplaced += 1,
                Handled::Control(kind) => {
                    if let ControlKind::Reset(_) = kind {
                        self.overlay.reset();
                    }
                    said = meaning(kind, frame.data);
                }
                _ => {}
            }
            // First what it brought, then how it goes on.
            if before.is_some_and(|before| self.moved_from(before, now)) {
                before = None;
            }
            if let Some((input, reason)) = said {
                self.handle(now, input, reason);
            }
            self.drain(now);
        }
        // What was held may have moved it, too, and nothing came behind it.
        if let Some(before) = before {
            self.moved_from(before, now);
        }
        self.finish()
    }

    /// Room for a text of `len` bytes.
    pub fn room(&mut self, len: usize) -> *mut u8 {
        self.text.clear();
        self.text.resize(len, 0);
        self.text.as_mut_ptr()
    }

    /// Judges the page in [`Self::room`], which something asked for.
    pub fn fetched(&mut self, now: f64, page: u32) -> *const f64 {
        let page = PageKind::from(page);
        self.judge.outputs.clear();
        let before = self.judge.reconciler.resume();
        let text = mem::take(&mut self.text);
        let scanned = scan_page(&text);
        let judged = scanned.and_then(|scanned| match page {
            PageKind::Stream => self.judge_stream(&scanned, now),
            PageKind::Added | PageKind::AddedSince => self.judge_added(&scanned, page == PageKind::Added, now),
            _ => self.judge_log(&scanned, now),
        });
        self.moved_from(before, now);
        match (judged, page) {
            (_, PageKind::Added | PageKind::AddedSince) => {}
            (None, _) => self.handle(now, Input::Ended(Cause::Unfit), Reason::Broken),
            (Some(is_live), PageKind::Poll) => self.handle(now, Input::Polled { is_live }, Reason::Told),
            (Some(_), _) => {
                self.judge.reconciler.fetched(self.judge.attempt);
                self.handle(now, Input::Fetched, Reason::Told);
            }
        }
        self.drain(now);
        self.finish()
    }
}

impl Session {
    /// Leaves one record that names the stream of the event in [`Self::room`], or none where even that can't be read.
    pub fn stream_of(&mut self) -> *const f64 {
        self.judge.outputs.clear();
        if let Ok(header) = scan(&self.text) {
            self.judge.outputs.push_name(Kind::Unreadable, 0, header.stream.as_bytes());
        }
        self.finish()
    }

    /// Where nine numbers stand: applied, stale, duplicate, gap, unreadable, discarded, dropped, held, and the cursor's
    /// sequence, below 0 while there is no cursor.
    pub fn counts(&mut self) -> *const f64 {
        let counts = self.judge.reconciler.counts();
        let cursor = match self.judge.reconciler.resume() {
            After::Position(position) => position.sequence.get() as f64,
            After::Earliest | After::Latest => -1.0,
        };
        self.counts = [
            counts.applied,
            counts.stale,
            counts.duplicate,
            counts.gap,
            counts.unreadable + self.unplaced,
            counts.discarded,
            counts.dropped,
            self.judge.reconciler.held() as u64,
            0,
        ]
        .map(|count| count as f64);
        self.counts[8] = cursor;
        self.counts.as_ptr()
    }
}

impl Session {
    /// Hands what has happened to the subscription, and leaves what it asks for.
    fn handle(&mut self, now: f64, input: Input, reason: Reason) {
        if self.is_fed && matches!(input, Input::Ended(_)) && !mutated(Mutation::FedIsSilent) {
            self.judge.outputs.push_number(Kind::Disconnect, reason as u32, 0);
        }
        let asked = self.subscription.handle(now as u64, input);
        if let Some(silent_ms) = asked.disconnect {
            let reason = if silent_ms > 0 { Reason::Silence } else { reason };
            self.judge.outputs.push_number(Kind::Disconnect, reason as u32, silent_ms as u32);
        }
        if let Some(status) = asked.status {
            let delay_ms = match status {
                Status::BackingOff { delay_ms } => delay_ms,
                _ => 0,
            };
            self.judge.outputs.push_number(Kind::Status, StatusCode::from(status) as u32, delay_ms);
        }
        if let Some(transport) = asked.connect {
            self.begin();
            self.judge.outputs.push_number(Kind::Connect, Transport::from(transport) as u32, 0);
        }
    }

    /// Begins to read another stream.
    fn begin(&mut self) {
        self.decoder.reset();
        self.judge.attempt = self.judge.reconciler.connect();
    }

    /// Whether the cursor has moved; then the subscription is told.
    fn moved_from(&mut self, before: After, now: f64) -> bool {
        let has_moved = self.judge.reconciler.resume() != before;
        if has_moved {
            self.handle(now, Input::Moved, Reason::Told);
        }
        has_moved
    }

    /// Answers whether the log has no more of it now.
    fn judge_log(&mut self, page: &Page<'_>, now: f64) -> Option<bool> {
        let (end, mut last) = (page.next?, page.prev?);
        self.judge.begin(Position::new(end.epoch, last));
        for envelope in &page.events {
            if self.subscription.is_over() {
                return Some(true);
            }
            let arrival = Arrival::in_page(envelope, end.epoch, last);
            last = arrival.position.sequence;
            self.judge.event(&arrival);
            self.drain(now);
        }
        self.judge.caught_up(end, last);
        Some(page.head.is_none_or(|head| end.sequence >= head.sequence))
    }

    fn judge_stream(&mut self, page: &Page<'_>, now: f64) -> Option<bool> {
        let After::Position(cursor) = self.judge.reconciler.resume() else { return None };
        for envelope in &page.events {
            self.judge.event_of_stream(cursor.epoch, envelope);
            self.drain(now);
        }
        Some(true)
    }

    fn judge_added(&mut self, page: &Page<'_>, from_start: bool, now: f64) -> Option<bool> {
        let end = page.next?;
        for envelope in &page.events {
            self.judge.added_event(end, from_start, envelope)?;
            self.drain(now);
        }
        Some(true)
    }

    fn drain(&mut self, now: f64) {
        while let Some(output) = self.judge.reconciler.poll() {
            match output {
                Output::Released { verdict, position, envelope } => {
                    self.judge.tell(verdict, position, &envelope);
                }
                Output::Lost { stream, from, to } => self.judge.outputs.push_lost(&stream, from, to),
                Output::Fetch(Missing::Log { after }) => {
                    self.judge.outputs.push_at(Kind::FetchLog, after, b"0");
                    self.handle(now, Input::Fetching, Reason::Told);
                }
                Output::Fetch(Missing::Stream { stream, from }) => {
                    self.judge.outputs.push_name(Kind::FetchStream, from.get(), &stream);
                    self.handle(now, Input::Fetching, Reason::Told);
                }
                Output::Reconnect => self.handle(now, Input::Ended(Cause::Unfit), Reason::Misfit),
            }
        }
    }

    /// Says where the view stands.
    fn finish(&mut self) -> *const f64 {
        if let After::Position(cursor) = self.judge.reconciler.resume() {
            self.judge.outputs.tell_epoch(cursor.epoch);
            if !self.is_placed {
                // What was acknowledged before may have been recorded in another log.
                self.is_placed = true;
                self.overlay.reset();
            }
            self.overlay.confirmed(cursor.sequence);
        }
        while let Some((id, how)) = self.overlay.poll() {
            self.judge.outputs.push_number(Kind::Settled, id.get(), how as u32);
        }
        self.judge.outputs.finish(self.subscription.next_timeout())
    }
}

/// What a control frame means for the connection.
fn meaning(kind: ControlKind, body: &[u8]) -> Option<(Input, Reason)> {
    let milliseconds = |member| number_member(body, member).unwrap_or_default();
    match kind {
        ControlKind::Ready => Some((Input::Ready { heartbeat_ms: milliseconds("heartbeat_ms") }, Reason::Told)),
        ControlKind::Goodbye => {
            let cause = Cause::Goodbye { retry_ms: milliseconds("retry_ms").min(GOODBYE_MS_MAX) };
            Some((Input::Ended(cause), Reason::Goodbye))
        }
        ControlKind::Reset(_) => Some((Input::Reset, Reason::Told)),
        ControlKind::Heartbeat | ControlKind::Error => None,
    }
}

#[cfg(test)]
mod tests;
