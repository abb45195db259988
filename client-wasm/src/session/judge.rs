//! [`Judge`]: the reconciler, and records of what it says.

use highwater_core::control::{ControlKind, ResetReason};
use highwater_core::envelope::{Header, scan};
use highwater_core::mutation::{Mutation, mutated};
use highwater_core::reconcile::{Arrival, Attempt, Handled, HoldLimits, Message, Output, Reconciler, Verdict};
use highwater_core::sse::Frame;
use highwater_core::topic::matches;
use highwater_core::version::{After, Epoch, Position, Sequence};

use crate::outputs::{Kind, Outputs};

#[derive(Debug)]
pub(super) struct Judge {
    pub(super) reconciler: Reconciler,
    pub(super) attempt: Attempt,
    /// Where others share the connection: the topics that are ours, as they stand in JSON, a line each. What else it brings only tells how far it is.
    pub(super) topics: Vec<u8>,
    /// The kinds told only to whoever listens, a bit each.
    pub(super) listened: u32,
    pub(super) outputs: Outputs,
}

impl Judge {
    pub(super) const fn new() -> Self {
        Self {
            reconciler: Reconciler::new(After::Latest, HoldLimits::DEFAULT),
            attempt: Attempt::NONE,
            topics: Vec::new(),
            listened: 0,
            outputs: Outputs::new(),
        }
    }

    /// A frame of the connection. What an event means is told here; what else it was is answered.
    pub(super) fn frame(&mut self, frame: &Frame<'_>) -> Handled {
        let message = Message::read(frame);
        if let Message::Event(arrival) = &message {
            self.event(arrival);
            return Handled::Discarded;
        }
        let handled = self.reconciler.handle(self.attempt, &message);
        match (handled, &message) {
            (Handled::Control(ControlKind::Reset(reason)), Message::Control { position: Some(position), .. }) => {
                self.outputs.push_at(Kind::Reset, *position, reason_json(reason));
            }
            (Handled::Control(ControlKind::Error), _) => self.outputs.push(Kind::Error, frame.data),
            (Handled::Unplaced, _) => self.outputs.push(Kind::Unplaced, frame.data),
            _ => {}
        }
        handled
    }

    /// An event of the connection, or of a page of the log.
    pub(super) fn event(&mut self, arrival: &Arrival<'_>) {
        if self.is_of_others(arrival.envelope) {
            let prev = if mutated(Mutation::OthersAreCursor) { Sequence::ZERO } else { arrival.prev };
            self.caught_up(arrival.position, prev);
        } else if let Some(verdict) = self.reconciler.event(self.attempt, arrival) {
            self.tell(verdict, arrival.position, arrival.envelope);
        }
    }

    /// An event of a page of one stream.
    pub(super) fn event_of_stream(&mut self, epoch: Epoch, envelope: &[u8]) {
        if let Some(verdict) = self.reconciler.stream_event(self.attempt, envelope) {
            self.tell_lost();
            match scan(envelope) {
                Ok(header) => self.tell(verdict, Position::new(epoch, header.sequence), envelope),
                Err(_) => self.outputs.push(Kind::Unplaced, envelope),
            }
        }
    }

    /// An event of a topic that is being added, of a page that ends there. `None` where that is of another log.
    pub(super) fn added_event(&mut self, end: Position, from_start: bool, envelope: &[u8]) -> Option<()> {
        let verdict = self.reconciler.added_event(end.epoch, from_start, envelope)?;
        self.tell_lost();
        let sequence = scan(envelope).map_or(end.sequence, |header| header.sequence);
        self.tell(verdict, Position::new(end.epoch, sequence), envelope);
        Some(())
    }

    pub(super) fn begin(&mut self, position: Position) {
        self.reconciler.begin(self.attempt, position);
    }

    pub(super) fn caught_up(&mut self, position: Position, prev: Sequence) {
        self.reconciler.caught_up(self.attempt, position, prev);
    }

    /// Leaves a record of what is lost before the event that comes next.
    fn tell_lost(&mut self) {
        if let Some(Output::Lost { stream, from, to }) = self.reconciler.lost() {
            self.outputs.push_lost(&stream, from, to);
        }
    }

    /// Leaves a record of an event's verdict.
    pub(super) fn tell(&mut self, verdict: Verdict, position: Position, envelope: &[u8]) {
        let kind = Kind::from(verdict);
        let always = matches!(verdict, Verdict::Apply | Verdict::Unreadable);
        if always || self.listened & (1 << kind as u32) != 0 {
            self.outputs.push_at(kind, position, envelope);
        }
    }

    /// Whether an event is of topics that are not ours. Then it only tells how far the connection is.
    fn is_of_others(&self, envelope: &[u8]) -> bool {
        if self.topics.is_empty() || mutated(Mutation::TakeOthers) {
            return false;
        }
        let Ok(Header { stream, .. }) = scan(envelope) else { return false };
        !self.topics.split(|byte| *byte == b'\n').any(|topic| matches(topic, stream.as_bytes()))
    }
}

fn reason_json(reason: ResetReason) -> &'static [u8] {
    match reason {
        ResetReason::EpochChanged => b"\"epoch_changed\"",
        ResetReason::CursorExpired => b"\"cursor_expired\"",
        ResetReason::CursorAhead => b"\"cursor_ahead\"",
    }
}
