//! What an append carries, in the three forms of the CloudEvents HTTP binding: one event or a batch as JSON, or binary
//! mode, where the attributes are `ce-` headers and the body is the data.

use std::time::Duration;

use axum::{
    body::{Body, Bytes, HttpBody},
    http::{HeaderMap, header},
};
use bytes::BytesMut;
use highwater_core::{
    envelope::{Proposed, parse_proposed, parse_proposed_batch},
    stream::StreamName,
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::timeout;

use super::{binary, intake::Place};
use crate::{app::AppState, error::Problem};

const EVENT: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";
const JSON: &str = "application/json";
const SPEC_VERSION: &str = "ce-specversion";

/// What a media type may be where events are taken, told to who sends another.
const EVENTS_WANTED: &str = "application/cloudevents+json, application/cloudevents-batch+json, or any type with the event's attributes \
                             in ce-… headers";

/// Reads the events of an append into its place. `stream` is the one that its path names.
pub(super) async fn proposals(
    state: &AppState,
    headers: &HeaderMap,
    body: Body,
    stream: Option<&StreamName>,
    place: &mut Place,
) -> Result<Vec<Proposed>, Problem> {
    let limits = &state.limits;
    let media_type = MediaType::of_events(headers)?;
    let body = read(body, limits.batch_bytes_max, state.settings.body_timeout_ms, place).await?;
    match media_type.essence.as_str() {
        EVENT => parse_proposed(&body, stream, limits).map(|event| vec![event]).map_err(Problem::InvalidEvent),
        BATCH => parse_proposed_batch(&body, stream, limits).map_err(Problem::InvalidBatch),
        _ => {
            let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
            binary::event(headers, &media_type.full, media_type.is_json(), &body, stream, limits)
                .map(|event| vec![event])
                .map_err(Problem::InvalidEvent)
        }
    }
}

/// Reads a body that must be JSON into its place, as it stands.
pub(super) async fn json(
    state: &AppState,
    headers: &HeaderMap,
    body: Body,
    place: &mut Place,
) -> Result<Bytes, Problem> {
    let media_type = MediaType::of(headers, JSON)?;
    if media_type.essence != JSON || !media_type.is_utf8 {
        return Err(media_type.unsupported(JSON));
    }
    read(body, state.limits.batch_bytes_max, state.settings.body_timeout_ms, place).await
}

/// Takes the body up to its limit: what is larger is refused before it is in memory, said beforehand or not. What comes
/// too slowly is given up, and its connection with it.
async fn read(body: Body, max_bytes: usize, timeout_ms: u64, place: &mut Place) -> Result<Bytes, Problem> {
    if body.size_hint().lower() > max_bytes as u64 {
        return Err(Problem::BodyTooLarge { max_bytes });
    }
    let whole = timeout(Duration::from_millis(timeout_ms), collect(body, max_bytes, place));
    whole.await.map_err(|_| Problem::BodyTimeout { timeout_ms })?
}

/// A body that comes in one piece, as most do, is not copied.
async fn collect(body: Body, max_bytes: usize, place: &mut Place) -> Result<Bytes, Problem> {
    let mut body = Limited::new(body, max_bytes);
    let (mut first, mut joined) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match error.is::<LengthLimitError>() {
            true => Problem::BodyTooLarge { max_bytes },
            false => Problem::InvalidRequest(format!("the body broke off: {error}")),
        })?;
        let Ok(data) = frame.into_data() else { continue };
        place.receive(data.len())?;
        if first.is_empty() {
            first = data;
        } else {
            if joined.is_empty() {
                joined.extend_from_slice(&first);
            }
            joined.extend_from_slice(&data);
        }
    }
    Ok(if joined.is_empty() { first } else { joined.freeze() })
}

struct MediaType {
    /// As it was given; empty if it was not.
    full: String,
    /// Without its parameters, in lower case.
    essence: String,
    /// Whether it names no other character set.
    is_utf8: bool,
}

impl MediaType {
    /// The media type, of which one is wanted.
    fn of(headers: &HeaderMap, wanted: &'static str) -> Result<Self, Problem> {
        let full = match headers.get(header::CONTENT_TYPE).map(|value| value.to_str()) {
            None => String::new(),
            Some(Ok(text)) => text.to_owned(),
            Some(Err(_)) => return Err(Problem::UnsupportedMediaType { wanted, given: "not ASCII".into() }),
        };
        let mut parts = full.split(';').map(|part| part.trim().to_ascii_lowercase());
        let essence = parts.next().unwrap_or_default();
        let is_utf8 = parts
            .filter_map(|part| part.strip_prefix("charset=").map(|charset| charset.trim_matches('"').to_owned()))
            .all(|charset| charset == "utf-8" || charset == "us-ascii");
        Ok(Self { full, essence, is_utf8 })
    }

    /// The media type, if an append may have it.
    fn of_events(headers: &HeaderMap) -> Result<Self, Problem> {
        let media_type = Self::of(headers, EVENTS_WANTED)?;
        let essence = media_type.essence.as_str();
        let structured = essence == EVENT || essence == BATCH;
        let binary = !essence.starts_with("application/cloudevents") && headers.contains_key(SPEC_VERSION);
        if structured && media_type.is_utf8 || binary {
            return Ok(media_type);
        }
        Err(media_type.unsupported(EVENTS_WANTED))
    }

    fn unsupported(self, wanted: &'static str) -> Problem {
        let given = if self.full.is_empty() { "not named".into() } else { self.full };
        Problem::UnsupportedMediaType { wanted, given }
    }

    fn is_json(&self) -> bool {
        self.essence == "application/json" || self.essence.ends_with("+json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cloud_events_are_taken() {
        let accepts = |headers: &[(&'static str, &'static str)]| {
            let headers = headers
                .iter()
                .map(|(name, value)| (name.parse::<axum::http::HeaderName>().unwrap(), value.parse().unwrap()));
            MediaType::of_events(&HeaderMap::from_iter(headers)).is_ok()
        };
        assert!(accepts(&[("content-type", "application/CloudEvents+json; charset=UTF-8")]));
        assert!(accepts(&[("content-type", "application/cloudevents-batch+json")]));
        assert!(accepts(&[("content-type", "text/plain; charset=latin1"), ("ce-specversion", "1.0")]));
        assert!(accepts(&[("ce-specversion", "1.0")]));
        assert!(!accepts(&[]));
        assert!(!accepts(&[("content-type", "application/json")]));
        assert!(!accepts(&[("content-type", "application/cloudevents+json; charset=latin1")]));
        assert!(!accepts(&[("content-type", "application/cloudevents+avro"), ("ce-specversion", "1.0")]));
    }
}
