//! **story**: the context of some work: what was decided, how its parts stand, and marks that somebody set on the way.

mod data;

pub use self::data::*;
use super::not_blank;
use crate::{
    decider::{Context, Decider, Refusal, Rejection},
    event::{Actor, Event, NewEvent},
    json::Json,
    time::Timestamp,
};

/// The most decisions of a story.
pub const DECISIONS_MAX: usize = 500;
/// The most subtasks of a story.
pub const SUBTASKS_MAX: usize = 500;

/// See the [module](self).
pub enum Story {}

/// How a story stands.
#[derive(Clone, Debug, Default, PartialEq, Json)]
pub struct StoryState {
    /// What it is about; nothing before it has a context.
    pub context: Option<ContextCreated>,
    /// How many changes it has seen: its context, its decisions, its subtasks' updates.
    pub version: u32,
    /// What was decided, in that order.
    pub decisions: Vec<Decision>,
    /// The parts of the work, in the order in which they came up.
    pub subtasks: Vec<Subtask>,
    /// The last snapshot.
    pub snapshot: Option<ContextSnapshot>,
    /// When it got its context.
    pub created_at: Option<Timestamp>,
}

/// Something that was decided.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct Decision {
    /// Its id within the story.
    pub id: String,
    /// What.
    pub decision: String,
    /// Why.
    pub rationale: Option<String>,
    /// By whom.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
}

/// A part of the work.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct Subtask {
    /// Its id within the story.
    pub id: String,
    /// What it is, in a line.
    pub title: String,
    /// How it stands.
    pub status: SubtaskStatus,
    /// When that last changed.
    pub updated_at: Timestamp,
}

/// What may be asked of a story.
#[derive(Clone, Debug, PartialEq, Json)]
#[json(tag = "type", content = "data")]
pub enum StoryCommand {
    /// Say what it is about.
    CreateContext(ContextCreated),
    /// Add what was decided.
    AddDecision(DecisionAdded),
    /// Add a part of the work, or say how it stands.
    UpdateSubtask(SubtaskUpdated),
    /// Set a mark.
    TakeSnapshot(TakeSnapshot),
}

/// Set a mark.
#[derive(Clone, Debug, Default, PartialEq, Json)]
pub struct TakeSnapshot {
    /// What it is for, in words.
    #[json(skip_none)]
    pub note: Option<String>,
}

crate::events! {
    /// What happens to a story.
    pub enum StoryEvent {
        /// It has a context.
        "story.context_created.v1" => ContextCreated(ContextCreated),
        /// Something was decided.
        "story.decision_added.v1" => DecisionAdded(DecisionAdded),
        /// A part of the work is new, or stands otherwise.
        "story.subtask_updated.v1" => SubtaskUpdated(SubtaskUpdated),
        /// Somebody set a mark.
        "story.context_snapshot.v1" => ContextSnapshot(ContextSnapshot),
    }
}

impl Decider for Story {
    const ENTITY: &'static str = "story";
    const STREAMS: &'static str = "space:*:stories:*";
    const SCHEMA: u32 = 1;

    type State = StoryState;
    type Command = StoryCommand;
    type Event = StoryEvent;

    fn decide(command: StoryCommand, context: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
        let state = context.own::<Self>()?.state();
        match command {
            StoryCommand::CreateContext(data) => create(state, &data, context),
            _ if state.context.is_none() => {
                let detail = "there is no such story: create its context first";
                Err(Refusal::not_found("unknown_story", detail).into())
            }
            StoryCommand::AddDecision(data) => add_decision(state, &data, context),
            StoryCommand::UpdateSubtask(data) => update_subtask(state, &data, context),
            StoryCommand::TakeSnapshot(data) => Ok(take_snapshot(state, data, context)),
        }
    }

    fn evolve(mut state: StoryState, event: StoryEvent, recorded: &Event) -> StoryState {
        let at = recorded.recorded_time;
        match event {
            StoryEvent::ContextCreated(data) => {
                (state.context, state.created_at) = (Some(data), Some(at));
            }
            StoryEvent::DecisionAdded(data) => {
                let DecisionAdded { id, decision, rationale } = data;
                if state.decisions.len() < DECISIONS_MAX {
                    state.decisions.push(Decision { id, decision, rationale, by: recorded.source.clone(), at });
                }
            }
            StoryEvent::SubtaskUpdated(data) => state.subtask_updated(data, at),
            StoryEvent::ContextSnapshot(data) => {
                state.snapshot = Some(data);
                return state;
            }
        }
        state.version = state.version.saturating_add(1);
        state
    }
}

impl StoryState {
    fn subtask(&self, id: &str) -> Option<&Subtask> {
        self.subtasks.iter().find(|subtask| subtask.id == id)
    }

    fn subtask_updated(&mut self, data: SubtaskUpdated, updated_at: Timestamp) {
        let SubtaskUpdated { id, title, status } = data;
        if let Some(known) = self.subtasks.iter_mut().find(|subtask| subtask.id == id) {
            (known.status, known.updated_at) = (status, updated_at);
            known.title = title.unwrap_or_else(|| std::mem::take(&mut known.title));
        } else if self.subtasks.len() < SUBTASKS_MAX {
            self.subtasks.push(Subtask { id, title: title.unwrap_or_default(), status, updated_at });
        }
    }
}

fn create(state: &StoryState, data: &ContextCreated, context: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
    if state.context.is_some() {
        return Err(Refusal::conflict("story_exists", "the story has its context already").into());
    }
    not_blank("title", &data.title)?;
    context.only(data)
}

fn add_decision(state: &StoryState, data: &DecisionAdded, context: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
    not_blank("id", &data.id)?;
    not_blank("decision", &data.decision)?;
    match state.decisions.iter().find(|known| known.id == data.id) {
        Some(known) if (&known.decision, &known.rationale) == (&data.decision, &data.rationale) => Ok(Vec::new()),
        Some(known) => {
            let detail = format!("decision '{}' is another one: add this under another id", known.id);
            Err(Refusal::conflict("decision_exists", detail).into())
        }
        None if state.decisions.len() >= DECISIONS_MAX => {
            let detail = format!("the story has {DECISIONS_MAX} decisions, and can't have more: begin another story");
            Err(Refusal::conflict("story_full", detail).into())
        }
        None => context.only(data),
    }
}

fn update_subtask(
    state: &StoryState,
    data: &SubtaskUpdated,
    context: &Context<'_>,
) -> Result<Vec<NewEvent>, Rejection> {
    not_blank("id", &data.id)?;
    let title = data.title.as_deref();
    match state.subtask(&data.id) {
        Some(known) if known.status == data.status && title.is_none_or(|title| title == known.title) => Ok(Vec::new()),
        Some(known) => {
            not_blank("title", title.unwrap_or(&known.title))?;
            context.only(data)
        }
        None if state.subtasks.len() >= SUBTASKS_MAX => {
            let detail = format!("the story has {SUBTASKS_MAX} subtasks, and can't have more: begin another story");
            Err(Refusal::conflict("story_full", detail).into())
        }
        None => {
            not_blank("title", title.unwrap_or_default())?;
            context.only(data)
        }
    }
}

/// Where nothing has changed since the last snapshot, that one is as good.
fn take_snapshot(state: &StoryState, data: TakeSnapshot, context: &Context<'_>) -> Vec<NewEvent> {
    if state.snapshot.as_ref().is_some_and(|last| last.version == state.version) {
        return Vec::new();
    }
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let completed = state.subtasks.iter().filter(|subtask| subtask.status == SubtaskStatus::Completed).count();
    vec![context.event(&ContextSnapshot {
        version: state.version,
        decisions: count(state.decisions.len()),
        subtasks: count(state.subtasks.len()),
        subtasks_completed: count(completed),
        note: data.note,
    })]
}

#[cfg(test)]
mod tests;
