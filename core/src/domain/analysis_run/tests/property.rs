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
    stream::StreamName,
};

const RUNS: [&str; 3] = ["r1", "r2", "r3"];

#[derive(Clone, Debug)]
enum Step {
    Run(&'static str, RunCommand),
    Proposal(usize, ProposalCommand),
    TimePasses(u32),
}

fn run_command() -> impl Strategy<Value = RunCommand> {
    prop_oneof![
        3 => Just(RunCommand::Create(Created::default())),
        3 => Just(RunCommand::Start(started())),
        5 => (0u32..4, 0usize..4).prop_map(|(index, count)| {
            // The ids are made unique where the step is taken.
            RunCommand::RecordBatch(batch(index, index + 1, &["a", "b", "c", "d"][..count]))
        }),
        2 => Just(RunCommand::Complete {}),
        1 => Just(RunCommand::Fail(Failed { reason: "no model".into() })),
        1 => Just(RunCommand::Expire {}),
        1 => Just(RunCommand::Cancel(Cancelled::default())),
        3 => Just(RunCommand::Close {}),
    ]
}

fn proposal_command() -> impl Strategy<Value = ProposalCommand> {
    prop_oneof![
        Just(ProposalCommand::Approve {}),
        Just(ProposalCommand::Reject(Rejected::default())),
        select(vec!["r1-0-a", "r2-0-a", "r3-0-a"]).prop_map(|id| ProposalCommand::Merge(Merged { into: id.into() })),
        "[ab]".prop_map(|title| ProposalCommand::Edit(Edited { title: Some(title), ..Edited::default() })),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (select(&RUNS[..]), run_command()).prop_map(|(run, command)| Step::Run(run, command)),
        6 => (any::<usize>(), proposal_command()).prop_map(|(which, command)| Step::Proposal(which, command)),
        1 => (0..LEASE_MS).prop_map(Step::TimePasses),
    ]
}

/// The streams in the log of one kind of thing.
fn streams(log: &Log, kind: &str) -> BTreeSet<StreamName> {
    let is_of_kind = |stream: &StreamName| stream.segments().nth(2) == Some(kind);
    log.events().iter().map(|event| event.stream.clone()).filter(is_of_kind).collect()
}

fn command(log: &mut Log, entity: &str, stream: &StreamName, command: &impl Serialize) -> Result<(), Refusal> {
    let id = EventId::new(&format!("command-{}", log.events().len())).unwrap();
    let origin = Origin::new(id, Actor::new("executor").unwrap());
    log.command(entity, stream, &origin, &serde_json::to_string(command).unwrap()).map(|_| ())
}

/// Takes a step. That it is refused is as good.
fn take(log: &mut Log, step: Step) {
    let _ = match step {
        Step::TimePasses(ms) => {
            log.now = log.now.plus_ms(ms);
            Ok(())
        }
        Step::Run(run, mut asked) => {
            if let RunCommand::RecordBatch(batch) = &mut asked {
                for proposal in &mut batch.proposals {
                    proposal.id = format!("{run}-{}-{}", batch.index, proposal.id);
                }
            }
            command(log, "analysis_run", &StreamName::new(&format!("space:1:analysis_runs:{run}")).unwrap(), &asked)
        }
        Step::Proposal(which, asked) => match streams(log, "proposals") {
            none if none.is_empty() => Ok(()),
            known => command(log, "proposal", known.iter().nth(which % known.len()).unwrap(), &asked),
        },
    };
}

/// Holds that the guard names the run that is open, of which there is at most one, and that each run counts its proposals rightly.
fn check(log: &Log) {
    let guard = log.projection::<AnalysisGuard>(&StreamName::new("space:1:analysis_guard:open").unwrap());
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

fn id(stream: &StreamName) -> &str {
    stream.segments().last().unwrap()
}

proptest! {
    #[test]
    fn one_run_is_open_the_guard_names_it_and_the_counters_are_the_fold(steps in vec(step(), 1..80)) {
        let mut log = Log::new(entities());
        for step in steps {
            take(&mut log, step);
            check(&log);
        }
    }
}
