//! What can be asked of which path, and how it is answered.

use highwater_core::topic::TOPICS_MAX;
use serde_json::json;

use super::{
    Need, Operation,
    parts::{
        JSON, READ_PROBLEMS, header, header_parameter, if_none_match, limit, min_position, query, required, stream,
    },
    schemas::named,
    writes::{append, command},
};
use crate::{
    config::Settings,
    error::kind::{self, Kind},
    telemetry,
};

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
