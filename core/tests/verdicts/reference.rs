//! What SPEC's table of verdicts says, read off everything that ever came.
//!
//! Nothing is summed up: every question is answered by looking through all of the history. It is as slow as it looks.

use std::collections::{BTreeMap, BTreeSet};

use highwater_core::{
    control::{ControlKind, ResetReason},
    reconcile::{Counts, Handled, Missing, Output, Verdict},
    version::{After, Epoch, HighWater, Position, Revision, Sequence, Version},
};

use crate::{
    history::{Fact, History},
    steps::STREAMS,
};

/// What an envelope says of its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) stream: &'static str,
    pub(crate) sequence: Sequence,
    pub(crate) revision: Revision,
    pub(crate) version: Version,
}

/// An event as it arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) position: Position,
    pub(crate) prev: Sequence,
    /// `None` where the header can't be read.
    pub(crate) subject: Option<Subject>,
    pub(crate) envelope: Box<[u8]>,
}

impl Arrived {
    /// The subject, unless it names another place than the frame.
    fn subject(&self) -> Option<Subject> {
        self.subject.filter(|subject| subject.sequence == self.position.sequence)
    }
}

/// An event that waits, with everything that was said to come right before it.
struct Waiting {
    arrived: Arrived,
    prevs: Vec<Sequence>,
}

pub(crate) struct Reference {
    origin: After,
    held_max: usize,
    epoch: Option<Epoch>,
    /// Whether nothing has said yet where it begins.
    is_waiting: bool,
    /// Whether the history has the log's beginning.
    is_whole: bool,
    pub(crate) history: History,
    waiting: BTreeMap<Sequence, Waiting>,
    /// Every event that this connection said there is.
    said: BTreeSet<Sequence>,
    fetching: Option<Missing>,
    lost: Option<Output>,
    is_misfit: bool,
    attempt: usize,
    /// The attempts that had a reset.
    resets: BTreeSet<usize>,
    pub(crate) counts: Counts,
}

impl Reference {
    pub(crate) fn new(origin: After, held_max: usize) -> Self {
        let start = match origin {
            After::Position(position) => Some(position),
            After::Earliest | After::Latest => None,
        };
        let sequence = start.map_or(Sequence::ZERO, |start| start.sequence);
        let is_waiting = origin == After::Latest;
        Self {
            origin,
            held_max,
            epoch: start.map(|start| start.epoch),
            is_waiting,
            is_whole: !is_waiting && sequence == Sequence::ZERO,
            history: History::from(sequence),
            waiting: BTreeMap::new(),
            said: BTreeSet::new(),
            fetching: None,
            lost: None,
            is_misfit: false,
            attempt: 0,
            resets: BTreeSet::new(),
            counts: Counts::default(),
        }
    }

    pub(crate) fn connect(&mut self) {
        self.attempt += 1;
        if self.is_waiting {
            self.drop_waiting();
            self.epoch = self.epoch.filter(|_| self.has_seen_any());
        }
        self.said.clear();
        self.fetching = None;
        self.is_misfit = false;
    }

    pub(crate) fn resume(&self) -> After {
        match self.epoch {
            Some(epoch) if !self.is_waiting => After::Position(Position::new(epoch, self.history.cursor())),
            _ => self.origin,
        }
    }

    pub(crate) fn held(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn event(&mut self, attempt: usize, arrived: &Arrived) -> Option<Verdict> {
        if !self.is_ours(attempt, arrived.position.epoch) {
            self.counts.discarded += 1;
            return None;
        }
        let verdict = if let Some(waiting) = self.waiting.get_mut(&arrived.position.sequence) {
            waiting.prevs.push(arrived.prev);
            self.said.insert(arrived.prev);
            self.counts.duplicate += 1;
            Verdict::Duplicate
        } else if self.is_waiting {
            Verdict::Gap
        } else {
            self.verdict(arrived.position.sequence, arrived.prev, arrived.subject())
        };
        match verdict {
            Verdict::Duplicate if self.waiting.contains_key(&arrived.position.sequence) => {}
            Verdict::Gap => self.wait(arrived),
            _ => self.judged(verdict, arrived, arrived.prev),
        }
        Some(verdict)
    }

    pub(crate) fn caught_up(&mut self, attempt: usize, position: Position, prev: Sequence) {
        if !self.is_ours(attempt, position.epoch) || self.is_waiting {
            return;
        }
        if prev <= self.history.cursor() {
            self.history.push(Fact::Reached(position.sequence));
        } else {
            self.said.insert(prev);
        }
    }

    pub(crate) fn control(
        &mut self,
        attempt: usize,
        kind: ControlKind,
        position: Option<Position>,
        prev: Option<Sequence>,
    ) -> Handled {
        match (kind, position) {
            _ if attempt != self.attempt => return Handled::Discarded,
            (ControlKind::Reset(_), _) if self.resets.contains(&attempt) => return Handled::Discarded,
            (ControlKind::Reset(_), None) => {
                self.is_misfit = true;
                return Handled::Discarded;
            }
            (ControlKind::Reset(ResetReason::EpochChanged), Some(position)) if self.epoch == Some(position.epoch) => {
                return Handled::Discarded;
            }
            (ControlKind::Reset(_), Some(position)) => self.reset(position),
            (_, Some(position)) if !self.is_ours(attempt, position.epoch) => return Handled::Discarded,
            (ControlKind::Ready, Some(position)) if self.is_waiting => {
                self.is_waiting = false;
                self.history.push(Fact::Reached(position.sequence));
            }
            (_, Some(position)) => {
                if let Some(prev) = prev {
                    self.caught_up(attempt, position, prev);
                }
            }
            (_, None) => {}
        }
        Handled::Control(kind)
    }

    /// An event of the page of a stream that was asked for.
    pub(crate) fn stream_event(&mut self, attempt: usize, arrived: &Arrived) -> Option<Verdict> {
        let subject = arrived.subject.filter(|subject| {
            let is_asked_for =
                matches!(&self.fetching, Some(Missing::Stream { stream, .. }) if **stream == *subject.stream.as_bytes());
            let first_waiting = self.waiting.keys().next();
            is_asked_for && (subject.sequence <= self.history.cursor() || first_waiting > Some(&subject.sequence))
        });
        match subject {
            _ if attempt != self.attempt => self.counts.discarded += 1,
            None if arrived.subject.is_none() => {
                self.counts.unreadable += 1;
                return Some(Verdict::Unreadable);
            }
            None => self.counts.discarded += 1,
            Some(subject) => {
                // What the page does not have before it is nowhere.
                if self.verdict(subject.sequence, Sequence::ZERO, Some(subject)) == Verdict::Gap {
                    self.lose(subject.stream, subject.revision);
                }
                let verdict = self.verdict(subject.sequence, Sequence::ZERO, Some(subject));
                self.count(verdict, Some(subject));
                return Some(verdict);
            }
        }
        None
    }

    /// An event of a page of a topic that is added.
    pub(crate) fn added_event(&mut self, epoch: Epoch, from_start: bool, arrived: &Arrived) -> Option<Verdict> {
        if *self.epoch.get_or_insert(epoch) != epoch {
            self.counts.discarded += 1;
            return None;
        }
        let Some(subject) = arrived.subject else {
            self.counts.unreadable += 1;
            return Some(Verdict::Unreadable);
        };
        let verdict = if subject.revision <= self.history.last_revision(subject.stream) {
            Verdict::Duplicate
        } else if subject.version < self.history.version(subject.stream) {
            Verdict::Stale
        } else {
            Verdict::Apply
        };
        if verdict != Verdict::Duplicate && (from_start || self.history.has_seen(subject.stream)) {
            self.lose(subject.stream, subject.revision);
        }
        self.count(verdict, Some(subject));
        Some(verdict)
    }

    pub(crate) fn fetched(&mut self, attempt: usize) {
        if attempt != self.attempt {
            return;
        }
        match self.fetching.take() {
            Some(Missing::Log { after }) => {
                self.is_misfit |= after.sequence == self.history.cursor() && self.is_missing()
            }
            Some(Missing::Stream { stream, from }) => {
                let first = self.waiting.values().next().and_then(|waiting| waiting.arrived.subject);
                if let Some(first) = first.filter(|first| *first.stream.as_bytes() == *stream)
                    && self.history.next_revision(first.stream) == from
                {
                    self.lose(first.stream, first.revision);
                }
            }
            None => {}
        }
    }

    pub(crate) fn load(&mut self, epoch: Epoch, stream: &'static str, state: HighWater) -> bool {
        let is_ours = *self.epoch.get_or_insert(epoch) == epoch;
        if is_ours {
            self.history.push(Fact::Loaded(stream, state));
        }
        is_ours
    }

    /// What is told or asked for next.
    pub(crate) fn poll(&mut self) -> Option<Output> {
        if let Some(lost) = self.lost.take() {
            return Some(lost);
        }
        if std::mem::take(&mut self.is_misfit) {
            return Some(Output::Reconnect);
        }
        let epoch = self.epoch.filter(|_| !self.is_waiting)?;
        let first =
            self.waiting.values().next().map(|first| (first.arrived.clone(), first.prevs.iter().min().copied()));
        let mut missing =
            self.is_missing().then(|| Missing::Log { after: Position::new(epoch, self.history.cursor()) });
        if let Some((arrived, Some(prev))) = first {
            let verdict = self.verdict(arrived.position.sequence, prev, arrived.subject());
            if verdict != Verdict::Gap {
                self.waiting.pop_first();
                self.judged(verdict, &arrived, prev);
                let Arrived { position, envelope, .. } = arrived;
                return Some(Output::Released { verdict, position: Position { epoch, ..position }, envelope });
            }
            if let Some(subject) = arrived.subject().filter(|_| prev <= self.history.cursor()) {
                let from = self.history.next_revision(subject.stream);
                missing = Some(Missing::Stream { stream: subject.stream.as_bytes().into(), from });
            }
        }
        if self.fetching.is_some() {
            return None;
        }
        self.fetching = missing.clone();
        missing.map(Output::Fetch)
    }
}

impl Reference {
    /// The table, from `duplicate` on.
    fn verdict(&self, sequence: Sequence, prev: Sequence, subject: Option<Subject>) -> Verdict {
        let known = subject.filter(|subject| self.is_whole || self.history.has_seen(subject.stream));
        let was_judged = match known {
            Some(subject) => subject.revision <= self.history.last_revision(subject.stream),
            None => sequence <= self.history.cursor(),
        };
        let is_ahead = |subject: Subject| subject.revision > self.history.next_revision(subject.stream);
        match subject {
            _ if was_judged => Verdict::Duplicate,
            _ if prev > self.history.cursor() || known.is_some_and(is_ahead) => Verdict::Gap,
            None => Verdict::Unreadable,
            Some(subject) if subject.version < self.history.version(subject.stream) => Verdict::Stale,
            Some(_) => Verdict::Apply,
        }
    }

    /// Whether there is an event beyond the cursor that does not wait for another.
    fn is_missing(&self) -> bool {
        self.said.iter().any(|said| *said > self.history.cursor())
    }

    fn has_seen_any(&self) -> bool {
        STREAMS.iter().any(|stream| self.history.has_seen(stream))
    }

    fn is_ours(&mut self, attempt: usize, epoch: Epoch) -> bool {
        if attempt != self.attempt {
            return false;
        }
        let is_ours = *self.epoch.get_or_insert(epoch) == epoch;
        if !is_ours {
            self.is_misfit = true;
            if self.is_waiting && self.has_seen_any() {
                self.is_waiting = false;
                self.drop_waiting();
            }
        }
        is_ours
    }

    fn judged(&mut self, verdict: Verdict, arrived: &Arrived, prev: Sequence) {
        self.count(verdict, arrived.subject());
        if prev <= self.history.cursor() {
            self.history.push(Fact::Reached(arrived.position.sequence));
        }
    }

    fn count(&mut self, verdict: Verdict, subject: Option<Subject>) {
        let count = match verdict {
            Verdict::Apply => &mut self.counts.applied,
            Verdict::Stale => &mut self.counts.stale,
            Verdict::Duplicate => &mut self.counts.duplicate,
            Verdict::Unreadable => &mut self.counts.unreadable,
            Verdict::Gap => &mut self.counts.gap,
        };
        *count += 1;
        if let (Verdict::Apply | Verdict::Stale, Some(subject)) = (verdict, subject) {
            self.history.push(Fact::Judged(verdict, subject));
        }
    }

    fn wait(&mut self, arrived: &Arrived) {
        self.counts.gap += 1;
        self.said.insert(arrived.prev);
        self.waiting.insert(arrived.position.sequence, Waiting { arrived: arrived.clone(), prevs: vec![arrived.prev] });
        if self.waiting.len() > self.held_max {
            self.said.extend(self.waiting.keys());
            self.drop_waiting();
        }
    }

    fn drop_waiting(&mut self) {
        self.counts.dropped += self.waiting.len() as u64;
        self.waiting.clear();
    }

    /// Goes on before a revision without those that are not known.
    fn lose(&mut self, stream: &'static str, before: Revision) {
        let from = self.history.next_revision(stream);
        if let Some(to) = before.previous().filter(|to| from <= *to) {
            self.lost = Some(Output::Lost { stream: stream.as_bytes().into(), from, to });
            self.history.push(Fact::Lost(stream, to));
        }
    }

    fn reset(&mut self, position: Position) {
        self.resets.insert(self.attempt);
        self.epoch = Some(position.epoch);
        self.is_waiting = false;
        self.is_whole = position.sequence == Sequence::ZERO;
        self.history = History::from(position.sequence);
        self.drop_waiting();
        self.said.clear();
        self.fetching = None;
    }
}
