//! What happens to a task, as the demo's actors and its judges read it, and by which commands they say it. They share nothing with the
//! decider that the server runs: what it makes of their commands is held against what they know.

use highwater_core::{
    event::{Data, Event, EventId},
    topic::Topics,
};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

/// The topic of all tasks of the demo.
pub(super) const TASKS_TOPIC: &str = "space:demo:tasks:*";
/// What the streams' names begin with.
pub(super) const TASKS_PREFIX: &str = "space:demo:tasks:";

/// What an event of a task says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    /// The generator has written a first version.
    CodeGenerated(CodeGenerated),
    /// The tester has seen a case fail. The event's version is that of the code which failed.
    BugReportReceived(BugReport),
    /// The corrector has begun to correct a version.
    CorrectionStarted(CorrectionStarted),
    /// The corrector has written the next version.
    CorrectionCompleted(CorrectionCompleted),
    /// The tester has run all cases.
    QualityChecked(QualityChecked),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CodeGenerated {
    /// What the function shall do, in a sentence.
    pub(super) task: String,
    pub(super) code: String,
    pub(super) hash: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BugReport {
    pub(super) bug: Bug,
    /// The hash of the code that failed.
    pub(super) hash: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Bug {
    /// The call.
    pub(super) case: String,
    pub(super) expected: String,
    pub(super) got: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CorrectionStarted {
    pub(super) target_version: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CorrectionCompleted {
    pub(super) code: String,
    pub(super) hash: String,
    /// The ids of the reports that the new version answers.
    pub(super) addresses: Vec<EventId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct QualityChecked {
    pub(super) hash: String,
    /// Whether all cases pass.
    pub(super) passed: bool,
    pub(super) cases: usize,
    pub(super) failed: usize,
    /// The ids of the reports, also of earlier versions, whose cases pass now.
    pub(super) addresses: Vec<EventId>,
}

const CODE_GENERATED: &str = "task.code_generated.v1";
const BUG_REPORT_RECEIVED: &str = "task.bug_report_received.v1";
const CORRECTION_STARTED: &str = "task.correction_started.v1";
const CORRECTION_COMPLETED: &str = "task.correction_completed.v1";
const QUALITY_CHECKED: &str = "task.quality_checked.v1";

impl Fact {
    /// Reads an event. `None` for one of another type, or with data that its type does not have.
    pub(super) fn read(event: &Event) -> Option<Self> {
        let Data::Json(data) = &event.data else { return None };
        let data = data.get();
        match event.kind.as_str() {
            CODE_GENERATED => serde_json::from_str(data).map(Self::CodeGenerated).ok(),
            BUG_REPORT_RECEIVED => serde_json::from_str(data).map(Self::BugReportReceived).ok(),
            CORRECTION_STARTED => serde_json::from_str(data).map(Self::CorrectionStarted).ok(),
            CORRECTION_COMPLETED => serde_json::from_str(data).map(Self::CorrectionCompleted).ok(),
            QUALITY_CHECKED => serde_json::from_str(data).map(Self::QualityChecked).ok(),
            _ => None,
        }
    }

    /// The type of the event that says this.
    #[cfg(test)]
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::CodeGenerated(_) => CODE_GENERATED,
            Self::BugReportReceived(_) => BUG_REPORT_RECEIVED,
            Self::CorrectionStarted(_) => CORRECTION_STARTED,
            Self::CorrectionCompleted(_) => CORRECTION_COMPLETED,
            Self::QualityChecked(_) => QUALITY_CHECKED,
        }
    }

    /// The type and the data of the command that has a task say this.
    pub(super) fn command(&self) -> (&'static str, Box<RawValue>) {
        let (kind, data) = match self {
            Self::CodeGenerated(fact) => ("generate_code", to_raw_value(fact)),
            Self::BugReportReceived(fact) => ("report_bug", to_raw_value(fact)),
            Self::CorrectionStarted(fact) => ("start_correction", to_raw_value(fact)),
            Self::CorrectionCompleted(fact) => ("complete_correction", to_raw_value(fact)),
            Self::QualityChecked(fact) => ("check_quality", to_raw_value(fact)),
        };
        (kind, data.expect("texts, numbers and lists of them are JSON"))
    }
}

/// All tasks of the demo.
pub(super) fn tasks_topics() -> Topics {
    Topics::new([TASKS_TOPIC]).expect("the topic above is one")
}

#[cfg(test)]
mod tests {
    use highwater_core::{
        decider::DomainEvent,
        domain::task::{TaskCommand, TaskEvent},
        json,
    };
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_servers_task_knows_each_fact_as_a_command_and_as_an_event() {
        let bug = Bug { case: "f(1)".into(), expected: "1".into(), got: "2".into() };
        let (code, hash) = ("fn f".to_owned(), "h".to_owned());
        let addresses = vec![EventId::new("e").unwrap()];
        for fact in [
            Fact::CodeGenerated(CodeGenerated { task: "f".into(), code: code.clone(), hash: hash.clone() }),
            Fact::BugReportReceived(BugReport { bug, hash: hash.clone() }),
            Fact::CorrectionStarted(CorrectionStarted { target_version: 1 }),
            Fact::CorrectionCompleted(CorrectionCompleted { code, hash: hash.clone(), addresses: addresses.clone() }),
            Fact::QualityChecked(QualityChecked { hash, passed: true, cases: 1, failed: 0, addresses }),
        ] {
            let (kind, data) = fact.command();
            let command = format!(r#"{{"type":"{kind}","data":{data}}}"#);
            json::from_str::<TaskCommand>(&command).unwrap();
            let event = TaskEvent::read(fact.kind(), data.get()).unwrap().unwrap();
            let read: Value = event.data().read().unwrap();
            assert_eq!(read, json::from_str::<Value>(data.get()).unwrap(), "nothing is lost");
        }
    }
}
