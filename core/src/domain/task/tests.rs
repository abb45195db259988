//! Seed 1's own stories, told in its words.

mod reports;
mod table;

use super::*;
use crate::{
    decider::{
        Applied, Entities, Origin, Projection,
        testing::{Scenario, assert_types_are_named},
    },
    event::{Actor, Data},
    json,
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

/// The task with the code V1, by the generator.
fn with_v1() -> Scenario<Task> {
    scenario()
        .when("generator", TaskCommand::GenerateCode(generated("V1", "abc123")))
        .then_types(&["task.code_generated.v1"])
}

fn code(task: &Scenario<Task>) -> (String, u32) {
    let code = task.state().code.unwrap();
    (code.code, code.version.get())
}

fn bugs(task: &Scenario<Task>) -> Vec<Bug> {
    task.state().pending_bugs.into_iter().map(|pending| pending.bug).collect()
}

#[test]
fn types_are_named() {
    assert_types_are_named::<Task>();
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

/// The same events, with the clocks that the log derives where nobody gives any: the actors name the causes that the seed names.
#[test]
fn the_four_example_events_with_the_clocks_of_the_log() {
    let caused =
        |id: &str, actor: &str, cause: &str| Origin { clock: None, ..origin(id, actor, 1, Some(cause), "a=1") };
    let generate = Origin { version: None, clock: None, ..origin("evt-001", "generator", 0, None, "a=1") };
    let mut task = scenario()
        .when_from(&generate, TaskCommand::GenerateCode(generated("…", "abc123")))
        .then_types(&["task.code_generated.v1"])
        .when_from(
            &caused("evt-002", "corrector", "evt-001"),
            TaskCommand::StartCorrection(CorrectionStarted::default()),
        )
        .then_types(&["task.correction_started.v1"])
        .when_from(&caused("evt-003", "tester", "evt-001"), TaskCommand::ReportBug(report("…")))
        .then_types(&["task.bug_report_received.v1"])
        .when_from(
            &caused("evt-004", "corrector", "evt-002"),
            TaskCommand::CompleteCorrection(correction("…", "x", &[])),
        )
        .then_types(&["task.correction_completed.v1"]);
    let clocks: Vec<String> = task.log().events().iter().map(|event| event.clock.to_string()).collect();
    assert_eq!(clocks, ["generator=1", "corrector=1,generator=1", "generator=1,tester=1", "corrector=2,generator=1"]);
    let versions: Vec<u32> = task.log().events().iter().map(|event| event.version.get()).collect();
    assert_eq!(versions, [1, 1, 1, 2]);
}

#[test]
fn problem_1_a_report_that_is_recorded_before_the_correction() {
    // T0: Code generated (version V1). T1: Correction process starts.
    let task = with_v1().when_about(1, "corrector", TaskCommand::StartCorrection(CorrectionStarted::default()));
    // T2: Bug report arrives (about V1).
    let task = task
        .then_types(&["task.correction_started.v1"])
        .when_about(1, "tester", TaskCommand::ReportBug(report("wrong sum")))
        .then_types(&["task.bug_report_received.v1"]);
    assert_eq!((bugs(&task), task.state().phase), (vec![Bug::Words("wrong sum".into())], Phase::InCorrection));
    // T3: Correction completes (version V2).
    let task = task
        .when_about(1, "corrector", TaskCommand::CompleteCorrection(correction("V2", "xyz789", &[])))
        .then_types(&["task.correction_completed.v1"]);
    // T4: The report is about V1, and the correction did not know of it: it is still to be looked at.
    assert_eq!((bugs(&task), task.state().phase), (vec![Bug::Words("wrong sum".into())], Phase::Failing));
    assert_eq!(code(&task), ("V2".into(), 2));
}

#[test]
fn problem_1_a_report_that_is_processed_after_the_correction() {
    // T0: Code generated (version V1). T1: Correction process starts. T3: Correction completes (version V2).
    let task = with_v1()
        .when_about(1, "corrector", TaskCommand::StartCorrection(CorrectionStarted::default()))
        .then_types(&["task.correction_started.v1"])
        .when_about(1, "corrector", TaskCommand::CompleteCorrection(correction("V2", "xyz789", &[])))
        .then_types(&["task.correction_completed.v1"]);
    let before = task.state();
    // T4: Bug report (about V1) processed: it is in the log, is counted, and changes nothing.
    let mut task = task
        .when_about(1, "tester", TaskCommand::ReportBug(report("wrong sum")))
        .then_types(&["task.bug_report_received.v1"]);
    assert_eq!(task.state(), before);
    assert_eq!(task.projection().set_aside().stale, 1);
    assert_eq!(task.log().events().last().unwrap().version.get(), 1);
    assert_eq!(task.projection().mark().version.get(), 2, "the version has not gone back");
}

#[test]
fn problem_6_a_client_that_receives_v1_ready_after_v2_ready() {
    // T0: Code V1 generated. T2: Correction starts on V1. T3: Correction completes → V2.
    let mut task = with_v1()
        .when_about(1, "corrector", TaskCommand::StartCorrection(CorrectionStarted::default()))
        .then_types(&["task.correction_started.v1"])
        .when_about(1, "corrector", TaskCommand::CompleteCorrection(correction("V2", "xyz789", &[])))
        .then_types(&["task.correction_completed.v1"])
        // Somebody has checked V1 meanwhile, and is late.
        .when_about(1, "tester", TaskCommand::CheckQuality(passed()))
        .then_types(&["task.quality_checked.v1"]);
    let [v1_ready, started, v2_ready, v1_passes] = task.log().events().to_vec().try_into().unwrap();
    let mut client = Projection::<Task>::default();
    // T1: "V1 ready". T4: "V2 ready".
    for event in [&v1_ready, &started, &v2_ready] {
        assert_eq!(client.apply(event), Applied::Applied);
    }
    let truth = client.state().clone();
    // T5: Client receives "V1 ready" (stale!), and that V1 passes.
    assert_eq!(client.apply(&v1_ready), Applied::Duplicate);
    assert_eq!(client.apply(&v1_passes), Applied::Stale);
    // "Client thinks current version is V1, but it's actually V2!" It does not.
    assert_eq!(client.state(), &truth);
    let code = client.state().code.as_ref().unwrap();
    assert_eq!((code.code.as_str(), code.version.get(), client.state().phase), ("V2", 2, Phase::Written));
}

#[test]
fn an_update_of_an_equal_version_is_taken_on_both_sides() {
    // The seed's server refuses what is not above its version, and its client takes it. Here one gate stands on both sides.
    let mut task = with_v1()
        .when_about(1, "tester", TaskCommand::GenerateTests(TestGenerated { count: 3, tests: None }))
        .then_types(&["task.test_generated.v1"]);
    let mut client = Projection::<Task>::default();
    for event in task.log().events() {
        assert_eq!(client.apply(event), Applied::Applied);
    }
    assert_eq!((client.state().tests, task.state().tests), (3, 3));
}

fn passed() -> QualityChecked {
    QualityChecked { hash: None, passed: true, cases: 3, failed: 0, addresses: Vec::new() }
}

#[test]
fn versions_rise_by_one_with_each_new_code_and_with_nothing_else() {
    let refined = CodeRefined { code: "V2".into(), hash: None };
    let task = with_v1()
        .when("generator", TaskCommand::RefineCode(refined.clone()))
        .then([TaskEvent::CodeRefined(refined.clone())])
        .when("user", TaskCommand::Intervene(UserIntervened { note: "make it shorter".into() }))
        .then_types(&["task.user_intervened.v1"])
        .when("corrector", TaskCommand::CompleteCorrection(correction("V3", "h3", &[])))
        .then_types(&["task.correction_completed.v1"]);
    assert_eq!((code(&task), task.state().interventions), (("V3".into(), 3), 1));
    let task = task.when_about(2, "generator", TaskCommand::RefineCode(refined)).then_refused("stale_version");
    let task = task
        .when_about(1, "corrector", TaskCommand::CompleteCorrection(correction("V2", "h2", &[])))
        .then_refused("stale_version")
        .when("corrector", TaskCommand::StartCorrection(CorrectionStarted { target_version: Version::new(1).ok() }))
        .then_refused("stale_version")
        .when_about(1, "corrector", TaskCommand::StartCorrection(CorrectionStarted::default()))
        .then_refused("stale_version")
        .when_about(4, "tester", TaskCommand::ReportBug(report("?")))
        .then_refused("unknown_version");
    assert_eq!(code(&task), ("V3".into(), 3));
}

#[test]
fn of_two_who_correct_the_first_is_taken_and_new_code_ends_the_correction() {
    let task = with_v1()
        .when("corrector", TaskCommand::StartCorrection(CorrectionStarted::default()))
        .then_types(&["task.correction_started.v1"])
        .when("other", TaskCommand::StartCorrection(CorrectionStarted::default()))
        .then_types(&["task.correction_started.v1"])
        .when_about(1, "other", TaskCommand::CompleteCorrection(correction("V2", "h2", &[])))
        .then_types(&["task.correction_completed.v1"]);
    assert_eq!((code(&task), task.state().in_correction), (("V2".into(), 2), None));
    let _ = task
        .when_about(1, "corrector", TaskCommand::CompleteCorrection(correction("too late", "h3", &[])))
        .then_refused("stale_version");
}

#[test]
fn what_is_known_of_a_code_is_not_known_of_the_next() {
    let task = with_v1()
        .given("tester", TestGenerated { count: 3, tests: None })
        .given("tester", passed())
        .given("analyst", DeadCodeAnalyzed { unused: vec!["old_sum".into()] });
    assert_eq!(task.state().phase, Phase::Passed);
    let task = task
        .when("generator", TaskCommand::RefineCode(CodeRefined { code: "V2".into(), hash: None }))
        .then_types(&["task.code_refined.v1"]);
    let state = task.state();
    assert_eq!((state.phase, state.tests, state.quality, state.dead_code), (Phase::Written, 0, None, Vec::new()));
}

#[test]
fn lists_are_bounded() {
    let many = || vec![String::from("x"); 257];
    let report = EventId::new("evt-1").unwrap();
    let _ = scenario().when("planner", TaskCommand::Plan(Planned { steps: many() })).then_refused("too_many");
    let _ = with_v1()
        .when("analyst", TaskCommand::AnalyzeDeadCode(DeadCodeAnalyzed { unused: many() }))
        .then_refused("too_many")
        .when("tester", TaskCommand::CheckQuality(QualityChecked { addresses: vec![report; 257], ..passed() }))
        .then_refused("too_many");
}

#[test]
fn what_a_reader_does_not_know_stops_nothing() {
    let mut task = with_v1();
    let template = task.log().events()[0].clone();
    let mut record = |kind: &str, data: &str| {
        let kind = crate::event::EventType::new(kind).unwrap();
        let data = Data::json(data).unwrap();
        task.log().record(NewEvent { id: None, kind, data, clock: None, ..NewEvent::from(template.clone()) });
    };
    record("task.code_generated.v2", r#"{"code":"from the future"}"#);
    record("task.celebrated.v1", "{}");
    record("task.test_generated.v1", r#"{"count":"many"}"#);
    record("task.test_generated.v1", r#"{"count":3,"language":"a field of a later time"}"#);
    let set_aside = task.projection().set_aside();
    assert_eq!((set_aside.unknown, set_aside.unreadable, set_aside.stale), (2, 1, 0));
    assert_eq!((task.state().tests, code(&task)), (3, ("V1".into(), 1)));
    assert_eq!(task.projection().mark().revision.get(), 5);
}

#[test]
fn the_names_of_the_seed_are_read_too() {
    let report: BugReportReceived = json::from_str(r#"{"bug":"…","code_hash":"abc123"}"#).unwrap();
    assert_eq!(report, BugReportReceived { hash: Some("abc123".into()), ..self::report("…") });
    let case = r#"{"bug":{"case":"sum(1,2)","expected":"3","got":"4"}}"#;
    let report: BugReportReceived = json::from_str(case).unwrap();
    assert!(matches!(report.bug, Bug::Case { .. }));
}
