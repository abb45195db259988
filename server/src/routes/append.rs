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
    auth::{Access, Forbidden},
    error::{Problem, ProblemCode},
    store::{Commit, Committed, Expectation, Placed},
    telemetry::TraceParent,
};

const REQUIRE: HeaderName = HeaderName::from_static("highwater-require");
const IMPORT: HeaderName = HeaderName::from_static("highwater-import");

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
    check(&state, &access, &headers, &events)?;
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
    check(&state, &access, &headers, &events)?;
    let committed = commit(&state, &headers, events, Vec::new()).await?;
    Ok(answer(&state, &committed))
}

/// Whether these events may be appended, by who asks and to streams that take them. Entities' streams take those that are imported.
fn check(state: &AppState, access: &Access, headers: &HeaderMap, events: &[Proposed]) -> Result<(), Problem> {
    access.append(events)?;
    let imports = has(headers, &IMPORT, "true")?;
    let of_entity = |(index, Proposed { event, .. }): (usize, &Proposed)| {
        state.states.entities().of(&event.stream).map(|entity| (index, event.stream.clone(), entity.name()))
    };
    match events.iter().enumerate().find_map(of_entity) {
        Some((index, stream, entity)) if !imports => Err(Problem::EntityStream { index, stream, entity }),
        Some((index, stream, _)) if !access.may_import() => Err(Forbidden::Import { index, stream }.into()),
        _ => Ok(()),
    }
}

async fn commit(
    state: &AppState,
    headers: &HeaderMap,
    events: Vec<Proposed>,
    expectations: Vec<Expectation>,
) -> Result<Committed, Problem> {
    let monotonic = has(headers, &REQUIRE, "monotonic")?;
    let commit = Commit { events, expectations, monotonic, command: None, trace: TraceParent::of(headers) };
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

/// Whether a header is there, which can have one value only.
fn has(headers: &HeaderMap, name: &HeaderName, value: &str) -> Result<bool, Problem> {
    let mut given = headers.get_all(name).iter();
    match (given.next().map(HeaderValue::as_bytes), given.next()) {
        (None, _) => Ok(false),
        (Some(given), None) if given == value.as_bytes() => Ok(true),
        _ => Err(Problem::InvalidRequest(format!("{name} can only be {value}"))),
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
