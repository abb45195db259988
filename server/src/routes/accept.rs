//! Which of the two forms of a read an `Accept` header asks for.

use axum::http::{HeaderMap, header};

/// Whether the reader wants an event stream: it must say so, and not say that it likes JSON better.
pub(super) fn wants_event_stream(headers: &HeaderMap) -> bool {
    let stream = weight(headers, "text/event-stream");
    stream > 0 && stream >= weight(headers, "application/json")
}

/// How much a media type is wanted, in thousandths; 0 if it is not named.
fn weight(headers: &HeaderMap, wanted: &str) -> u16 {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let named = values.flat_map(|value| value.split(',')).filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        if !parts.next()?.eq_ignore_ascii_case(wanted) {
            return None;
        }
        let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        Some(quality.map_or(1_000, thousandths))
    });
    named.max().unwrap_or(0)
}

/// A quality value of RFC 9110; anything else counts as 0.
fn thousandths(quality: &str) -> u16 {
    let value: f32 = quality.parse().unwrap_or(0.0);
    (value.clamp(0.0, 1.0) * 1_000.0) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_stream_must_be_asked_for() {
        for (accept, stream) in [
            ("text/event-stream", true),
            ("text/event-stream, */*", true),
            ("Text/Event-Stream;q=0.5, */*;q=0.1", true),
            ("application/json;q=0.2, text/event-stream;q=0.9", true),
            ("*/*", false),
            ("application/json", false),
            ("application/json, text/event-stream;q=0.9", false),
            ("text/event-stream;q=0", false),
            ("text/event-stream;q=NaN", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
            assert_eq!(wants_event_stream(&headers), stream, "{accept}");
        }
        assert!(!wants_event_stream(&HeaderMap::new()));
    }
}
