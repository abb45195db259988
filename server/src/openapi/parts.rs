//! What operations are made of: parameters, headers, and the problems that many of them share.

use serde_json::{Value, json};

use super::schemas::named;
use crate::{
    config::Settings,
    error::kind::{self, Kind},
};

pub(super) const JSON: &str = "application/json";
/// How a read fails, whatever it reads.
pub(super) const READ_PROBLEMS: [Kind; 5] =
    [kind::INVALID_REQUEST, kind::EPOCH_CHANGED, kind::OVERLOADED, kind::UNAVAILABLE, kind::BEHIND];

pub(super) fn stream() -> Value {
    json!({ "name": "stream", "in": "path", "required": true, "schema": named("StreamName"),
        "example": "space:42:notes:note-1" })
}

pub(super) fn limit(settings: &Settings) -> Value {
    let description =
        format!("The most events of the page. What is above {} is lowered to it.", settings.page_events_max);
    query("limit", &description, json!({ "type": "integer", "minimum": 1, "default": settings.page_events_default }))
}

pub(super) fn trace() -> Value {
    header_parameter("traceparent", "The W3C trace that the events are recorded with.", json!({ "type": "string" }))
}

/// What a stream is expected to be.
pub(super) fn preconditions() -> [Value; 2] {
    [
        header_parameter(
            "If-Match",
            "Only if the stream is still so: ETags, or `*` for any.",
            json!({ "type": "string" }),
        ),
        header_parameter("If-None-Match", "Only if the stream is new.", json!({ "const": "*" })),
    ]
}

pub(super) fn min_position() -> Value {
    header_parameter(
        "Highwater-Min-Position",
        "What the answer must have seen: a server that is behind it waits a while, then answers 503.",
        named("Position"),
    )
}

pub(super) fn if_none_match() -> Value {
    header_parameter("If-None-Match", "ETags that the reader has.", json!({ "type": "string" }))
}

pub(super) fn query(name: &str, description: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "query", "description": description, "schema": schema })
}

pub(super) fn header_parameter(name: &str, description: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "header", "description": description, "schema": schema })
}

pub(super) fn header(description: &str) -> Value {
    json!({ "description": description, "schema": { "type": "string" } })
}

pub(super) fn required(description: &str) -> Value {
    json!({ "description": description, "required": true, "schema": { "type": "string" } })
}
