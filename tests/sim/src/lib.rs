//! Highwater in one thread. The real server (its SQLite store, feed and routes) and the real clients (the session that pages run, with
//! core's machines in it) meet on a simulated network, disk and clock; all that is left to chance follows from one seed.
//!
//! A run has two parts. In the first, messages are delayed, lost, repeated, swapped and cut, servers end between any two steps of a commit
//! and come back on what was synced, older folders are put back, clients sleep, are loaded again, and have clocks that are wrong, and some
//! of them are tabs of one device that hand its only connection over to one another. In the second nothing fails any more, and every client
//! must come to what a plain fold of the log is. After every step the [checker] holds what it saw against SPEC.md's invariants;
//! [invariants] says which of them are out of its reach, and why.
//!
//! What is not real: sockets and HTTP's own bytes (requests go into the router, the bodies of its answers come out), what JavaScript does
//! around a session ([client] does it instead) and between the sessions of a device's tabs ([client::device]), and what a disk does: SQLite
//! works in files, and is believed that a commit has synced them ([disk]).
//!
//! `cargo xtask sim` runs seeds, `--seed N` repeats one and prints all of it, `--mutations` breaks one thing after the other in core,
//! session and server: a bounded number of seeds has to show each as one of the invariants that [mutants] says it breaks.

pub mod app;
pub mod chance;
pub mod checker;
pub mod client;
pub mod disk;
pub mod host;
pub mod intents;
pub mod invariants;
mod liveness;
pub mod mutants;
pub mod network;
pub mod plan;
pub mod process;
pub mod producer;
pub mod seeds;
pub mod trace;
pub mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::runtime;

use self::{
    checker::{NO_INVARIANT, Violation},
    plan::Plan,
    world::World,
};

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// All that happened, as one number: the same for the same plan.
    pub hash: u64,
    /// What was wrong, if anything was.
    pub violation: Option<Violation>,
    /// How many milliseconds went by in it.
    pub lasted_ms: u64,
    /// How many events were in the log at its end.
    pub events: usize,
}

/// Runs a plan, and prints what happens if `is_told`.
///
/// # Panics
/// Where the machine has no room for a run.
#[must_use]
pub fn run(plan: &Plan, is_told: bool) -> Outcome {
    let runtime = runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime needs no more than memory");
    let ran = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let mut world = World::new(plan.clone(), is_told).expect("there is room for a simulated disk");
            let mut checked = world.faults().await;
            if checked.is_ok() {
                checked = world.heal().await;
            }
            let (lasted_ms, events) = (world.now(), world.logs.current().1.events().len());
            Outcome { hash: world.trace.hash(), violation: checked.err(), lasted_ms, events }
        })
    }));
    ran.unwrap_or_else(|panic| {
        let what = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        let what = format!("something panicked: {}", what.unwrap_or("it does not say why"));
        Outcome { hash: 0, violation: Some(Violation { invariant: NO_INVARIANT, what }), lasted_ms: 0, events: 0 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_one_run() {
        for seed in 1..=6 {
            let first = run(&Plan::new(seed), false);
            assert_eq!(first.violation, None, "seed {seed}");
            assert!(first.events > 0);
            assert_eq!(run(&Plan::new(seed), false), first, "seed {seed}");
        }
    }
}
