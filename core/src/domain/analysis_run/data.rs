//! What the events of an analysis run say.

use super::super::proposal::ProposedTask;
use crate::{event::Actor, json::Json, time::Timestamp};

/// There is a run, which nobody has started.
#[derive(Clone, Debug, Default, PartialEq, Json)]
pub struct Created {
    /// Of what was said, the earliest that it is to read.
    #[json(skip_none)]
    pub since: Option<Timestamp>,
    /// What was said from then on it is not to read.
    #[json(skip_none)]
    pub until: Option<Timestamp>,
}

/// Somebody executes the run.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct Started {
    /// Who.
    pub executor: Actor,
    /// How long nothing may be heard of them.
    pub lease_ms: u32,
}

/// What one window gave. It is what the executor commands; each proposal becomes a stream of its own.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct Batch {
    /// Which window, from 0.
    pub index: u32,
    /// What it gave.
    #[json(default)]
    pub proposals: Vec<BatchProposal>,
    /// How many windows are done.
    pub done: u32,
    /// How many windows there are.
    pub total: u32,
}

/// A proposal of a batch.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct BatchProposal {
    /// Its id: the last segment of its stream's name.
    pub id: String,
    /// The task that is proposed.
    pub task: ProposedTask,
}

/// A window gave proposals.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct ProposalsCreated {
    /// Which window, from 0.
    pub batch: u32,
    /// The proposals' ids.
    pub proposals: Vec<String>,
}

/// A window is done.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct ProgressUpdated {
    /// Which window, from 0.
    pub batch: u32,
    /// How many windows are done.
    pub done: u32,
    /// How many windows there are.
    pub total: u32,
}

/// A proposal of the run was reviewed.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct ProposalReviewed {
    /// The proposal's id.
    pub proposal: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Json)]
pub enum Outcome {
    /// It is a task now.
    Approved,
    /// It is not to be done.
    Rejected,
    /// A task that was there already has it.
    Merged,
}

/// All windows are done.
#[derive(Clone, Debug, Default, PartialEq, Json)]
pub struct Completed {}

/// All proposals are reviewed.
#[derive(Clone, Debug, Default, PartialEq, Json)]
pub struct Reviewed {}

/// The run is at its good end.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct Closed {
    /// How good its proposals were. Absent where it had none.
    #[json(skip_none)]
    pub accuracy: Option<Accuracy>,
}

/// How good the proposals of a run were: of each thousand, how many met with what, rounded down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Json)]
pub struct Accuracy {
    /// Became tasks.
    pub approved_permille: u32,
    /// Were in a task already.
    pub merged_permille: u32,
    /// Were not to be done.
    pub rejected_permille: u32,
}

/// The run has failed.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct Failed {
    /// Why, in words; `lease_expired` where nothing was heard of its executor.
    pub reason: String,
}

/// Somebody does not want the run any more.
#[derive(Clone, Debug, Default, PartialEq, Json)]
pub struct Cancelled {
    /// Why, in words.
    #[json(skip_none)]
    pub reason: Option<String>,
}
