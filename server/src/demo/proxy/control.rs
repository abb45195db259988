//! What the page may read and set: the faults and the demo's speed.

use axum::{
    Json,
    extract::{State, rejection::BytesRejection},
    http::header,
    response::IntoResponse,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{CONTROL_BYTES_MAX, Faults, Proxy};
use crate::{demo::pace::SPEED_RANGE, error::Problem};

/// How the demo runs.
#[derive(Debug, Serialize)]
pub(super) struct Running {
    /// How many times faster than the seed's latencies.
    speed: f64,
    /// Whether new tasks are waiting for somebody to look at them.
    paused: bool,
    /// Event streams being read.
    readers: usize,
}

/// What may be set of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settable {
    speed: f64,
}

/// The page's own word on whether this is the demo, in the place of the one that the server has.
pub(super) async fn script() -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    (headers, "export const isDemo = true;\n")
}

pub(super) async fn faults(State(proxy): State<Proxy>) -> Json<Faults> {
    Json(proxy.0.faults.borrow().clone())
}

/// Puts the faults in force, also for connections that are open.
pub(super) async fn set_faults(
    State(proxy): State<Proxy>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Faults>, Problem> {
    let faults: Faults = read(body)?;
    faults.check().map_err(|error| Problem::InvalidRequest(format!("the faults can't be: {error}")))?;
    proxy.set_faults(faults.clone());
    Ok(Json(faults))
}

pub(super) async fn state(State(proxy): State<Proxy>) -> Json<Running> {
    Json(running(&proxy))
}

pub(super) async fn set_state(
    State(proxy): State<Proxy>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Running>, Problem> {
    let Settable { speed } = read(body)?;
    if !SPEED_RANGE.contains(&speed) {
        let (slowest, fastest) = (SPEED_RANGE.start(), SPEED_RANGE.end());
        return Err(Problem::InvalidRequest(format!("speed must be {slowest} to {fastest}")));
    }
    proxy.0.pace.set_speed(speed);
    Ok(Json(running(&proxy)))
}

fn running(proxy: &Proxy) -> Running {
    let readers = *proxy.0.readers.borrow();
    Running { speed: proxy.0.pace.speed(), paused: readers == 0, readers }
}

fn read<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, Problem> {
    let body = body.map_err(|_| Problem::BodyTooLarge { max_bytes: CONTROL_BYTES_MAX })?;
    serde_json::from_slice(&body)
        .map_err(|error| Problem::InvalidRequest(format!("the body is not as it must be: {error}")))
}
