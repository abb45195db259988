//! How the server is put together: [`app`] makes a router of what [`AppState`] holds.

use std::sync::Arc;

use axum::Router;
use highwater_core::{
    event::Limits,
    version::{Position, Sequence},
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::Settings,
    routes::{self, Intake},
    store::EventStore,
    telemetry::Metrics,
};

/// What every route may use.
#[derive(Clone)]
pub struct AppState {
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) limits: Limits,
    pub(crate) shutdown: CancellationToken,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) intake: Arc<Intake>,
}

impl AppState {
    /// Serves this store. Once `shutdown` is cancelled, subscribers get their `goodbye` and who waits an answer.
    #[must_use]
    pub fn new(store: Arc<dyn EventStore>, settings: Settings, shutdown: CancellationToken) -> Self {
        let metrics = Arc::new(Metrics::new(store.metrics()));
        let intake = Arc::new(Intake::new(&settings, &metrics.intake));
        Self { store, limits: settings.limits(), settings: Arc::new(settings), shutdown, metrics, intake }
    }

    /// The server's numbers.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
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
