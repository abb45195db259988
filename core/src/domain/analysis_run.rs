//! **analysis_run**: what was said is read window by window, and becomes proposals that somebody reviews.
//!
//! At most one run of a space is open: the [guard](super::analysis_guard) is written in the commits that open and end one. A run is executed
//! by one actor, who holds a lease: each of their events renews it, and once it has run out anybody may have the run fail, as creating the
//! next one does by itself.

mod batch;
mod data;
mod review;
pub mod windows;

use std::fmt;

pub(super) use self::review::count_review;
pub use self::{batch::BATCH_PROPOSALS_MAX, data::*};
use super::{analysis_guard, not_blank};
use crate::{
    decider::{Context, Decider, Refusal, Rejection},
    event::{Actor, Event, NewEvent},
    json::Json,
    time::Timestamp,
};

/// The longest lease, in milliseconds: an hour.
pub const LEASE_MS_MAX: u32 = 3_600_000;

/// The reason of a run that failed because nothing was heard of its executor.
pub const LEASE_EXPIRED: &str = "lease_expired";

/// See the [module](self).
pub enum AnalysisRun {}

/// How a run stands.
#[derive(Clone, Debug, Default, PartialEq, Json)]
pub struct AnalysisRunState {
    /// What is going on.
    pub phase: Phase,
    /// Of what was said, the earliest that it reads.
    pub since: Option<Timestamp>,
    /// What was said from then on it does not read.
    pub until: Option<Timestamp>,
    /// Who executes it.
    pub executor: Option<Actor>,
    /// How long nothing may be heard of the executor.
    pub lease_ms: u32,
    /// Until when the run is safe from [`RunCommand::Expire`].
    pub lease_until: Option<Timestamp>,
    /// How many batches are recorded.
    pub batches: u32,
    /// How many windows are done.
    pub windows_done: u32,
    /// How many windows there are.
    pub windows_total: u32,
    /// The share of windows that are done, rounded down; 100 once the run is completed.
    pub progress_percent: u32,
    /// How many proposals it has made.
    pub proposals_total: u32,
    /// How many of them wait for a review.
    pub proposals_pending: u32,
    /// How many became tasks.
    pub proposals_approved: u32,
    /// How many are not to be done.
    pub proposals_rejected: u32,
    /// How many were in a task already.
    pub proposals_merged: u32,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// When it was started.
    pub started_at: Option<Timestamp>,
    /// When all windows were done.
    pub completed_at: Option<Timestamp>,
    /// When all proposals were reviewed.
    pub reviewed_at: Option<Timestamp>,
    /// When it was closed, failed or was cancelled.
    pub ended_at: Option<Timestamp>,
    /// Why it failed or was cancelled.
    pub reason: Option<String>,
    /// How good its proposals were, once it is closed.
    pub accuracy: Option<Accuracy>,
}

/// What is going on with a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Json)]
pub enum Phase {
    /// There is none.
    #[default]
    New,
    /// Nobody has started it.
    Pending,
    /// It is being executed.
    Running,
    /// All windows are done, and proposals wait for a review.
    Completed,
    /// All proposals are reviewed.
    Reviewed,
    /// It is at its good end.
    Closed,
    /// It came to nothing.
    Failed,
    /// Nobody wanted it any more.
    Cancelled,
}

/// What may be asked of a run.
#[derive(Clone, Debug, PartialEq, Json)]
#[json(tag = "type", content = "data")]
pub enum RunCommand {
    /// Open it.
    Create(Created),
    /// Execute it. One that is being executed goes on as it is.
    Start(Started),
    /// Record what a window gave, as its executor. A batch that is recorded already is left as it is.
    RecordBatch(Batch),
    /// Say that all windows are done, as its executor.
    Complete {},
    /// Say that it can't go on, as its executor.
    Fail(Failed),
    /// Have it fail, because its lease has run out.
    Expire {},
    /// Say that nobody wants it any more.
    Cancel(Cancelled),
    /// End it, once all proposals are reviewed.
    Close {},
}

crate::events! {
    /// What happens to a run.
    pub enum RunEvent {
        /// There is a run.
        "analysis_run.created.v1" => Created(Created),
        /// It is being executed.
        "analysis_run.started.v1" => Started(Started),
        /// A window gave proposals.
        "analysis_run.proposals_created.v1" => ProposalsCreated(ProposalsCreated),
        /// A window is done.
        "analysis_run.progress_updated.v1" => ProgressUpdated(ProgressUpdated),
        /// All windows are done.
        "analysis_run.completed.v1" => Completed(Completed),
        /// A proposal was reviewed.
        "analysis_run.proposal_reviewed.v1" => ProposalReviewed(ProposalReviewed),
        /// All proposals are reviewed.
        "analysis_run.reviewed.v1" => Reviewed(Reviewed),
        /// It is at its good end.
        "analysis_run.closed.v1" => Closed(Closed),
        /// It came to nothing.
        "analysis_run.failed.v1" => Failed(Failed),
        /// Nobody wanted it any more.
        "analysis_run.cancelled.v1" => Cancelled(Cancelled),
    }
}

impl Decider for AnalysisRun {
    const ENTITY: &'static str = "analysis_run";
    const STREAMS: &'static str = "space:*:analysis_runs:*";
    const SCHEMA: u32 = 1;

    type State = AnalysisRunState;
    type Command = RunCommand;
    type Event = RunEvent;

    fn decide(command: RunCommand, context: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
        let state = context.own::<Self>()?.state();
        match command {
            RunCommand::Create(data) => create(state, &data, context),
            RunCommand::Start(data) => start(state, &data, context),
            RunCommand::RecordBatch(batch) => batch::record(state, batch, context),
            RunCommand::Complete {} => complete(state, context),
            RunCommand::Fail(data) => {
                state.is_executed_by(&context.origin.actor)?;
                not_blank("reason", &data.reason)?;
                end(context.event(&data), context)
            }
            RunCommand::Expire {} => expire(state, context),
            RunCommand::Cancel(data) => {
                state.is_in(&[Phase::Pending, Phase::Running])?;
                end(context.event(&data), context)
            }
            RunCommand::Close {} => close(state, context),
        }
    }

    fn evolve(mut state: AnalysisRunState, event: RunEvent, recorded: &Event) -> AnalysisRunState {
        let at = recorded.recorded_time;
        match event {
            RunEvent::Created(data) => {
                (state.phase, state.created_at) = (Phase::Pending, Some(at));
                (state.since, state.until) = (data.since, data.until);
            }
            RunEvent::Started(data) => {
                (state.phase, state.started_at) = (Phase::Running, Some(at));
                (state.executor, state.lease_ms) = (Some(data.executor), data.lease_ms);
                state.renew_lease(at);
            }
            RunEvent::ProposalsCreated(data) => state.proposals_created(data, at),
            RunEvent::ProgressUpdated(data) => state.progress_updated(&data, at),
            RunEvent::Completed(_) => {
                (state.phase, state.completed_at) = (Phase::Completed, Some(at));
                (state.progress_percent, state.lease_until) = (100, None);
            }
            RunEvent::ProposalReviewed(data) => state.proposal_reviewed(data.outcome),
            RunEvent::Reviewed(_) => (state.phase, state.reviewed_at) = (Phase::Reviewed, Some(at)),
            RunEvent::Closed(data) => {
                state.end(Phase::Closed, None, at);
                state.accuracy = data.accuracy;
            }
            RunEvent::Failed(data) => state.end(Phase::Failed, Some(data.reason), at),
            RunEvent::Cancelled(data) => state.end(Phase::Cancelled, data.reason, at),
        }
        state
    }
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Reviewed => "reviewed",
            Self::Closed => "closed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing comes after it.
    #[must_use]
    pub fn is_end(self) -> bool {
        matches!(self, Self::Closed | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl AnalysisRunState {
    /// Whether nothing was heard of the executor for longer than may be.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.phase == Phase::Running && self.lease_until.is_none_or(|until| until < now)
    }

    fn renew_lease(&mut self, at: Timestamp) {
        self.lease_until = Some(at.plus_ms(self.lease_ms));
    }

    fn end(&mut self, phase: Phase, reason: Option<String>, at: Timestamp) {
        (self.phase, self.ended_at, self.lease_until, self.reason) = (phase, Some(at), None, reason);
    }

    /// Holds that the run is there and in one of these phases.
    fn is_in(&self, phases: &[Phase]) -> Result<(), Refusal> {
        match self.phase {
            phase if phases.contains(&phase) => Ok(()),
            Phase::New => Err(Refusal::not_found("unknown_run", "there is no such run: create it first")),
            phase if phase.is_end() => {
                let detail = format!("the run is {phase}, and that is its end: create another");
                Err(Refusal::conflict("run_ended", detail))
            }
            phase => {
                let mut detail = format!("the run is {phase}, and would have to be ");
                for (at, phase) in phases.iter().enumerate() {
                    detail.push_str(if at == 0 { "" } else { " or " });
                    detail.push_str(phase.name());
                }
                Err(Refusal::conflict("wrong_phase", detail))
            }
        }
    }

    /// Holds that the run is running, and that this is who executes it.
    fn is_executed_by(&self, actor: &Actor) -> Result<(), Refusal> {
        self.is_in(&[Phase::Running])?;
        match &self.executor {
            Some(executor) if executor == actor => Ok(()),
            Some(executor) => {
                let detail = format!("the run is executed by {executor}, who alone may do this");
                Err(Refusal::conflict("not_executor", detail))
            }
            None => Err(Refusal::conflict("not_executor", "the run has no executor")),
        }
    }
}

fn create(state: &AnalysisRunState, data: &Created, context: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
    if state.phase != Phase::New {
        return Err(Refusal::conflict("run_exists", "there is such a run already: create one with another id").into());
    }
    if data.since.zip(data.until).is_some_and(|(since, until)| since >= until) {
        return Err(Refusal::invalid("invalid_period", "'since' has to be before 'until'").into());
    }
    let mut events = match analysis_guard::open_run(context)? {
        Some(open) => make_room(open, context)?,
        None => Vec::new(),
    };
    events.push(context.event(data));
    events.push(analysis_guard::take(context.id(), context)?);
    Ok(events)
}

/// Ends the open run, if its lease has run out.
fn make_room(open: &str, context: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
    let stream = context.beside("analysis_runs", open)?;
    let run = context.of::<AnalysisRun>(&stream)?.state();
    if !run.is_expired(context.now) {
        let detail = format!("the run '{open}' is open, and {}: close or cancel it first", run.phase);
        return Err(Refusal::conflict("run_open", detail).into());
    }
    let mut events = vec![context.event_in(&stream, &lease_expired())];
    events.extend(analysis_guard::release(open, context)?);
    Ok(events)
}

fn start(state: &AnalysisRunState, data: &Started, context: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
    if state.phase == Phase::Running {
        return Ok(Vec::new());
    }
    state.is_in(&[Phase::Pending])?;
    if !(1..=LEASE_MS_MAX).contains(&data.lease_ms) {
        return Err(Refusal::invalid("invalid_lease", format!("'lease_ms' has to be 1 to {LEASE_MS_MAX}")).into());
    }
    context.only(data)
}

fn complete(state: &AnalysisRunState, context: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
    state.is_executed_by(&context.origin.actor)?;
    if state.windows_done < state.windows_total {
        let left = state.windows_total - state.windows_done;
        let detail = format!("{left} of {} windows are left: record them first", state.windows_total);
        return Err(Refusal::conflict("windows_left", detail).into());
    }
    let mut events = vec![context.event(&Completed {})];
    if state.proposals_pending == 0 {
        events.push(context.event(&Reviewed {}));
    }
    Ok(events)
}

fn expire(state: &AnalysisRunState, context: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
    state.is_in(&[Phase::Running])?;
    if !state.is_expired(context.now) {
        let until = state.lease_until.map_or_else(String::new, |until| until.to_string());
        let detail = format!("the lease of the run's executor holds until {until}: cancel the run, or wait");
        return Err(Refusal::conflict("lease_valid", detail).into());
    }
    end(context.event(&lease_expired()), context)
}

fn close(state: &AnalysisRunState, context: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
    if !state.phase.is_end() && state.proposals_pending > 0 {
        let pending = state.proposals_pending;
        let detail = format!("{pending} of {} proposals are pending: review them first", state.proposals_total);
        return Err(Refusal::invalid("proposals_pending", detail).into());
    }
    state.is_in(&[Phase::Reviewed])?;
    end(context.event(&Closed { accuracy: state.accuracy_now() }), context)
}

fn lease_expired() -> Failed {
    Failed { reason: LEASE_EXPIRED.to_owned() }
}

/// The end of the run: its event, and the guard's.
fn end(event: NewEvent, context: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
    let mut events = vec![event];
    events.extend(analysis_guard::release(context.id(), context)?);
    Ok(events)
}

#[cfg(test)]
mod tests;
