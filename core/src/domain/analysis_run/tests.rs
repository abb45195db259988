//! Seed 3's runs, from their creation to their end.

mod property;

use std::iter::successors;

use super::{super::proposal::ProposedTask, *};
use crate::{
    decider::{
        Origin, RefusalKind,
        testing::{Cell, Log, Scenario, assert_types_are_named},
    },
    domain::{
        analysis_guard::{AnalysisGuard, AnalysisGuardState},
        entities,
        proposal::{self, Proposal, ProposalCommand},
    },
    event::EventId,
    stream::StreamName,
    version::Revision,
};

const RUN: &str = "space:1:analysis_runs:r1";
const OTHER: &str = "space:1:analysis_runs:r2";
const LEASE_MS: u32 = 30_000;

fn started() -> Started {
    Started { executor: Actor::new("executor").unwrap(), lease_ms: LEASE_MS }
}

fn batch(index: u32, total: u32, ids: &[&str]) -> Batch {
    let proposed = |id: &&str| BatchProposal { id: (*id).into(), task: task(id) };
    Batch { index, proposals: ids.iter().map(proposed).collect(), done: index + 1, total }
}

fn task(title: &str) -> ProposedTask {
    ProposedTask { title: title.into(), ..ProposedTask::default() }
}

fn proposal(id: &str) -> String {
    format!("space:1:proposals:{id}")
}

fn pending() -> Scenario<AnalysisRun> {
    Scenario::new(entities(), RUN).after::<AnalysisRun>(RUN, "pm", RunCommand::Create(Created::default()))
}

fn running() -> Scenario<AnalysisRun> {
    pending().after::<AnalysisRun>(RUN, "pm", RunCommand::Start(started()))
}

/// One whose windows are all done, and which has made these proposals.
fn done(ids: &[&str]) -> Scenario<AnalysisRun> {
    running().after::<AnalysisRun>(RUN, "executor", RunCommand::RecordBatch(batch(0, 1, ids)))
}

fn completed(ids: &[&str]) -> Scenario<AnalysisRun> {
    done(ids).after::<AnalysisRun>(RUN, "executor", RunCommand::Complete {})
}

fn guard(scenario: &mut Scenario<AnalysisRun>) -> AnalysisGuardState {
    let stream = StreamName::new("space:1:analysis_guard:open").unwrap();
    scenario.log().projection::<AnalysisGuard>(&stream).state().clone()
}

fn counters(state: &AnalysisRunState) -> [u32; 5] {
    [
        state.proposals_total,
        state.proposals_pending,
        state.proposals_approved,
        state.proposals_rejected,
        state.proposals_merged,
    ]
}

#[test]
fn types_are_named() {
    assert_types_are_named::<AnalysisRun>();
    assert_types_are_named::<AnalysisGuard>();
}

#[test]
fn a_run_goes_from_its_creation_to_its_end() {
    let mut run = Scenario::<AnalysisRun>::new(entities(), RUN)
        .when("pm", RunCommand::Create(Created::default()))
        .then_types(&["analysis_run.created.v1", "analysis_guard.taken.v1"])
        .when("pm", RunCommand::Start(started()))
        .then([RunEvent::Started(started())])
        .when("executor", RunCommand::RecordBatch(batch(0, 2, &["p1", "p2"])))
        .then_types(&[
            "proposal.created.v1",
            "proposal.created.v1",
            "analysis_run.proposals_created.v1",
            "analysis_run.progress_updated.v1",
        ])
        .when("executor", RunCommand::RecordBatch(batch(1, 2, &["p3"])))
        .then_types(&["proposal.created.v1", "analysis_run.proposals_created.v1", "analysis_run.progress_updated.v1"])
        .when("executor", RunCommand::Complete {})
        .then([RunEvent::Completed(Completed {})]);
    assert_eq!(counters(&run.state()), [3, 3, 0, 0, 0]);
    assert_eq!(guard(&mut run).run.as_deref(), Some("r1"));
    let mut run = run
        .after::<Proposal>(&proposal("p1"), "pm", ProposalCommand::Approve {})
        .after::<Proposal>(&proposal("p2"), "pm", ProposalCommand::Reject(proposal::Rejected::default()))
        .after::<Proposal>(&proposal("p3"), "pm", ProposalCommand::Merge(proposal::Merged { into: "p1".into() }));
    assert_eq!((run.state().phase, counters(&run.state())), (Phase::Reviewed, [3, 0, 1, 1, 1]));
    run = run.when("pm", RunCommand::Close {}).then_types(&["analysis_run.closed.v1", "analysis_guard.released.v1"]);
    let accuracy = Accuracy { approved_permille: 333, merged_permille: 333, rejected_permille: 333 };
    assert_eq!((run.state().phase, run.state().accuracy), (Phase::Closed, Some(accuracy)));
    assert_eq!(guard(&mut run).run, None);
}

#[test]
fn an_unclosed_run_is_a_409_for_the_next_one_which_names_it() {
    let mut run = pending();
    let (stream, origin) = (StreamName::new(OTHER).unwrap(), run.origin("other-pm"));
    let create = r#"{"type":"create"}"#;
    let refusal = run.log().command("analysis_run", &stream, &origin, create).unwrap_err();
    assert_eq!((refusal.kind(), refusal.code()), (RefusalKind::Conflict, "run_open"));
    assert_eq!(refusal.detail(), "the run 'r1' is open, and pending: close or cancel it first");
    let elsewhere = StreamName::new("space:2:analysis_runs:r2").unwrap();
    run.log().command("analysis_run", &elsewhere, &origin, create).expect("another space has its own guard");
    let mut run = run.after::<AnalysisRun>(RUN, "pm", RunCommand::Cancel(Cancelled::default()));
    run.log().command("analysis_run", &stream, &origin, create).expect("the space is free again");
    assert_eq!(guard(&mut run).run.as_deref(), Some("r2"));
}

#[test]
fn two_who_create_at_once_expect_the_same_guard_so_one_of_them_wins() {
    let log = Log::new(entities());
    let origin = Origin::new(EventId::new("command").unwrap(), Actor::new("pm").unwrap());
    let guard = StreamName::new("space:1:analysis_guard:open").unwrap();
    for run in [RUN, OTHER] {
        let stream = StreamName::new(run).unwrap();
        let decision = log.decide("analysis_run", &stream, &origin, r#"{"type":"create"}"#).unwrap();
        assert_eq!(decision.expected, [(guard.clone(), Revision::ZERO), (stream, Revision::ZERO)]);
        assert!(decision.events.iter().any(|event| event.stream == guard), "the guard moves by either");
    }
}

#[test]
fn closing_with_pending_proposals_is_a_400_which_says_how_many() {
    let outcome = completed(&["p1", "p2", "p3"])
        .after::<Proposal>(&proposal("p2"), "pm", ProposalCommand::Approve {})
        .when("pm", RunCommand::Close {});
    let refusal = outcome.result().unwrap_err();
    assert_eq!((refusal.kind(), refusal.code()), (RefusalKind::Invalid, "proposals_pending"));
    assert_eq!(refusal.detail(), "2 of 3 proposals are pending: review them first");
}

#[test]
fn a_run_without_proposals_is_reviewed_at_once_and_closes_without_accuracy() {
    let run = running()
        .when("executor", RunCommand::Complete {})
        .then([RunEvent::Completed(Completed {}), RunEvent::Reviewed(Reviewed {})])
        .when("pm", RunCommand::Close {})
        .then_types(&["analysis_run.closed.v1", "analysis_guard.released.v1"]);
    assert_eq!((run.state().accuracy, run.state().progress_percent), (None, 100));
}

#[test]
fn a_run_whose_proposals_were_all_reviewed_while_it_ran_is_reviewed_at_once() {
    let run = done(&["p1"]).after::<Proposal>(&proposal("p1"), "pm", ProposalCommand::Approve {});
    assert_eq!(run.state().phase, Phase::Running);
    let _ = run
        .when("executor", RunCommand::Complete {})
        .then_types(&["analysis_run.completed.v1", "analysis_run.reviewed.v1"]);
}

#[test]
fn a_batch_is_recorded_once_in_order_and_by_the_executor() {
    let again = batch(0, 3, &["p1"]);
    let run = running()
        .when("pm", RunCommand::RecordBatch(again.clone()))
        .then_refused("not_executor")
        .when("executor", RunCommand::RecordBatch(batch(1, 3, &["p2"])))
        .then_refused("batch_out_of_order")
        .after::<AnalysisRun>(RUN, "executor", RunCommand::RecordBatch(again.clone()))
        .when("executor", RunCommand::RecordBatch(again))
        .then_types(&[])
        .when("executor", RunCommand::RecordBatch(batch(1, 3, &[])))
        .then_types(&["analysis_run.progress_updated.v1"]);
    let state = run.state();
    assert_eq!((state.batches, state.windows_done, state.windows_total, state.progress_percent), (2, 2, 3, 66));
    assert_eq!(state.proposals_total, 1);
    let _ = run.when("executor", RunCommand::Complete {}).then_refused("windows_left");
}

#[test]
fn a_batch_that_can_not_be_is_refused_whole() {
    let many: Vec<String> = (0..=BATCH_PROPOSALS_MAX).map(|n| n.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let unsure = ProposedTask { confidence_percent: Some(101), ..task("a") };
    let from_all =
        ProposedTask { sources: vec![StreamName::new(RUN).unwrap(); proposal::SOURCES_MAX + 1], ..task("a") };
    let of = |task| Batch { proposals: vec![BatchProposal { id: "x".into(), task }], ..batch(1, 2, &[]) };
    let mut run = running().after::<AnalysisRun>(RUN, "executor", RunCommand::RecordBatch(batch(0, 2, &["p1"])));
    for (batch, code) in [
        (batch(1, 2, &["p1"]), "proposal_exists"),
        (batch(1, 2, &["p2", "p2"]), "duplicate_id"),
        (batch(1, 2, &["p2", "a:b"]), "invalid_id"),
        (batch(1, 2, &["p2", "a b"]), "invalid_id"),
        (batch(1, 2, &many), "too_many"),
        (batch(1, 1, &["p2"]), "invalid_progress"),
        (Batch { done: 0, ..batch(1, 2, &[]) }, "invalid_progress"),
        (of(task(" ")), "empty_text"),
        (of(unsure), "invalid_confidence"),
        (of(from_all), "too_many"),
    ] {
        run = run.when("executor", RunCommand::RecordBatch(batch)).then_refused(code);
    }
    assert_eq!(counters(&run.state()), [1, 1, 0, 0, 0]);
}

#[test]
fn every_event_of_the_executor_renews_the_lease_and_no_other_does() {
    let run = running().later(20_000);
    let until = run.state().lease_until.unwrap();
    let run = run.after::<AnalysisRun>(RUN, "executor", RunCommand::RecordBatch(batch(0, 2, &["p1"])));
    assert_eq!(run.state().lease_until, Some(until.plus_ms(20_000)));
    let run = run.later(5_000).after::<Proposal>(&proposal("p1"), "pm", ProposalCommand::Approve {});
    assert_eq!(run.state().lease_until, Some(until.plus_ms(20_000)));
}

#[test]
fn a_run_whose_executor_is_gone_fails_by_its_lease() {
    let mut run = running()
        .later(LEASE_MS)
        .when("server", RunCommand::Expire {})
        .then_refused("lease_valid")
        .later(1)
        .when("server", RunCommand::Expire {})
        .then_types(&["analysis_run.failed.v1", "analysis_guard.released.v1"])
        .when("executor", RunCommand::RecordBatch(batch(0, 1, &["p1"])))
        .then_refused("run_ended");
    assert_eq!((run.state().phase, run.state().reason.as_deref()), (Phase::Failed, Some(LEASE_EXPIRED)));
    assert_eq!(guard(&mut run).run, None);
}

#[test]
fn a_run_whose_executor_is_gone_is_not_in_the_way_of_the_next() {
    let run =
        running().after::<AnalysisRun>("space:2:analysis_runs:other", "pm", RunCommand::Create(Created::default()));
    let mut run = run.later(LEASE_MS + 1).after::<AnalysisRun>(OTHER, "pm", RunCommand::Create(Created::default()));
    let kinds: Vec<String> = run.log().events().iter().rev().take(4).map(|event| event.kind.to_string()).collect();
    let [taken, created, released, failed] = kinds.try_into().unwrap();
    assert_eq!([failed, released], ["analysis_run.failed.v1", "analysis_guard.released.v1"]);
    assert_eq!([created, taken], ["analysis_run.created.v1", "analysis_guard.taken.v1"]);
    assert_eq!(run.state().phase, Phase::Failed);
    assert_eq!(guard(&mut run).run.as_deref(), Some("r2"));
}

#[test]
fn what_was_proposed_by_a_run_that_failed_can_be_reviewed_and_leaves_it_failed() {
    let run = done(&["p1"])
        .after::<AnalysisRun>(RUN, "executor", RunCommand::Fail(Failed { reason: "no model".into() }))
        .after::<Proposal>(&proposal("p1"), "pm", ProposalCommand::Approve {});
    assert_eq!((run.state().phase, counters(&run.state())), (Phase::Failed, [1, 0, 1, 0, 0]));
}

#[test]
fn what_can_not_be_meant_is_refused() {
    let at = |text: &str| Some(text.parse().unwrap());
    let backwards = Created { since: at("2026-01-02T00:00:00Z"), until: at("2026-01-01T00:00:00Z") };
    let mut run = Scenario::<AnalysisRun>::new(entities(), RUN)
        .when("pm", RunCommand::Create(backwards))
        .then_refused("invalid_period");
    run = run.after::<AnalysisRun>(RUN, "pm", RunCommand::Create(Created::default()));
    for lease_ms in [0, LEASE_MS_MAX + 1] {
        run = run.when("pm", RunCommand::Start(Started { lease_ms, ..started() })).then_refused("invalid_lease");
    }
    let run = run.after::<AnalysisRun>(RUN, "pm", RunCommand::Start(started()));
    let _ = run.when("executor", RunCommand::Fail(Failed { reason: " ".into() })).then_refused("empty_text");
}

#[test]
fn nobody_commands_a_guard() {
    let mut run = pending();
    let (stream, origin) = (StreamName::new("space:1:analysis_guard:open").unwrap(), run.origin("pm"));
    let released = r#"{"type":"released","data":{"run":"r1"}}"#;
    let refusal = run.log().command("analysis_guard", &stream, &origin, released).unwrap_err();
    assert_eq!((refusal.kind(), refusal.code()), (RefusalKind::Invalid, "invalid_command"));
}

/// Every phase. The compiler asks for one that is missing.
fn phases() -> impl Iterator<Item = Phase> {
    successors(Some(Phase::New), |phase| match phase {
        Phase::New => Some(Phase::Pending),
        Phase::Pending => Some(Phase::Running),
        Phase::Running => Some(Phase::Completed),
        Phase::Completed => Some(Phase::Reviewed),
        Phase::Reviewed => Some(Phase::Closed),
        Phase::Closed => Some(Phase::Failed),
        Phase::Failed => Some(Phase::Cancelled),
        Phase::Cancelled => None,
    })
}

/// Every command. The compiler asks for one that is missing.
fn commands() -> impl Iterator<Item = RunCommand> {
    successors(Some(RunCommand::Create(Created::default())), |command| match command {
        RunCommand::Create(_) => Some(RunCommand::Start(started())),
        RunCommand::Start(_) => Some(RunCommand::RecordBatch(batch(1, 2, &["p2"]))),
        RunCommand::RecordBatch(_) => Some(RunCommand::Complete {}),
        RunCommand::Complete {} => Some(RunCommand::Fail(Failed { reason: "no model".into() })),
        RunCommand::Fail(_) => Some(RunCommand::Expire {}),
        RunCommand::Expire {} => Some(RunCommand::Cancel(Cancelled::default())),
        RunCommand::Cancel(_) => Some(RunCommand::Close {}),
        RunCommand::Close {} => None,
    })
}

/// A run in this phase. One that ran has proposed `p1`, which is pending unless the phase says otherwise.
fn in_phase(phase: Phase) -> Scenario<AnalysisRun> {
    match phase {
        Phase::New => Scenario::new(entities(), RUN),
        Phase::Pending => pending(),
        Phase::Running => done(&["p1"]),
        Phase::Completed => completed(&["p1"]),
        Phase::Reviewed => completed(&["p1"]).after::<Proposal>(&proposal("p1"), "pm", ProposalCommand::Approve {}),
        Phase::Closed => in_phase(Phase::Reviewed).after::<AnalysisRun>(RUN, "pm", RunCommand::Close {}),
        Phase::Failed => {
            let failed = Failed { reason: "no model".into() };
            done(&["p1"]).after::<AnalysisRun>(RUN, "executor", RunCommand::Fail(failed))
        }
        Phase::Cancelled => done(&["p1"]).after::<AnalysisRun>(RUN, "pm", RunCommand::Cancel(Cancelled::default())),
    }
}

fn cell(phase: Phase, command: &RunCommand) -> Cell {
    use Phase::{Cancelled, Closed, Completed, Failed, New, Pending, Reviewed, Running};
    use RunCommand as Do;
    match (phase, command) {
        (New, Do::Create(_)) => Ok(&["analysis_run.created.v1", "analysis_guard.taken.v1"]),
        (Pending | Running | Completed | Reviewed | Closed | Failed | Cancelled, Do::Create(_)) => Err("run_exists"),
        (
            New,
            Do::Start(_)
            | Do::RecordBatch(_)
            | Do::Complete {}
            | Do::Fail(_)
            | Do::Expire {}
            | Do::Cancel(_)
            | Do::Close {},
        ) => Err("unknown_run"),
        (Pending, Do::Start(_)) => Ok(&["analysis_run.started.v1"]),
        (Running, Do::Start(_)) => Ok(&[]),
        (Running, Do::RecordBatch(_)) => {
            Ok(&["proposal.created.v1", "analysis_run.proposals_created.v1", "analysis_run.progress_updated.v1"])
        }
        (Running, Do::Complete {}) => Ok(&["analysis_run.completed.v1"]),
        (Running, Do::Fail(_)) => Ok(&["analysis_run.failed.v1", "analysis_guard.released.v1"]),
        (Running, Do::Expire {}) => Err("lease_valid"),
        (Pending | Running, Do::Cancel(_)) => Ok(&["analysis_run.cancelled.v1", "analysis_guard.released.v1"]),
        (Running | Completed, Do::Close {}) => Err("proposals_pending"),
        (Reviewed, Do::Close {}) => Ok(&["analysis_run.closed.v1", "analysis_guard.released.v1"]),
        (Pending, Do::RecordBatch(_) | Do::Complete {} | Do::Fail(_) | Do::Expire {} | Do::Close {}) => {
            Err("wrong_phase")
        }
        (
            Completed | Reviewed,
            Do::Start(_) | Do::RecordBatch(_) | Do::Complete {} | Do::Fail(_) | Do::Expire {} | Do::Cancel(_),
        ) => Err("wrong_phase"),
        (
            Closed | Failed | Cancelled,
            Do::Start(_)
            | Do::RecordBatch(_)
            | Do::Complete {}
            | Do::Fail(_)
            | Do::Expire {}
            | Do::Cancel(_)
            | Do::Close {},
        ) => Err("run_ended"),
    }
}

#[test]
fn every_command_in_every_phase() {
    for phase in phases() {
        for command in commands() {
            let run = in_phase(phase);
            assert_eq!(run.state().phase, phase);
            let name = format!("{phase} × {command:?}");
            let expected = cell(phase, &command);
            run.when("executor", command).then_cell(&name, expected);
        }
    }
}
