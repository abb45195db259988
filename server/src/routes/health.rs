//! `GET /healthz` and `GET /readyz`: whether the process lives, and whether it should be sent requests.

use axum::extract::State;
use highwater_core::{topic::Topics, version::Sequence};

use crate::{app::AppState, error::Problem, store::ReadLimit};

pub(super) async fn alive() -> &'static str {
    "alive\n"
}

/// Ready is who can read the log's last event, can append to it, and is not about to end.
pub(super) async fn ready(State(state): State<AppState>) -> Result<&'static str, Problem> {
    if state.draining.is_cancelled() {
        return Err(Problem::ShuttingDown);
    }
    state.store.check_writable().await?;
    let topics = Topics::new(["**"]).map_err(Problem::InvalidTopic)?;
    let before_last = Sequence::new(state.head().get().saturating_sub(1)).unwrap_or(Sequence::ZERO);
    state.store.read_log(&topics, before_last, ReadLimit { events: 1, bytes: 1 }).await?;
    Ok("ready\n")
}
