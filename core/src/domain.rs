//! The entities of the seeds, each a [`Decider`](crate::decider::Decider) in a file of its own.

pub mod analysis_guard;
pub mod analysis_run;
pub mod knowledge;
pub mod message;
pub mod proposal;
pub mod story;
pub mod task;

use crate::decider::{Entities, Refusal};

/// All of them.
#[must_use]
pub fn entities() -> Entities {
    Entities::new()
        .with::<analysis_guard::AnalysisGuard>()
        .with::<analysis_run::AnalysisRun>()
        .with::<knowledge::Knowledge>()
        .with::<message::Message>()
        .with::<proposal::Proposal>()
        .with::<story::Story>()
        .with::<task::Task>()
}

/// Holds that a text says something.
fn not_blank(name: &str, text: &str) -> Result<(), Refusal> {
    if text.chars().all(char::is_whitespace) {
        return Err(Refusal::invalid("empty_text", format!("'{name}' is empty: say something there")));
    }
    Ok(())
}

/// Holds a list to its bound.
fn at_most<T>(name: &str, list: &[T], max: usize) -> Result<(), Refusal> {
    if list.len() > max {
        return Err(Refusal::invalid("too_many", format!("'{name}' has {}: give at most {max}", list.len())));
    }
    Ok(())
}
