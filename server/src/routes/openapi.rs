//! `GET /openapi.json`: what can be asked here. It tells of the software and its settings, of no event and no client, so it
//! needs no token.

use std::sync::{Arc, OnceLock};

use axum::{
    extract::State,
    http::header,
    routing::{MethodRouter, get},
};
use bytes::Bytes;

use crate::{app::AppState, openapi};

/// The document is made once, when it is first asked for.
pub(super) fn description() -> MethodRouter<AppState> {
    let made: Arc<OnceLock<Bytes>> = Arc::default();
    get(async move |State(state): State<AppState>| {
        let make = || openapi::document(&state.settings, state.auth.asks_for_tokens()).to_string().into();
        ([(header::CONTENT_TYPE, "application/json")], made.get_or_init(make).clone())
    })
}
