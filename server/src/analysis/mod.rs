//! What reads texts: [`Extractor`] finds topics and atoms in messages, [`Analyst`] finds tasks in atoms. Both are ports. [`Rules`] is what lies
//! behind them by default: it reads the texts by rules of its own; a model may take its place.

mod rules;
mod text;

use async_trait::async_trait;
use highwater_core::time::Timestamp;

pub use self::rules::Rules;

/// A message, as an extractor reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its stream.
    pub stream: String,
    /// When it was sent.
    pub sent: Timestamp,
    /// What it says.
    pub text: String,
}

/// What messages are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundTopic {
    /// Its name.
    pub name: String,
    /// The words that are told most often where it is spoken of.
    pub keywords: Vec<String>,
    /// The streams of the messages that speak of it.
    pub messages: Vec<String>,
}

/// One thing that a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundAtom {
    /// What kind of thing it is.
    pub kind: AtomKind,
    /// In the message's words.
    pub text: String,
    /// The stream of the message.
    pub message: String,
    /// When it was said.
    pub said: Timestamp,
    /// The name of the topic that it belongs to.
    pub topic: Option<String>,
}

/// What kind of thing a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AtomKind {
    /// Something does not work.
    Problem,
    /// Something is to be done.
    Request,
    /// Something is decided.
    Decision,
    /// Something is asked.
    Question,
    /// Something might be done.
    Idea,
}

/// What an extractor finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extracted {
    /// In the order of how often they are spoken of.
    pub topics: Vec<FoundTopic>,
    /// In the order of the messages.
    pub atoms: Vec<FoundAtom>,
}

/// A piece of approved knowledge, as an analyst reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub id: String,
    /// What kind of thing it is; `None` for a topic.
    pub kind: Option<AtomKind>,
    /// What it says.
    pub text: String,
    /// When it was said.
    pub said: Timestamp,
    /// The name of its topic.
    pub topic: Option<String>,
}

/// A task that an analyst proposes.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundTask {
    /// What is to be done, in a line.
    pub title: String,
    /// Why, in the words of what is known.
    pub rationale: String,
    /// How urgent it is.
    pub priority: Priority,
    /// How sure the analyst is, from 0 to 1.
    pub confidence: f64,
    /// The ids of what it follows from.
    pub sources: Vec<String>,
}

/// How urgent a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// It can wait.
    Low,
    /// It is one of many.
    Medium,
    /// It should be done first.
    High,
}

/// Why nothing could be read. It is tried no more, and told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AnalysisError(pub String);

/// Finds what messages are about, and what they say.
#[async_trait]
pub trait Extractor: Send + Sync + 'static {
    /// Reads messages, oldest first.
    ///
    /// # Errors
    /// [`AnalysisError`] where they can't be read.
    async fn extract(&self, messages: &[Message]) -> Result<Extracted, AnalysisError>;
}

/// Finds what is to be done.
#[async_trait]
pub trait Analyst: Send + Sync + 'static {
    /// Reads one window of what is known, oldest first, with the names of all topics at hand.
    ///
    /// # Errors
    /// [`AnalysisError`] where it can't be read.
    async fn analyze(&self, window: &[Known], topics: &[String]) -> Result<Vec<FoundTask>, AnalysisError>;
}
