//! `GET /openapi.json`: what can be asked here. It tells of the software and its settings, of no event and no client, so it
//! needs no token.

use axum::{
    http::header,
    routing::{MethodRouter, get},
};
use bytes::Bytes;

use crate::{app::AppState, openapi};

/// The document is made once.
pub(super) fn description(state: &AppState) -> MethodRouter<AppState> {
    let document = openapi::document(&state.settings, state.auth.asks_for_tokens());
    let document = Bytes::from(document.to_string());
    get(async move || ([(header::CONTENT_TYPE, "application/json")], document))
}
