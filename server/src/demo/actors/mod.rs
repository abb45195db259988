//! The actors: generator, tester and corrector. Each is one sequential process with its own vector clock, knows of the
//! others only what it reads from the server, and speaks only by appending to the log.

mod actor;
mod corrector;
mod crew;
mod dossier;
mod generator;
mod tester;

use highwater_core::{envelope::InvalidHeader, event::InvalidEvent};

pub(super) use self::crew::{CREWS, Crews, Plan};
use super::craft::script::NoProgram;
use crate::remote::Failure;

/// Why an actor gave its task up.
#[derive(Debug, thiserror::Error)]
pub(super) enum GaveUp {
    #[error("{0}")]
    Server(#[from] Failure),
    #[error("the log has an event that can't be read: {0}")]
    Event(#[from] InvalidEvent),
    #[error("the log has an event that can't be judged: {0}")]
    Header(#[from] InvalidHeader),
    #[error("the task's stream began anew, or has lost events")]
    StreamLost,
    #[error("its clock is full: too many actors have written to the stream")]
    ClockFull,
    #[error("the solution {0}")]
    Solution(#[from] NoProgram),
    #[error("no repair was found for version {version}")]
    NoRepair { version: u32 },
    #[error("it has taken far too long")]
    TooLong,
    #[error("another writes to the same stream")]
    Contended,
    #[error("its work broke off: {0}")]
    Broken(#[from] tokio::task::JoinError),
}

#[cfg(test)]
mod tests;
