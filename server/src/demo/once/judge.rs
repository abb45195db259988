//! Holds what the clients did against what the oracle says.

use std::collections::{BTreeMap, BTreeSet};

use highwater_core::{
    event::Event,
    reconcile::{Counts, Verdict},
    stream::StreamName,
    version::Sequence,
};

use super::{
    naive::{NaiveClient, Order, Slip},
    oracle,
    real::{Judged, RealClient},
};
use crate::{
    demo::fold::{TaskState, Tasks},
    remote::Via,
};

/// Everything that was found.
#[derive(Debug)]
pub(super) struct Judgement {
    /// Events in the log, and how many of them must be stale.
    pub(super) events: usize,
    pub(super) stale: usize,
    /// What the real client got wrong: nothing, or the demo has failed.
    pub(super) mistakes: Vec<Mistake>,
    /// Where the naive client went wrong, by cause.
    pub(super) slips: BTreeMap<Cause, Vec<Slip>>,
    /// Events that never came to the naive client.
    pub(super) never_came: usize,
    /// Tasks that the naive client shows wrongly in the end: what it shows, and what is.
    pub(super) wrong_tasks: Vec<(StreamName, TaskState, TaskState)>,
}

/// Why a message led the naive client astray.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// It was about a version that was superseded when it was recorded.
    Stale,
    /// It had come before.
    Duplicate,
    /// Later ones had come before it.
    Reordered,
    /// Others before it had never come.
    Missing,
}

/// A verdict or a state that is not what it must be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Mistake {
    #[error("event {sequence} must be {expected:?} and was judged {given:?}")]
    WrongVerdict { sequence: Sequence, expected: Verdict, given: Verdict },
    #[error("event {0} has no final verdict")]
    NotJudged(Sequence),
    #[error("event {0} was judged as new more than once")]
    JudgedTwice(Sequence),
    #[error("event {0} is not in the log")]
    Invented(Sequence),
    #[error("event {0} was applied after a later one")]
    OutOfOrder(Sequence),
    #[error("{messages} messages came, {verdicts} got a final verdict or were held back for good")]
    Unaccounted { messages: usize, verdicts: usize },
    #[error("the counters say {counted:?}, the verdicts {given:?}")]
    Miscounted { counted: Tally, given: Tally },
    #[error("the real client ends with another state of {0} than the log")]
    WrongState(StreamName),
}

/// Final verdicts by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) applied: usize,
    pub(super) stale: usize,
    pub(super) duplicate: usize,
    pub(super) gap: usize,
}

impl Judgement {
    /// What the scenario should have had and had not.
    pub(super) fn lacking(&self) -> impl Iterator<Item = &'static str> {
        let wanted = [(Cause::Stale, "stale"), (Cause::Duplicate, "duplicate"), (Cause::Reordered, "reordered")];
        wanted.into_iter().filter(|(cause, _)| !self.slips.contains_key(cause)).map(|(_, name)| name)
    }
}

impl Tally {
    pub(super) fn of(verdicts: &[Judged]) -> Self {
        let count = |wanted| verdicts.iter().filter(|judged| judged.verdict == wanted).count();
        Self {
            applied: count(Verdict::Apply),
            stale: count(Verdict::Stale),
            duplicate: count(Verdict::Duplicate),
            gap: count(Verdict::Gap),
        }
    }

    fn counted(counts: Counts) -> Self {
        let number = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        Self {
            applied: number(counts.applied),
            stale: number(counts.stale),
            duplicate: number(counts.duplicate),
            gap: number(counts.gap),
        }
    }
}

/// Judges both clients by the whole log.
pub(super) fn judge(log: &[Event], naive: &NaiveClient, real: &RealClient) -> Judgement {
    let expected = oracle::verdicts(log);
    let tasks = oracle::tasks(log);
    let mut mistakes = wrong_verdicts(&expected, &real.verdicts);
    mistakes.extend(miscounted(real));
    mistakes.extend(differing(&tasks, &real.tasks).into_iter().map(|(stream, ..)| Mistake::WrongState(stream)));
    let mut slips: BTreeMap<Cause, Vec<Slip>> = BTreeMap::new();
    for slip in &naive.slips {
        slips.entry(cause(slip, &expected)).or_default().push(slip.clone());
    }
    Judgement {
        events: log.len(),
        stale: expected.values().filter(|verdict| **verdict == Verdict::Stale).count(),
        mistakes,
        slips,
        never_came: log.iter().filter(|event| !naive.arrivals.contains_key(&event.sequence)).count(),
        wrong_tasks: differing(&tasks, &naive.tasks),
    }
}

/// Every event must have exactly one verdict that is not `duplicate`, the right one, in the log's order.
fn wrong_verdicts(expected: &BTreeMap<Sequence, Verdict>, verdicts: &[Judged]) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let mut given: BTreeMap<Sequence, Verdict> = BTreeMap::new();
    let mut last_applied = Sequence::ZERO;
    for &Judged { sequence, verdict, .. } in verdicts {
        let Some(&expected) = expected.get(&sequence) else {
            mistakes.push(Mistake::Invented(sequence));
            continue;
        };
        if matches!(verdict, Verdict::Gap | Verdict::Duplicate) {
            continue;
        }
        if verdict != expected {
            mistakes.push(Mistake::WrongVerdict { sequence, expected, given: verdict });
        }
        if given.insert(sequence, verdict).is_some() {
            mistakes.push(Mistake::JudgedTwice(sequence));
        }
        if verdict == Verdict::Apply {
            if sequence < last_applied {
                mistakes.push(Mistake::OutOfOrder(sequence));
            }
            last_applied = last_applied.max(sequence);
        }
    }
    mistakes.extend(expected.keys().filter(|sequence| !given.contains_key(sequence)).copied().map(Mistake::NotJudged));
    mistakes
}

/// Every message must have one final verdict, and the counters must say what was given.
fn miscounted(real: &RealClient) -> Option<Mistake> {
    let messages = real.verdicts.iter().filter(|judged| judged.via != Via::Hold).count();
    let last = real.verdicts.iter().filter(|judged| judged.verdict != Verdict::Gap).count();
    let dropped = usize::try_from(real.counts.dropped).unwrap_or(usize::MAX);
    if messages != last + dropped {
        return Some(Mistake::Unaccounted { messages, verdicts: last + dropped });
    }
    let (counted, given) = (Tally::counted(real.counts), Tally::of(&real.verdicts));
    (counted != given).then_some(Mistake::Miscounted { counted, given })
}

/// The tasks that are shown otherwise than they are.
fn differing(tasks: &Tasks, shown: &Tasks) -> Vec<(StreamName, TaskState, TaskState)> {
    let streams: BTreeSet<&StreamName> = tasks.keys().chain(shown.keys()).collect();
    let differing = streams.into_iter().filter_map(|stream| {
        let shown = shown.get(stream).cloned().unwrap_or_default();
        let is = tasks.get(stream).cloned().unwrap_or_default();
        (shown != is).then(|| (stream.clone(), shown, is))
    });
    differing.collect()
}

fn cause(slip: &Slip, expected: &BTreeMap<Sequence, Verdict>) -> Cause {
    match slip.order {
        Order::Repeated => Cause::Duplicate,
        Order::Late => Cause::Reordered,
        Order::Next if expected.get(&slip.sequence) == Some(&Verdict::Stale) => Cause::Stale,
        Order::Next => Cause::Missing,
    }
}

#[cfg(test)]
mod tests;
