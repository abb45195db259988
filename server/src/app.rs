//! How the server is put together: [`app`] makes a router of what [`AppState`] holds.

use std::sync::Arc;

use axum::Router;
use highwater_core::{
    event::Limits,
    version::{Position, Sequence},
};
use tokio_util::sync::CancellationToken;

use crate::{broker::EventBroker, config::Settings, routes, store::EventStore};

/// What every route may use.
#[derive(Clone)]
pub struct AppState {
    /// For reading pages. What is appended or followed goes through the broker.
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) broker: EventBroker,
    pub(crate) settings: Arc<Settings>,
    pub(crate) limits: Limits,
    pub(crate) shutdown: CancellationToken,
    /// Cancelled when no more requests should be sent here; `shutdown` may follow later.
    pub(crate) draining: CancellationToken,
}

impl AppState {
    /// Serves what this broker is connected to. Once the broker closes, subscribers get their `goodbye` and who waits an
    /// answer.
    #[must_use]
    pub fn new(broker: EventBroker, settings: Settings) -> Self {
        let (store, shutdown) = (Arc::clone(broker.store()), broker.closing().clone());
        let draining = shutdown.clone();
        Self { store, broker, limits: settings.limits(), settings: Arc::new(settings), shutdown, draining }
    }

    /// Is not ready any more from when `draining` is cancelled, although it serves until `shutdown` is.
    #[must_use]
    pub fn draining_from(self, draining: CancellationToken) -> Self {
        Self { draining, ..self }
    }

    /// The last durable event's place.
    pub(crate) fn head(&self) -> Sequence {
        *self.store.head().borrow()
    }

    /// A place in the log that is being served.
    pub(crate) fn position(&self, sequence: Sequence) -> Position {
        Position::new(self.store.epoch(), sequence)
    }
}

/// All routes of the protocol and the page, to be served as they are or mounted into a larger router.
pub fn app(state: AppState) -> Router {
    routes::router(state)
}
