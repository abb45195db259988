//! The reconciler against a reference that keeps everything: whatever comes, both say the same of it, let the same go, ask for
//! the same and stand at the same place.

mod history;
mod reference;
mod steps;

use highwater_core::{
    control::ControlKind,
    reconcile::{Arrival, Attempt, HoldLimits, Message, Missing, Output, Reconciler},
    version::{After, HighWater, Position, Sequence},
};
use proptest::prelude::*;

use reference::{Arrived, Reference};
use steps::{Prev, STREAMS, Sender, Step, logs, origin, steps};

/// Both, and what lies between them and the log.
struct Pair {
    logs: [Vec<Arrived>; 2],
    reconciler: Reconciler,
    reference: Reference,
    /// Each connection there was, at its number.
    attempts: Vec<Attempt>,
    /// What was asked for, and by which connection.
    asked: Option<(usize, Missing)>,
}

impl Pair {
    fn new(logs: [Vec<Arrived>; 2], origin: After, events_max: usize) -> Self {
        let limits = HoldLimits { events_max, ..HoldLimits::default() };
        let (reconciler, reference) = (Reconciler::new(origin, limits), Reference::new(origin, events_max));
        let mut pair = Self { logs, reconciler, reference, attempts: vec![Attempt::NONE], asked: None };
        pair.connect();
        pair
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Connect => self.connect(),
            Step::Event { by, ahead, prev } => {
                if let Some(arrived) = self.ahead(by, ahead) {
                    let prev = self.prev(by, prev, arrived.prev);
                    self.event(self.attempt(by), &Arrived { prev, ..arrived });
                }
            }
            Step::Ready { by, ahead } => {
                if let Some(Arrived { position, .. }) = self.ahead(by, ahead) {
                    self.control(by, ControlKind::Ready, Some(position), Some(position.sequence));
                }
            }
            Step::Heartbeat { by, ahead, prev } => {
                if let Some(Arrived { position, prev: before, .. }) = self.ahead(by, ahead) {
                    let prev = self.prev(by, prev, before);
                    self.control(by, ControlKind::Heartbeat, Some(position), Some(prev));
                }
            }
            Step::Reset { by, reason, to } => {
                let place =
                    |at: usize| if at == 0 { Sequence::ZERO } else { self.log(by)[at % self.log(by).len()].prev };
                let position = to.map(|at| Position::new(self.log(by)[0].position.epoch, place(at)));
                self.control(by, ControlKind::Reset(reason), position, Some(Sequence::ZERO));
            }
            Step::Page { is_foreign, events_max } => self.page(is_foreign, events_max),
            Step::Added { is_foreign, stream, skipped, events_max } => {
                self.added(Sender::of(is_foreign), STREAMS[stream], skipped, events_max);
            }
            Step::Load { is_foreign, stream, ahead } => self.load(is_foreign, STREAMS[stream], ahead),
        }
    }

    fn connect(&mut self) {
        self.attempts.push(self.reconciler.connect());
        self.reference.connect();
        self.agree();
    }

    fn event(&mut self, attempt: usize, arrived: &Arrived) {
        let Arrived { position, prev, envelope, .. } = arrived;
        let arrival = Arrival { position: *position, prev: *prev, envelope };
        let verdict = self.reconciler.event(self.attempts[attempt], &arrival);
        assert_eq!(verdict, self.reference.event(attempt, arrived), "{arrived:?}");
        self.agree();
    }

    fn control(&mut self, by: Sender, kind: ControlKind, position: Option<Position>, prev: Option<Sequence>) {
        let attempt = self.attempt(by);
        let handled = self.reconciler.handle(self.attempts[attempt], &Message::Control { kind, position, prev });
        assert_eq!(handled, self.reference.control(attempt, kind, position, prev), "{kind:?} at {position:?}");
        self.agree();
    }

    /// Answers what was asked for. The page of a stream tells nothing of its log: whoever asks for it sees to that.
    fn page(&mut self, is_foreign: bool, events_max: usize) {
        let Some((attempt, asked)) = self.asked.take() else { return };
        match asked {
            Missing::Log { after } => {
                let log = self.log(Sender::of(is_foreign)).to_vec();
                let page = log.iter().filter(|event| event.position.sequence > after.sequence).take(events_max);
                let end = page.clone().last().map_or(after, |last| last.position);
                for (at, event) in page.enumerate() {
                    let prev = if at == 0 { after.sequence } else { event.prev };
                    self.event(attempt, &Arrived { prev, ..event.clone() });
                }
                self.reconciler.caught_up(self.attempts[attempt], end, end.sequence);
                self.reference.caught_up(attempt, end, end.sequence);
                self.agree();
            }
            Missing::Stream { stream, from } => {
                let log = self.log(Sender::TRUE).to_vec();
                let is_of_page = |event: &&Arrived| {
                    event.subject.is_none_or(|it| it.stream.as_bytes() == &*stream && it.revision >= from)
                };
                for event in log.iter().filter(is_of_page).take(events_max) {
                    let verdict = self.reconciler.stream_event(self.attempts[attempt], &event.envelope);
                    assert_eq!(verdict, self.reference.stream_event(attempt, event), "{event:?}");
                    self.agree();
                }
            }
        }
        self.reconciler.fetched(self.attempts[attempt]);
        self.reference.fetched(attempt);
        self.agree();
    }

    fn added(&mut self, by: Sender, stream: &str, skipped: usize, events_max: usize) {
        let log = self.log(by).to_vec();
        let is_of_stream = |event: &&Arrived| event.subject.is_none_or(|subject| subject.stream == stream);
        for event in log.iter().filter(is_of_stream).skip(skipped).take(events_max) {
            let epoch = event.position.epoch;
            let verdict = self.reconciler.added_event(epoch, skipped == 0, &event.envelope);
            assert_eq!(verdict, self.reference.added_event(epoch, skipped == 0, event), "{event:?}");
            self.agree();
        }
    }

    /// Loads what a stream comes to.
    fn load(&mut self, is_foreign: bool, stream: &'static str, ahead: isize) {
        let by = Sender::of(is_foreign);
        let Some(at) = self.ahead(by, ahead) else { return };
        let until = |event: &&Arrived| event.position.sequence <= at.position.sequence;
        let subjects = self.log(by).iter().take_while(until).filter_map(|event| event.subject);
        let state = subjects.filter(|subject| subject.stream == stream).fold(HighWater::default(), |mark, subject| {
            let version = mark.version.max(subject.version);
            HighWater { revision: subject.revision, version, sequence: subject.sequence }
        });
        if state != HighWater::default() {
            let is_ours = self.reconciler.load(at.position.epoch, stream, state);
            assert_eq!(is_ours, self.reference.load(at.position.epoch, stream, state), "{stream} at {:?}", at.position);
            self.agree();
        }
    }

    /// What both say next is the same, and so is where they stand.
    fn agree(&mut self) {
        loop {
            let output = self.reconciler.poll();
            assert_eq!(output, self.reference.poll());
            match output {
                Some(Output::Fetch(missing)) => self.asked = Some((self.attempts.len() - 1, missing)),
                Some(_) => {}
                None => break,
            }
        }
        assert_eq!(self.reconciler.resume(), self.reference.resume());
        assert_eq!(self.reconciler.held(), self.reference.held());
        assert_eq!(self.reconciler.counts(), self.reference.counts);
        for stream in STREAMS {
            assert_eq!(self.reconciler.mark(stream), self.reference.history.mark(stream), "{stream}");
        }
    }

    fn attempt(&self, by: Sender) -> usize {
        self.attempts.len() - 1 - usize::from(by.is_superseded)
    }

    fn log(&self, by: Sender) -> &[Arrived] {
        let ours = match self.reference.resume() {
            After::Position(position) => usize::from(position.epoch != self.logs[0][0].position.epoch),
            After::Earliest | After::Latest => 0,
        };
        &self.logs[if by.is_foreign { 1 - ours } else { ours }]
    }

    /// An event of the log, so many after the first that is beyond the cursor.
    fn ahead(&self, by: Sender, ahead: isize) -> Option<Arrived> {
        let log = self.log(by);
        let next = log.partition_point(|event| event.position.sequence <= self.cursor());
        log.get(next.checked_add_signed(ahead)?).cloned()
    }

    fn prev(&self, by: Sender, prev: Prev, before: Sequence) -> Sequence {
        match prev {
            Prev::True => before,
            Prev::Asked => self.cursor(),
            Prev::Any(at) => at.get(self.log(by)).position.sequence,
        }
    }

    fn cursor(&self) -> Sequence {
        match self.reference.resume() {
            After::Position(position) => position.sequence,
            After::Earliest | After::Latest => Sequence::ZERO,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn every_verdict_is_that_of_a_reference_that_keeps_everything(
        logs in logs(),
        origin in origin(),
        events_max in 1_usize..8,
        steps in steps(),
    ) {
        let mut pair = Pair::new(logs, origin, events_max);
        for step in steps {
            pair.take(step);
        }
    }
}
