//! Seed 1's own stories, told in its words.

use super::*;
use crate::{
    causality::Evidence,
    decider::{
        Entities, Folded, Origin,
        testing::{Scenario, assert_types_are_named},
    },
    event::Actor,
};

const STREAM: &str = "space:1:tasks:task-abc";

fn scenario() -> Scenario<Task> {
    Scenario::new(Entities::new().with::<Task>(), STREAM)
}

fn generated(code: &str, hash: &str) -> CodeGenerated {
    CodeGenerated { task: None, code: code.into(), hash: Some(hash.into()) }
}

fn report(bug: &str) -> BugReportReceived {
    BugReportReceived { bug: Bug::Words(bug.into()), hash: None }
}

fn correction(code: &str, hash: &str, addresses: &[EventId]) -> CorrectionCompleted {
    CorrectionCompleted { code: code.into(), hash: Some(hash.into()), addresses: addresses.to_vec() }
}

fn origin(id: &str, actor: &str, version: u32, cause: Option<&str>, clock: &str) -> Origin {
    Origin {
        version: Version::new(version.into()).ok(),
        causation_id: cause.map(|cause| EventId::new(cause).unwrap()),
        clock: Some(clock.parse().unwrap()),
        ..Origin::new(EventId::new(id).unwrap(), Actor::new(actor).unwrap())
    }
}

/// Problem 1: "Is the bug report about V1 or V2?"
#[test]
fn the_four_example_events_with_the_clocks_of_the_seed() {
    let task = scenario()
        .when_from(
            &Origin { version: None, ..origin("evt-001", "generator", 0, None, "generator=1") },
            TaskCommand::GenerateCode(generated("…", "abc123")),
        )
        .then_types(&["task.code_generated.v1"])
        .when_from(
            &origin("evt-002", "corrector", 1, Some("evt-001"), "corrector=1,generator=1"),
            TaskCommand::StartCorrection(CorrectionStarted::default()),
        )
        .then_types(&["task.correction_started.v1"])
        .when_from(
            &origin("evt-003", "tester", 1, Some("evt-001"), "corrector=1,generator=1,tester=1"),
            TaskCommand::ReportBug(report("…")),
        )
        .then_types(&["task.bug_report_received.v1"])
        .when_from(
            &origin("evt-004", "corrector", 1, Some("evt-002"), "corrector=2,generator=1,tester=1"),
            TaskCommand::CompleteCorrection(correction("…", "xyz789", &[])),
        )
        .then_types(&["task.correction_completed.v1"]);
    let code = task.state().code.unwrap();
    assert_eq!((code.version.get(), code.hash.as_deref()), (2, Some("xyz789")));
    assert_eq!(code.clock, "corrector=2,generator=1,tester=1".parse().unwrap());
}
