//! `GET /v1/streams/{stream}/state`: what a stream's events come to, now or at a moment of its past; and `POST …/snapshot`, which stores
//! that, so that it need not be found out again.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use highwater_core::{
    control::ResetReason,
    decider::SetAside,
    json::Raw,
    stream::StreamName,
    version::{Position, Revision, Sequence, Version},
};
use serde::Serialize;

use super::{POSITION, StreamPath, precondition, query::Query, read};
use crate::{
    app::AppState,
    auth::Access,
    error::Problem,
    feed::Lost,
    states::{NoSnapshot, NoState},
};

/// The answer. Whoever has it can go on from it with the events after `position`.
#[derive(Serialize)]
struct Shown<'a> {
    entity: &'static str,
    stream: &'a StreamName,
    revision: Revision,
    version: Version,
    /// The highest sequence applied.
    sequence: Sequence,
    /// Every event of the stream up to here is in the state, and no other.
    position: String,
    set_aside: SetAside,
    state: Raw,
}

#[derive(Serialize)]
struct Stored<'a> {
    stream: &'a StreamName,
    revision: Revision,
}

pub(super) async fn read(
    State(state): State<AppState>,
    access: Access,
    StreamPath(stream): StreamPath,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut query = Query::parse(&uri)?;
    let at = query.one("at")?.unwrap_or_default();
    query.finish()?;
    read::reach_min_position(&state, &headers).await?;
    if !access.may_read(&stream) {
        return Err(Problem::UnknownStream(stream));
    }
    let found = state.states.at(&stream, at).await.map_err(|reason| problem(&state, &stream, reason))?;
    let (mark, epoch) = (found.state.mark(), state.store.epoch());
    let answer_headers = [
        (header::ETAG, precondition::etag(epoch, mark.revision)),
        // Not for a browser to keep: the tag does not tell that a server of another version shows the same events in another way.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
    ];
    let position = [(POSITION, Position::new(epoch, found.head).to_string())];
    if precondition::is_known(&headers, epoch, mark.revision)? {
        return Ok((StatusCode::NOT_MODIFIED, answer_headers, position).into_response());
    }
    let shown = Shown {
        entity: found.entity,
        stream: &stream,
        revision: mark.revision,
        version: mark.version,
        sequence: mark.sequence,
        position: Position::new(epoch, found.through).to_string(),
        set_aside: found.state.set_aside(),
        state: found.state.state_json(),
    };
    Ok((answer_headers, position, json(&shown)).into_response())
}

pub(super) async fn store(
    State(state): State<AppState>,
    access: Access,
    StreamPath(stream): StreamPath,
    uri: Uri,
) -> Result<Response, Problem> {
    Query::parse(&uri)?.finish()?;
    access.operate()?;
    if !access.may_read(&stream) {
        return Err(Problem::UnknownStream(stream));
    }
    let revision = state.states.snapshot(&stream).await.map_err(|reason| match reason {
        NoSnapshot::NotKept => Problem::NotFound(format!("{}: this server keeps no snapshots", uri.path())),
        NoSnapshot::NoState(reason) => problem(&state, &stream, reason),
    })?;
    let content_type = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Ok((content_type, json(&Stored { stream: &stream, revision })).into_response())
}

fn problem(state: &AppState, stream: &StreamName, reason: NoState) -> Problem {
    match reason {
        NoState::NoEntity => Problem::NoEntity(stream.clone()),
        NoState::NoEvent => Problem::UnknownStream(stream.clone()),
        NoState::Ahead { head } => read::lost(state, Lost { reason: ResetReason::CursorAhead, resume: head }),
        NoState::Unavailable(reason) => reason.into(),
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("numbers, texts and JSON are JSON")
}
