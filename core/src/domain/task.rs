//! **task**: code that is written, tested and corrected by actors who do not wait for each other.
//!
//! The code's version is the stream's: it rises by one with each new code. A report is about the version that was tested; where that is not
//! the current one any more, the report stays in the log, is counted, and changes nothing.

mod data;

pub use self::data::*;
use super::at_most;
use crate::{
    causality::{self, About, Causality, causality},
    clock::VectorClock,
    decider::{Context, Decider, Refusal, Rejection},
    event::{Event, EventId, NewEvent},
    json::Json,
    mutation::{Mutation, mutated},
    version::Version,
};

/// The most bugs that are kept as pending. Later reports are in the log, and count as [`TaskState::reports_dropped`].
pub const PENDING_BUGS_MAX: usize = 256;

/// The most steps of a plan.
pub const STEPS_MAX: usize = 256;
/// The most names of code that nobody uses.
pub const UNUSED_MAX: usize = 256;

/// See the [module](self).
pub enum Task {}

/// How a task stands.
#[derive(Clone, Debug, Default, PartialEq, Json)]
pub struct TaskState {
    /// What is going on.
    pub phase: Phase,
    /// What is wanted, in words.
    pub requirement: Option<String>,
    /// The steps that are planned.
    pub plan: Vec<String>,
    /// The current code.
    pub code: Option<CurrentCode>,
    /// What is known to be wrong with it, in the order in which it was told.
    pub pending_bugs: Vec<PendingBug>,
    /// The version that is being corrected.
    pub in_correction: Option<Version>,
    /// How many tests there are for the current code.
    pub tests: u32,
    /// What the last check of the current code found.
    pub quality: Option<QualityChecked>,
    /// What the current code has that nobody uses.
    pub dead_code: Vec<String>,
    /// How often a user stepped in.
    pub interventions: u32,
    /// How many reports were of the current version and about other code, and changed nothing.
    pub reports_stale: u32,
    /// How many reports found no room.
    pub reports_dropped: u32,
}

/// What is going on with a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Json)]
pub enum Phase {
    /// Nothing has happened.
    #[default]
    New,
    /// What is wanted is known.
    Specified,
    /// How it is to be done is known.
    Planned,
    /// There is code, and nothing is known to be wrong with it.
    Written,
    /// Something is known to be wrong with the code.
    Failing,
    /// The code is being corrected.
    InCorrection,
    /// The code has passed its check.
    Passed,
}

/// The current code.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct CurrentCode {
    /// The code.
    pub code: String,
    /// Its hash, where whoever wrote it gave one.
    pub hash: Option<String>,
    /// Its version.
    pub version: Version,
    /// What whoever wrote it knew.
    pub clock: VectorClock,
    /// The event that brought it.
    pub event: EventId,
}

/// A report that no correction has addressed.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct PendingBug {
    /// The event that reports it.
    pub report: EventId,
    /// What is wrong.
    pub bug: Bug,
    /// Whether it is about the current code, and what says so.
    pub causality: Causality,
    /// Whether somebody has asked to have it fixed before all else.
    pub is_urgent: bool,
}

/// What may be asked of a task.
#[derive(Clone, Debug, PartialEq, Json)]
#[json(tag = "type", content = "data")]
pub enum TaskCommand {
    /// Say what is wanted.
    GatherRequirement(RequirementGathered),
    /// Say how it is to be done.
    Plan(Planned),
    /// Write the first code.
    GenerateCode(CodeGenerated),
    /// Write tests for the current code.
    GenerateTests(TestGenerated),
    /// Write the next version, with nothing to correct.
    RefineCode(CodeRefined),
    /// Say how the code did in a check.
    CheckQuality(QualityChecked),
    /// Say which code nobody uses.
    AnalyzeDeadCode(DeadCodeAnalyzed),
    /// Report what is wrong with the version that the command is about.
    ReportBug(BugReportReceived),
    /// Ask for a correction.
    RequestCorrection(CorrectionRequested),
    /// Begin to correct the version that the command is about.
    StartCorrection(CorrectionStarted),
    /// Write the next version, which corrects the one that the command is about.
    CompleteCorrection(CorrectionCompleted),
    /// Ask to have a bug fixed before all else.
    RequestUrgentFix(BugFixUrgent),
    /// Step in as a user.
    Intervene(UserIntervened),
}

crate::events! {
    /// What happens to a task.
    pub enum TaskEvent {
        /// What is wanted is known.
        "task.requirement_gathered.v1" => RequirementGathered(RequirementGathered),
        /// How it is to be done is known.
        "task.planned.v1" => Planned(Planned),
        /// There is a first code.
        "task.code_generated.v1" => CodeGenerated(CodeGenerated),
        /// There are tests.
        "task.test_generated.v1" => TestGenerated(TestGenerated),
        /// There is a next version, with nothing corrected.
        "task.code_refined.v1" => CodeRefined(CodeRefined),
        /// The code was checked.
        "task.quality_checked.v1" => QualityChecked(QualityChecked),
        /// Code that nobody uses was looked for.
        "task.dead_code_analyzed.v1" => DeadCodeAnalyzed(DeadCodeAnalyzed),
        /// Something is said to be wrong with the version that the event is about.
        "task.bug_report_received.v1" => BugReportReceived(BugReportReceived),
        /// Somebody wants a correction.
        "task.correction_requested.v1" => CorrectionRequested(CorrectionRequested),
        /// A version is being corrected.
        "task.correction_started.v1" => CorrectionStarted(CorrectionStarted),
        /// There is a next version, which corrects the one before.
        "task.correction_completed.v1" => CorrectionCompleted(CorrectionCompleted),
        /// A bug is to be fixed before all else.
        "task.bug_fix_urgent.v1" => BugFixUrgent(BugFixUrgent),
        /// A user has stepped in.
        "task.user_intervened.v1" => UserIntervened(UserIntervened),
    }
}

impl Decider for Task {
    const ENTITY: &'static str = "task";
    const STREAMS: &'static str = "space:*:tasks:*";
    const SCHEMA: u32 = 1;
    const RAISING: &'static [&'static str] =
        &["task.code_generated.v1", "task.code_refined.v1", "task.correction_completed.v1"];

    type State = TaskState;
    type Command = TaskCommand;
    type Event = TaskEvent;

    fn decide(command: TaskCommand, context: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
        let state = context.own::<Self>()?.state();
        let event = match command {
            TaskCommand::GatherRequirement(data) => {
                has_no_code(state)?;
                context.event(&data)
            }
            TaskCommand::Plan(data) => {
                at_most("steps", &data.steps, STEPS_MAX)?;
                has_no_code(state)?;
                context.event(&data)
            }
            TaskCommand::GenerateCode(data) => {
                has_no_code(state)?;
                raised(context.event(&data), context)?
            }
            TaskCommand::GenerateTests(data) => {
                has_code(state)?;
                context.event(&data)
            }
            TaskCommand::RefineCode(data) => {
                is_current(state, context.origin.version)?;
                has_code(state)?;
                raised(context.event(&data), context)?
            }
            TaskCommand::CheckQuality(data) => {
                at_most("addresses", &data.addresses, PENDING_BUGS_MAX)?;
                has_code(state)?;
                context.event(&data)
            }
            TaskCommand::AnalyzeDeadCode(data) => {
                at_most("unused", &data.unused, UNUSED_MAX)?;
                has_code(state)?;
                context.event(&data)
            }
            TaskCommand::ReportBug(data) => {
                has_code(state)?;
                context.event(&data)
            }
            TaskCommand::RequestCorrection(data) => {
                has_code(state)?;
                context.event(&data)
            }
            TaskCommand::StartCorrection(data) => {
                // Another may correct the same version already, and be gone: whose correction comes first is the next version, and the
                // other's is refused.
                is_current(state, context.origin.version)?;
                is_current(state, data.target_version)?;
                has_code(state)?;
                context.event(&data)
            }
            TaskCommand::CompleteCorrection(data) => {
                is_current(state, context.origin.version)?;
                has_code(state)?;
                raised(context.event(&data), context)?
            }
            TaskCommand::RequestUrgentFix(data) => {
                has_code(state)?;
                context.event(&data)
            }
            TaskCommand::Intervene(data) => context.event(&data),
        };
        Ok(vec![event])
    }

    fn evolve(mut state: TaskState, event: TaskEvent, recorded: &Event) -> TaskState {
        match event {
            TaskEvent::RequirementGathered(data) => {
                state.requirement = Some(data.requirement);
                state.phase = state.phase.at_least(Phase::Specified);
            }
            TaskEvent::Planned(data) => {
                state.plan = data.steps;
                state.phase = state.phase.at_least(Phase::Planned);
            }
            TaskEvent::CodeGenerated(data) => {
                if state.requirement.is_none() {
                    state.requirement = data.task;
                }
                state.show(data.code, data.hash, recorded);
            }
            TaskEvent::CodeRefined(data) => state.show(data.code, data.hash, recorded),
            TaskEvent::TestGenerated(data) => state.tests = state.tests.saturating_add(data.count),
            TaskEvent::QualityChecked(data) => state.check(data, recorded),
            TaskEvent::DeadCodeAnalyzed(data) => state.dead_code = data.unused,
            TaskEvent::BugReportReceived(data) => state.report(data, recorded),
            TaskEvent::CorrectionRequested(_) => {}
            TaskEvent::CorrectionStarted(_) => {
                state.in_correction = Some(recorded.version);
                state.phase = Phase::InCorrection;
            }
            TaskEvent::CorrectionCompleted(data) => {
                let is_answered = |id: &EventId| data.addresses.contains(id) || mutated(Mutation::ClearAllReports);
                state.pending_bugs.retain(|pending| !is_answered(&pending.report));
                state.show(data.code, data.hash, recorded);
            }
            TaskEvent::BugFixUrgent(data) => {
                let named = state.pending_bugs.iter_mut().filter(|pending| data.reports.contains(&pending.report));
                named.for_each(|pending| pending.is_urgent = true);
            }
            TaskEvent::UserIntervened(_) => state.interventions = state.interventions.saturating_add(1),
        }
        state
    }
}

impl Phase {
    /// What is known does not become unknown by what is known later.
    fn at_least(self, other: Self) -> Self {
        if matches!((self, other), (Self::New, _) | (Self::Specified, Self::Planned)) { other } else { self }
    }
}

impl TaskState {
    /// Shows new code: what was known of the code before is not known of it. What was reported and not addressed stays.
    fn show(&mut self, code: String, hash: Option<String>, recorded: &Event) {
        let (version, clock, event) = (recorded.version, recorded.clock.clone(), recorded.id.clone());
        self.code = Some(CurrentCode { code, hash, version, clock, event });
        (self.in_correction, self.quality, self.tests) = (None, None, 0);
        self.dead_code.clear();
        self.settle();
    }

    fn report(&mut self, data: BugReportReceived, recorded: &Event) {
        let Some(code) = &self.code else { return };
        let current = causality::Code { version: code.version, clock: &code.clock, hash: code.hash.as_deref() };
        let report = causality::Code { version: recorded.version, clock: &recorded.clock, hash: data.hash.as_deref() };
        let causality = causality(report, current);
        let counts =
            matches!(causality.about, About::Current | About::Concurrent) || mutated(Mutation::TakeStaleReports);
        if !counts {
            self.reports_stale = self.reports_stale.saturating_add(1);
        } else if self.pending_bugs.len() >= PENDING_BUGS_MAX {
            self.reports_dropped = self.reports_dropped.saturating_add(1);
        } else {
            self.pending_bugs.push(PendingBug {
                report: recorded.id.clone(),
                bug: data.bug,
                causality,
                is_urgent: false,
            });
            self.settle();
        }
    }

    fn check(&mut self, data: QualityChecked, recorded: &Event) {
        let is_current = self.code.as_ref().is_some_and(|code| code.version == recorded.version);
        self.pending_bugs.retain(|pending| !data.addresses.contains(&pending.report));
        if is_current {
            self.quality = Some(data);
            self.settle();
        }
    }

    /// The phase that follows from what is known of the code.
    fn settle(&mut self) {
        if self.in_correction.is_none() && self.code.is_some() {
            self.phase = match &self.quality {
                _ if !self.pending_bugs.is_empty() => Phase::Failing,
                Some(quality) if quality.passed => Phase::Passed,
                Some(_) => Phase::Failing,
                None => Phase::Written,
            };
        }
    }
}

fn has_no_code(state: &TaskState) -> Result<(), Refusal> {
    if state.code.is_some() {
        return Err(Refusal::conflict("code_exists", "the task has code already: refine or correct that"));
    }
    Ok(())
}

fn has_code(state: &TaskState) -> Result<(), Refusal> {
    if state.code.is_none() {
        return Err(Refusal::conflict("no_code", "the task has no code yet: generate it first"));
    }
    Ok(())
}

/// Holds that a command that says which version it is about means the current one.
fn is_current(state: &TaskState, about: Option<Version>) -> Result<(), Refusal> {
    match (&state.code, about) {
        (Some(code), Some(about)) if about != code.version => {
            let detail =
                format!("it is about version {about}, and the current one is {}: look at that first", code.version);
            Err(Refusal::conflict("stale_version", detail))
        }
        _ => Ok(()),
    }
}

/// The event, about the next version.
fn raised(mut event: NewEvent, context: &Context<'_>) -> Result<NewEvent, Rejection> {
    let current = context.own::<Task>()?.mark().version;
    let full = || Refusal::conflict("version_spent", "there is no number left for another version");
    event.version =
        if mutated(Mutation::RaiseNothing) { Some(current) } else { Some(current.next().ok_or_else(full)?) };
    Ok(event)
}

#[cfg(test)]
mod tests;
