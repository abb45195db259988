//! What the events of a story say.

use crate::json::Json;

/// A story has a context.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct ContextCreated {
    /// What the story is about, in a line.
    pub title: String,
    /// The same at length.
    #[json(default)]
    pub description: String,
}

/// Something was decided.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct DecisionAdded {
    /// The decision's id within its story.
    pub id: String,
    /// What.
    pub decision: String,
    /// Why.
    #[json(skip_none)]
    pub rationale: Option<String>,
}

/// A part of the work is new, or stands otherwise.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct SubtaskUpdated {
    /// The subtask's id within its story.
    pub id: String,
    /// What it is, in a line. Left out, it stays.
    #[json(skip_none)]
    pub title: Option<String>,
    /// How it stands.
    pub status: SubtaskStatus,
}

/// How a subtask stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Json)]
pub enum SubtaskStatus {
    /// Nobody works on it.
    Open,
    /// Somebody works on it.
    InProgress,
    /// It is done.
    Completed,
    /// It is not to be done any more.
    Dropped,
}

/// How the story stood at one of its versions. What was so in full, the log tells.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct ContextSnapshot {
    /// How many changes the story had seen.
    pub version: u32,
    /// How many decisions there were.
    pub decisions: u32,
    /// How many subtasks there were.
    pub subtasks: u32,
    /// How many of them were completed.
    pub subtasks_completed: u32,
    /// What the snapshot is for, in words.
    #[json(skip_none)]
    pub note: Option<String>,
}
