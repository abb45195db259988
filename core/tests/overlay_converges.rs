//! What is meant comes to be so: whatever is lost, late, refused or in conflict, and whatever others do meanwhile, in the end
//! nothing is pending, and what shows is what the log comes to. On the way each intent shows once.

use highwater_core::{
    overlay::{Answer, IntentId, Overlay, Settled, Stage},
    version::Sequence,
};
use proptest::{collection::vec, prelude::*};

const LANES: usize = 3;

/// What happens, here or there.
#[derive(Clone, Debug)]
enum Step {
    Dispatch(Meant),
    /// Somebody else has something recorded.
    Theirs(usize),
    Send,
    /// One of the requests reaches the server.
    Arrive(usize),
    /// The answer comes to what is on its way.
    Answer,
    /// It is waited for no longer. The request may still arrive.
    Unanswered,
    /// The next event comes.
    Deliver,
    /// The state shows what to make of a conflict.
    Rebase(usize),
    /// The log is replaced by a backup with so many events less.
    Restore(usize),
}

#[derive(Clone, Copy, Debug)]
struct Meant {
    lane: usize,
    /// Whether it expects its lane to be where it shows.
    is_conditional: bool,
    /// Whether it fails on top of anything else.
    is_fragile: bool,
    /// Whether the server refuses it.
    is_forbidden: bool,
}

/// What is recorded: the number of an intent, unless it is somebody else's.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Recorded {
    lane: usize,
    intent: Option<usize>,
}

/// A lane's length in one of the logs.
type Expected = Option<(usize, usize)>;

struct World {
    /// Counts the logs.
    epoch: usize,
    log: Vec<Recorded>,
    requests: Vec<(usize, Expected)>,
    overlay: Overlay,
    /// What was meant, by number, and what each expects.
    meant: Vec<(Meant, Expected)>,
    /// The one on its way, and its answer once the server has given it.
    sent: Option<(usize, Option<Answer>)>,
    /// How much of the log is confirmed.
    confirmed: usize,
    dropped: Vec<usize>,
    /// Those that were confirmed, and are not in the log that came in its place.
    forgotten: Vec<usize>,
}

impl World {
    fn take(&mut self, step: Step) {
        match step {
            Step::Dispatch(meant) => self.dispatch(meant),
            Step::Theirs(lane) => self.log.push(Recorded { lane, intent: None }),
            Step::Send => self.send(),
            Step::Arrive(at) if !self.requests.is_empty() => self.arrive(at % self.requests.len()),
            Step::Answer => self.answer(),
            Step::Unanswered => self.unanswered(),
            Step::Deliver => self.deliver(),
            Step::Rebase(at) => self.rebase(at),
            Step::Restore(events) => self.restore(events),
            Step::Arrive(_) => {}
        }
        self.settle();
        self.check();
    }

    fn dispatch(&mut self, meant: Meant) {
        if self.overlay.add(meant.lane as u32).is_ok() {
            let expected = meant.is_conditional.then(|| (self.epoch, self.shown_in(meant.lane)));
            self.meant.push((meant, expected));
        }
    }

    fn send(&mut self) {
        if let Some(id) = self.overlay.send() {
            let number = number(id);
            self.requests.push((number, self.meant[number].1));
            self.sent = Some((number, None));
        }
    }

    /// The server records it, unless it has, or may not.
    fn arrive(&mut self, at: usize) {
        let (number, expected) = self.requests.remove(at);
        let meant = self.meant[number].0;
        let known = self.log.iter().position(|recorded| recorded.intent == Some(number));
        let is_as_expected =
            expected.is_none_or(|expected| expected == (self.epoch, recorded_in(&self.log, meant.lane)));
        let answer = match known {
            Some(at) => Answer::Recorded(sequence(at + 1)),
            None if meant.is_forbidden => Answer::Refused,
            None if !is_as_expected => Answer::Conflict,
            None => {
                self.log.push(Recorded { lane: meant.lane, intent: Some(number) });
                Answer::Recorded(sequence(self.log.len()))
            }
        };
        if let Some((sent, awaited)) = &mut self.sent
            && *sent == number
        {
            *awaited = Some(answer);
        }
    }

    fn answer(&mut self) {
        if let Some((number, Some(answer))) = self.sent {
            self.sent = None;
            self.overlay.answered(id(number), answer);
        }
    }

    fn unanswered(&mut self) {
        if let Some((number, _)) = self.sent.take() {
            self.overlay.answered(id(number), Answer::Unknown);
        }
    }

    fn deliver(&mut self) {
        let Some(recorded) = self.log.get(self.confirmed) else { return };
        self.confirmed += 1;
        if let Some(number) = recorded.intent {
            self.overlay.judged(id(number));
        }
        self.overlay.confirmed(sequence(self.confirmed));
    }

    /// Where the state has come as far as the log, what is in conflict expects what shows before it, or fails.
    fn rebase(&mut self, at: usize) {
        let conflicted: Vec<_> =
            self.overlay.shown().filter(|(_, stage)| *stage == Stage::Conflicted).map(|(id, _)| number(id)).collect();
        if conflicted.is_empty() || self.confirmed < self.log.len() {
            return;
        }
        let number = conflicted[at % conflicted.len()];
        let Meant { lane, is_fragile, .. } = self.meant[number].0;
        if is_fragile {
            self.overlay.give_up(id(number));
            return;
        }
        // Those behind it expect each other, one after the other.
        let behind = self.overlay.shown().map(|(id, _)| self::number(id));
        let of_lane: Vec<_> = behind.filter(|at| *at >= number && self.meant[*at].0.lane == lane).collect();
        for (before, at) in (recorded_in(&self.log, lane)..).zip(of_lane) {
            self.meant[at].1 = self.meant[at].1.map(|_| (self.epoch, before));
        }
        self.overlay.rebased(id(number));
    }

    fn restore(&mut self, events: usize) {
        self.requests.clear();
        self.unanswered();
        self.settle();
        let lost = self.log.split_off(self.log.len() - events.min(self.log.len()));
        let shown: Vec<_> = self.overlay.shown().map(|(id, _)| number(id)).collect();
        self.forgotten.extend(lost.iter().filter_map(|lost| lost.intent).filter(|number| !shown.contains(number)));
        self.epoch += 1;
        self.confirmed = 0;
        self.overlay.reset();
    }

    fn settle(&mut self) {
        while let Some((id, how)) = self.overlay.poll() {
            if how == Settled::Dropped {
                self.dropped.push(number(id));
            }
        }
    }

    /// Each intent shows once: as a prediction, or as part of what is confirmed.
    fn check(&self) {
        let shown: Vec<_> = self.overlay.shown().map(|(id, _)| number(id)).collect();
        assert!(shown.is_sorted(), "in the order in which they were meant: {shown:?}");
        for number in (0..self.meant.len()).filter(|number| !self.forgotten.contains(number)) {
            let is_dropped = self.dropped.contains(&number);
            let of_this = |recorded: &&Recorded| recorded.intent == Some(number);
            let times = self.log[..self.confirmed].iter().filter(of_this).count()
                + usize::from(shown.contains(&number))
                + usize::from(is_dropped);
            // What a restored log has, it brings again.
            let is_to_come = self.log[self.confirmed..].iter().any(|recorded| recorded.intent == Some(number));
            assert!(times == 1 || times == 0 && is_to_come && self.epoch > 0, "intent {number} shows {times} times");
        }
    }

    /// Nothing is lost any more.
    fn finish(&mut self) {
        for _ in 0..1_000 {
            if self.overlay.shown().next().is_none() && self.confirmed == self.log.len() && self.requests.is_empty() {
                break;
            }
            self.take(Step::Send);
            (0..self.requests.len()).for_each(|_| self.take(Step::Arrive(0)));
            self.take(Step::Answer);
            (self.confirmed..self.log.len()).for_each(|_| self.take(Step::Deliver));
            self.take(Step::Rebase(0));
        }
        assert_eq!(self.overlay.shown().collect::<Vec<_>>(), [], "something is pending for ever");
    }

    /// How many events of a lane show.
    fn shown_in(&self, lane: usize) -> usize {
        let predicted = self
            .overlay
            .shown()
            .filter(|(id, _)| self.meant.get(number(*id)).is_some_and(|(meant, _)| meant.lane == lane));
        recorded_in(&self.log[..self.confirmed], lane) + predicted.count()
    }
}

fn recorded_in(log: &[Recorded], lane: usize) -> usize {
    log.iter().filter(|recorded| recorded.lane == lane).count()
}

fn id(number: usize) -> IntentId {
    IntentId::new(number as u32)
}

fn number(id: IntentId) -> usize {
    id.get() as usize
}

fn sequence(number: usize) -> Sequence {
    Sequence::new(number as u64).expect("low")
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let flags = || (prop::bool::weighted(0.6), prop::bool::weighted(0.2), prop::bool::weighted(0.1));
    let meant = (0..LANES, flags()).prop_map(|(lane, (is_conditional, is_fragile, is_forbidden))| {
        Step::Dispatch(Meant { lane, is_conditional, is_fragile, is_forbidden })
    });
    let step = prop_oneof![
        4 => meant,
        2 => (0..LANES).prop_map(Step::Theirs),
        4 => Just(Step::Send),
        4 => any::<usize>().prop_map(Step::Arrive),
        3 => Just(Step::Answer),
        1 => Just(Step::Unanswered),
        4 => Just(Step::Deliver),
        2 => any::<usize>().prop_map(Step::Rebase),
        1 => (0_usize..4).prop_map(Step::Restore),
    ];
    vec(step, 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn what_is_meant_comes_to_be_the_log_or_is_refused(steps in steps()) {
        let mut world = World {
            epoch: 0,
            log: Vec::new(),
            requests: Vec::new(),
            overlay: Overlay::new(8),
            meant: Vec::new(),
            sent: None,
            confirmed: 0,
            dropped: Vec::new(),
            forgotten: Vec::new(),
        };
        for step in steps {
            world.take(step);
        }
        world.finish();

        let ours: Vec<_> = world.log.iter().filter_map(|recorded| recorded.intent).collect();
        for number in 0..world.meant.len() {
            let times = ours.iter().filter(|recorded| **recorded == number).count();
            let is_gone = world.dropped.contains(&number) || world.forgotten.contains(&number);
            prop_assert_eq!(times, usize::from(!is_gone), "intent {}", number);
        }
        for lane in 0..LANES {
            let of_lane = ours.iter().filter(|number| world.meant[**number].0.lane == lane);
            prop_assert!(of_lane.is_sorted(), "in the order in which they were meant: {:?}", world.log);
        }
    }
}
