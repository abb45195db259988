//! The head of an answer whose body comes in chunks (RFC 9112), as hyper would write it.

use std::time::SystemTime;

use axum::http::{HeaderMap, HeaderValue, header, response::Parts};
use bytes::Bytes;

/// Whether the head can be written here: a whole answer of a length not known.
pub(super) fn is_plain(headers: &HeaderMap) -> bool {
    [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::UPGRADE].iter().all(|name| !headers.contains_key(name))
}

pub(super) fn encode(head: &Parts) -> Bytes {
    let reason = head.status.canonical_reason().unwrap_or_default();
    let mut bytes = format!("HTTP/1.1 {} {reason}\r\n", head.status.as_str()).into_bytes();
    let date = HeaderValue::from_str(&httpdate::fmt_http_date(SystemTime::now())).ok();
    let own = [
        (&header::TRANSFER_ENCODING, Some(&HeaderValue::from_static("chunked"))),
        (&header::CONNECTION, Some(&HeaderValue::from_static("close"))),
        (&header::DATE, date.as_ref().filter(|_| !head.headers.contains_key(header::DATE))),
    ];
    let own = own.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let given = head.headers.iter().filter(|(name, _)| *name != header::CONNECTION);
    for (name, value) in given.chain(own) {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.into()
}

#[cfg(test)]
mod tests {
    use axum::http::Response;

    use super::*;

    #[test]
    fn a_head_has_what_was_given_and_what_http_asks_for() {
        let response = Response::builder()
            .header("content-type", "text/event-stream")
            .header("connection", "keep-alive")
            .header("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        let (head, ()) = response.body(()).unwrap().into_parts();
        assert!(is_plain(&head.headers));
        let lines = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
                     transfer-encoding: chunked\r\nconnection: close\r\n\r\n";
        assert_eq!(encode(&head), lines);
    }

    #[test]
    fn a_date_is_given_where_there_is_none() {
        let (head, ()) = Response::new(()).into_parts();
        let bytes = encode(&head);
        assert!(str::from_utf8(&bytes).unwrap().contains("\r\ndate: "));
    }
}
