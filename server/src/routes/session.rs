//! `/v1/session`: a browser keeps the token in a cookie, for its own `EventSource` can send no header.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    auth::{self, Access},
    error::Problem,
};

const NO_STORE: (header::HeaderName, HeaderValue) = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));

/// Takes the token that the request carries into the cookie. Where no token is asked for there is nothing to keep.
pub(super) async fn begin(access: Access, headers: HeaderMap) -> Result<Response, Problem> {
    let Some(validity) = access.remaining() else { return Ok((StatusCode::NO_CONTENT, [NO_STORE]).into_response()) };
    let token = auth::bearer(&headers).map_err(Problem::Unauthorized)?;
    let cookie = auth::session_cookie(token, validity)?;
    Ok((StatusCode::NO_CONTENT, [NO_STORE, (header::SET_COOKIE, cookie)]).into_response())
}

/// Drops the cookie. Nobody is asked for a token: it may have expired.
pub(super) async fn end() -> Response {
    (StatusCode::NO_CONTENT, [NO_STORE, (header::SET_COOKIE, auth::expired_cookie())]).into_response()
}
