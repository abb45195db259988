//! **proposal**: a task that an analysis run proposes, for somebody to approve, to reject, or to merge into a task that is there.
//!
//! A review is one commit over several streams: the proposal, its run's counters, and, where it is approved, the task that it becomes. So
//! whoever else reviews at that moment, a proposal is reviewed once and its run counts it once.

mod data;

pub use self::data::*;
use super::{
    analysis_run::{self, Outcome},
    not_blank,
    task::{RequirementGathered, Task},
};
use crate::{
    decider::{Context, Decider, Refusal, Rejection},
    event::{Actor, Event, NewEvent},
    json::Json,
    time::Timestamp,
};

/// See the [module](self).
pub enum Proposal {}

/// How a proposal stands.
#[derive(Clone, Debug, Default, PartialEq, Json)]
pub struct ProposalState {
    /// What has become of it.
    pub phase: Phase,
    /// The id of the run that proposes it.
    pub run: String,
    /// The batch of that run that it came with.
    pub batch: u32,
    /// The task that is proposed, as it was last edited.
    pub task: ProposedTask,
    /// How often it was edited.
    pub edits: u32,
    /// When it was proposed.
    pub created_at: Option<Timestamp>,
    /// Who reviewed it, and when.
    pub review: Option<Review>,
}

/// What has become of a proposal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Json)]
pub enum Phase {
    /// There is none.
    #[default]
    New,
    /// It waits for a review.
    Pending,
    /// It is a task now.
    Approved,
    /// It is not to be done.
    Rejected,
    /// A task that was there already has it.
    Merged,
}

/// Who reviewed a proposal.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct Review {
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// The id of the task that it became or was merged into.
    pub task: Option<String>,
    /// Why it was rejected, in words.
    pub reason: Option<String>,
}

/// What may be asked of a proposal.
#[derive(Clone, Debug, PartialEq, Json)]
#[json(tag = "type", content = "data")]
pub enum ProposalCommand {
    /// Change what is proposed.
    Edit(Edited),
    /// Make a task of it, with the proposal's id.
    Approve {},
    /// Say that it is not to be done.
    Reject(Rejected),
    /// Say which task has it already.
    Merge(Merged),
}

crate::events! {
    /// What happens to a proposal.
    pub enum ProposalEvent {
        /// A run proposes it.
        "proposal.created.v1" => Created(Created),
        /// What is proposed was changed.
        "proposal.edited.v1" => Edited(Edited),
        /// It is a task now.
        "proposal.approved.v1" => Approved(Approved),
        /// It is not to be done.
        "proposal.rejected.v1" => Rejected(Rejected),
        /// A task that was there already has it.
        "proposal.merged.v1" => Merged(Merged),
    }
}

impl Decider for Proposal {
    const ENTITY: &'static str = "proposal";
    const STREAMS: &'static str = "space:*:proposals:*";
    const SCHEMA: u32 = 1;

    type State = ProposalState;
    type Command = ProposalCommand;
    type Event = ProposalEvent;

    fn decide(command: ProposalCommand, context: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
        let state = context.own::<Self>()?.state();
        is_pending(state)?;
        match command {
            ProposalCommand::Edit(data) => edit(state, data, context),
            ProposalCommand::Approve {} => approve(state, context),
            ProposalCommand::Reject(data) => review(state, context.event(&data), Outcome::Rejected, context),
            ProposalCommand::Merge(data) => merge(state, data, context),
        }
    }

    fn evolve(mut state: ProposalState, event: ProposalEvent, recorded: &Event) -> ProposalState {
        match event {
            ProposalEvent::Created(data) => {
                state.phase = Phase::Pending;
                (state.run, state.batch, state.task) = (data.run, data.batch, data.task);
                state.created_at = Some(recorded.recorded_time);
            }
            ProposalEvent::Edited(data) => {
                state.task = data.applied_to(state.task);
                state.edits = state.edits.saturating_add(1);
            }
            ProposalEvent::Approved(data) => state.reviewed(Phase::Approved, Some(data.task), None, recorded),
            ProposalEvent::Rejected(data) => state.reviewed(Phase::Rejected, None, data.reason, recorded),
            ProposalEvent::Merged(data) => state.reviewed(Phase::Merged, Some(data.into), None, recorded),
        }
        state
    }
}

impl ProposalState {
    fn reviewed(&mut self, phase: Phase, task: Option<String>, reason: Option<String>, recorded: &Event) {
        self.phase = phase;
        self.review = Some(Review { by: recorded.source.clone(), at: recorded.recorded_time, task, reason });
    }
}

fn is_pending(state: &ProposalState) -> Result<(), Refusal> {
    let was = match state.phase {
        Phase::Pending => return Ok(()),
        Phase::New => return Err(Refusal::not_found("unknown_proposal", "there is no such proposal")),
        Phase::Approved => "approved",
        Phase::Rejected => "rejected",
        Phase::Merged => "merged",
    };
    let by = state.review.as_ref().map_or_else(String::new, |review| format!(" by {} at {}", review.by, review.at));
    Err(Refusal::conflict("already_reviewed", format!("the proposal was {was}{by}, and that stands")))
}

fn edit(state: &ProposalState, data: Edited, context: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
    let edited = data.clone().applied_to(state.task.clone());
    not_blank("title", &edited.title)?;
    if edited == state.task {
        return Ok(Vec::new());
    }
    context.only(&data)
}

fn approve(state: &ProposalState, context: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
    let id = context.id();
    let stream = context.beside("tasks", id)?;
    if context.of::<Task>(&stream)?.exists() {
        let detail = format!("there is a task '{id}' already: merge the proposal into it");
        return Err(Refusal::conflict("task_exists", detail).into());
    }
    let approved = context.event(&Approved { task: id.to_owned() });
    let mut events = review(state, approved, Outcome::Approved, context)?;
    let requirement = RequirementGathered { requirement: state.task.to_string() };
    events.push(context.event_in(&stream, &requirement));
    Ok(events)
}

fn merge(state: &ProposalState, data: Merged, context: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
    let stream = context.beside("tasks", &data.into)?;
    if !context.of::<Task>(&stream)?.exists() {
        let detail = format!("there is no task '{}' to merge the proposal into: name one, or approve it", data.into);
        return Err(Refusal::not_found("unknown_task", detail).into());
    }
    review(state, context.event(&data), Outcome::Merged, context)
}

/// The review, on the proposal's stream and on its run's.
fn review(
    state: &ProposalState,
    event: NewEvent,
    outcome: Outcome,
    context: &Context<'_>,
) -> Result<Vec<NewEvent>, Rejection> {
    let mut events = vec![event];
    events.extend(analysis_run::count_review(&state.run, outcome, context)?);
    Ok(events)
}

#[cfg(test)]
mod tests;
