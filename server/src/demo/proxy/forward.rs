//! Everything that is not the demo's own goes on to the server.

use axum::{
    body::{Body, HttpBody},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, header},
    response::{IntoResponse, Response},
};

use super::{Proxy, stream::mangled};
use crate::{error::Problem, store::Unavailable};

/// What is between two neighbours only (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Hands a request to the server and its answer back, neither of them held.
pub(super) async fn forward(State(proxy): State<Proxy>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut url = proxy.0.upstream.clone();
    url.set_path(parts.uri.path());
    url.set_query(parts.uri.query());
    let mut headers = parts.headers;
    strip(&mut headers);
    headers.remove(header::HOST);
    let mut forwarded = proxy.0.http.request(parts.method, url).headers(headers);
    if !body.is_end_stream() {
        forwarded = forwarded.body(reqwest::Body::wrap_stream(body.into_data_stream()));
    }
    match forwarded.send().await {
        Ok(answer) => answered(&proxy, answer),
        Err(error) => {
            Problem::Unavailable(Unavailable { reason: format!("the server does not answer: {error}") }).into_response()
        }
    }
}

fn answered(proxy: &Proxy, answer: reqwest::Response) -> Response {
    let status = answer.status();
    let mut headers = answer.headers().clone();
    strip(&mut headers);
    let media_type = headers.get(header::CONTENT_TYPE).map(|value| value.as_bytes());
    let body = if media_type.is_some_and(|media_type| media_type.starts_with(b"text/event-stream")) {
        headers.remove(header::CONTENT_LENGTH);
        mangled(proxy, answer)
    } else {
        Body::from_stream(answer.bytes_stream())
    };
    (status, headers, body).into_response()
}

fn strip(headers: &mut HeaderMap) {
    let listed = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let listed: Vec<HeaderName> =
        listed.flat_map(|names| names.split(',')).filter_map(|name| name.trim().parse().ok()).collect();
    for name in HOP_BY_HOP.iter().chain(&listed) {
        headers.remove(name);
    }
}
