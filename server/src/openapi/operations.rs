//! What can be asked of which path, and how it is answered.

use highwater_core::topic::TOPICS_MAX;
use serde_json::{Value, json};

use super::{Need, Operation, schemas::named};
use crate::{
    config::Settings,
    error::kind::{self, Kind},
    routes::KEY_BYTES_MAX,
    telemetry,
};

pub(super) const JSON: &str = "application/json";
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

pub(super) fn all(settings: &Settings) -> Vec<Operation> {
    vec![
        read_log(settings),
        append("/v1/events", settings),
        read_stream(settings),
        append("/v1/streams/{stream}", settings),
        read_state(),
        store_snapshot(settings),
        command(settings),
        socket(settings),
        begin_session(),
        end_session(),
        plain("/healthz", "Whether the process lives", "", "text/plain; charset=utf-8", Vec::new()),
        plain(
            "/readyz",
            "Whether to send it requests",
            "It can read the log's last event, can append, and is not about to end.",
            "text/plain; charset=utf-8",
            vec![kind::UNAVAILABLE],
        ),
        metrics(),
        plain("/openapi.json", "This document", "", JSON, Vec::new()),
        reference(),
    ]
}

fn read_log(settings: &Settings) -> Operation {
    let reads = [kind::INVALID_TOPIC, kind::CURSOR_AHEAD, kind::EPOCH_CHANGED, kind::CURSOR_EXPIRED];
    let after = json!({ "oneOf": [named("Position"), { "enum": ["earliest", "latest"] }] });
    let headers = json!({ "Vary": header("`accept`"), "Cache-Control": header("Not to be kept") });
    Operation {
        path: "/v1/events",
        method: "get",
        tag: "read",
        summary: "Read the log by topics",
        description: format!(
            "A page of JSON, or, for who names `text/event-stream` in `Accept`, history after the cursor and then \
             everything as it comes, on one connection. A page may be empty though `next` is below `head`: go on from \
             `next`. A subscription lasts at most {} s.",
            settings.subscription_max_s,
        ),
        parameters: vec![
            json!({ "name": "topic", "in": "query", "required": true, "explode": true,
                "description": "What to read; several are read as one set.",
                "schema": { "type": "array", "minItems": 1, "maxItems": TOPICS_MAX, "items": named("Topic") },
                "example": ["space:42:**"] }),
            query(
                "after",
                "Where to begin. Pages begin at `earliest` unless told otherwise, subscriptions at `latest`.",
                after,
            ),
            limit(settings),
            query(
                "wait",
                "Seconds to hold an empty page back (long polling).",
                json!({ "type": "integer", "minimum": 0, "maximum": settings.long_poll_max_s, "default": 0 }),
            ),
            query(
                "lagging",
                "For event streams: what a reader wants who is slower than memory. `catch_up` gets all from \
                the log, `latest` goes on at the end and is told so, `disconnect` is sent away with its cursor.",
                json!({ "enum": ["catch_up", "latest", "disconnect"], "default": "catch_up" }),
            ),
            header_parameter("Last-Event-ID", "What a reconnecting reader has; wins over `after`.", named("Position")),
            min_position(),
        ],
        body: None,
        answers: vec![(
            200,
            json!({
                "description": "A page, or the event stream.",
                "headers": headers,
                "content": {
                    JSON: { "schema": named("LogPage") },
                    "text/event-stream": { "schema": named("Frame"), "example":
                        "prev: 39\ndata: {\"specversion\":\"1.0\",…}\nid: k3x9q7ma-42\n\n" },
                },
            }),
        )],
        problems: [&reads[..], &READ_PROBLEMS].concat(),
        access: Need::TokenOrCookie,
    }
}

/// How a read fails, whatever it reads.
pub(super) const READ_PROBLEMS: [Kind; 5] =
    [kind::INVALID_REQUEST, kind::EPOCH_CHANGED, kind::OVERLOADED, kind::UNAVAILABLE, kind::BEHIND];

fn read_stream(settings: &Settings) -> Operation {
    let headers = json!({
        "ETag": required("The stream as it is: `\"epoch.revision\"`."),
        "Highwater-Position": required("The log's end."),
        "Cache-Control": header("To be asked for again"),
    });
    Operation {
        path: "/v1/streams/{stream}",
        method: "get",
        tag: "read",
        summary: "Read one stream",
        description: "A page of one stream, by revision. One without events and one that may not be read answer alike."
            .into(),
        parameters: vec![
            stream(),
            query("from_revision", "The first revision of the page.", named("Revision")),
            limit(settings),
            if_none_match(),
            min_position(),
        ],
        body: None,
        answers: vec![
            (
                200,
                json!({ "description": "A page.", "headers": headers, "content": { JSON: { "schema": named("StreamPage") } } }),
            ),
            (304, json!({ "description": "The reader has the stream as it is.", "headers": headers })),
        ],
        problems: [&[kind::INVALID_STREAM, kind::UNKNOWN_STREAM, kind::NOT_FOUND][..], &READ_PROBLEMS].concat(),
        access: Need::TokenOrCookie,
    }
}

fn read_state() -> Operation {
    let headers = json!({
        "ETag": required("The stream as it was at that moment: `\"epoch.revision\"`."),
        "Highwater-Position": required("The log's end."),
        "Cache-Control": header("Not to be kept"),
    });
    let at = json!({ "oneOf": [
        { "const": "now" },
        { "type": "string", "pattern": "^[0-9]{1,16}$" },
        { "type": "string", "format": "date-time" },
        { "type": "string", "pattern": "^version:[0-9]{1,10}$" },
    ], "default": "now" });
    Operation {
        path: "/v1/streams/{stream}/state",
        method: "get",
        tag: "read",
        summary: "Read the state of an entity",
        description: "What the events of a stream come to, for streams of the entities that the server knows. `position` is what the state \
            is of: every event of the stream up to there is in it, and no other. A stream without events by then and one that may not be \
            read answer alike."
            .into(),
        parameters: vec![
            stream(),
            query(
                "at",
                "The moment: `now`; a sequence, with all events up to it; a time, with all that was recorded by then; or \
                 `version:N`, with all events before any of a higher version.",
                at,
            ),
            if_none_match(),
            min_position(),
        ],
        body: None,
        answers: vec![
            (
                200,
                json!({ "description": "The state.", "headers": headers, "content": { JSON: { "schema": named("State") } } }),
            ),
            (304, json!({ "description": "The reader has the state of that revision.", "headers": headers })),
        ],
        problems: [
            &[kind::INVALID_STREAM, kind::UNKNOWN_STREAM, kind::NO_ENTITY, kind::NOT_FOUND, kind::CURSOR_AHEAD][..],
            &READ_PROBLEMS,
        ]
        .concat(),
        access: Need::TokenOrCookie,
    }
}

fn store_snapshot(settings: &Settings) -> Operation {
    Operation {
        path: "/v1/streams/{stream}/snapshot",
        method: "post",
        tag: "operate",
        summary: "Store the state of an entity",
        description: format!(
            "As it is now, beside the snapshots that are made every {} events of a stream. It changes nothing but how long it takes \
             to read states. Where tokens are asked for, for those that may `operate`, and read the stream.",
            settings.snapshot_every_events,
        ),
        parameters: vec![stream()],
        body: None,
        answers: vec![(
            200,
            json!({ "description": "It is stored.", "content": { JSON: { "schema": named("Snapshot") } } }),
        )],
        problems: vec![
            kind::INVALID_REQUEST,
            kind::INVALID_STREAM,
            kind::UNKNOWN_STREAM,
            kind::NO_ENTITY,
            kind::NOT_FOUND,
            kind::UNAVAILABLE,
        ],
        access: Need::Token,
    }
}

fn append(path: &'static str, settings: &Settings) -> Operation {
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

fn socket(settings: &Settings) -> Operation {
    Operation {
        path: "/v1/ws",
        method: "get",
        tag: "read",
        summary: "Subscribe over a WebSocket",
        description: format!(
            "At most {} subscriptions on one socket, each with a cursor of its own. A client sends \
             `{{\"op\":\"subscribe\",\"sub\":1,\"topics\":[…],\"after\":\"…\"}}` and `{{\"op\":\"unsubscribe\",\"sub\":1}}`.",
            settings.socket_subscriptions_max,
        ),
        parameters: Vec::new(),
        body: None,
        answers: vec![(101, json!({ "description": "It is a WebSocket from here on (RFC 6455)." }))],
        problems: vec![kind::INVALID_REQUEST],
        access: Need::TokenOrCookie,
    }
}

fn begin_session() -> Operation {
    Operation {
        path: "/v1/session",
        method: "post",
        tag: "session",
        summary: "Keep the token in a cookie",
        description: "A browser's own `EventSource` can send no header. Where no token is asked for, nothing is kept."
            .into(),
        parameters: Vec::new(),
        body: None,
        answers: vec![(
            204,
            json!({ "description": "It is kept.", "headers": { "Set-Cookie": header("The cookie") } }),
        )],
        problems: vec![kind::INVALID_REQUEST],
        access: Need::Token,
    }
}

fn end_session() -> Operation {
    Operation {
        path: "/v1/session",
        method: "delete",
        tag: "session",
        summary: "Drop the cookie",
        description: "Needs no token, for that may have expired.".into(),
        parameters: Vec::new(),
        body: None,
        answers: vec![(204, json!({ "description": "It is gone.", "headers": { "Set-Cookie": header("Its end") } }))],
        problems: Vec::new(),
        access: Need::Nothing,
    }
}

fn reference() -> Operation {
    let mut operation = plain("/docs", "This document, to read", "", "text/html; charset=utf-8", Vec::new());
    operation.parameters.push(if_none_match());
    operation.answers.push((304, json!({ "description": "The reader has the page as it is." })));
    operation
}

fn metrics() -> Operation {
    let description = "Where tokens are asked for, for those that may `operate`.";
    let operation =
        plain("/metrics", "The server's numbers, for Prometheus", description, telemetry::CONTENT_TYPE, Vec::new());
    Operation { access: Need::TokenOrCookie, problems: vec![kind::UNAVAILABLE], ..operation }
}

/// A read without parameters, for everyone.
fn plain(
    path: &'static str,
    summary: &'static str,
    description: &str,
    media_type: &str,
    problems: Vec<Kind>,
) -> Operation {
    let schema = if media_type == JSON { json!({ "type": "object" }) } else { json!({ "type": "string" }) };
    Operation {
        path,
        method: "get",
        tag: "operate",
        summary,
        description: description.to_owned(),
        parameters: Vec::new(),
        body: None,
        answers: vec![(200, json!({ "description": summary, "content": { media_type: { "schema": schema } } }))],
        problems,
        access: Need::Nothing,
    }
}

fn stream() -> Value {
    json!({ "name": "stream", "in": "path", "required": true, "schema": named("StreamName"),
        "example": "space:42:notes:note-1" })
}

pub(super) fn limit(settings: &Settings) -> Value {
    let description =
        format!("The most events of the page. What is above {} is lowered to it.", settings.page_events_max);
    query("limit", &description, json!({ "type": "integer", "minimum": 1, "default": settings.page_events_default }))
}

fn trace() -> Value {
    header_parameter("traceparent", "The W3C trace that the events are recorded with.", json!({ "type": "string" }))
}

/// What a stream is expected to be.
fn preconditions() -> [Value; 2] {
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

fn if_none_match() -> Value {
    header_parameter("If-None-Match", "ETags that the reader has.", json!({ "type": "string" }))
}

pub(super) fn query(name: &str, description: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "query", "description": description, "schema": schema })
}

pub(super) fn header_parameter(name: &str, description: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "header", "description": description, "schema": schema })
}

fn header(description: &str) -> Value {
    json!({ "description": description, "schema": { "type": "string" } })
}

pub(super) fn required(description: &str) -> Value {
    json!({ "description": description, "required": true, "schema": { "type": "string" } })
}
