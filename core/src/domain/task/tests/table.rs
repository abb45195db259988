//! Every command in every phase.

use std::iter::successors;

use super::*;
use crate::decider::testing::Cell;

/// Every phase. The compiler asks for one that is missing.
fn phases() -> impl Iterator<Item = Phase> {
    successors(Some(Phase::New), |phase| match phase {
        Phase::New => Some(Phase::Specified),
        Phase::Specified => Some(Phase::Planned),
        Phase::Planned => Some(Phase::Written),
        Phase::Written => Some(Phase::Failing),
        Phase::Failing => Some(Phase::InCorrection),
        Phase::InCorrection => Some(Phase::Passed),
        Phase::Passed => None,
    })
}

/// Every command. The compiler asks for one that is missing.
fn commands() -> impl Iterator<Item = TaskCommand> {
    use TaskCommand as Do;
    let first = Do::GatherRequirement(RequirementGathered { requirement: "Sum two numbers".into() });
    successors(Some(first), |command| match command {
        Do::GatherRequirement(_) => Some(Do::Plan(Planned { steps: vec!["write it".into()] })),
        Do::Plan(_) => Some(Do::GenerateCode(generated("V1", "abc123"))),
        Do::GenerateCode(_) => Some(Do::GenerateTests(TestGenerated { count: 1, tests: None })),
        Do::GenerateTests(_) => Some(Do::RefineCode(CodeRefined { code: "V2".into(), hash: None })),
        Do::RefineCode(_) => Some(Do::CheckQuality(passed())),
        Do::CheckQuality(_) => Some(Do::AnalyzeDeadCode(DeadCodeAnalyzed { unused: Vec::new() })),
        Do::AnalyzeDeadCode(_) => Some(Do::ReportBug(report("wrong sum"))),
        Do::ReportBug(_) => Some(Do::RequestCorrection(CorrectionRequested { reports: Vec::new(), reason: None })),
        Do::RequestCorrection(_) => Some(Do::StartCorrection(CorrectionStarted::default())),
        Do::StartCorrection(_) => Some(Do::CompleteCorrection(correction("V2", "xyz789", &[]))),
        Do::CompleteCorrection(_) => Some(Do::RequestUrgentFix(BugFixUrgent { reports: Vec::new() })),
        Do::RequestUrgentFix(_) => Some(Do::Intervene(UserIntervened { note: "shorter".into() })),
        Do::Intervene(_) => None,
    })
}

fn in_phase(phase: Phase) -> Scenario<Task> {
    match phase {
        Phase::New => scenario(),
        Phase::Specified => scenario().given("pm", RequirementGathered { requirement: "Sum two numbers".into() }),
        Phase::Planned => in_phase(Phase::Specified).given("planner", Planned { steps: vec!["write it".into()] }),
        Phase::Written => with_v1(),
        Phase::Failing => with_v1().given("tester", report("wrong sum")),
        Phase::InCorrection => in_phase(Phase::Failing).given("corrector", CorrectionStarted::default()),
        Phase::Passed => with_v1().given("tester", passed()),
    }
}

fn cell(phase: Phase, command: &TaskCommand) -> Cell {
    use Phase::{Failing, InCorrection, New, Passed, Planned, Specified, Written};
    use TaskCommand as Do;
    match (phase, command) {
        (New | Specified | Planned, Do::GatherRequirement(_)) => Ok(&["task.requirement_gathered.v1"]),
        (New | Specified | Planned, Do::Plan(_)) => Ok(&["task.planned.v1"]),
        (New | Specified | Planned, Do::GenerateCode(_)) => Ok(&["task.code_generated.v1"]),
        (
            New | Specified | Planned,
            Do::GenerateTests(_)
            | Do::RefineCode(_)
            | Do::CheckQuality(_)
            | Do::AnalyzeDeadCode(_)
            | Do::ReportBug(_)
            | Do::RequestCorrection(_)
            | Do::StartCorrection(_)
            | Do::CompleteCorrection(_)
            | Do::RequestUrgentFix(_),
        ) => Err("no_code"),
        (Written | Failing | InCorrection | Passed, Do::GatherRequirement(_) | Do::Plan(_) | Do::GenerateCode(_)) => {
            Err("code_exists")
        }
        (Written | Failing | InCorrection | Passed, Do::GenerateTests(_)) => Ok(&["task.test_generated.v1"]),
        (Written | Failing | InCorrection | Passed, Do::RefineCode(_)) => Ok(&["task.code_refined.v1"]),
        (Written | Failing | InCorrection | Passed, Do::CheckQuality(_)) => Ok(&["task.quality_checked.v1"]),
        (Written | Failing | InCorrection | Passed, Do::AnalyzeDeadCode(_)) => Ok(&["task.dead_code_analyzed.v1"]),
        (Written | Failing | InCorrection | Passed, Do::ReportBug(_)) => Ok(&["task.bug_report_received.v1"]),
        (Written | Failing | InCorrection | Passed, Do::RequestCorrection(_)) => Ok(&["task.correction_requested.v1"]),
        (Written | Failing | InCorrection | Passed, Do::StartCorrection(_)) => Ok(&["task.correction_started.v1"]),
        (Written | Failing | InCorrection | Passed, Do::CompleteCorrection(_)) => Ok(&["task.correction_completed.v1"]),
        (Written | Failing | InCorrection | Passed, Do::RequestUrgentFix(_)) => Ok(&["task.bug_fix_urgent.v1"]),
        (New | Specified | Planned | Written | Failing | InCorrection | Passed, Do::Intervene(_)) => {
            Ok(&["task.user_intervened.v1"])
        }
    }
}

#[test]
fn every_command_in_every_phase() {
    for phase in phases() {
        for command in commands() {
            let task = in_phase(phase);
            assert_eq!(task.state().phase, phase);
            let name = format!("{phase:?} × {command:?}");
            let expected = cell(phase, &command);
            task.when("actor", command).then_cell(&name, expected);
        }
    }
}
