//! [`Session`]: one reader of a set of topics.

mod intents;

use std::mem;

use highwater_core::control::{ControlKind, ResetReason};
use highwater_core::envelope::{Page, number_member, scan, scan_page};
use highwater_core::overlay::Overlay;
use highwater_core::reconcile::{Attempt, Handled, HoldLimits, Message, Missing, Output, Reconciler, Verdict};
use highwater_core::sse::Decoder;
use highwater_core::subscription::{Cause, Input, Options, Output as Effect, Status, Subscription};
use highwater_core::topic::matches;
use highwater_core::version::{After, Position};

use crate::inputs::{Event, PageKind};
use crate::outputs::{Kind, Outputs, Reason, StatusCode, Transport};

/// Longer than an hour nobody waits, whatever a server says.
const GOODBYE_MS_MAX: u32 = 3_600_000;

/// A reader of a set of topics, over all its connections.
///
/// Texts come in as the chunks do: JavaScript writes them into the room that a method lends. A method that judges answers
/// where its view stands, which is good until the next such call. `now` is milliseconds since 1970.
#[derive(Debug)]
pub struct Session {
    decoder: Decoder,
    reconciler: Reconciler,
    subscription: Subscription,
    options: Options,
    seed: u64,
    attempt: Attempt,
    /// Where others share the connection: the topics that are ours, a line each. What else it brings only tells how far it is.
    topics: String,
    /// Whether another tab has the connection.
    is_fed: bool,
    overlay: Overlay,
    /// The kinds told only to whoever listens, a bit each.
    listened: u32,
    outputs: Outputs,
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
    pub fn new() -> Self {
        let mut reconciler = Reconciler::new(After::Latest, HoldLimits::default());
        Self {
            decoder: Decoder::new(),
            attempt: reconciler.connect(),
            reconciler,
            subscription: Subscription::new(Options::default(), 0),
            options: Options::default(),
            seed: 0,
            topics: String::new(),
            is_fed: false,
            overlay: Overlay::new(0),
            listened: 0,
            outputs: Outputs::default(),
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
        let Some(after) = str::from_utf8(&self.text).ok().and_then(|text| text.parse().ok()) else { return false };
        self.reconciler = Reconciler::new(after, HoldLimits { events_max: held_events_max, bytes_max: held_bytes_max });
        self.overlay = Overlay::new(intents_max);
        self.options = Options { connect_timeout_ms, backoff_base_ms, backoff_max_ms };
        self.subscription = Subscription::new(self.options, self.seed);
        true
    }

    /// Takes what stands in [`Self::room`] as the topics that are ours, a line each, of a connection that others share.
    pub fn share(&mut self) {
        self.topics = String::from_utf8(mem::take(&mut self.text)).unwrap_or_default();
    }

    /// Begins to be fed with what another tab receives, or with what it receives on another connection.
    pub fn feed(&mut self) {
        self.is_fed = true;
        self.subscription = Subscription::new(self.options, self.seed);
        self.decoder.reset();
        self.attempt = self.reconciler.connect();
    }

    /// Which kinds of events are told besides those that always are, a bit each. All are counted.
    pub fn listen(&mut self, kinds: u32) {
        self.listened = kinds;
    }

    /// Takes what happens outside.
    pub fn happened(&mut self, now: f64, event: Event, status: u16, delay_ms: u32) -> *const f64 {
        self.outputs.clear();
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
        self.outputs.clear();
        self.handle(now, Input::Heard, Reason::Told);
        let mut before = Some(self.reconciler.resume());
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
            let message = Message::read(&frame);
            let handled = match message {
                Message::Event(arrival) if is_of_others(&self.topics, arrival.envelope) => {
                    self.reconciler.caught_up(self.attempt, arrival.position, arrival.prev);
                    Handled::Discarded
                }
                _ => self.reconciler.handle(self.attempt, &message),
            };
            self.unplaced += u64::from(handled == Handled::Unplaced);
            if matches!(handled, Handled::Control(ControlKind::Reset(_))) {
                self.overlay.reset();
            }
            tell(&mut self.outputs, self.listened, &message, handled, frame.data);
            let said = match handled {
                Handled::Control(kind) => said(kind, frame.data),
                _ => None,
            };
            // First what it brought, then how it goes on.
            if before.is_some_and(|before| self.moved_from(before, now)) {
                before = None;
            }
            if let Some((input, reason)) = said {
                self.handle(now, input, reason);
            }
            self.drain(now);
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
    pub fn fetched(&mut self, now: f64, page: PageKind) -> *const f64 {
        self.outputs.clear();
        let before = self.reconciler.resume();
        let text = mem::take(&mut self.text);
        let scanned = str::from_utf8(&text).ok().and_then(scan_page);
        let judged = scanned.and_then(|scanned| match page {
            PageKind::Stream => self.judge_stream(&scanned, now),
            PageKind::Added => self.judge_added(&scanned, now),
            _ => self.judge_log(&scanned, now),
        });
        self.moved_from(before, now);
        match (judged, page) {
            (_, PageKind::Added) => {}
            (None, _) => self.handle(now, Input::Ended(Cause::Unfit), Reason::Broken),
            (Some(is_live), PageKind::Poll) => self.handle(now, Input::Polled { is_live }, Reason::Told),
            (Some(_), _) => {
                self.reconciler.fetched(self.attempt);
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
        self.outputs.clear();
        let header = str::from_utf8(&self.text).ok().and_then(|event| scan(event).ok());
        if let Some(stream) = header.and_then(|header| header.stream.decode()) {
            self.outputs.push_name(Kind::Unreadable, 0, &stream);
        }
        self.finish()
    }

    /// Where nine numbers stand: applied, stale, duplicate, gap, unreadable, discarded, dropped, held, and the cursor's
    /// sequence, below 0 while there is no cursor.
    pub fn counts(&mut self) -> *const f64 {
        let counts = self.reconciler.counts();
        let cursor = match self.reconciler.resume() {
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
            self.reconciler.held() as u64,
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
        if self.is_fed && matches!(input, Input::Ended(_)) {
            self.outputs.push_number(Kind::Disconnect, reason as u32, 0);
        }
        self.subscription.handle(now as u64, input);
        while let Some(effect) = self.subscription.poll() {
            match effect {
                Effect::Connect(transport) => {
                    self.decoder.reset();
                    self.attempt = self.reconciler.connect();
                    self.outputs.push_number(Kind::Connect, Transport::from(transport) as u32, 0);
                }
                Effect::Disconnect { silent_ms } => {
                    let reason = if silent_ms > 0 { Reason::Silence } else { reason };
                    self.outputs.push_number(Kind::Disconnect, reason as u32, silent_ms as u32);
                }
                Effect::Status(status) => {
                    let delay_ms = match status {
                        Status::BackingOff { delay_ms } => delay_ms,
                        _ => 0,
                    };
                    self.outputs.push_number(Kind::Status, StatusCode::from(status) as u32, delay_ms);
                }
            }
        }
    }

    /// Whether the cursor has moved; then the subscription is told.
    fn moved_from(&mut self, before: After, now: f64) -> bool {
        let has_moved = self.reconciler.resume() != before;
        if has_moved {
            self.handle(now, Input::Moved, Reason::Told);
        }
        has_moved
    }

    /// Answers whether the log has no more of it now.
    fn judge_log(&mut self, page: &Page<'_>, now: f64) -> Option<bool> {
        let (arrivals, end) = page.arrivals()?;
        let mut last = page.prev?;
        self.reconciler.begin(self.attempt, Position::new(end.epoch, last));
        for arrival in arrivals {
            if self.subscription.is_over() {
                return Some(true);
            }
            last = arrival.position.sequence;
            if is_of_others(&self.topics, arrival.envelope) {
                self.reconciler.caught_up(self.attempt, arrival.position, arrival.prev);
                continue;
            }
            let message = Message::Event(arrival);
            let handled = self.reconciler.handle(self.attempt, &message);
            tell(&mut self.outputs, self.listened, &message, handled, arrival.envelope);
            self.drain(now);
        }
        self.reconciler.caught_up(self.attempt, end, last);
        Some(page.head.is_none_or(|head| end.sequence >= head.sequence))
    }

    fn judge_stream(&mut self, page: &Page<'_>, now: f64) -> Option<bool> {
        let After::Position(cursor) = self.reconciler.resume() else { return None };
        for envelope in &page.events {
            if let Some(verdict) = self.reconciler.stream_event(self.attempt, envelope) {
                match scan(envelope) {
                    Ok(header) => {
                        let position = Position::new(cursor.epoch, header.sequence);
                        tell_event(&mut self.outputs, self.listened, verdict, position, envelope);
                    }
                    Err(_) => self.outputs.push(Kind::Unplaced, envelope),
                }
            }
            self.drain(now);
        }
        Some(true)
    }

    fn judge_added(&mut self, page: &Page<'_>, now: f64) -> Option<bool> {
        let end = page.next?;
        for envelope in &page.events {
            let verdict = self.reconciler.added_event(end.epoch, envelope)?;
            let sequence = scan(envelope).map_or(end.sequence, |header| header.sequence);
            tell_event(&mut self.outputs, self.listened, verdict, Position::new(end.epoch, sequence), envelope);
            self.drain(now);
        }
        Some(true)
    }

    fn drain(&mut self, now: f64) {
        while let Some(output) = self.reconciler.poll() {
            match output {
                Output::Released { verdict, position, envelope } => {
                    tell_event(&mut self.outputs, self.listened, verdict, position, &envelope);
                }
                Output::Lost { stream, from, to } => self.outputs.push_lost(&stream, from, to),
                Output::Fetch(Missing::Log { after }) => {
                    self.outputs.push_at(Kind::FetchLog, after, "0");
                    self.handle(now, Input::Fetching, Reason::Told);
                }
                Output::Fetch(Missing::Stream { stream, from }) => {
                    self.outputs.push_name(Kind::FetchStream, from.get(), &stream);
                    self.handle(now, Input::Fetching, Reason::Told);
                }
                Output::Reconnect => self.handle(now, Input::Ended(Cause::Unfit), Reason::Misfit),
            }
        }
    }

    /// Says where the view stands.
    fn finish(&mut self) -> *const f64 {
        if let After::Position(cursor) = self.reconciler.resume() {
            self.outputs.tell_epoch(cursor.epoch);
            self.overlay.confirmed(cursor.sequence);
        }
        while let Some((id, how)) = self.overlay.poll() {
            self.outputs.push_number(Kind::Settled, id.get(), how as u32);
        }
        self.outputs.finish(self.subscription.next_timeout())
    }
}

/// Whether an event is of topics that are not ours. Then it only tells how far the connection is.
fn is_of_others(topics: &str, envelope: &str) -> bool {
    let stream = || scan(envelope).ok().and_then(|header| header.stream.decode());
    !topics.is_empty() && stream().is_some_and(|stream| !topics.split('\n').any(|topic| matches(topic, &stream)))
}

/// What a control frame means for the connection.
fn said(kind: ControlKind, body: &str) -> Option<(Input, Reason)> {
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

/// Leaves a record of what a message meant.
fn tell(outputs: &mut Outputs, listened: u32, message: &Message<'_>, handled: Handled, data: &str) {
    match (handled, message) {
        (Handled::Event(verdict), Message::Event(arrival)) => {
            tell_event(outputs, listened, verdict, arrival.position, data);
        }
        (Handled::Control(ControlKind::Reset(reason)), Message::Control { position: Some(position), .. }) => {
            outputs.push_at(Kind::Reset, *position, reason_json(reason));
        }
        (Handled::Control(ControlKind::Error), _) => outputs.push(Kind::Error, data),
        (Handled::Unplaced, _) => outputs.push(Kind::Unplaced, data),
        _ => {}
    }
}

fn reason_json(reason: ResetReason) -> &'static str {
    match reason {
        ResetReason::EpochChanged => "\"epoch_changed\"",
        ResetReason::CursorExpired => "\"cursor_expired\"",
        ResetReason::CursorAhead => "\"cursor_ahead\"",
    }
}

fn tell_event(outputs: &mut Outputs, listened: u32, verdict: Verdict, position: Position, envelope: &str) {
    let kind = Kind::from(verdict);
    let always = matches!(verdict, Verdict::Apply | Verdict::Unreadable);
    if always || listened & (1 << kind as u32) != 0 {
        outputs.push_at(kind, position, envelope);
    }
}
