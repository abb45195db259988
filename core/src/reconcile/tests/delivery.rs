//! Any delivery, held against what the log says.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// What a network does with what a server sends.
#[derive(Clone, Debug)]
enum Fate {
    Deliver,
    Repeat,
    Lose,
    Swap,
    Cut,
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        4 => Just(Fate::Deliver), 2 => Just(Fate::Repeat), 1 => Just(Fate::Lose), 2 => Just(Fate::Swap), 1 => Just(Fate::Cut),
    ];
    prop::collection::vec(fate, 0..200)
}

fn logs() -> impl Strategy<Value = Vec<Entry>> {
    let event = (0_usize..3, 0_u32..5, 1_u64..4);
    prop::collection::vec(event, 1..40).prop_map(|events| {
        let mut revisions = BTreeMap::new();
        let mut sequence = 0;
        let place = |(stream, version, jump): (usize, u32, u64)| {
            let stream = ["a:1", "a:2", "a:3"][stream];
            sequence += jump;
            let revision = revisions.entry(stream).or_insert(0);
            *revision += 1;
            Entry { sequence, stream, revision: *revision, version }
        };
        events.into_iter().map(place).collect()
    })
}

/// The reference: every event of the log once, in its order; stale where its stream had a higher version before it.
fn expected(log: &[Entry]) -> Vec<(u64, Verdict)> {
    let judge = |(at, entry): (usize, &Entry)| {
        let stale = log[..at].iter().any(|before| before.stream == entry.stream && before.version > entry.version);
        (entry.sequence, if stale { Verdict::Stale } else { Verdict::Apply })
    };
    log.iter().enumerate().map(judge).collect()
}

/// A client, its server and the network between them.
struct World<'a> {
    log: &'a [Entry],
    reconciler: Reconciler,
    attempt: Attempt,
    judged: Vec<(u64, Verdict)>,
    given: u64,
    /// The log's end when the reader first came.
    begin: u64,
    /// Which of the fetches are refused; none of those after these.
    refusals: std::vec::IntoIter<bool>,
    /// The connection is over.
    cut: bool,
}

impl World<'_> {
    fn prev_of(&self, sequence: u64) -> u64 {
        self.log.iter().map(|entry| entry.sequence).filter(|before| *before < sequence).max().unwrap_or(0)
    }

    fn deliver(&mut self, entry: &Entry) {
        if self.cut {
            return;
        }
        self.given += 1;
        let prev = self.prev_of(entry.sequence);
        let verdict = give(&mut self.reconciler, self.attempt, prev, entry);
        if let Some(verdict @ (Verdict::Apply | Verdict::Stale)) = verdict {
            self.judged.push((entry.sequence, verdict));
        }
        self.drain();
        if let (false, After::Position(cursor)) = (self.cut, self.reconciler.resume()) {
            assert!(cursor.sequence.get() >= prev, "{prev} is missing and not fetched");
        }
    }

    /// Does what the reconciler asks for; pages have two events at most. One that is refused ends the connection.
    fn drain(&mut self) {
        while let (false, Some(output)) = (self.cut, self.reconciler.poll()) {
            match output {
                Output::Released { verdict: verdict @ (Verdict::Apply | Verdict::Stale), position, .. } => {
                    self.judged.push((position.sequence.get(), verdict));
                }
                Output::Released { .. } => {}
                Output::Fetch(_) if self.refusals.next() == Some(true) => self.cut = true,
                Output::Fetch(Missing::Log { after }) => {
                    let after = after.sequence.get();
                    let log = self.log;
                    let page = || log.iter().filter(|entry| entry.sequence > after).take(2);
                    page().for_each(|entry| self.deliver(entry));
                    let end = page().last().map_or(after, |entry| entry.sequence);
                    self.reconciler.caught_up(self.attempt, at(end), sequence_of(end));
                    self.reconciler.fetched(self.attempt);
                }
                other => panic!("nothing is lost here: {other:?}"),
            }
        }
    }

    fn run(&mut self, fates: &[Fate]) {
        let mut fates = fates.iter();
        let mut late_ready = true;
        loop {
            self.attempt = self.reconciler.connect();
            self.cut = false;
            let cursor = match self.reconciler.resume() {
                After::Position(cursor) => cursor.sequence.get(),
                _ => self.begin,
            };
            let mut due: Vec<_> = self.log.iter().filter(|entry| entry.sequence > cursor).collect();
            due.reverse();
            if std::mem::take(&mut late_ready)
                && let Some(overtaking) = due.pop()
            {
                self.deliver(overtaking);
            }
            self.reconciler.handle(self.attempt, &ready(cursor));
            self.drain();
            while let (false, Some(entry)) = (self.cut, due.pop()) {
                match fates.next().unwrap_or(&Fate::Deliver) {
                    Fate::Deliver => self.deliver(entry),
                    Fate::Repeat => [entry, entry].into_iter().for_each(|entry| self.deliver(entry)),
                    Fate::Lose => {}
                    Fate::Swap => {
                        if let Some(later) = due.pop() {
                            self.deliver(later);
                        }
                        self.deliver(entry);
                    }
                    Fate::Cut => self.cut = true,
                }
            }
            if !self.cut {
                let head = self.log.last().map_or(0, |entry| entry.sequence);
                self.reconciler.caught_up(self.attempt, at(head), sequence_of(head));
                self.drain();
            }
            if !self.cut {
                return;
            }
        }
    }
}

proptest! {
    #[test]
    fn any_delivery_ends_in_every_event_judged_once_in_order(
        log in logs(),
        fates in fates(),
        refusals in prop::collection::vec(any::<bool>(), 0..20),
        events_max in 1_usize..8,
        begin in prop::option::of(0_usize..4),
    ) {
        let limits = HoldLimits { events_max, ..HoldLimits::default() };
        let skipped = begin.unwrap_or(0).min(log.len());
        let before = log.get(skipped.wrapping_sub(1)).map_or(0, |entry| entry.sequence);
        let after = if begin.is_some() { After::Latest } else { After::Position(at(0)) };
        let mut reconciler = Reconciler::new(after, limits);
        let attempt = reconciler.connect();
        let mut world = World {
            log: &log,
            reconciler,
            attempt,
            judged: Vec::new(),
            given: 0,
            begin: before,
            refusals: refusals.into_iter(),
            cut: false,
        };
        world.run(&fates);

        prop_assert_eq!(&world.judged, &expected(&log[skipped..]));
        let head = log.last().map_or(0, |entry| entry.sequence);
        prop_assert_eq!(world.reconciler.resume(), After::Position(at(head)));
        let Counts { applied, stale, duplicate, unreadable, discarded, dropped, .. } = world.reconciler.counts();
        let accounted = applied + stale + duplicate + unreadable + discarded + dropped + world.reconciler.held() as u64;
        prop_assert_eq!(accounted, world.given);
        let once: BTreeSet<_> = world.judged.iter().map(|(sequence, _)| sequence).collect();
        prop_assert_eq!(once.len(), world.judged.len());
    }
}
