//! The naive client: applies each message as it comes, as most pages do. Beside it, a record of where that goes wrong.

use std::collections::{BTreeMap, BTreeSet};

use highwater_core::{
    event::{Event, EventId},
    stream::StreamName,
    version::{Sequence, Version},
};

use crate::demo::{
    facts::{Bug, Fact},
    fold::{Status, TaskState, Tasks},
};

/// What it shows, and what it has been sent.
#[derive(Debug, Default)]
pub(super) struct NaiveClient {
    pub(super) tasks: Tasks,
    /// How often each event has come.
    pub(super) arrivals: BTreeMap<Sequence, usize>,
    pub(super) late: usize,
    pub(super) slips: Vec<Slip>,
    newest: BTreeMap<StreamName, Newest>,
    /// The reports that something has answered.
    answered: BTreeSet<EventId>,
}

/// The newest that has come of a stream.
#[derive(Clone, Copy, Debug, Default)]
struct Newest {
    sequence: Sequence,
    version: Version,
}

/// A message by which what it shows became wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slip {
    pub(super) stream: StreamName,
    pub(super) sequence: Sequence,
    pub(super) kind: String,
    pub(super) order: Order,
    pub(super) wrong: Wrong,
}

/// How a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    /// For the first time, and later than all that has come of its stream.
    Next,
    /// After a later one of its stream.
    Late,
    /// Again.
    Repeated,
}

/// What became wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    OlderCode { from: Version, to: Version },
    BugTwice { bug: Bug },
    BugAnswered { bug: Bug, version: Version, shown: Version },
    StatusBack { from: Status, to: Status },
}

impl NaiveClient {
    /// Takes a message as it arrives.
    pub(super) fn receive(&mut self, event: &Event) {
        let (order, outdated) = self.arrive(event);
        let Some(fact) = Fact::read(event) else { return };
        let state = self.tasks.entry(event.stream.clone()).or_default();
        let before = state.clone();
        state.evolve(event, &fact);
        if let Some(wrong) = what_went_wrong(&before, state, (event, &fact), order, outdated, &self.answered) {
            let kind = event.kind.as_str().to_owned();
            self.slips.push(Slip { stream: event.stream.clone(), sequence: event.sequence, kind, order, wrong });
        }
        if let Fact::CorrectionCompleted(correction) = &fact {
            self.answered.extend(correction.addresses.iter().cloned());
        }
        if let Fact::QualityChecked(check) = &fact {
            self.answered.extend(check.addresses.iter().cloned());
        }
    }

    pub(super) fn messages(&self) -> usize {
        self.arrivals.values().sum()
    }

    pub(super) fn repeated(&self) -> usize {
        self.messages() - self.arrivals.len()
    }

    /// How it came, and whether it is about a version older than one that has come.
    fn arrive(&mut self, event: &Event) -> (Order, bool) {
        let times = self.arrivals.entry(event.sequence).or_default();
        *times += 1;
        let repeated = *times > 1;
        let newest = self.newest.entry(event.stream.clone()).or_default();
        let late = event.sequence < newest.sequence;
        let outdated = event.version < newest.version;
        newest.sequence = newest.sequence.max(event.sequence);
        newest.version = newest.version.max(event.version);
        let order = match (repeated, late) {
            (true, _) => Order::Repeated,
            (false, true) => {
                self.late += 1;
                Order::Late
            }
            (false, false) => Order::Next,
        };
        (order, outdated)
    }
}

fn what_went_wrong(
    before: &TaskState,
    after: &TaskState,
    (event, fact): (&Event, &Fact),
    order: Order,
    outdated: bool,
    answered: &BTreeSet<EventId>,
) -> Option<Wrong> {
    if before == after {
        return None;
    }
    if after.version < before.version {
        return Some(Wrong::OlderCode { from: before.version, to: after.version });
    }
    match fact {
        Fact::BugReportReceived(report) if before.open.iter().any(|open| open.report == event.id) => {
            Some(Wrong::BugTwice { bug: report.bug.clone() })
        }
        Fact::BugReportReceived(report) if outdated || answered.contains(&event.id) => {
            Some(Wrong::BugAnswered { bug: report.bug.clone(), version: event.version, shown: before.version })
        }
        _ if (outdated || order == Order::Repeated) && before.status != after.status => {
            Some(Wrong::StatusBack { from: before.status, to: after.status })
        }
        _ => None,
    }
}
