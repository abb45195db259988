//! The machines of core as one: what arrives goes in, verdicts and what is to be done come out. No browser in it.

use std::collections::VecDeque;
use std::mem;

use highwater_core::control::{ControlKind, ResetReason};
use highwater_core::envelope::{JsonText, Page, number_member, parse_event, scan, scan_page};
use highwater_core::event::InvalidEvent;
use highwater_core::reconcile::{self, Attempt, Handled, Message, Missing, Output, Reconciler};
use highwater_core::sse::Decoder;
use highwater_core::subscription::{self, Input, Subscription, Transport};
use highwater_core::version::{After, Epoch, Position, Sequence};

use super::{Cause, Failure, Options, Refusal, Status, Verdict};

/// Longer than an hour nobody waits, whatever a server says.
const GOODBYE_MS_MAX: u32 = 3_600_000;

/// See the [module](self). `now` is milliseconds since 1970. After every input, what it is to do and tell is to be taken.
#[derive(Debug)]
pub(super) struct Machine {
    decoder: Decoder,
    reconciler: Reconciler,
    subscription: Subscription,
    attempt: Attempt,
    actions: VecDeque<Action>,
    told: VecDeque<Verdict>,
    /// Why the last connection ended.
    cause: Cause,
}

/// What is to be done outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Connect after this place.
    Connect(Transport, After),
    /// End the connection, if it still is there, and what is being fetched for it.
    Disconnect,
    /// Fetch a page of what is missing, of this log.
    Fetch(Missing, Epoch),
}

/// What a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageKind {
    /// Of the log, where something of it is missing.
    Log,
    /// Of a stream.
    Stream,
    /// Of the log, in place of an event stream.
    Poll,
}

impl Machine {
    /// A machine that waits for [`Input::Open`]. Of the seed, a random number, come the delays before reconnects.
    pub(super) fn new(options: &Options, seed: u64) -> Self {
        let mut reconciler = Reconciler::new(options.after, options.hold_limits());
        Self {
            decoder: Decoder::new(),
            attempt: reconciler.connect(),
            reconciler,
            subscription: Subscription::new(options.times(), seed),
            actions: VecDeque::new(),
            told: VecDeque::new(),
            cause: Cause::NeverOpen,
        }
    }

    /// What is to be done next.
    pub(super) fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// What is to be told next.
    pub(super) fn next_verdict(&mut self) -> Option<Verdict> {
        self.told.pop_front()
    }

    /// Whether there is something to be told.
    pub(super) fn has_verdicts(&self) -> bool {
        !self.told.is_empty()
    }

    /// When to hand in [`Input::Timeout`].
    pub(super) fn next_timeout(&self) -> Option<u64> {
        self.subscription.next_timeout()
    }

    /// Whether nothing more will be done or told than what waits to be taken.
    pub(super) fn is_over(&self) -> bool {
        self.subscription.is_over()
    }

    /// Takes what happens outside.
    pub(super) fn happened(&mut self, now: u64, input: Input) {
        let asked = self.subscription.handle(now, input);
        if let Some(silent_ms) = asked.disconnect {
            if silent_ms > 0 {
                self.cause = Cause::Silent { silent_ms };
            }
            self.actions.push_back(Action::Disconnect);
        }
        if let Some(status) = asked.status {
            let status = self.status(status);
            self.told.push_back(Verdict::Status(status));
        }
        if let Some(transport) = asked.connect {
            self.decoder.reset();
            self.attempt = self.reconciler.connect();
            self.actions.push_back(Action::Connect(transport, self.reconciler.resume()));
        }
    }

    /// Takes word that the connection, or what was fetched for it, has ended by itself.
    pub(super) fn ended(&mut self, now: u64, cause: Cause) {
        let refused = |refusal: &Refusal| subscription::Cause::Refused {
            status: refusal.status,
            retry_after_ms: refusal.retry_after_ms,
        };
        let input = match &cause {
            Cause::Refused(Refusal { reset: Some((reason, position)), .. }) => {
                self.reset(now, *reason, *position);
                subscription::Cause::Lost
            }
            Cause::Refused(refusal) => refused(refusal),
            // A page of what is missing may be refused where the stream is not: that brings the same.
            Cause::Missing { .. } => {
                cause.refusal().filter(|r| r.may_pass()).map_or(subscription::Cause::Lost, refused)
            }
            _ => subscription::Cause::Lost,
        };
        self.end(now, cause, input);
    }

    /// Takes a chunk of an event stream: `write` puts its bytes in place.
    pub(super) fn received(&mut self, now: u64, len: usize, write: impl FnOnce(&mut [u8])) {
        self.happened(now, Input::Heard);
        let mut before = Some(self.reconciler.resume());
        write(self.decoder.spare(len));
        self.decoder.commit(len);
        // What is judged on the way comes out of a borrowed decoder.
        let mut decoder = mem::take(&mut self.decoder);
        let attempt = self.attempt;
        while !self.subscription.is_over() && self.attempt == attempt {
            let frame = match decoder.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(_) => {
                    self.end(now, Cause::Broken, subscription::Cause::Unfit);
                    break;
                }
            };
            let message = Message::read(&frame);
            let handled = self.reconciler.handle(self.attempt, &message);
            self.tell(&message, handled, frame.data);
            // First what it brought, then how it goes on.
            if before.is_some_and(|before| self.moved_from(before, now)) {
                before = None;
            }
            if let Handled::Control(kind) = handled {
                self.said(now, kind, frame.data);
            }
            self.drain(now);
        }
        // A connection that began meanwhile has one of its own.
        if self.attempt == attempt {
            self.decoder = decoder;
        }
    }

    /// Takes a page that was asked for.
    pub(super) fn fetched(&mut self, now: u64, kind: PageKind, page: &[u8]) {
        let before = self.reconciler.resume();
        let scanned = scan_page(page);
        let judged = scanned.and_then(|page| match kind {
            PageKind::Stream => self.judge_stream(now, &page),
            PageKind::Log | PageKind::Poll => self.judge_log(now, &page),
        });
        self.moved_from(before, now);
        match (judged, kind) {
            (None, _) => self.end(now, Cause::Broken, subscription::Cause::Unfit),
            (Some(is_live), PageKind::Poll) => self.happened(now, Input::Polled { is_live }),
            (Some(_), _) => {
                self.reconciler.fetched(self.attempt);
                self.happened(now, Input::Fetched);
            }
        }
        self.drain(now);
    }

    /// Goes on from elsewhere: a poll was refused for its cursor, where a stream would have said so itself.
    fn reset(&mut self, now: u64, reason: ResetReason, position: Position) {
        let kind = ControlKind::Reset(reason);
        let message = Message::Control { kind, position: Some(position), prev: Some(Sequence::ZERO) };
        let before = self.reconciler.resume();
        let handled = self.reconciler.handle(self.attempt, &message);
        self.tell(&message, handled, b"");
        self.moved_from(before, now);
        self.said(now, kind, b"");
        self.drain(now);
    }

    fn end(&mut self, now: u64, cause: Cause, input: subscription::Cause) {
        self.cause = cause;
        self.happened(now, Input::Ended(input));
    }

    fn status(&self, status: subscription::Status) -> Status {
        let cause = self.cause.clone();
        match status {
            subscription::Status::Connecting => Status::Connecting,
            subscription::Status::Replaying => Status::Replaying,
            subscription::Status::Live => Status::Live,
            subscription::Status::BackingOff { delay_ms } => Status::BackingOff { delay_ms, cause },
            subscription::Status::Closed => Status::Closed,
            subscription::Status::Failed(failure) => Status::Failed {
                error: match failure {
                    subscription::Failure::Refused => Failure::Refused { cause },
                    subscription::Failure::Unfit => Failure::Unfit { cause },
                    subscription::Failure::ResetLoop => Failure::ResetLoop,
                },
            },
        }
    }

    /// Does what a control frame means for the connection.
    fn said(&mut self, now: u64, kind: ControlKind, body: &[u8]) {
        let milliseconds = |member| number_member(body, member).unwrap_or_default();
        match kind {
            ControlKind::Ready => {
                self.happened(now, Input::Ready { heartbeat_ms: milliseconds("heartbeat_ms") });
            }
            ControlKind::Goodbye => {
                let retry_ms = milliseconds("retry_ms").min(GOODBYE_MS_MAX);
                self.end(now, Cause::Goodbye, subscription::Cause::Goodbye { retry_ms });
            }
            ControlKind::Reset(_) => self.happened(now, Input::Reset),
            ControlKind::Error => self.ended(now, Cause::Refused(Refusal::in_control(body))),
            ControlKind::Heartbeat => {}
        }
    }

    /// Whether the cursor has moved; then the subscription is told.
    fn moved_from(&mut self, before: After, now: u64) -> bool {
        let has_moved = self.reconciler.resume() != before;
        if has_moved {
            self.happened(now, Input::Moved);
        }
        has_moved
    }

    /// Answers whether the log has no more of it now.
    fn judge_log(&mut self, now: u64, page: &Page<'_>) -> Option<bool> {
        let (arrivals, end) = page.arrivals()?;
        let mut last = page.prev?;
        self.reconciler.begin(self.attempt, Position::new(end.epoch, last));
        for arrival in arrivals {
            if self.subscription.is_over() {
                return Some(true);
            }
            last = arrival.position.sequence;
            let message = Message::Event(arrival);
            let handled = self.reconciler.handle(self.attempt, &message);
            self.tell(&message, handled, arrival.envelope);
            self.drain(now);
        }
        self.reconciler.caught_up(self.attempt, end, last);
        Some(page.head.is_none_or(|head| end.sequence >= head.sequence))
    }

    fn judge_stream(&mut self, now: u64, page: &Page<'_>) -> Option<bool> {
        let After::Position(cursor) = self.reconciler.resume() else { return None };
        for envelope in &page.events {
            let verdict = self.reconciler.stream_event(self.attempt, envelope);
            if let Some(lost) = self.reconciler.lost() {
                self.heed(now, lost);
            }
            if let Some(verdict) = verdict {
                let sequence = scan(envelope).map(|header| header.sequence);
                self.tell_event(verdict, sequence.ok().map(|at| Position::new(cursor.epoch, at)), envelope);
            }
            self.drain(now);
        }
        Some(true)
    }

    fn drain(&mut self, now: u64) {
        while let Some(output) = self.reconciler.poll() {
            self.heed(now, output);
        }
    }

    /// Tells or does what the reconciler wants.
    fn heed(&mut self, now: u64, output: Output) {
        match output {
            Output::Released { verdict, position, envelope } => self.tell_event(verdict, Some(position), &envelope),
            Output::Lost { stream, from, to } => {
                let stream = JsonText::from_bytes(&stream).decode().unwrap_or_default().into();
                self.told.push_back(Verdict::Lost { stream, from, to });
            }
            Output::Fetch(missing) => {
                if let After::Position(cursor) = self.reconciler.resume() {
                    self.actions.push_back(Action::Fetch(missing, cursor.epoch));
                }
                self.happened(now, Input::Fetching);
            }
            Output::Reconnect => self.end(now, Cause::Misfit, subscription::Cause::Unfit),
        }
    }

    fn tell(&mut self, message: &Message<'_>, handled: Handled, data: &[u8]) {
        match (handled, message) {
            (Handled::Event(verdict), Message::Event(arrival)) => {
                self.tell_event(verdict, Some(arrival.position), data);
            }
            (Handled::Control(ControlKind::Reset(reason)), Message::Control { position: Some(position), .. }) => {
                self.told.push_back(Verdict::Reset { reason, position: *position });
            }
            (Handled::Unplaced, _) => self.tell_event(reconcile::Verdict::Unreadable, None, data),
            _ => {}
        }
    }

    fn tell_event(&mut self, verdict: reconcile::Verdict, position: Option<Position>, envelope: &[u8]) {
        let told = match (verdict, position) {
            (reconcile::Verdict::Duplicate, Some(position)) => Verdict::Duplicate { position },
            (reconcile::Verdict::Gap, Some(position)) => Verdict::Gap { position },
            (verdict, position) => match (verdict, position, parse_event(envelope)) {
                (reconcile::Verdict::Apply, Some(position), Ok(event)) => {
                    Verdict::Apply { position, event: Box::new(event) }
                }
                (reconcile::Verdict::Stale, Some(position), Ok(event)) => {
                    Verdict::Stale { position, event: Box::new(event) }
                }
                (_, position, parsed) => unreadable(position, envelope, parsed.err()),
            },
        };
        self.told.push_back(told);
    }
}

/// What can't be judged, or has to be set aside although its header could be.
fn unreadable(position: Option<Position>, envelope: &[u8], error: Option<InvalidEvent>) -> Verdict {
    let stream = scan(envelope).ok().and_then(|header| Some(header.stream.decode()?.into()));
    // An event as good as any, but for where it came.
    let error = error.unwrap_or_else(|| InvalidEvent::attribute("sequence", "is not that of its frame"));
    Verdict::Unreadable { position, stream, text: String::from_utf8_lossy(envelope).into(), error }
}

#[cfg(test)]
mod tests;
