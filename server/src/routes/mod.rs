//! The routes: one file per resource, no rules in it. What is asked is parsed here, what it means is the store's and the
//! core's to say.

mod accept;
mod api;
mod append;
mod binary;
mod body;
mod command;
mod health;
mod intake;
mod lists;
mod log;
mod metrics;
mod openapi;
mod precondition;
mod projections;
mod query;
mod read;
mod session;
mod socket;
mod state;
mod stream;
mod subscribe;

use axum::{
    Router,
    extract::{FromRequestParts, Path},
    http::{HeaderName, Method, request::Parts},
    middleware::from_fn_with_state,
    routing::{delete, get, post},
};
use highwater_core::stream::StreamName;

pub(crate) use self::{command::KEY_BYTES_MAX, intake::Intake};
use crate::{app::AppState, auth, error::Problem, guard, page, telemetry};

/// Where an answer stands in the log: after an append its last event, after a read the head.
const POSITION: HeaderName = HeaderName::from_static("highwater-position");

pub(crate) fn router(state: AppState) -> Router {
    let count = from_fn_with_state(state.clone(), append::count);
    let cors = guard::cors(&state.settings);
    let router = Router::new()
        .route("/v1/events", get(log::read).merge(post(append::to_log).layer(count.clone())))
        .route("/v1/streams/{stream}", get(stream::read).merge(post(append::to_stream).layer(count.clone())))
        .route("/v1/commands/{entity}/{stream}", post(command::give).layer(count.clone()))
        .merge(api::commands().layer(count))
        .route("/v1/streams/{stream}/state", get(state::read))
        .route("/v1/streams/{stream}/snapshot", post(state::store))
        .route("/v1/ws", get(socket::upgrade))
        .route("/v1/entities/{entity}", get(lists::read))
        .route("/v1/projections", get(projections::read))
        .route("/v1/projections/{name}/rebuild", post(projections::rebuild))
        .route("/v1/projections/{name}/set-aside/{sequence}/retry", post(projections::retry))
        .route("/v1/projections/{name}/set-aside/{sequence}/discard", post(projections::discard))
        .route("/metrics", get(metrics::read))
        .route("/v1/session", post(session::begin))
        // Only what stands above asks who may.
        .route_layer(from_fn_with_state(state.clone(), auth::authenticate))
        .merge(api::webhooks())
        .route("/v1/session", delete(session::end))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/openapi.json", openapi::description())
        .fallback(page::serve)
        .method_not_allowed_fallback(async |method: Method| Problem::MethodNotAllowed(method.to_string()))
        // Bodies have their own limit, which is a setting and answers with a problem document.
        .layer(axum::extract::DefaultBodyLimit::disable());
    let router = match cors {
        Some(cors) => router.layer(cors),
        None => router,
    };
    let router = router.layer(from_fn_with_state(guard::Rules::from(&state), guard::guard));
    // The outermost, so that it sees what every other layer makes of a request.
    router.layer(from_fn_with_state(state.clone(), telemetry::observe)).with_state(state)
}

/// The stream that a path names, percent-decoded.
struct StreamPath(StreamName);

impl<S: Send + Sync> FromRequestParts<S> for StreamPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(name) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Problem::InvalidRequest(format!("the path must name a stream: {rejection}")))?;
        StreamName::new(&name).map(Self).map_err(Problem::InvalidStream)
    }
}
