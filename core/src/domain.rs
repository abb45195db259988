//! The entities of the seeds, each a [`Decider`](crate::decider::Decider) in a file of its own.

pub mod task;

use crate::decider::Entities;

/// All of them.
#[must_use]
pub fn entities() -> Entities {
    Entities::new().with::<task::Task>()
}
