//! `POST /v1/streams/{stream}` and `POST /v1/events`: appending one event or many, all or nothing.

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use highwater_core::{
    envelope::Proposed,
    event::{Actor, EventId, EventType},
    stream::StreamName,
    version::Revision,
};
use serde::Serialize;

use super::{POSITION, StreamPath, body, precondition};
use crate::{
    app::AppState,
    auth::Access,
    error::{Problem, ProblemCode},
    store::{Commit, Committed, Expectation, Placed},
    telemetry::TraceParent,
};

const REQUIRE: HeaderName = HeaderName::from_static("highwater-require");

/// Counts the appends that are refused.
pub(super) async fn count(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if let Some(ProblemCode(code)) = response.extensions().get() {
        state.metrics.intake.rejected(code);
    }
    response
}

/// Appends to the stream that the path names. The answer's `ETag` is the stream as these events left it.
pub(super) async fn to_stream(
    State(state): State<AppState>,
    access: Access,
    StreamPath(stream): StreamPath,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let mut place = state.intake.enter()?;
    let events = body::proposals(&state, &headers, body, Some(&stream), &mut place).await?;
    access.append(&events)?;
    let expectations = precondition::expectations(&state, &stream, &headers).await?;
    let committed = commit(&state, &headers, events, expectations).await?;
    let revision = committed.events.iter().map(|event| event.revision).max().unwrap_or(Revision::ZERO);
    let etag = precondition::etag(state.store.epoch(), revision);
    Ok(([(header::ETAG, etag)], answer(&state, &committed)).into_response())
}

/// Appends to the streams that the events name.
pub(super) async fn to_log(
    State(state): State<AppState>,
    access: Access,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    if headers.contains_key(header::IF_MATCH) || headers.contains_key(header::IF_NONE_MATCH) {
        return Err(Problem::InvalidRequest(
            "preconditions here stand in the events, as expectedrevision: If-Match and If-None-Match are of one stream"
                .into(),
        ));
    }
    let mut place = state.intake.enter()?;
    let events = body::proposals(&state, &headers, body, None, &mut place).await?;
    access.append(&events)?;
    let committed = commit(&state, &headers, events, Vec::new()).await?;
    Ok(answer(&state, &committed))
}

async fn commit(
    state: &AppState,
    headers: &HeaderMap,
    events: Vec<Proposed>,
    expectations: Vec<Expectation>,
) -> Result<Committed, Problem> {
    let monotonic = is_monotonic(headers)?;
    let commit = Commit { events, expectations, monotonic, trace: TraceParent::of(headers) };
    let told = Told::of(&commit);
    let committed = state.broker.publish(commit).await?;
    told.stored(state, &committed);
    Ok(committed)
}

/// What the log line of an append says: of the first of its events, who, what and where.
struct Told(Option<(StreamName, Actor, EventType)>);

impl Told {
    /// Nothing is taken down where no such line is wanted.
    fn of(commit: &Commit) -> Self {
        let first = commit.events.first().filter(|_| tracing::enabled!(tracing::Level::DEBUG));
        Self(first.map(|Proposed { event, .. }| (event.stream.clone(), event.source.clone(), event.kind.clone())))
    }

    fn stored(self, state: &AppState, committed: &Committed) {
        if let Self(Some((stream, actor, kind))) = self {
            let (position, events) = (state.position(committed.sequence()), committed.events.len());
            tracing::debug!(%stream, r#type = %kind, %actor, %position, events, known = committed.all_known, "appended");
        }
    }
}

fn is_monotonic(headers: &HeaderMap) -> Result<bool, Problem> {
    let mut required = headers.get_all(REQUIRE).iter();
    match (required.next().map(HeaderValue::as_bytes), required.next()) {
        (None, _) => Ok(false),
        (Some(b"monotonic"), None) => Ok(true),
        _ => Err(Problem::InvalidRequest("Highwater-Require can only be monotonic".into())),
    }
}

/// The answer's body.
#[derive(Serialize)]
struct Answer {
    position: String,
    events: Vec<Place>,
}

#[derive(Serialize)]
struct Place {
    id: EventId,
    sequence: u64,
    revision: u32,
}

fn answer(state: &AppState, committed: &Committed) -> Response {
    let position = state.position(committed.sequence()).to_string();
    let place =
        |event: &Placed| Place { id: event.id.clone(), sequence: event.sequence.get(), revision: event.revision.get() };
    let status = if committed.all_known { StatusCode::OK } else { StatusCode::CREATED };
    let events = committed.events.iter().map(place).collect();
    let body = axum::Json(Answer { position: position.clone(), events });
    (status, [(POSITION, position)], body).into_response()
}
