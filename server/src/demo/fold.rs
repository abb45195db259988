//! How a task stands after its events: the reducer that the naive client and the real one share.
//!
//! It believes what it is told. That nothing comes twice, too late or about code that is gone is for whoever hands events
//! to it to see to; so the same reducer is right behind a reconciler and wrong without one.

use std::collections::BTreeMap;

use highwater_core::{
    event::{Event, EventId},
    stream::StreamName,
    version::Version,
};

use super::facts::{Bug, Fact};

/// Task by stream.
pub(super) type Tasks = BTreeMap<StreamName, TaskState>;

/// How a task stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TaskState {
    pub(super) version: Version,
    pub(super) code: String,
    pub(super) hash: String,
    /// What is known to be wrong with the code, in the order that it was told.
    pub(super) open: Vec<OpenBug>,
    pub(super) status: Status,
}

/// A report that no later event has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OpenBug {
    pub(super) report: EventId,
    /// The version that it is about.
    pub(super) version: Version,
    pub(super) bug: Bug,
}

/// What is going on with a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Status {
    #[default]
    Unwritten,
    Written,
    Failing,
    InCorrection,
    Corrected,
    Passed,
}

impl TaskState {
    /// Takes what an event says.
    pub(super) fn evolve(&mut self, event: &Event, fact: &Fact) {
        match fact {
            Fact::CodeGenerated(generated) => {
                self.show(event.version, &generated.code, &generated.hash);
                self.status = Status::Written;
            }
            Fact::BugReportReceived(report) => {
                let bug = report.bug.clone();
                self.open.push(OpenBug { report: event.id.clone(), version: event.version, bug });
                if self.status != Status::InCorrection {
                    self.status = Status::Failing;
                }
            }
            Fact::CorrectionStarted(_) => self.status = Status::InCorrection,
            Fact::CorrectionCompleted(correction) => {
                self.show(event.version, &correction.code, &correction.hash);
                self.close(&correction.addresses);
                self.status = Status::Corrected;
            }
            Fact::QualityChecked(check) => {
                self.close(&check.addresses);
                if check.passed {
                    self.status = Status::Passed;
                } else if self.status != Status::InCorrection {
                    self.status = Status::Failing;
                }
            }
        }
    }

    fn show(&mut self, version: Version, code: &str, hash: &str) {
        self.version = version;
        code.clone_into(&mut self.code);
        hash.clone_into(&mut self.hash);
    }

    fn close(&mut self, addressed: &[EventId]) {
        self.open.retain(|bug| !addressed.contains(&bug.report));
    }
}
