//! What reads texts: [`Extractor`] finds topics and atoms in messages, [`Analyst`] finds tasks in what was approved of them. Both are ports.
//! [`Rules`] is what lies behind them by default: it reads the texts by rules of its own; a model may take its place.

mod rules;
pub(crate) mod text;

use std::collections::BTreeMap;

use async_trait::async_trait;
use highwater_core::{
    domain::{
        knowledge::{Found, Item, Topic},
        proposal::ProposedTask,
    },
    stream::StreamName,
    time::Timestamp,
};

pub use self::rules::Rules;

/// A message, as an extractor reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Its stream.
    pub stream: StreamName,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// What it says.
    pub text: String,
}

/// An approved topic or atom, as an analyst reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// Its stream.
    pub stream: StreamName,
    /// What it is.
    pub item: Item,
}

/// Why nothing could be read. It is told, and tried no more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AnalysisError(pub String);

/// Finds what messages are about, and what they say.
#[async_trait]
pub trait Extractor: Send + Sync + 'static {
    /// Reads messages, oldest first. What it finds has ids that begin with the extraction's: for the same messages the same.
    ///
    /// # Errors
    /// [`AnalysisError`] where they can't be read.
    async fn extract(&self, extraction: &str, messages: &[Heard]) -> Result<Vec<Found>, AnalysisError>;
}

/// Finds what is to be done.
#[async_trait]
pub trait Analyst: Send + Sync + 'static {
    /// Reads one window of what is known, oldest first. All topics of the space are at hand, by id.
    ///
    /// # Errors
    /// [`AnalysisError`] where it can't be read.
    async fn analyze(
        &self,
        window: &[Known],
        topics: &BTreeMap<String, Topic>,
    ) -> Result<Vec<ProposedTask>, AnalysisError>;
}
