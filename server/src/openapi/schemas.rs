//! The shapes of what is sent and answered.

use highwater_core::{
    clock::{ACTOR_BYTES_MAX, ACTORS_MAX},
    event::TEXT_BYTES_MAX,
    sse::CONTROL_EVENT,
    stream::{NAME_BYTES_MAX, SEGMENTS_MAX},
    version::{Revision, Sequence},
};
use serde_json::{Map, Value, json};

use crate::config::Settings;

/// What a segment of a stream's name is made of, nearly: the server also refuses other white space and control characters.
const SEGMENT: &str = r"[^\s:*/\u0000-\u001f\u007f]+";

/// A schema among the document's components.
pub(super) fn named(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "maxLength": TEXT_BYTES_MAX, "description": description })
}

fn number(max: u64, description: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "maximum": max, "description": description })
}

pub(super) fn all(settings: &Settings) -> Value {
    let more = SEGMENTS_MAX - 1;
    json!({
        "StreamName": {
            "type": "string",
            "minLength": 3,
            "maxLength": NAME_BYTES_MAX,
            "pattern": format!("^{SEGMENT}(:{SEGMENT}){{1,{more}}}$"),
            "description": format!("The events of one entity: 2 to {SEGMENTS_MAX} segments joined by `:`, at most \
                {NAME_BYTES_MAX} bytes."),
            "examples": ["space:42:tasks:task-abc"],
        },
        "Topic": {
            "type": "string",
            "minLength": 1,
            "maxLength": NAME_BYTES_MAX,
            "pattern": format!(r"^(\*|{SEGMENT})(:(\*|{SEGMENT})){{0,{more}}}(:\*\*)?$|^\*\*$"),
            "description": "A filter over streams: the name of one, or a pattern in which `*` stands for one segment and a \
                final `**` for one or more.",
            "examples": ["space:42:**", "space:42:tasks:*"],
        },
        "Position": {
            "type": "string",
            "pattern": "^[0-9a-hjkmnp-tv-z]{8}-[0-9]{1,16}$",
            "description": "A place in the log: its epoch and a sequence. What a reader resumes from.",
            "examples": ["k3x9q7ma-42"],
        },
        "Revision": number(Revision::MAX.get().into(), "An event's place in its stream: 1, 2, 3 …"),
        "Sequence": number(Sequence::MAX.get(), "An event's place in the log."),
        "NewEvent": new_event(),
        "Event": event(),
        "NewEvents": {
            "type": "array",
            "minItems": 1,
            "maxItems": settings.batch_events_max,
            "items": named("NewEvent"),
        },
        "Appended": {
            "type": "object",
            "description": "Where the events are, in the order in which they were sent.",
            "required": ["position", "events"],
            "properties": {
                "position": named("Position"),
                "events": { "type": "array", "items": {
                    "type": "object",
                    "required": ["id", "sequence", "revision"],
                    "properties": {
                        "id": { "type": "string" },
                        "sequence": named("Sequence"),
                        "revision": named("Revision"),
                    },
                    "additionalProperties": false,
                } },
            },
            "additionalProperties": false,
        },
        "LogPage": {
            "type": "object",
            "required": ["events", "prev", "next", "head"],
            "properties": {
                "events": { "type": "array", "items": named("Event") },
                "prev": number(Sequence::MAX.get(), "The sequence of the event before the first one, or the cursor."),
                "next": { "description": "The position scanned to: go on from here.", "$ref": "#/components/schemas/Position" },
                "head": { "description": "The log's end.", "$ref": "#/components/schemas/Position" },
            },
            "additionalProperties": false,
        },
        "Frame": {
            "type": "object",
            "description": "A frame of an event stream, each field a line of its own; `prev` stands there too.",
            "properties": {
                "event": {
                    "description": "`message`, which is left out, as the standard has it, or who speaks is the server itself.",
                    "enum": ["message", CONTROL_EVENT],
                },
                "data": {
                    "description": "An event, or what the server says about the stream.",
                    "type": "string",
                    "contentMediaType": "application/json",
                    "contentSchema": {
                        "oneOf": [named("Event"), { "type": "object", "required": ["kind"] }],
                    },
                },
                "id": { "description": "What to go on from.", "$ref": "#/components/schemas/Position" },
                "retry": { "description": "How long to wait before a reconnect, in milliseconds.", "type": "integer" },
            },
            "additionalProperties": false,
        },
        "StreamPage": {
            "type": "object",
            "required": ["events", "first_revision", "revision", "version"],
            "properties": {
                "events": { "type": "array", "items": named("Event") },
                "first_revision": { "description": "The first that is kept.", "$ref": "#/components/schemas/Revision" },
                "revision": { "description": "The last.", "$ref": "#/components/schemas/Revision" },
                "version": number(Revision::MAX.get().into(), "The entity's own version."),
            },
            "additionalProperties": false,
        },
        "State": {
            "type": "object",
            "required": ["entity", "stream", "revision", "version", "sequence", "position", "set_aside", "state"],
            "properties": {
                "entity": { "type": "string", "description": "The entity's name." },
                "stream": named("StreamName"),
                "revision": { "description": "The last that is judged.", "$ref": "#/components/schemas/Revision" },
                "version": number(Revision::MAX.get().into(), "The entity's own version."),
                "sequence": { "description": "The highest that is applied.", "$ref": "#/components/schemas/Sequence" },
                "position": { "description": "What the state is of.", "$ref": "#/components/schemas/Position" },
                "set_aside": {
                    "type": "object",
                    "description": "Events that moved nothing: about an earlier version, of a type or schema version that the server \
                        does not know, or with data that is not what their type says.",
                    "required": ["stale", "unknown", "unreadable"],
                    "properties": {
                        "stale": { "type": "integer", "minimum": 0 },
                        "unknown": { "type": "integer", "minimum": 0 },
                        "unreadable": { "type": "integer", "minimum": 0 },
                    },
                    "additionalProperties": false,
                },
                "state": { "description": "The state itself, as its entity has it." },
            },
            "additionalProperties": false,
        },
        "Snapshot": {
            "type": "object",
            "required": ["stream", "revision"],
            "properties": {
                "stream": named("StreamName"),
                "revision": { "description": "What it is of.", "$ref": "#/components/schemas/Revision" },
            },
            "additionalProperties": false,
        },
        "Problem": {
            "type": "object",
            "description": "Why a request is refused (RFC 9457). Some kinds have members of their own.",
            "required": ["type", "title", "status", "code", "detail"],
            "properties": {
                "type": { "type": "string", "format": "uri" },
                "title": { "type": "string" },
                "status": { "type": "integer", "minimum": 400, "maximum": 599 },
                "code": { "type": "string", "description": "Its stable name." },
                "detail": { "type": "string", "description": "What was wrong, and what to do." },
                "index": { "type": "integer", "minimum": 0, "description": "Which event of a batch it is about." },
            },
        },
    })
}

/// What producer and server both give an event.
fn attributes() -> Map<String, Value> {
    let attributes = json!({
        "specversion": { "const": "1.0" },
        "id": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[^\u0000-\u001f\u007f-\u009f]+$",
            "description": "Unique within its source. The same again is stored once." },
        "source": { "type": "string", "format": "uri-reference", "minLength": 1, "maxLength": ACTOR_BYTES_MAX,
            "description": "The actor: one sequential process that makes events." },
        "type": { "type": "string", "maxLength": 255, "pattern": r"^[!-~]+\.v[1-9][0-9]{0,8}$",
            "description": "What happened, ending in the version of its schema.",
            "examples": ["task.code_generated.v1"] },
        "subject": named("StreamName"),
        "time": { "type": "string", "format": "date-time", "description": "When it happened, by its producer's clock." },
        "datacontenttype": text("The media type of the data."),
        "dataschema": { "type": "string", "format": "uri-reference", "maxLength": TEXT_BYTES_MAX,
            "description": "Where the data's schema is." },
        "version": number(Revision::MAX.get().into(), "The version of the entity that it is about."),
        "clock": { "type": "string", "description": format!("Its vector clock: `actor=counter` pairs, sorted, with commas \
            between them; at most {ACTORS_MAX}."), "examples": ["corrector=2,generator=1"] },
        "causationid": text("The id of the event that led to it."),
        "correlationid": text("What it belongs to."),
        "commandid": text("The command that led to it."),
        "data": { "description": "Any JSON." },
        "data_base64": { "type": "string", "contentEncoding": "base64", "description": "Data that is not JSON." },
    });
    match attributes {
        Value::Object(attributes) => attributes,
        _ => Map::new(),
    }
}

/// What other attributes of CloudEvents may be.
fn extension() -> Value {
    json!({ "type": ["string", "boolean", "integer"], "description": "An extension attribute." })
}

fn new_event() -> Value {
    let mut properties = attributes();
    properties.insert(
        "expectedrevision".into(),
        json!({
            "description": "The revision that the stream must have before this request; not stored.",
            "$ref": "#/components/schemas/Revision",
        }),
    );
    json!({
        "type": "object",
        "description": "A CloudEvent (1.0) as its producer gives it. `subject` may be left out where the path names the stream; \
            `id`, `time`, `version` and `clock` where the server shall choose them.",
        "required": ["specversion", "source", "type"],
        "properties": properties,
        "additionalProperties": extension(),
        "examples": [{ "specversion": "1.0", "source": "generator", "type": "task.code_generated.v1",
            "subject": "space:42:tasks:task-abc", "version": 1, "data": { "code": "…" } }],
    })
}

fn event() -> Value {
    let mut properties = attributes();
    properties.insert(
        "recordedtime".into(),
        json!({ "type": "string", "format": "date-time",
        "description": "When the server took it; never decreases with the sequence." }),
    );
    properties.insert("sequence".into(), json!({ "type": "string", "pattern": "^[0-9]{16}$" }));
    properties.insert("revision".into(), named("Revision"));
    json!({
        "type": "object",
        "description": "A CloudEvent (1.0) as the log has it.",
        "required": ["specversion", "id", "source", "type", "subject", "time", "recordedtime", "sequence", "revision",
            "version", "clock"],
        "properties": properties,
        "additionalProperties": extension(),
    })
}
