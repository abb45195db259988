//! Readers of a log: [`Whole`], which is what clients run, and some that lack a part of it, to see that the figures tell.

use std::collections::BTreeMap;

use highwater_core::{
    decider::{Applied, Projection},
    domain::task::{Task as TaskEntity, TaskState},
    envelope::parse_event,
    event::Event,
    reconcile::{Arrival, Attempt, HoldLimits, Missing, Output, Reconciler, Verdict},
    version::{After, Epoch, Position, Sequence},
};

use super::race::{Task, Written};

/// Who follows a log over a network.
pub(super) trait Reader: Default {
    /// Begins a connection. Returns the sequence after which it shall begin.
    fn connect(&mut self) -> u64;

    /// A message of the connection, or one that is left over of the one before.
    fn frame(&mut self, event: &Written, is_left_over: bool);

    /// Everything up to here has been sent.
    fn caught_up(&mut self, head: u64);

    /// The sequence after which something is missing, if the reader has noticed.
    fn missing(&mut self) -> Option<u64>;

    /// What was asked for, after a sequence.
    fn page(&mut self, events: &[Written], after: u64);

    /// Everything that was taken for a new event.
    fn seen(&self) -> &[Seen];
}

/// An event that a reader took for new.
pub(super) struct Seen {
    pub(super) sequence: u64,
    /// It was told to be stale, and was not applied.
    pub(super) is_rejected: bool,
    /// What the reader shows of its task from then on.
    pub(super) task: Task,
}

impl Seen {
    fn new(sequence: Sequence, is_rejected: bool, version: u32, state: &TaskState) -> Self {
        let number = |text: &str| text.rsplit(' ').next().and_then(|number| number.parse().ok());
        let pending = state.pending_bugs.iter().filter_map(|bug| number(bug.report.as_str())).collect();
        let code = state.code.as_ref().and_then(|code| number(&code.code));
        Self { sequence: sequence.get(), is_rejected, task: Task { version, code, pending } }
    }
}

fn epoch() -> Epoch {
    Epoch::from_bits(1)
}

fn place(sequence: u64) -> Sequence {
    Sequence::new(sequence).expect("a race is short")
}

fn read(envelope: &[u8]) -> Event {
    parse_event(envelope).expect("races write good events")
}

/// The core as clients run it: the reconciler judges, and what it lets pass is folded.
pub(super) type Whole = Following<Tasks>;

/// As [`Whole`], but whatever comes in order moves the state.
#[cfg(test)]
pub(super) type Ungated = Following<Overwritten>;

/// A client's connection, with whatever folds its events.
pub(super) struct Following<F> {
    reconciler: Reconciler,
    attempts: [Attempt; 2],
    fold: F,
    seen: Vec<Seen>,
}

/// What becomes of the events that the reconciler gives a final verdict.
pub(super) trait Fold: Default {
    fn take(&mut self, event: &Event, verdict: Verdict) -> Seen;
}

impl<F: Fold> Default for Following<F> {
    fn default() -> Self {
        let mut reconciler = Reconciler::new(After::Earliest, HoldLimits::default());
        let attempt = reconciler.connect();
        Self { reconciler, attempts: [attempt; 2], fold: F::default(), seen: Vec::new() }
    }
}

impl<F: Fold> Following<F> {
    fn arrive(&mut self, attempt: Attempt, event: &Written, prev: u64) {
        let envelope = event.envelope.as_bytes();
        let position = Position::new(epoch(), place(event.sequence));
        let verdict = self.reconciler.event(attempt, &Arrival { position, prev: place(prev), envelope });
        if let Some(verdict @ (Verdict::Apply | Verdict::Stale)) = verdict {
            self.seen.push(self.fold.take(&read(envelope), verdict));
        }
    }
}

impl<F: Fold> Reader for Following<F> {
    fn connect(&mut self) -> u64 {
        self.attempts = [self.reconciler.connect(), self.attempts[0]];
        match self.reconciler.resume() {
            After::Position(cursor) => cursor.sequence.get(),
            After::Earliest | After::Latest => 0,
        }
    }

    fn frame(&mut self, event: &Written, is_left_over: bool) {
        self.arrive(self.attempts[usize::from(is_left_over)], event, event.prev);
    }

    fn caught_up(&mut self, head: u64) {
        self.reconciler.caught_up(self.attempts[0], Position::new(epoch(), place(head)), place(head));
    }

    fn missing(&mut self) -> Option<u64> {
        loop {
            match self.reconciler.poll()? {
                Output::Fetch(Missing::Log { after }) => return Some(after.sequence.get()),
                Output::Released { verdict: verdict @ (Verdict::Apply | Verdict::Stale), envelope, .. } => {
                    self.seen.push(self.fold.take(&read(&envelope), verdict));
                }
                Output::Released { .. } => {}
                // Nothing is taken out of a race's log, nor does it become another: whoever asks for that is wrong, and gets nowhere.
                Output::Fetch(Missing::Stream { .. }) | Output::Lost { .. } | Output::Reconnect => return None,
            }
        }
    }

    fn page(&mut self, events: &[Written], after: u64) {
        let mut prev = after;
        for event in events {
            self.arrive(self.attempts[0], event, prev);
            prev = event.sequence;
        }
        self.caught_up(prev);
        self.reconciler.fetched(self.attempts[0]);
    }

    fn seen(&self) -> &[Seen] {
        &self.seen
    }
}

/// The states of tasks, as the core folds them.
#[derive(Default)]
pub(super) struct Tasks(BTreeMap<String, Projection<TaskEntity>>);

impl Fold for Tasks {
    fn take(&mut self, event: &Event, verdict: Verdict) -> Seen {
        let task = match self.0.get_mut(event.stream.as_str()) {
            Some(task) => task,
            None => self.0.entry(event.stream.as_str().to_owned()).or_default(),
        };
        let is_rejected = task.apply(event) == Applied::Stale && verdict == Verdict::Stale;
        Seen::new(event.sequence, is_rejected, task.mark().version.get(), task.state())
    }
}

/// The states of tasks, as whatever comes last leaves them.
#[cfg(test)]
#[derive(Default)]
pub(super) struct Overwritten(BTreeMap<String, TaskState>);

#[cfg(test)]
impl Fold for Overwritten {
    fn take(&mut self, event: &Event, _: Verdict) -> Seen {
        use highwater_core::{
            decider::{Decider, DomainEvent},
            domain::task::TaskEvent,
            event::Data,
        };

        let task = self.0.entry(event.stream.as_str().to_owned()).or_default();
        let Data::Json(data) = &event.data else { panic!("a race's events are JSON") };
        let happened = TaskEvent::read(event.kind.as_str(), data.get()).expect("a task's").expect("a good one");
        *task = TaskEntity::evolve(std::mem::take(task), happened, event);
        let version = task.code.as_ref().map_or(0, |code| code.version.get());
        Seen::new(event.sequence, false, version, task)
    }
}

/// Who takes whatever comes, in whatever order, as often as it comes.
#[cfg(test)]
pub(super) type Trusting = Arriving<Overwritten>;

/// Who gates by version, and knows nothing of order.
#[cfg(test)]
pub(super) type Unordered = Arriving<Tasks>;

/// A connection without a reconciler.
#[cfg(test)]
#[derive(Default)]
pub(super) struct Arriving<F> {
    last: u64,
    fold: F,
    seen: Vec<Seen>,
}

#[cfg(test)]
impl<F: Fold> Reader for Arriving<F> {
    fn connect(&mut self) -> u64 {
        self.last
    }

    fn frame(&mut self, event: &Written, _: bool) {
        self.last = event.sequence;
        self.seen.push(self.fold.take(&read(event.envelope.as_bytes()), Verdict::Stale));
    }

    fn caught_up(&mut self, _: u64) {}

    fn missing(&mut self) -> Option<u64> {
        None
    }

    fn page(&mut self, _: &[Written], _: u64) {}

    fn seen(&self) -> &[Seen] {
        &self.seen
    }
}
