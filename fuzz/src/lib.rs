//! What is fuzzed. A target's `check` takes any bytes, and panics where they break the property that its module states; that nothing panics
//! by itself is part of each. Where another implementation of the same rules is at hand, it is what a target is held against.
//!
//! Inputs are text wherever that can be, so that a seed can be read and what was found as well. The first byte of some says how the rest
//! is to be cut.

pub mod append;
pub mod clock;
pub mod domain;
pub mod envelope;
pub mod header;
mod input;
pub mod json;
pub mod position;
pub mod session;
pub mod snapshot;
pub mod sse;
pub mod time;
pub mod topic;
