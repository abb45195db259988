//! The demo's craft, with no network in it: programs that are run, written wrongly, tested and repaired.

pub(super) mod catalogue;
pub(super) mod mutate;
pub(super) mod repair;
pub(super) mod script;

#[cfg(test)]
mod tests;
