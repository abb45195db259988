//! What all reads share: how much a page brings, the position that a reader insists on, and pages as JSON.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};
use bytes::Bytes;
use highwater_core::{
    control::ResetReason,
    version::{Position, Sequence},
};
use tokio::time::timeout;

use super::query::Query;
use crate::{
    app::AppState,
    error::Problem,
    feed::Lost,
    projection::Lists,
    store::{ReadLimit, Stored},
};

const MIN_POSITION: HeaderName = HeaderName::from_static("highwater-min-position");

/// How much a page brings: what was asked for, but not more than is set.
pub(super) fn page_limit(state: &AppState, query: &mut Query) -> Result<ReadLimit, Problem> {
    let settings = &state.settings;
    let events = query.one("limit")?.unwrap_or(settings.page_events_default);
    if events == 0 {
        return Err(Problem::InvalidRequest("parameter 'limit' must be at least 1".into()));
    }
    Ok(ReadLimit { events: events.min(settings.page_events_max), bytes: settings.page_bytes_max })
}

/// Waits until this server has what the reader insists on (`Highwater-Min-Position`), but not long.
pub(super) async fn reach_min_position(state: &AppState, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(wanted) = min_position(state, headers)? else { return Ok(()) };
    let mut head = state.store.head();
    let reached = async { head.wait_for(|head| *head >= wanted).await.is_ok() };
    patiently(state, reached, || state.head()).await
}

/// Waits until the lists have come to what the reader insists on, but not long.
pub(super) async fn reach_min_position_of(lists: &Lists, state: &AppState, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(wanted) = min_position(state, headers)? else { return Ok(()) };
    let reached = async { lists.wait_for(wanted).await.is_ok() };
    patiently(state, reached, || lists.position()).await
}

async fn patiently(
    state: &AppState,
    reached: impl Future<Output = bool>,
    at: impl Fn() -> Sequence,
) -> Result<(), Problem> {
    let patience = Duration::from_millis(state.settings.min_position_wait_ms);
    tokio::select! {
        biased;
        reached = timeout(patience, reached) => match reached {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(Problem::Behind { head: state.position(at()) }),
        },
        () = state.shutdown.cancelled() => Err(Problem::ShuttingDown),
    }
}

/// What the reader insists on.
fn min_position(state: &AppState, headers: &HeaderMap) -> Result<Option<Sequence>, Problem> {
    let mut given = headers.get_all(MIN_POSITION).iter();
    let Some(value) = given.next() else { return Ok(None) };
    let wanted: Option<Position> = value.to_str().ok().and_then(|text| text.parse().ok());
    let (Some(wanted), None) = (wanted, given.next()) else {
        return Err(Problem::InvalidRequest("Highwater-Min-Position must be a position, such as k3x9q7ma-42".into()));
    };
    if wanted.epoch != state.store.epoch() {
        return Err(lost(state, Lost { reason: ResetReason::EpochChanged, resume: Sequence::ZERO }));
    }
    Ok(Some(wanted.sequence))
}

/// The problem of a cursor that is of no use.
pub(super) fn lost(state: &AppState, lost: Lost) -> Problem {
    Problem::Cursor {
        reason: lost.reason,
        earliest: state.position(Sequence::ZERO),
        head: state.position(state.head()),
    }
}

/// A page: the events' own bytes as an array, then `members`, which is what an object holds after them.
pub(super) fn page_json(events: &[Stored], members: &str) -> Bytes {
    const OPENING: &[u8] = b"{\"events\":[";
    let bytes: usize = events.iter().map(|event| event.envelope.len() + 1).sum();
    let mut json = Vec::with_capacity(OPENING.len() + bytes + members.len() + 3);
    json.extend_from_slice(OPENING);
    for (at, event) in events.iter().enumerate() {
        if at > 0 {
            json.push(b',');
        }
        json.extend_from_slice(&event.envelope);
    }
    json.extend_from_slice(b"],");
    json.extend_from_slice(members.as_bytes());
    json.push(b'}');
    json.into()
}
