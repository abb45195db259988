//! The seeds' own stories over HTTP, told to the built binary: messages, knowledge, analysis runs, proposals.

#[path = "seeds/mod.rs"]
mod seeds;
