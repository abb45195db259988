//! Whatever is commanded, in whatever order: at most one run of a space is open, and what runs count is so.

use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*, sample::select};

use super::{super::*, LEASE_MS, batch, started};
use crate::{
    decider::{Origin, Refusal, testing::Log},
    domain::{
        analysis_guard::AnalysisGuard,
        entities,
        proposal::{self, Edited, Merged, Proposal, ProposalCommand, Rejected},
    },
    event::EventId,
    json::{self, Json},
    stream::StreamName,
};

const RUNS: [&str; 6] = ["r1", "r2", "r3", "r4", "r5", "r6"];

#[derive(Clone, Debug)]
enum Step {
    /// Of this run, or of the one that is open.
    Run(Option<&'static str>, RunCommand),
    /// Of one of the proposals; one that is merged is so into one of the tasks.
    Proposal(usize, ProposalCommand),
    TimePasses(u32),
}

fn run_command() -> impl Strategy<Value = RunCommand> {
    prop_oneof![
        4 => Just(RunCommand::Start(started())),
        // The index counts back from the next one, and the ids are made unique, where the step is taken.
        6 => (0u32..2, 0usize..4).prop_map(|(back, count)| {
            RunCommand::RecordBatch(batch(back, back + 1, &["a", "b", "c", "d"][..count]))
        }),
        3 => Just(RunCommand::Complete {}),
        1 => Just(RunCommand::Fail(Failed { reason: "no model".into() })),
        1 => Just(RunCommand::Expire {}),
        1 => Just(RunCommand::Cancel(Cancelled::default())),
        4 => Just(RunCommand::Close {}),
    ]
}

fn proposal_command() -> impl Strategy<Value = ProposalCommand> {
    prop_oneof![
        Just(ProposalCommand::Approve {}),
        Just(ProposalCommand::Reject(Rejected::default())),
        Just(ProposalCommand::Merge(Merged { into: "none".into() })),
        "[ab]".prop_map(|title| ProposalCommand::Edit(Edited { title: Some(title), ..Edited::default() })),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let create = Just(RunCommand::Create(Created::default()));
    prop_oneof![
        3 => (select(&RUNS[..]), create).prop_map(|(run, command)| Step::Run(Some(run), command)),
        1 => (select(&RUNS[..]), run_command()).prop_map(|(run, command)| Step::Run(Some(run), command)),
        8 => run_command().prop_map(|command| Step::Run(None, command)),
        8 => (any::<usize>(), proposal_command()).prop_map(|(which, command)| Step::Proposal(which, command)),
        1 => (0..LEASE_MS).prop_map(Step::TimePasses),
    ]
}

/// The streams in the log of one kind of thing.
fn streams(log: &Log, kind: &str) -> BTreeSet<StreamName> {
    let is_of_kind = |stream: &StreamName| stream.segments().nth(2) == Some(kind);
    log.events().iter().map(|event| event.stream.clone()).filter(is_of_kind).collect()
}

fn command(log: &mut Log, entity: &str, stream: &StreamName, command: &impl Json) -> Result<(), Refusal> {
    let id = EventId::new(&format!("command-{}", log.events().len())).unwrap();
    let origin = Origin::new(id, Actor::new("executor").unwrap());
    log.command(entity, stream, &origin, &json::to_string(command)).map(|_| ())
}

/// Takes a step. That it is refused is as good.
fn take(log: &mut Log, step: Step) {
    let refused_or_not = match step {
        Step::TimePasses(ms) => {
            log.now = log.now.plus_ms(ms);
            Ok(())
        }
        Step::Run(run, asked) => ask_run(log, run, asked),
        Step::Proposal(which, asked) => ask_proposal(log, which, asked),
    };
    if let Err(refusal) = refused_or_not {
        assert!(!refusal.detail().is_empty(), "{}", refusal.code());
    }
}

fn ask_run(log: &mut Log, run: Option<&str>, mut asked: RunCommand) -> Result<(), Refusal> {
    let open = log.projection::<AnalysisGuard>(&stream("analysis_guard", "open")).state().run.clone();
    let run = run.or(open.as_deref()).unwrap_or("r1");
    let stream = stream("analysis_runs", run);
    if let RunCommand::RecordBatch(batch) = &mut asked {
        batch.index = log.projection::<AnalysisRun>(&stream).state().batches.saturating_sub(batch.index);
        (batch.done, batch.total) = (batch.index + 1, batch.index + 1);
        for proposal in &mut batch.proposals {
            proposal.id = format!("{run}-{}-{}", batch.index, proposal.id);
        }
    }
    command(log, "analysis_run", &stream, &asked)
}

fn ask_proposal(log: &mut Log, which: usize, mut asked: ProposalCommand) -> Result<(), Refusal> {
    let (proposals, tasks) = (streams(log, "proposals"), streams(log, "tasks"));
    let Some(stream) = proposals.iter().nth(which % proposals.len().max(1)) else { return Ok(()) };
    if let (ProposalCommand::Merge(merged), Some(task)) = (&mut asked, tasks.iter().nth(which % tasks.len().max(1))) {
        merged.into = id(task).to_owned();
    }
    command(log, "proposal", stream, &asked)
}

/// Holds that the guard names the run that is open, of which there is at most one, and that each run counts its proposals rightly.
fn check(log: &Log) {
    let guard = log.projection::<AnalysisGuard>(&stream("analysis_guard", "open"));
    let runs = streams(log, "analysis_runs");
    let open: Vec<&str> =
        runs.iter().filter(|run| !log.projection::<AnalysisRun>(run).state().phase.is_end()).map(id).collect();
    assert_eq!(open, guard.state().run.as_deref().into_iter().collect::<Vec<_>>());
    for run in &runs {
        let state = log.projection::<AnalysisRun>(run).state().clone();
        let proposals =
            streams(log, "proposals").iter().map(|stream| log.projection::<Proposal>(stream)).collect::<Vec<_>>();
        let count = |phases: &[proposal::Phase]| {
            let of_run = proposals.iter().map(|proposal| proposal.state()).filter(|proposal| proposal.run == id(run));
            u32::try_from(of_run.filter(|proposal| phases.contains(&proposal.phase)).count()).unwrap()
        };
        use proposal::Phase::{Approved, Merged, Pending, Rejected};
        assert_eq!(
            super::counters(&state),
            [
                count(&[Pending, Approved, Rejected, Merged]),
                count(&[Pending]),
                count(&[Approved]),
                count(&[Rejected]),
                count(&[Merged]),
            ]
        );
        assert!(!matches!(state.phase, Phase::Reviewed | Phase::Closed) || state.proposals_pending == 0);
        assert!(state.phase != Phase::Completed || state.proposals_pending > 0, "it is reviewed at once");
    }
}

fn stream(kind: &str, id: &str) -> StreamName {
    StreamName::new(&format!("space:1:{kind}:{id}")).unwrap()
}

fn id(stream: &StreamName) -> &str {
    stream.segments().last().unwrap()
}

proptest! {
    #[test]
    fn one_run_is_open_the_guard_names_it_and_the_counters_are_the_fold(steps in vec(step(), 1..120)) {
        let mut log = Log::new(entities());
        for step in steps {
            take(&mut log, step);
            check(&log);
        }
    }
}
