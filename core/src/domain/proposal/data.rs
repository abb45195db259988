//! What the events of a proposal say.

use std::fmt;

use crate::{json::Json, stream::StreamName};

/// The most streams that a proposed task names as what it comes from.
pub const SOURCES_MAX: usize = 100;

/// A task that is proposed. Its text is its title, and its description below.
#[derive(Clone, Debug, Default, PartialEq, Json)]
pub struct ProposedTask {
    /// What is to be done, in a line.
    pub title: String,
    /// The same at length.
    #[json(default)]
    pub description: String,
    /// How soon.
    #[json(skip_none)]
    pub priority: Option<Priority>,
    /// How sure the analysis is, from 0 to 100.
    #[json(skip_none)]
    pub confidence_percent: Option<u8>,
    /// The streams of the topics, atoms and messages that it comes from.
    #[json(default)]
    pub sources: Vec<StreamName>,
}

/// How soon a task is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Json)]
pub enum Priority {
    /// Some day.
    Low,
    /// In its turn.
    Medium,
    /// Soon.
    High,
    /// Now.
    Critical,
}

impl fmt::Display for ProposedTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title)?;
        if !self.description.is_empty() {
            write!(f, "\n\n{}", self.description)?;
        }
        Ok(())
    }
}

/// A run proposes a task.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct Created {
    /// The run's id.
    pub run: String,
    /// Its batch, from 0.
    pub batch: u32,
    /// The task.
    pub task: ProposedTask,
}

/// What is proposed was changed: what is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Json)]
pub struct Edited {
    /// What is to be done, in a line.
    #[json(skip_none)]
    pub title: Option<String>,
    /// The same at length.
    #[json(skip_none)]
    pub description: Option<String>,
    /// How soon.
    #[json(skip_none)]
    pub priority: Option<Priority>,
}

impl Edited {
    /// The task as it is after the change.
    #[must_use]
    pub(super) fn applied_to(self, task: ProposedTask) -> ProposedTask {
        ProposedTask {
            title: self.title.unwrap_or(task.title),
            description: self.description.unwrap_or(task.description),
            priority: self.priority.or(task.priority),
            ..task
        }
    }
}

/// The proposal is a task now.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct Approved {
    /// The task's id.
    pub task: String,
}

/// The proposal is not to be done.
#[derive(Clone, Debug, Default, PartialEq, Json)]
pub struct Rejected {
    /// Why, in words.
    #[json(skip_none)]
    pub reason: Option<String>,
}

/// A task that was there already has what was proposed.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct Merged {
    /// The task's id.
    pub into: String,
}
