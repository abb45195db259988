//! The pure core of Highwater: what an event means, which version is current, what is stale.
//!
//! Server and browser compile this crate and so decide alike. It does no I/O, knows no time and no randomness, and is
//! the same for the same input: whoever calls it hands those in. `SPEC.md` beside it numbers the invariants.

// What is derived names this crate, also within it.
extern crate self as highwater_core;

pub mod causality;
pub mod clock;
pub mod control;
pub mod decider;
pub mod domain;
pub mod envelope;
pub mod event;
mod find;
pub mod json;
#[doc(hidden)]
pub mod mutation;
mod number;
pub mod overlay;
pub mod reconcile;
pub mod sorted;
pub mod sse;
pub mod stream;
pub mod subscription;
pub mod time;
pub mod topic;
pub mod upcast;
pub mod version;
