//! `GET /v1/streams/{stream}`: a page of one stream, by revision.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use highwater_core::version::Revision;

use super::{POSITION, StreamPath, precondition, query::Query, read};
use crate::{app::AppState, auth::Access, error::Problem};

pub(super) async fn read(
    State(state): State<AppState>,
    access: Access,
    StreamPath(stream): StreamPath,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut query = Query::parse(&uri)?;
    let from = query.one("from_revision")?.unwrap_or(Revision::ZERO);
    let limit = read::page_limit(&state, &mut query)?;
    query.finish()?;
    read::reach_min_position(&state, &headers).await?;
    if !access.may_read(&stream) {
        return Err(Problem::UnknownStream(stream));
    }
    let page = state.store.read_stream(&stream, from, limit).await?.ok_or(Problem::UnknownStream(stream))?;
    let epoch = state.store.epoch();
    let answer_headers = [
        (header::ETAG, precondition::etag(epoch, page.revision)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
    ];
    let position = [(POSITION, state.position(page.head).to_string())];
    if precondition::is_known(&headers, epoch, page.revision)? {
        return Ok((StatusCode::NOT_MODIFIED, answer_headers, position).into_response());
    }
    let members =
        format!(r#""first_revision":{},"revision":{},"version":{}"#, page.first_revision, page.revision, page.version);
    Ok((answer_headers, position, read::page_json(&page.events, &members)).into_response())
}
