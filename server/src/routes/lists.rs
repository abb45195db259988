//! `GET /v1/entities/{entity}`: the things of a kind, as they stand, a page of them by space and status.

use axum::{
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, Uri, header},
    response::{IntoResponse, Response},
};
use highwater_core::{
    control::ResetReason,
    version::{Position, Sequence},
};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{POSITION, query::Query, read};
use crate::{
    app::AppState,
    auth::Access,
    error::Problem,
    feed::Lost,
    projection::{Item, Lists, Wanted},
};

/// A page of things.
#[derive(Serialize)]
struct Page<'a> {
    items: Vec<Row<'a>>,
    position: String,
    next: Option<String>,
}

/// A thing.
#[derive(Serialize)]
struct Row<'a> {
    stream: &'a str,
    id: &'a str,
    space: Option<&'a str>,
    status: Option<&'a str>,
    revision: u32,
    version: u32,
    position: String,
    created: String,
    updated: String,
    state: &'a RawValue,
}

pub(super) async fn read(
    State(state): State<AppState>,
    access: Access,
    entity: Result<Path<String>, axum::extract::rejection::PathRejection>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Ok(Path(entity)) = entity else { return Err(Problem::NotFound(uri.path().to_owned())) };
    page(&state, access, &entity, None, &uri, &headers).await
}

/// A page of the things of a kind that the query asks for; where it names no status, of those with this one.
pub(super) async fn page(
    state: &AppState,
    access: Access,
    entity: &str,
    status: Option<&str>,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let mut query = Query::parse(uri)?;
    let (space, asked) = (query.one("space")?, query.one("status")?);
    let order = query.one("order")?.unwrap_or_default();
    let cursor = query.one("cursor")?.map(|cursor| here(state, cursor)).transpose()?;
    let limit = read::page_limit(state, &mut query)?;
    query.finish()?;
    let lists = listed(state, entity, uri)?;
    read::reach_min_position_of(lists, state, headers).await?;
    let is_shown = Box::new(move |stream: &_| access.may_read(stream));
    let (entity, status) = (entity.to_owned(), asked.or_else(|| status.map(str::to_owned)));
    let page = lists.items(Wanted { entity, space, status, order, cursor, limit, is_shown }).await?;
    let position = state.position(page.position).to_string();
    let body = Page {
        items: page.items.iter().map(|item| row(state, item)).collect(),
        position: position.clone(),
        next: page.next.map(|next| state.position(next).to_string()),
    };
    let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((no_store, [(POSITION, position)], axum::Json(body)).into_response())
}

/// The lists, where there are any of such an entity.
fn listed<'a>(state: &'a AppState, entity: &str, uri: &Uri) -> Result<&'a Lists, Problem> {
    let lists = state.lists.as_ref().filter(|lists| lists.entities().get(entity).is_some());
    lists.ok_or_else(|| Problem::NotFound(uri.path().to_owned()))
}

/// Where a page begins. It is a position, so that it is of no use in another log.
fn here(state: &AppState, cursor: Position) -> Result<Sequence, Problem> {
    if cursor.epoch != state.store.epoch() {
        return Err(read::lost(state, Lost { reason: ResetReason::EpochChanged, resume: Sequence::ZERO }));
    }
    Ok(cursor.sequence)
}

fn row<'a>(state: &AppState, item: &'a Item) -> Row<'a> {
    Row {
        stream: item.stream.as_str(),
        id: item.id(),
        space: item.space.as_deref(),
        status: item.status.as_deref(),
        revision: item.revision.get(),
        version: item.version.get(),
        position: state.position(item.updated.0).to_string(),
        created: item.created.1.to_string(),
        updated: item.updated.1.to_string(),
        state: &item.state,
    }
}
