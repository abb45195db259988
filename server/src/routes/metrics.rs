//! `GET /metrics`: every number of the server, for Prometheus.

use std::sync::Arc;

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use tokio::task::spawn_blocking;

use crate::{app::AppState, auth::Access, error::Problem, telemetry};

/// What the system says of the process is read from files, one of them with a line for every socket.
pub(super) async fn read(State(state): State<AppState>, access: Access) -> Result<Response, Problem> {
    access.operate()?;
    let metrics = Arc::clone(&state.metrics);
    let text = spawn_blocking(move || metrics.text()).await.map_err(|_| Problem::ShuttingDown)?;
    let headers = [(header::CONTENT_TYPE, telemetry::CONTENT_TYPE), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, text).into_response())
}
