//! `/v1/projections`: how what is derived from the log stands, and what operators ask of it. What they ask is an event, and so is what comes
//! of it.

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use highwater_core::{
    event::{Actor, EventId},
    stream::StreamName,
    topic::Topics,
    version::{Position, Sequence},
};
use serde_json::{Value, json};

use super::{POSITION, query::Query};
use crate::{
    app::AppState,
    auth::Access,
    error::Problem,
    projection::{self, Lists, Request, SetAsideEvent, Status},
    store::Commit,
    telemetry::TraceParent,
};

const ACTOR: HeaderName = HeaderName::from_static("highwater-actor");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Who asks where nothing says who.
const SOMEBODY: &str = "operator";

/// How each stands.
pub(super) async fn read(State(state): State<AppState>, access: Access, uri: Uri) -> Result<Response, Problem> {
    access.operate()?;
    Query::parse(&uri)?.finish()?;
    let mut projections = Vec::new();
    if let Some(lists) = &state.lists {
        projections.push(described(&state, &access, lists.status().await?));
    }
    let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((no_store, Json(json!({ "projections": projections }))).into_response())
}

/// Asks for the lists to be built anew.
pub(super) async fn rebuild(
    State(state): State<AppState>,
    access: Access,
    name: Result<Path<String>, PathRejection>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    access.operate()?;
    named(&state, name.ok().map(|Path(name)| name), &uri)?;
    ask(&state, &access, &headers, Request::Rebuild).await
}

/// Asks for what is set aside to be tried again.
pub(super) async fn retry(
    State(state): State<AppState>,
    access: Access,
    target: Result<Path<(String, String)>, PathRejection>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let position = set_aside(&state, &access, target, &uri)?;
    ask(&state, &access, &headers, Request::Retry(position)).await
}

/// Asks that what is set aside be told of no more.
pub(super) async fn discard(
    State(state): State<AppState>,
    access: Access,
    target: Result<Path<(String, String)>, PathRejection>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let position = set_aside(&state, &access, target, &uri)?;
    ask(&state, &access, &headers, Request::Discard(position)).await
}

fn named(state: &AppState, name: Option<String>, uri: &Uri) -> Result<Lists, Problem> {
    let nothing = || Problem::NotFound(uri.path().to_owned());
    let lists = state.lists.clone().ok_or_else(nothing)?;
    if name.as_deref() == Some(projection::NAME) { Ok(lists) } else { Err(nothing()) }
}

/// The place that a path names. Whether something is set aside there is found out when it is that request's turn.
fn set_aside(
    state: &AppState,
    access: &Access,
    target: Result<Path<(String, String)>, PathRejection>,
    uri: &Uri,
) -> Result<Position, Problem> {
    access.operate()?;
    let nothing = || Problem::NotFound(uri.path().to_owned());
    let Path((name, sequence)) = target.map_err(|_| nothing())?;
    named(state, Some(name), uri)?;
    let sequence = Sequence::read(sequence.as_bytes()).filter(|sequence| *sequence <= state.head());
    Ok(state.position(sequence.ok_or_else(nothing)?))
}

/// Records what is asked for. What comes of it is recorded later.
async fn ask(state: &AppState, access: &Access, headers: &HeaderMap, request: Request) -> Result<Response, Problem> {
    let actor = match text(headers, &ACTOR)? {
        Some(actor) => {
            let actor = Actor::new(actor).map_err(|error| invalid(&ACTOR, error))?;
            access.act_as(&actor)?;
            actor
        }
        None => Actor::new(access.principal().map_or(SOMEBODY, |principal| principal)).map_err(|_| {
            let detail = "the token's subject can't be the source of an event: name one in Highwater-Actor";
            Problem::InvalidRequest(detail.into())
        })?,
    };
    let key = text(headers, &IDEMPOTENCY_KEY)?.map(EventId::new).transpose();
    let event = request.event(actor, key.map_err(|error| invalid(&IDEMPOTENCY_KEY, error))?);
    let _place = state.intake.enter()?;
    let commit = Commit { events: vec![event.into()], trace: TraceParent::of(headers), ..Commit::default() };
    let committed = state.broker.publish(commit).await?;
    let position = state.position(committed.sequence()).to_string();
    let body = Json(json!({ "position": position }));
    Ok((StatusCode::ACCEPTED, [(POSITION, position)], body).into_response())
}

/// A header that may be there once.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Problem> {
    let mut given = headers.get_all(name).iter();
    match (given.next().map(HeaderValue::to_str), given.next()) {
        (None, _) => Ok(None),
        (Some(Ok(text)), None) => Ok(Some(text)),
        _ => Err(invalid(name, "must be there once, in visible ASCII")),
    }
}

fn invalid(name: &HeaderName, rule: impl std::fmt::Display) -> Problem {
    Problem::InvalidRequest(format!("header '{name}' {rule}"))
}

fn described(state: &AppState, access: &Access, status: Status) -> Value {
    let position = |sequence| state.position(sequence).to_string();
    let kind = match &status {
        Status { failure: Some(_), .. } => "failing",
        Status { building: Some(_), is_outdated: true, .. } => "outdated",
        Status { building: Some(_), .. } => "rebuilding",
        Status { set_aside_count, set_aside_max, .. } if set_aside_count >= set_aside_max => "full",
        Status { position, head, .. } if position < head => "behind",
        _ => "following",
    };
    let building = status.building.map(|(generation, at)| {
        json!({ "generation": generation, "position": position(at), "target": position(status.head) })
    });
    let events: Vec<_> = status.set_aside.iter().map(|event| told(state, access, event)).collect();
    json!({
        "name": projection::NAME,
        "state": kind,
        "position": position(status.position),
        "head": position(status.head),
        "lag_events": status.head.get().saturating_sub(status.position.get()),
        "lag_ms": u64::try_from(status.lag.as_millis()).unwrap_or(u64::MAX),
        "generation": status.generation,
        "rebuilding": building,
        "failure": status.failure,
        "set_aside": {
            "count": status.set_aside_count,
            "max": status.set_aside_max,
            "unlisted": status.unlisted,
            "events": events,
        },
    })
}

/// An event that is set aside. Who may not read its stream is told its place, and no more.
fn told(state: &AppState, access: &Access, event: &SetAsideEvent) -> Value {
    let stream = event.stream.as_deref().and_then(|name| StreamName::new(name).ok());
    let is_shown = match stream {
        Some(stream) => access.may_read(&stream),
        None => access.read(&Topics::everything()).is_ok(),
    };
    let shown = event.clone();
    let (stream, kind, reason) = match is_shown {
        true => (shown.stream, shown.kind, Some(shown.reason)),
        false => (None, None, None),
    };
    json!({
        "sequence": event.sequence,
        "position": state.position(event.sequence).to_string(),
        "stream": stream,
        "type": kind,
        "reason": reason,
        "tries": event.tries,
    })
}
