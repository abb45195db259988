//! `POST /v1/streams/{stream}` and `POST /v1/events`: appending one event or many, all or nothing.

use std::collections::BTreeMap;

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
    let is_import = check(&state, &access, &headers, &events)?;
    let expectations = precondition::expectations(&state, &stream, &headers).await?;
    let committed = commit(&state, &headers, events, expectations, is_import).await?;
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
    let is_import = check(&state, &access, &headers, &events)?;
    let committed = commit(&state, &headers, events, Vec::new(), is_import).await?;
    Ok(answer(&state, &committed))
}

/// Whether these events may be appended, by who asks and to streams that take them. Entities' streams take those that are imported; answers
/// whether there are any.
fn check(state: &AppState, access: &Access, headers: &HeaderMap, events: &[Proposed]) -> Result<bool, Problem> {
    access.append(events)?;
    let imports = has(headers, &IMPORT, "true")?;
    let of_entity = |(index, Proposed { event, .. }): (usize, &Proposed)| {
        state.states.entities().of(&event.stream).map(|entity| (index, event.stream.clone(), entity.name()))
    };
    match events.iter().enumerate().find_map(of_entity) {
        Some((index, stream, entity)) if !imports => Err(Problem::EntityStream { index, stream, entity }),
        Some((index, stream, _)) if !access.may_import() => Err(Forbidden::Import { index, stream }.into()),
        found => Ok(found.is_some()),
    }
}

async fn commit(
    state: &AppState,
    headers: &HeaderMap,
    events: Vec<Proposed>,
    expectations: Vec<Expectation>,
    is_import: bool,
) -> Result<Committed, Problem> {
    let monotonic = has(headers, &REQUIRE, "monotonic")?;
    let commit = Commit { events, expectations, monotonic, command: None, trace: TraceParent::of(headers) };
    let told = Told::of(&commit);
    let imported = is_import.then(|| commit.events.iter().map(|proposed| proposed.event.stream.clone()).collect());
    let committed = state.broker.publish(commit).await?;
    told.stored(state, &committed);
    if let Some(streams) = imported {
        keep_up(state, streams, &committed).await;
    }
    Ok(committed)
}

/// Has snapshots made of what was imported. What comes of commands is folded by them.
async fn keep_up(state: &AppState, streams: Vec<StreamName>, committed: &Committed) {
    let mut grown: BTreeMap<StreamName, (Revision, Revision)> = BTreeMap::new();
    for (stream, Placed { revision, .. }) in streams.into_iter().zip(&committed.events) {
        let (first, last) = grown.entry(stream).or_insert((*revision, *revision));
        (*first, *last) = ((*first).min(*revision), (*last).max(*revision));
    }
    for (stream, (first, last)) in grown {
        state.states.keep_up(&stream, first..=last).await;
    }
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, atomic::Ordering::Relaxed};

    use axum::{Router, body::to_bytes, http};
    use highwater_core::domain;
    use serde_json::{Value, json};
    use tower_service::Service;

    use super::*;
    use crate::{app::app, broker::EventBroker, config::Settings, store::probe::Probe};

    const EVERY: u32 = 100;

    async fn call(router: &mut Router, request: http::request::Builder, body: Value) -> Value {
        let body = if body.is_null() { Body::empty() } else { body.to_string().into() };
        let request = request.header("host", "localhost").header("highwater-import", "true").body(body).unwrap();
        let response = router.call(request).await.unwrap();
        let (status, body) = (response.status(), to_bytes(response.into_body(), usize::MAX).await.unwrap());
        assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }

    #[tokio::test]
    async fn the_first_state_of_a_long_stream_that_was_imported_costs_two_intervals_at_most() {
        let folder = tempfile::tempdir().unwrap();
        let log = Arc::new(Probe::open(folder.path()));
        let settings = Settings { snapshot_every_events: EVERY, ..Settings::default() };
        let broker = EventBroker::connect(Arc::clone(&log) as _, &settings);
        let state = AppState::new(broker, settings).with_entities(domain::entities());
        let mut router = app(state.with_snapshots(&folder.path().join("snapshots.sqlite")));
        let report = |id: usize| json!({ "specversion": "1.0", "id": id.to_string(), "source": "tester", "subject": "space:1:tasks:long", "type": "task.bug_report_received.v1", "data": { "bug": "it fails" } });
        for begin in (0..1_000).step_by(130) {
            let batch = (begin..1_000.min(begin + 130)).map(report).collect();
            let request =
                http::Request::post("/v1/events").header("content-type", "application/cloudevents-batch+json");
            call(&mut router, request, batch).await;
        }
        // What is written after them is there once they are.
        let mut other = report(1_000);
        other["subject"] = "space:1:tasks:other".into();
        let request = http::Request::post("/v1/streams/space:1:tasks:other")
            .header("content-type", "application/cloudevents+json");
        call(&mut router, request, other).await;
        call(&mut router, http::Request::post("/v1/streams/space:1:tasks:other/snapshot"), Value::Null).await;

        for at in [999, 1, 99, 100, 550, 1_000] {
            let before = log.read.load(Relaxed);
            let request = http::Request::get(format!("/v1/streams/space:1:tasks:long/state?at={at}"));
            assert_eq!(call(&mut router, request, Value::Null).await["revision"], at);
            let read = log.read.load(Relaxed) - before;
            assert!(read <= 2 * EVERY as usize, "{read} events are read for the state at {at}");
        }
    }
}
