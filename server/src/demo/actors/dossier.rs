//! [`Dossier`]: what an actor knows of its task, all of it read from the log.

use highwater_core::{
    event::{Event, EventId},
    reconcile::Verdict,
    version::Version,
};

use crate::demo::{
    craft::script::Case,
    facts::{Bug, Fact},
    fold::TaskState,
};

/// The most versions and reports that an actor keeps in mind; the log is open to everybody.
const VERSIONS_MAX: usize = 64;
const REPORTS_MAX: usize = 256;

/// A task as an actor knows it.
#[derive(Debug, Default)]
pub(super) struct Dossier {
    /// How the task stands. Stale events have not moved it.
    pub(super) state: TaskState,
    /// Every version of the code, in order.
    pub(super) versions: Vec<Written>,
    /// Every report, also those that came too late: what it says of its version is true.
    pub(super) reports: Vec<Reported>,
    /// The highest version that has been checked, whole.
    pub(super) checked: Version,
}

/// A version of the code.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) version: Version,
    pub(super) code: String,
    pub(super) hash: String,
    /// The event that brought it.
    pub(super) by: EventId,
}

/// A report.
#[derive(Clone, Debug)]
pub(super) struct Reported {
    pub(super) id: EventId,
    pub(super) bug: Bug,
}

impl Dossier {
    /// Takes an event with its final verdict.
    pub(super) fn file(&mut self, event: &Event, verdict: Verdict) {
        let Some(fact) = Fact::read(event) else { return };
        if verdict == Verdict::Apply {
            self.state.evolve(event, &fact);
        }
        match fact {
            Fact::CodeGenerated(written) => self.file_version(event, written.code, written.hash),
            Fact::CorrectionCompleted(written) => self.file_version(event, written.code, written.hash),
            Fact::BugReportReceived(report) if self.reports.len() < REPORTS_MAX => {
                self.reports.push(Reported { id: event.id.clone(), bug: report.bug });
            }
            Fact::QualityChecked(_) => self.checked = self.checked.max(event.version),
            Fact::BugReportReceived(_) | Fact::CorrectionStarted(_) => {}
        }
    }

    pub(super) fn latest(&self) -> Option<&Written> {
        self.versions.last()
    }

    /// The report to correct next. One of an earlier version may be open still, but the tester will come back to it.
    pub(super) fn open_report(&self) -> Option<EventId> {
        let current = self.state.open.iter().find(|bug| bug.version == self.state.version);
        current.map(|bug| bug.report.clone())
    }

    /// What is known to be wanted of the code: each case that was ever reported, once.
    pub(super) fn wanted(&self) -> Vec<Case> {
        let mut cases: Vec<Case> = Vec::new();
        for Reported { bug, .. } in self.reports.iter().rev() {
            let case = Case { call: bug.case.clone(), expected: bug.expected.clone() };
            if !cases.iter().any(|known| known.call == case.call) {
                cases.push(case);
            }
        }
        cases
    }

    fn file_version(&mut self, event: &Event, code: String, hash: String) {
        let newer = self.latest().is_none_or(|latest| latest.version < event.version);
        if newer && self.versions.len() < VERSIONS_MAX {
            self.versions.push(Written { version: event.version, code, hash, by: event.id.clone() });
        }
    }
}
