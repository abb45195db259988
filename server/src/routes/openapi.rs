//! `GET /openapi.json`: what can be asked here. It tells of the software and its settings, of no event and no client, so it
//! needs no token.

use axum::{Json, extract::State};
use serde_json::Value;

use crate::{app::AppState, openapi};

pub(super) async fn read(State(state): State<AppState>) -> Json<Value> {
    Json(openapi::document(&state.settings, state.auth.asks_for_tokens()))
}
