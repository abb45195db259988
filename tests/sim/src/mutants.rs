//! Whether the checker sees: every switch of `core/src/mutation.rs` breaks something, and a bounded number of seeds has to show it.

use std::panic;

use highwater_core::mutation::{Mutation, mutate};

use crate::seeds::{Failure, first_failure};

/// So many seeds must be enough for each.
pub const SEEDS_MAX: u64 = 200;

/// Turns one switch on, and looks for the first seed that shows it.
#[must_use]
pub fn seen(mutation: Mutation) -> Option<Failure> {
    let quiet = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    mutate(Some(mutation));
    let failure = first_failure(1..1 + SEEDS_MAX);
    mutate(None);
    panic::set_hook(quiet);
    failure
}
