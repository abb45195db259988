//! The oracle: what every verdict and every final state must be, worked out of the whole log by brute force. It shares no
//! code with the reconciler and none with the reducer.

use std::collections::BTreeMap;

use anyhow::Context;
use highwater_core::{
    envelope::parse_event,
    event::{Event, EventId},
    reconcile::Verdict,
    stream::StreamName,
    version::{After, Position, Sequence},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    demo::{
        facts::{Fact, tasks_topics},
        fold::{OpenBug, Status, TaskState, Tasks},
    },
    remote::Remote,
};

const PAGE_EVENTS: usize = 1_000;

/// The demo's log as the server has it, page by page from its start.
pub(super) async fn read_log(server: &Remote) -> anyhow::Result<Vec<Event>> {
    #[derive(Deserialize)]
    struct Page<'a> {
        #[serde(borrow)]
        events: Vec<&'a RawValue>,
        next: String,
        head: String,
    }
    let mut log = Vec::new();
    let mut after = After::Earliest;
    loop {
        let page = server.page(&tasks_topics(), after, PAGE_EVENTS).await?;
        let page: Page<'_> = serde_json::from_str(&page).context("the server's page can't be read")?;
        for event in page.events {
            log.push(parse_event(event.get().as_bytes()).context("the server's event can't be read")?);
        }
        let next: Position = page.next.parse().context("the server's position can't be read")?;
        after = After::Position(next);
        if page.next == page.head {
            return Ok(log);
        }
    }
}

/// The verdict that each event must get, by sequence.
pub(super) fn verdicts(log: &[Event]) -> BTreeMap<Sequence, Verdict> {
    let superseded = |at: usize, event: &Event| {
        log[..at].iter().any(|earlier| earlier.stream == event.stream && earlier.version > event.version)
    };
    let verdict = |(at, event): (usize, &Event)| {
        (event.sequence, if superseded(at, event) { Verdict::Stale } else { Verdict::Apply })
    };
    log.iter().enumerate().map(verdict).collect()
}

/// How each task must stand in the end.
pub(super) fn tasks(log: &[Event]) -> Tasks {
    let verdicts = verdicts(log);
    let mut told: BTreeMap<StreamName, Vec<(&Event, Fact)>> = BTreeMap::new();
    for event in log.iter().filter(|event| verdicts[&event.sequence] == Verdict::Apply) {
        if let Some(fact) = Fact::read(event) {
            told.entry(event.stream.clone()).or_default().push((event, fact));
        }
    }
    told.into_iter().map(|(stream, told)| (stream, task(&told))).collect()
}

fn task(told: &[(&Event, Fact)]) -> TaskState {
    let codes = told.iter().filter_map(|(event, fact)| match fact {
        Fact::CodeGenerated(written) => Some((event.version, &written.code, &written.hash)),
        Fact::CorrectionCompleted(written) => Some((event.version, &written.code, &written.hash)),
        _ => None,
    });
    let (version, code, hash) = codes
        .max_by_key(|(version, ..)| *version)
        .map_or_else(Default::default, |written| (written.0, written.1.clone(), written.2.clone()));
    TaskState { version, code, hash, open: open(told), status: status(told) }
}

/// The reports that nothing after them answers.
fn open(told: &[(&Event, Fact)]) -> Vec<OpenBug> {
    let answers = |fact: &Fact, report: &EventId| match fact {
        Fact::CorrectionCompleted(correction) => correction.addresses.contains(report),
        Fact::QualityChecked(check) => check.addresses.contains(report),
        _ => false,
    };
    let open = told.iter().enumerate().filter_map(|(at, (event, fact))| match fact {
        Fact::BugReportReceived(report) if !told[at..].iter().any(|(_, later)| answers(later, &event.id)) => {
            Some(OpenBug { report: event.id.clone(), version: event.version, bug: report.bug.clone() })
        }
        _ => None,
    });
    open.collect()
}

/// The last turn that the task took; and where that was no correction still under way, whether a failure came after it.
fn status(told: &[(&Event, Fact)]) -> Status {
    let turn = |fact: &Fact| match fact {
        Fact::CodeGenerated(_) => Some(Status::Written),
        Fact::CorrectionStarted(_) => Some(Status::InCorrection),
        Fact::CorrectionCompleted(_) => Some(Status::Corrected),
        Fact::QualityChecked(check) if check.passed => Some(Status::Passed),
        Fact::QualityChecked(_) | Fact::BugReportReceived(_) => None,
    };
    let last = told.iter().rposition(|(_, fact)| turn(fact).is_some());
    let status = last.and_then(|at| turn(&told[at].1)).unwrap_or_default();
    let failed_since = last.map_or(!told.is_empty(), |at| at + 1 < told.len());
    if failed_since && status != Status::InCorrection { Status::Failing } else { status }
}
