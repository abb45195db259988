//! How events come into the log: appends, and commands.

use serde_json::json;

use super::{
    Need, Operation,
    parts::{JSON, header_parameter, preconditions, required, stream, trace},
    schemas::named,
};
use crate::{
    config::Settings,
    error::kind::{self, Kind},
    routes::KEY_BYTES_MAX,
};

/// How an append fails, wherever it goes.
const APPEND_PROBLEMS: [Kind; 15] = [
    kind::INVALID_REQUEST,
    kind::INVALID_EVENT,
    kind::ENTITY_STREAM,
    kind::BODY_TIMEOUT,
    kind::STALE_VERSION,
    kind::VERSION_JUMP,
    kind::CLOCK_REUSED,
    kind::CLOCK_FULL,
    kind::ID_CONFLICT,
    kind::REVISION_CONFLICT,
    kind::TOO_LARGE,
    kind::UNSUPPORTED_MEDIA_TYPE,
    kind::OVERLOADED,
    kind::UNAVAILABLE,
    kind::BEHIND,
];

pub(super) fn append(path: &'static str, settings: &Settings) -> Operation {
    let to_stream = path != "/v1/events";
    let mut parameters = vec![
        header_parameter("Highwater-Require", "Refuses a version below the stream's.", json!({ "const": "monotonic" })),
        header_parameter(
            "Highwater-Import",
            "Takes the events as they are, also into streams of entities; tokens need the right to.",
            json!({ "const": "true" }),
        ),
        trace(),
    ];
    let mut headers = json!({ "Highwater-Position": required("Where the last of the events is.") });
    let mut problems = APPEND_PROBLEMS.to_vec();
    if to_stream {
        parameters.insert(0, stream());
        parameters.extend(preconditions());
        headers["ETag"] = required("The stream as these events left it.");
        problems.extend([kind::INVALID_STREAM, kind::NOT_FOUND]);
    }
    let appended = |description: &str| json!({ "description": description, "headers": headers, "content": { JSON: { "schema": named("Appended") } } });
    Operation {
        path,
        method: "post",
        tag: "append",
        summary: if to_stream { "Append to one stream" } else { "Append to any streams" },
        description: format!(
            "All or nothing, and answered once it is durable. At most {} events and {} bytes a request, {} bytes of data \
             an event. The same event again, by `source` and `id`, is answered as the first time and stored once.\n\n\
             In binary mode the attributes are `ce-…` headers, percent-encoded, and the body is the data. Streams of entities \
             take commands instead.",
            settings.batch_events_max, settings.batch_bytes_max, settings.data_bytes_max,
        ),
        parameters,
        body: Some(json!({ "required": true, "content": {
            "application/cloudevents+json": { "schema": named("NewEvent") },
            "application/cloudevents-batch+json": { "schema": named("NewEvents") },
        } })),
        answers: vec![(200, appended("All of it was stored already.")), (201, appended("It is stored."))],
        problems,
        access: Need::Token,
    }
}

pub(super) fn command(settings: &Settings) -> Operation {
    let mut parameters = vec![
        json!({ "name": "entity", "in": "path", "required": true, "schema": { "type": "string" }, "example": "task" }),
        json!({ "name": "stream", "in": "path", "required": true, "schema": named("StreamName"),
            "example": "space:42:tasks:task-abc" }),
        header_parameter(
            "Idempotency-Key",
            "The command's id, unique to its actor: the same command again is answered as the first time. Left out, one is made.",
            json!({ "type": "string", "minLength": 1, "maxLength": KEY_BYTES_MAX }),
        ),
        header_parameter(
            "Highwater-Actor",
            "Who gives the command, where its `source` does not say it. Left out, it is `user:` and the token's subject.",
            json!({ "type": "string" }),
        ),
        trace(),
    ];
    parameters.extend(preconditions());
    let headers = json!({
        "Highwater-Position": required("Who has read up to here has read all that it did."),
        "ETag": required("The command's own stream, as it left it."),
    });
    let answer = |description: &str| json!({ "description": description, "headers": headers, "content": { JSON: { "schema": named("CarriedOut") } } });
    let mut problems = APPEND_PROBLEMS.to_vec();
    problems.retain(|kind| *kind != kind::ENTITY_STREAM && *kind != kind::BEHIND);
    problems.extend([
        kind::INVALID_COMMAND,
        kind::WRONG_STREAM,
        kind::UNKNOWN_ENTITY,
        kind::UNKNOWN_VERSION,
        kind::IDEMPOTENCY_KEY_REUSED,
        kind::INVALID_STREAM,
        kind::NOT_FOUND,
    ]);
    Operation {
        path: "/v1/commands/{entity}/{stream}",
        method: "post",
        tag: "command",
        summary: "Ask something of an entity",
        description: format!(
            "The entity decides on the state of its stream, and of whatever others it depends on, which events this makes. All of \
             them are stored, or none, and only where those states are still what they were. At most {} bytes a request.",
            settings.batch_bytes_max,
        ),
        parameters,
        body: Some(json!({ "required": true, "content": { JSON: { "schema": named("Command") } } })),
        answers: vec![
            (200, answer("It is carried out, now or before. There may have been nothing to do.")),
            (201, answer("It is carried out, now or before, and has created its stream.")),
        ],
        problems,
        access: Need::Token,
    }
}
