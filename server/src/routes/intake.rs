//! [`Intake`]: how many appends, and how many bytes of them, are in this server at a time. Whoever comes when it is full is
//! told to come back: what clients send at once can't become memory without bound.

use crate::{
    bound::{Bound, Full, Room},
    config::Settings,
    error::Problem,
    store::CommitError,
    telemetry::IntakeMetrics,
};

/// The bounds on appends in flight, from a request's head to its answer.
pub(crate) struct Intake {
    requests: Bound,
    bytes: Bound,
}

/// An append in flight.
pub(super) struct Place {
    _request: Room,
    bytes: Room,
}

impl Intake {
    pub(crate) fn new(settings: &Settings, metrics: &IntakeMetrics) -> Self {
        let (requests, bytes) = (settings.appends_max, settings.append_bytes_max);
        Self {
            requests: Bound::new(requests, metrics.in_flight(requests)),
            bytes: Bound::new(bytes, metrics.bytes(bytes)),
        }
    }

    /// Lets an append in, before any of its body is read.
    pub(super) fn enter(&self) -> Result<Place, Problem> {
        Ok(Place { _request: self.requests.take(1)?, bytes: self.bytes.take(0)? })
    }
}

impl Place {
    /// So many more bytes have come. They count as they come, not when they are announced: who announces much and sends
    /// nothing takes no room from others.
    pub(super) fn receive(&mut self, bytes: usize) -> Result<(), Problem> {
        Ok(self.bytes.add(bytes)?)
    }
}

impl From<Full> for Problem {
    fn from(_: Full) -> Self {
        Self::Commit(CommitError::Overloaded)
    }
}
