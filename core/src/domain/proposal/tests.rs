//! Seed 3's reviews: a proposal, its run's counters and the task that it becomes, in one commit.

use std::iter::successors;

use super::*;
use crate::{
    decider::{
        Origin, RefusalKind,
        testing::{Cell, Scenario, assert_types_are_named},
    },
    domain::{
        analysis_run::{self, AnalysisRun, Batch, BatchProposal, RunCommand, Started},
        entities,
        task::TaskCommand,
    },
    event::EventId,
    stream::StreamName,
    version::Revision,
};

const STREAM: &str = "space:1:proposals:p1";
const RUN: &str = "space:1:analysis_runs:r1";
const TASK: &str = "space:1:tasks:t1";

fn task() -> ProposedTask {
    ProposedTask {
        title: "Cache the totals".into(),
        description: "They are summed up on every page.".into(),
        confidence_percent: Some(80),
        sources: vec![StreamName::new("space:1:knowledge:topic-1").unwrap()],
        ..ProposedTask::default()
    }
}

/// A run that has proposed `p1`, and a task `t1`.
fn pending() -> Scenario<Proposal> {
    let executor = Actor::new("executor").unwrap();
    let proposals = vec![BatchProposal { id: "p1".into(), task: task() }];
    let requirement = RequirementGathered { requirement: "Be fast".into() };
    Scenario::new(entities(), STREAM)
        .after::<Task>(TASK, "pm", TaskCommand::GatherRequirement(requirement))
        .after::<AnalysisRun>(RUN, "pm", RunCommand::Create(analysis_run::Created::default()))
        .after::<AnalysisRun>(RUN, "pm", RunCommand::Start(Started { executor, lease_ms: 1_000 }))
        .after::<AnalysisRun>(
            RUN,
            "executor",
            RunCommand::RecordBatch(Batch { index: 0, proposals, done: 1, total: 1 }),
        )
        .after::<AnalysisRun>(RUN, "executor", RunCommand::Complete {})
}

fn merged() -> Merged {
    Merged { into: "t1".into() }
}

fn retitled(title: &str) -> Edited {
    Edited { title: Some(title.into()), ..Edited::default() }
}

fn run(scenario: &mut Scenario<Proposal>) -> analysis_run::AnalysisRunState {
    scenario.log().projection::<AnalysisRun>(&StreamName::new(RUN).unwrap()).state().clone()
}

#[test]
fn types_are_named() {
    assert_types_are_named::<Proposal>();
}

#[test]
fn an_approved_proposal_is_counted_and_is_a_task() {
    let mut proposal = pending().when("pm", ProposalCommand::Approve {}).then_types(&[
        "proposal.approved.v1",
        "analysis_run.proposal_reviewed.v1",
        "analysis_run.reviewed.v1",
        "task.requirement_gathered.v1",
    ]);
    let review = proposal.state().review.unwrap();
    assert_eq!((review.by.as_str(), review.task.as_deref()), ("pm", Some("p1")));
    let run = run(&mut proposal);
    assert_eq!((run.phase, run.proposals_pending, run.proposals_approved), (analysis_run::Phase::Reviewed, 0, 1));
    let task = proposal.log().projection::<Task>(&StreamName::new("space:1:tasks:p1").unwrap());
    let requirement = "Cache the totals\n\nThey are summed up on every page.";
    assert_eq!(task.state().requirement.as_deref(), Some(requirement));
}

#[test]
fn a_rejected_proposal_is_counted_and_is_no_task() {
    let reason = Rejected { reason: Some("they are cached".into()) };
    let mut proposal = pending().when("pm", ProposalCommand::Reject(reason)).then_types(&[
        "proposal.rejected.v1",
        "analysis_run.proposal_reviewed.v1",
        "analysis_run.reviewed.v1",
    ]);
    assert_eq!(proposal.state().review.unwrap().reason.as_deref(), Some("they are cached"));
    assert_eq!(run(&mut proposal).proposals_rejected, 1);
}

#[test]
fn a_proposal_is_merged_into_a_task_that_is_there() {
    let nowhere = pending().when("pm", ProposalCommand::Merge(Merged { into: "t2".into() }));
    let refusal = nowhere.result().unwrap_err();
    assert_eq!((refusal.kind(), refusal.code()), (RefusalKind::NotFound, "unknown_task"));
    let mut proposal = pending()
        .when("pm", ProposalCommand::Merge(Merged { into: "a:b".into() }))
        .then_refused("invalid_id")
        .when("pm", ProposalCommand::Merge(merged()))
        .then_types(&["proposal.merged.v1", "analysis_run.proposal_reviewed.v1", "analysis_run.reviewed.v1"]);
    assert_eq!(proposal.state().review.unwrap().task.as_deref(), Some("t1"));
    assert_eq!(run(&mut proposal).proposals_merged, 1);
}

#[test]
fn who_comes_second_is_told_who_was_first() {
    let outcome = pending()
        .when("ada", ProposalCommand::Reject(Rejected::default()))
        .then_types(&["proposal.rejected.v1", "analysis_run.proposal_reviewed.v1", "analysis_run.reviewed.v1"])
        .when("bob", ProposalCommand::Approve {});
    let refusal = outcome.result().unwrap_err();
    assert_eq!((refusal.kind(), refusal.code()), (RefusalKind::Conflict, "already_reviewed"));
    assert_eq!(refusal.detail(), "the proposal was rejected by ada at 2026-01-01T00:00:00Z, and that stands");
}

#[test]
fn a_review_expects_proposal_and_run_where_they_were() {
    let mut scenario = pending();
    let stream = StreamName::new(STREAM).unwrap();
    let origin = Origin::new(EventId::new("command").unwrap(), Actor::new("pm").unwrap());
    let decision = scenario.log().decide("proposal", &stream, &origin, r#"{"type":"approve"}"#).unwrap();
    let at = |stream: &str, revision| (StreamName::new(stream).unwrap(), Revision::new(revision).unwrap());
    assert_eq!(decision.expected, [at(RUN, 5), at(STREAM, 1), at("space:1:tasks:p1", 0)]);
}

#[test]
fn a_proposal_can_be_edited_until_it_is_reviewed() {
    let soon = Edited { priority: Some(Priority::High), ..Edited::default() };
    let proposal = pending()
        .when("pm", ProposalCommand::Edit(soon.clone()))
        .then([ProposalEvent::Edited(soon)])
        .when("pm", ProposalCommand::Edit(retitled("Cache the sums")))
        .then([ProposalEvent::Edited(retitled("Cache the sums"))])
        .when("pm", ProposalCommand::Edit(retitled("Cache the sums")))
        .then([])
        .when("pm", ProposalCommand::Edit(Edited::default()))
        .then([])
        .when("pm", ProposalCommand::Edit(retitled(" ")))
        .then_refused("empty_text");
    let edited = ProposedTask { title: "Cache the sums".into(), priority: Some(Priority::High), ..task() };
    assert_eq!((proposal.state().task, proposal.state().edits), (edited, 2));
    let _ = proposal
        .after::<Proposal>(STREAM, "pm", ProposalCommand::Approve {})
        .when("pm", ProposalCommand::Edit(retitled("Cache all")))
        .then_refused("already_reviewed");
}

#[test]
fn no_task_is_overwritten() {
    let requirement = RequirementGathered { requirement: "Be small".into() };
    let _ = pending()
        .after::<Task>("space:1:tasks:p1", "pm", TaskCommand::GatherRequirement(requirement))
        .when("pm", ProposalCommand::Approve {})
        .then_refused("task_exists");
}

/// Every phase. The compiler asks for one that is missing.
fn phases() -> impl Iterator<Item = Phase> {
    successors(Some(Phase::New), |phase| match phase {
        Phase::New => Some(Phase::Pending),
        Phase::Pending => Some(Phase::Approved),
        Phase::Approved => Some(Phase::Rejected),
        Phase::Rejected => Some(Phase::Merged),
        Phase::Merged => None,
    })
}

/// Every command. The compiler asks for one that is missing.
fn commands() -> impl Iterator<Item = ProposalCommand> {
    successors(Some(ProposalCommand::Edit(retitled("Cache all"))), |command| match command {
        ProposalCommand::Edit(_) => Some(ProposalCommand::Approve {}),
        ProposalCommand::Approve {} => Some(ProposalCommand::Reject(Rejected::default())),
        ProposalCommand::Reject(_) => Some(ProposalCommand::Merge(merged())),
        ProposalCommand::Merge(_) => None,
    })
}

fn in_phase(phase: Phase) -> Scenario<Proposal> {
    let reviewed = |command| pending().after::<Proposal>(STREAM, "pm", command);
    match phase {
        Phase::New => Scenario::new(entities(), STREAM),
        Phase::Pending => pending(),
        Phase::Approved => reviewed(ProposalCommand::Approve {}),
        Phase::Rejected => reviewed(ProposalCommand::Reject(Rejected::default())),
        Phase::Merged => reviewed(ProposalCommand::Merge(merged())),
    }
}

fn cell(phase: Phase, command: &ProposalCommand) -> Cell {
    use Phase::{Approved, Merged, New, Pending, Rejected};
    use ProposalCommand as Do;
    match (phase, command) {
        (New, Do::Edit(_) | Do::Approve {} | Do::Reject(_) | Do::Merge(_)) => Err("unknown_proposal"),
        (Pending, Do::Edit(_)) => Ok(&["proposal.edited.v1"]),
        (Pending, Do::Approve {}) => Ok(&[
            "proposal.approved.v1",
            "analysis_run.proposal_reviewed.v1",
            "analysis_run.reviewed.v1",
            "task.requirement_gathered.v1",
        ]),
        (Pending, Do::Reject(_)) => {
            Ok(&["proposal.rejected.v1", "analysis_run.proposal_reviewed.v1", "analysis_run.reviewed.v1"])
        }
        (Pending, Do::Merge(_)) => {
            Ok(&["proposal.merged.v1", "analysis_run.proposal_reviewed.v1", "analysis_run.reviewed.v1"])
        }
        (Approved | Rejected | Merged, Do::Edit(_) | Do::Approve {} | Do::Reject(_) | Do::Merge(_)) => {
            Err("already_reviewed")
        }
    }
}

#[test]
fn every_command_in_every_phase() {
    for phase in phases() {
        for command in commands() {
            let proposal = in_phase(phase);
            assert_eq!(proposal.state().phase, phase);
            let name = format!("{phase:?} × {command:?}");
            let expected = cell(phase, &command);
            proposal.when("pm", command).then_cell(&name, expected);
        }
    }
}
