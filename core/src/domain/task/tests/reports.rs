//! Reports: what they are about, by which evidence, and what clears them.

use super::*;
use crate::causality::Evidence;

/// A task whose current code is version 2, by the corrector who knew of the generator's, with the hash `xyz789`.
fn with_v2() -> Scenario<Task> {
    let correct = origin("evt-002", "corrector", 1, Some("command-1"), "corrector=1,generator=1");
    with_v1()
        .when_from(&correct, TaskCommand::CompleteCorrection(correction("V2", "xyz789", &[])))
        .then_types(&["task.correction_completed.v1"])
}

/// What becomes of a report about this version, by a tester who knew this, with this hash.
fn reported(version: u32, clock: &str, hash: Option<&str>) -> Scenario<Task> {
    let origin = origin("evt-003", "tester", version, None, clock);
    let data = BugReportReceived { hash: hash.map(Into::into), ..report("wrong sum") };
    with_v2().when_from(&origin, TaskCommand::ReportBug(data)).then_types(&["task.bug_report_received.v1"])
}

fn pending(task: &Scenario<Task>) -> Vec<(About, Evidence)> {
    task.state().pending_bugs.iter().map(|pending| (pending.causality.about, pending.causality.by)).collect()
}

/// Holds that nothing has changed but what is counted.
fn assert_stale(task: &Scenario<Task>, by_version: u32, by_else: u32) {
    let before = with_v2().state();
    assert_eq!(task.state(), TaskState { reports_stale: by_else, ..before });
    assert_eq!(task.projection().set_aside().stale, by_version);
}

#[test]
fn a_report_is_stale_by_its_version() {
    assert_stale(&reported(1, "corrector=1,generator=1,tester=1", Some("xyz789")), 1, 0);
}

#[test]
fn a_report_is_stale_by_its_hash() {
    assert_stale(&reported(2, "corrector=1,generator=1,tester=1", Some("abc123")), 0, 1);
}

#[test]
fn a_report_is_stale_by_its_clock() {
    // What was recorded of the code knows of the tester: whoever wrote it had seen the report.
    let correct = origin("evt-002", "corrector", 1, None, "corrector=1,generator=1,tester=2");
    let report_of = origin("evt-003", "tester", 2, None, "generator=1,tester=1");
    let task = with_v1()
        .when_from(&correct, TaskCommand::CompleteCorrection(correction("V2", "xyz789", &[])))
        .then_types(&["task.correction_completed.v1"])
        .when_from(&report_of, TaskCommand::ReportBug(report("wrong sum")))
        .then_types(&["task.bug_report_received.v1"]);
    assert_eq!((pending(&task), task.state().reports_stale), (Vec::new(), 1));
    assert_eq!(task.state().phase, Phase::Written);
}

#[test]
fn a_report_of_who_knew_the_code_is_about_it() {
    let task = reported(2, "corrector=1,generator=1,tester=1", None);
    assert_eq!(pending(&task), [(About::Current, Evidence::Clock)]);
    assert_eq!(task.state().phase, Phase::Failing);
}

#[test]
fn an_equal_hash_decides_and_an_absent_one_does_not() {
    assert_eq!(pending(&reported(2, "generator=1,tester=1", Some("xyz789"))), [(About::Current, Evidence::Hash)]);
    // The seed takes nothing for equal to nothing, and any hash for different from nothing.
    let without = |clock| {
        let code = TaskCommand::GenerateCode(CodeGenerated { hash: None, ..generated("V1", "") });
        let task = scenario().when("generator", code).then_types(&["task.code_generated.v1"]);
        let data = BugReportReceived { hash: Some("abc123".into()), ..report("wrong sum") };
        let origin = origin("evt-003", "tester", 1, None, clock);
        task.when_from(&origin, TaskCommand::ReportBug(data)).then_types(&["task.bug_report_received.v1"])
    };
    assert_eq!(pending(&without("generator=1,tester=1")), [(About::Current, Evidence::Clock)]);
    assert_eq!(pending(&without("tester=1")), [(About::Concurrent, Evidence::Clock)]);
}

#[test]
fn a_concurrent_report_is_kept_and_flagged() {
    // The tester names version 2 and has seen only the generator: neither knew of the other.
    let task = reported(2, "generator=1,tester=1", None);
    assert_eq!(pending(&task), [(About::Concurrent, Evidence::Clock)]);
}

/// Reports with the bugs `a`, `b` and `c` about the current code, and their ids.
fn three_reports() -> (Scenario<Task>, [EventId; 3]) {
    let mut task = with_v1();
    for bug in ["a", "b", "c"] {
        task = task.when("tester", TaskCommand::ReportBug(report(bug))).then_types(&["task.bug_report_received.v1"]);
    }
    let ids: Vec<EventId> = task.state().pending_bugs.iter().map(|pending| pending.report.clone()).collect();
    (task, ids.try_into().unwrap())
}

fn words(bugs: &[&str]) -> Vec<Bug> {
    bugs.iter().map(|bug| Bug::Words((*bug).into())).collect()
}

#[test]
fn a_correction_clears_what_it_addresses_and_no_more() {
    let (task, [a, _, c]) = three_reports();
    let unknown = EventId::new("of-another-task").unwrap();
    let task = task
        .when("corrector", TaskCommand::CompleteCorrection(correction("V2", "h2", &[a, c, unknown])))
        .then_types(&["task.correction_completed.v1"]);
    assert_eq!((bugs(&task), task.state().phase), (words(&["b"]), Phase::Failing));
}

#[test]
fn a_correction_that_addresses_all_leaves_none() {
    let (task, all) = three_reports();
    let task = task
        .when("corrector", TaskCommand::CompleteCorrection(correction("V2", "h2", &all)))
        .then_types(&["task.correction_completed.v1"]);
    assert_eq!((bugs(&task), task.state().phase), (Vec::new(), Phase::Written));
}

#[test]
fn new_code_that_is_no_correction_leaves_what_was_reported() {
    let (task, _) = three_reports();
    let refined = CodeRefined { code: "V2".into(), hash: None };
    let task = task.when("generator", TaskCommand::RefineCode(refined)).then_types(&["task.code_refined.v1"]);
    assert_eq!((bugs(&task), task.state().phase), (words(&["a", "b", "c"]), Phase::Failing));
}

#[test]
fn a_check_clears_what_it_found_to_pass() {
    let (task, [a, b, c]) = three_reports();
    let failed = QualityChecked { passed: false, failed: 1, addresses: vec![a, b], ..passed() };
    let task = task.when("tester", TaskCommand::CheckQuality(failed)).then_types(&["task.quality_checked.v1"]);
    assert_eq!((bugs(&task), task.state().phase), (words(&["c"]), Phase::Failing));
    let all_pass = QualityChecked { addresses: vec![c], ..passed() };
    let task = task.when("tester", TaskCommand::CheckQuality(all_pass)).then_types(&["task.quality_checked.v1"]);
    assert_eq!((bugs(&task), task.state().phase), (Vec::new(), Phase::Passed));
}

#[test]
fn what_is_urgent_is_marked() {
    let (task, [_, b, _]) = three_reports();
    let task = task
        .when("user", TaskCommand::RequestUrgentFix(BugFixUrgent { reports: vec![b] }))
        .then_types(&["task.bug_fix_urgent.v1"]);
    let urgent: Vec<bool> = task.state().pending_bugs.iter().map(|pending| pending.is_urgent).collect();
    assert_eq!(urgent, [false, true, false]);
}

#[test]
fn reports_beyond_the_bound_are_counted() {
    let mut task = with_v1();
    for n in 0..PENDING_BUGS_MAX + 2 {
        task = task.given("tester", report(&n.to_string()));
    }
    assert_eq!((task.state().pending_bugs.len(), task.state().reports_dropped), (PENDING_BUGS_MAX, 2));
}
