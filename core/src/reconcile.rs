//! The [`Reconciler`]: what each arriving event means to a reader of a set of topics.
//!
//! It gives every message exactly one final [`Verdict`], applies each event of the set once and in the log's order
//! whatever the network repeats, reorders or loses, and knows what is missing. It does no I/O: hand it each message of
//! the present connection with [`Reconciler::handle`] (or each part of a fetched page), and after each one drain
//! [`Reconciler::poll`] until it answers `None`, doing what it asks for.

mod answer;
mod hold;
mod judge;
mod marks;
mod message;
mod pages;

pub use answer::{Counts, Handled, Missing, Output, Verdict};
pub use hold::HoldLimits;
pub use message::{Arrival, Message};

use self::{
    hold::{Held, Hold},
    judge::Subject,
    marks::Marks,
};
use crate::{
    control::{ControlKind, ResetReason},
    mutation::{Mutation, mutated},
    version::{After, Epoch, HighWater, Position, Revision, Sequence},
};

/// One connection, or one fetch that belongs to it. What an earlier attempt still delivers is discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Attempt(u32);

impl Attempt {
    /// Before the first.
    pub const NONE: Self = Self(0);
}

/// See the [module](self).
#[derive(Debug)]
pub struct Reconciler {
    origin: After,
    epoch: Option<Epoch>,
    cursor: Sequence,
    /// Whether a stream never seen is known, at revision 0.
    from_start: bool,
    /// Whether the cursor is still to be told, by the `ready` of a reader that starts at `latest`. What comes before it
    /// is held: nobody can say yet what was missed.
    waiting: bool,
    streams: Marks,
    hold: Hold,
    /// Up to here the set has events, as the server said.
    wanted: Sequence,
    /// What is being fetched. It tells where things stood when that began.
    fetching: Option<Missing>,
    lost: Option<Output>,
    reconnect: bool,
    attempt: Attempt,
    /// Whether the present connection has reset the reader: it does so once, if at all.
    was_reset: bool,
    counts: Counts,
}

impl Reconciler {
    /// A reader that starts after this place and has seen nothing yet.
    #[must_use]
    pub const fn new(origin: After, limits: HoldLimits) -> Self {
        let mut reader = Self {
            origin,
            epoch: None,
            cursor: Sequence::ZERO,
            from_start: false,
            waiting: false,
            streams: Marks::new(),
            hold: Hold::new(limits),
            wanted: Sequence::ZERO,
            fetching: None,
            lost: None,
            reconnect: false,
            attempt: Attempt::NONE,
            was_reset: false,
            counts: Counts::ZERO,
        };
        reader.start(origin, limits);
        reader
    }

    /// Starts after another place, and holds more or less, where nothing has come yet.
    pub const fn start(&mut self, origin: After, limits: HoldLimits) {
        if let After::Position(position) = origin {
            self.epoch = Some(position.epoch);
            self.cursor = position.sequence;
        }
        self.origin = origin;
        self.waiting = matches!(origin, After::Latest);
        self.from_start = !self.waiting && self.cursor.get() == 0;
        self.hold.limits = limits;
    }

    /// Begins a connection. Messages of earlier ones are discarded from now on.
    pub fn connect(&mut self) -> Attempt {
        self.attempt = Attempt(self.attempt.0.wrapping_add(1));
        if self.waiting {
            // It has not begun: it begins with this connection, in whichever log, unless streams are known already.
            self.counts.dropped += self.hold.clear();
            self.epoch = self.epoch.filter(|_| !self.streams.is_empty());
        }
        // The connection starts at the cursor and brings what is missing. Where it does not, what comes again shows it.
        self.wanted = Sequence::ZERO;
        self.fetching = None;
        self.reconnect = false;
        self.was_reset = false;
        self.attempt
    }

    /// Where the next connection has to start: the cursor, never the last id seen.
    #[must_use]
    pub fn resume(&self) -> After {
        match self.epoch {
            Some(epoch) if !self.waiting => After::Position(Position::new(epoch, self.cursor)),
            _ => self.origin,
        }
    }

    /// How many events got which answer.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How many events wait for what is missing.
    #[must_use]
    pub fn held(&self) -> usize {
        self.hold.len()
    }

    /// The marks of a stream, named as it stands in JSON, if it is known by an event of its own or by [`Self::load`].
    #[must_use]
    pub fn mark(&self, stream: &str) -> Option<HighWater> {
        self.streams.get(stream.as_bytes())
    }

    /// Makes a stream, named as it stands in JSON, known from a state that was loaded beside the connection, whose answer gave this
    /// epoch. Marks only rise. `false` means that it is of another log.
    #[must_use]
    pub fn load(&mut self, epoch: Epoch, stream: &str, state: HighWater) -> bool {
        if *self.epoch.get_or_insert(epoch) != epoch {
            return false;
        }
        let stream = stream.as_bytes();
        let known = self.known(stream);
        let mark = HighWater {
            revision: known.revision.max(state.revision),
            version: known.version.max(state.version),
            sequence: known.sequence.max(state.sequence),
        };
        self.streams.set(stream, mark);
        true
    }

    /// Takes one message of a connection.
    pub fn handle(&mut self, attempt: Attempt, message: &Message<'_>) -> Handled {
        match message {
            Message::Event(arrival) => self.event(attempt, arrival).map_or(Handled::Discarded, Handled::Event),
            _ if attempt != self.attempt => Handled::Discarded,
            Message::Control { kind, position, prev } => self.control(*kind, *position, *prev),
            Message::Unplaced => Handled::Unplaced,
            Message::Unknown => Handled::Unknown,
        }
    }

    /// Takes one event, of a connection or of a fetched page of the log. `None` means that it was discarded.
    pub fn event(&mut self, attempt: Attempt, arrival: &Arrival<'_>) -> Option<Verdict> {
        let Arrival { position, prev, envelope } = *arrival;
        if !self.admit(attempt, position.epoch) {
            self.counts.discarded += 1;
            return None;
        }
        if !self.hold.is_empty() && self.hold.meets(position.sequence, prev) && !mutated(Mutation::AcceptJudged) {
            // It may have been held since an earlier connection, whose fetch is forgotten.
            self.wanted = self.wanted.max(prev);
            self.counts.duplicate += 1;
            return Some(Verdict::Duplicate);
        }
        let subject = Subject::scan_at(envelope, position.sequence);
        if mutated(Mutation::BeginAtFirst) {
            self.begin(attempt, Position::new(position.epoch, prev));
        }
        let judgement = self.judge(position.sequence, prev, subject.as_ref());
        if self.waiting || judgement.verdict == Verdict::Gap {
            if mutated(Mutation::CursorOverHeld) {
                self.cursor = self.cursor.max(position.sequence);
            }
            self.hold(position.sequence, prev, envelope);
            return Some(Verdict::Gap);
        }
        self.settle(&judgement, subject.as_ref());
        self.move_cursor(position.sequence, prev);
        Some(judgement.verdict)
    }

    /// Takes word of where a reader that starts at `latest` begins, from a page; a stream tells it by `ready`.
    pub fn begin(&mut self, attempt: Attempt, position: Position) {
        if self.waiting && self.admit(attempt, position.epoch) {
            self.cursor = position.sequence;
            self.waiting = false;
        }
    }

    /// Takes word that up to a position nothing comes after `prev`: the end of a fetched page, or a control frame.
    pub fn caught_up(&mut self, attempt: Attempt, position: Position, prev: Sequence) {
        if !self.admit(attempt, position.epoch) || self.waiting {
            return;
        }
        if prev <= self.cursor || mutated(Mutation::HeartbeatIsCursor) {
            self.cursor = self.cursor.max(position.sequence);
        } else {
            self.wanted = self.wanted.max(prev);
        }
    }

    /// What is to be told or done next. Drain it after every input.
    pub fn poll(&mut self) -> Option<Output> {
        let is_settled = self.waiting || self.wanted <= self.cursor && self.hold.is_empty();
        if is_settled && !self.reconnect && self.lost.is_none() { None } else { self.next() }
    }

    fn next(&mut self) -> Option<Output> {
        if let Some(lost) = self.lost.take() {
            return Some(lost);
        }
        if self.reconnect {
            self.reconnect = false;
            return Some(Output::Reconnect);
        }
        let epoch = self.epoch.filter(|_| !self.waiting)?;
        let mut missing =
            (self.wanted > self.cursor).then(|| Missing::Log { after: Position::new(epoch, self.cursor) });
        if let Some((sequence, held)) = self.hold.release() {
            let subject = Subject::scan_at(&held.envelope, sequence);
            let mut judgement = self.judge(sequence, held.prev, subject.as_ref());
            if judgement.verdict == Verdict::Gap && mutated(Mutation::ReleaseEarly) {
                judgement.verdict = Verdict::Apply;
            }
            if judgement.verdict != Verdict::Gap {
                self.settle(&judgement, subject.as_ref());
                self.move_cursor(sequence, held.prev);
                let position = Position::new(epoch, sequence);
                return Some(Output::Released { verdict: judgement.verdict, position, envelope: held.envelope });
            }
            if held.prev <= self.cursor
                && let Some(Subject { stream, .. }) = subject
            {
                missing = Some(Missing::Stream { from: self.first_missing(stream), stream: stream.into() });
            }
            self.hold.put_back((sequence, held));
        }
        if self.fetching.is_some() {
            return None;
        }
        self.fetching = missing.clone();
        missing.map(Output::Fetch)
    }

    /// Takes a control frame of the present connection.
    fn control(&mut self, kind: ControlKind, position: Option<Position>, prev: Option<Sequence>) -> Handled {
        match (kind, position) {
            (ControlKind::Reset(reason), _) if self.knows(reason, position) && !mutated(Mutation::ResetTwice) => {
                return Handled::Discarded;
            }
            (ControlKind::Reset(_), Some(position)) => self.reset(position),
            (ControlKind::Reset(_), None) => {
                self.reconnect = true;
                return Handled::Discarded;
            }
            (_, Some(position)) if !self.admit(self.attempt, position.epoch) => return Handled::Discarded,
            (ControlKind::Ready, Some(position)) if self.waiting => self.begin(self.attempt, position),
            (_, Some(position)) => {
                if let Some(prev) = prev {
                    self.caught_up(self.attempt, position, prev);
                }
            }
            (_, None) => {}
        }
        Handled::Control(kind)
    }

    /// Whether a reset is nothing new: one came before it on this connection, or it names the log that is read.
    fn knows(&self, reason: ResetReason, position: Option<Position>) -> bool {
        let is_ours = position.is_some_and(|position| self.epoch == Some(position.epoch));
        self.was_reset || reason == ResetReason::EpochChanged && is_ours
    }

    /// Forgets everything and goes on from a position. The application has to do the same with its state.
    fn reset(&mut self, position: Position) {
        self.was_reset = true;
        self.epoch = Some(position.epoch);
        self.cursor = position.sequence;
        self.waiting = false;
        self.from_start = position.sequence == Sequence::ZERO;
        if !mutated(Mutation::KeepMarks) {
            self.streams.clear();
        }
        self.counts.dropped += self.hold.clear();
        self.wanted = Sequence::ZERO;
        self.fetching = None;
    }

    /// Whether a message is of the present attempt and of our log. The first message tells which log that is.
    fn admit(&mut self, attempt: Attempt, epoch: Epoch) -> bool {
        if attempt != self.attempt {
            return false;
        }
        let ours = *self.epoch.get_or_insert(epoch);
        if mutated(Mutation::ForgetEpoch) {
            return true;
        }
        if ours != epoch {
            self.reconnect = true;
            if self.waiting && !self.streams.is_empty() {
                // What is known is of our log. A server of another one resets only whoever comes with a place in ours.
                self.waiting = false;
                self.counts.dropped += self.hold.clear();
            }
        }
        ours == epoch
    }

    fn move_cursor(&mut self, sequence: Sequence, prev: Sequence) {
        if prev <= self.cursor || mutated(Mutation::IgnorePrev) {
            self.cursor = self.cursor.max(sequence);
        }
    }

    #[cold]
    fn hold(&mut self, sequence: Sequence, prev: Sequence, envelope: &[u8]) {
        self.counts.gap += 1;
        self.wanted = self.wanted.max(prev);
        self.hold.insert(sequence, Held { prev, envelope: envelope.into() });
        if self.hold.is_too_full() && !mutated(Mutation::HoldUnbounded) {
            self.wanted = self.wanted.max(self.hold.last());
            self.counts.dropped += self.hold.clear();
        }
    }

    fn known(&self, stream: &[u8]) -> HighWater {
        self.streams.get(stream).unwrap_or_default()
    }

    /// The revision that comes next in a stream.
    fn first_missing(&self, stream: &[u8]) -> Revision {
        self.known(stream).revision.next().unwrap_or(Revision::MAX)
    }
}

#[cfg(test)]
mod tests;
