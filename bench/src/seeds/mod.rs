//! The success figures that the first seed asks of events and versions, over generated races: how many events are judged in the log's
//! order, how many stale updates are rejected, and how often a reader shows what never was.
//!
//! A race is a task that three actors work on without waiting for each other ([`race`]). Its log reaches a reader over a network that
//! loses, repeats, delays and cuts ([`network`]). What the reader makes of it is held against what whoever made up the race knows to be
//! true: the oracle knows nothing of the core, and the reader nothing of the oracle.

mod network;
mod race;
mod reader;

use std::{num::NonZeroUsize, thread};

use anyhow::Result;
use highwater_report::{Bound, Figure};

use self::{
    race::{Log, Random},
    reader::{Reader, Seen, Whole},
};

/// How many tasks share a log, and so a connection.
const RACES_PER_LOG: u64 = 8;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many races to run
    #[arg(long, default_value_t = 1_000_000)]
    races: u64,
    /// Other numbers make other races
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs the races, and prints their figures.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let figures = measure::<Whole>(arguments.seed, arguments.races.div_ceil(RACES_PER_LOG));
    eprintln!("{figures}");
    Ok(highwater_report::print(&figures.told())?)
}

/// So many logs, on all processors. The same seed gives the same races however many those are.
fn measure<R: Reader>(seed: u64, logs: u64) -> Figures {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get) as u64;
    let part = |first| {
        let mut figures = Figures::default();
        (first..logs).step_by(threads as usize).for_each(|number| figures.add(&follow::<R>(seed, number)));
        figures
    };
    thread::scope(|scope| {
        let parts: Vec<_> = (0..threads).map(|first| scope.spawn(move || part(first))).collect();
        let mut figures = Figures::default();
        parts.into_iter().for_each(|part| figures.add(&part.join().expect("no race panics")));
        figures
    })
}

/// One log, and how a reader does that follows it.
fn follow<R: Reader>(seed: u64, number: u64) -> Figures {
    let mut random = Random::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number);
    let log = Log::make_up(RACES_PER_LOG as usize, &mut random);
    let mut reader = R::default();
    let frames = network::deliver(&log, &mut reader, &mut random);
    let mut figures = judge(&log, reader.seen());
    figures.frames = frames;
    figures
}

/// What a reader saw, held against what is true.
fn judge(log: &Log, seen: &[Seen]) -> Figures {
    let mut figures = Figures {
        races: log.races as u64,
        events: log.events.len() as u64,
        stale: log.events.iter().filter(|event| event.is_stale).count() as u64,
        judged: seen.len() as u64,
        ..Figures::default()
    };
    let (mut due, mut stale_seen) = (0, 0);
    for seen in seen {
        let Some(at) = log.find(seen.sequence) else { continue };
        let event = &log.events[at];
        figures.in_order += u64::from(at == due);
        due = at + 1;
        stale_seen += u64::from(event.is_stale);
        figures.stale_rejected += u64::from(event.is_stale && seen.is_rejected);
        figures.conflicts += u64::from(seen.task != event.after);
    }
    figures.stale = figures.stale.max(stale_seen);
    figures
}

/// What is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Figures {
    races: u64,
    /// Messages that reached the reader.
    frames: u64,
    /// Events of the logs.
    events: u64,
    /// Events that the reader took for new, each time.
    judged: u64,
    /// Those that were the next one in the log.
    in_order: u64,
    stale: u64,
    stale_rejected: u64,
    /// How often the reader then showed another version, other code or other bugs than there were.
    conflicts: u64,
}

impl Figures {
    fn add(&mut self, other: &Self) {
        self.races += other.races;
        self.frames += other.frames;
        self.events += other.events;
        self.judged += other.judged;
        self.in_order += other.in_order;
        self.stale += other.stale;
        self.stale_rejected += other.stale_rejected;
        self.conflicts += other.conflicts;
    }

    /// The share of events that were judged in the log's order, each once.
    fn ordering(&self) -> f64 {
        share(self.in_order, self.events.max(self.judged))
    }

    fn rejection(&self) -> f64 {
        share(self.stale_rejected, self.stale)
    }

    /// As the seed asks for them: of these three none is as it must be but where it is perfect.
    fn told(&self) -> [Figure; 3] {
        let Self { races, frames, events, stale, .. } = self;
        let figure = |name: String, unit: &str, value: f64, must, goal| Figure {
            name,
            unit: unit.to_owned(),
            must: Some(must),
            goal: Some(goal),
            rounds: Ok::<_, anyhow::Error>(vec![value]).into(),
            ..Figure::default()
        };
        let all = Bound::AtLeast(100.0);
        [
            figure(
                format!("event ordering accuracy, {events} events of {races} races"),
                " %",
                100.0 * self.ordering(),
                all,
                all,
            ),
            figure(
                format!("stale updates rejected, of {stale} (the seed: 95 %)"),
                " %",
                100.0 * self.rejection(),
                all,
                all,
            ),
            figure(
                format!("version conflicts, in {frames} messages"),
                "",
                self.conflicts as f64,
                Bound::AtMost(0.0),
                Bound::AtMost(0.0),
            ),
        ]
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (ordering, rejection) = (percent(self.ordering()), percent(self.rejection()));
        write!(f, "in order {ordering}, stale rejected {rejection}, {} conflicts", self.conflicts)
    }
}

fn share(part: u64, of: u64) -> f64 {
    if of == 0 { 1.0 } else { part as f64 / of as f64 }
}

/// As many digits as it takes not to round to 100 what is not.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if share < 1.0 && percent > 99.99 { format!("{percent:.6} %") } else { format!("{percent:.2} %") }
}

#[cfg(test)]
mod tests {
    use highwater_report::Verdict;

    use super::{
        reader::{Trusting, Ungated, Unordered},
        *,
    };

    fn are_perfect(figures: &Figures) -> bool {
        figures.told().iter().all(|figure| figure.verdict() == Verdict::GoalMet)
    }

    #[test]
    fn the_core_makes_no_mistake() {
        let figures = measure::<Whole>(1, 250);
        assert!(are_perfect(&figures), "{figures}");
        assert_eq!(figures.races, 2_000);
        assert!(figures.stale > 1_000 && figures.frames > figures.events, "the races are races: {figures:?}");
    }

    #[test]
    fn each_mistake_shows_in_its_figure() {
        let trusting = measure::<Trusting>(1, 200);
        assert!(trusting.ordering() < 0.9 && trusting.rejection() == 0.0 && trusting.conflicts > 100, "{trusting}");
        let ungated = measure::<Ungated>(1, 200);
        assert!(ungated.ordering() == 1.0 && ungated.rejection() == 0.0 && ungated.conflicts > 100, "{ungated}");
        let unordered = measure::<Unordered>(1, 200);
        assert!(unordered.ordering() < 0.9 && unordered.conflicts > 100, "{unordered}");
        for wrong in [trusting, ungated, unordered] {
            assert!(!are_perfect(&wrong));
        }
    }

    #[test]
    fn the_same_seed_is_the_same_race() {
        assert_eq!(measure::<Whole>(7, 20), measure::<Whole>(7, 20));
        assert_ne!(measure::<Whole>(7, 20), measure::<Whole>(8, 20));
    }

    #[test]
    fn no_mistake_is_rounded_away() {
        assert_eq!(percent(1.0), "100.00 %");
        assert_eq!(percent(0.999_999_9), "99.999990 %");
        assert_eq!(percent(0.95), "95.00 %");
    }
}
