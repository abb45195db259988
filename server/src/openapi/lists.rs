//! What can be asked of the lists and of those who keep them.

use serde_json::{Value, json};

use super::{
    Need, Operation,
    parts::{JSON, READ_PROBLEMS, header_parameter, limit, min_position, query, required},
    schemas::named,
};
use crate::{config::Settings, error::kind};

pub(super) fn operations(settings: &Settings) -> Vec<Operation> {
    vec![
        entities(settings),
        knowledge_proposals(settings),
        projections(),
        request(
            "/v1/projections/{name}/rebuild",
            "Build anew",
            "The lists are built from nothing beside those that serve, and take their place once they have come as far.",
        ),
        request(
            "/v1/projections/{name}/set-aside/{sequence}/retry",
            "Try again",
            "The stream of the event that is set aside is folded anew.",
        ),
        request(
            "/v1/projections/{name}/set-aside/{sequence}/discard",
            "Be told of no more",
            "The event that is set aside is told of no more, however often the lists are built. It stays in the log.",
        ),
    ]
}

/// A list like any other, of one kind, and of those that wait for a review unless it is said otherwise.
fn knowledge_proposals(settings: &Settings) -> Operation {
    let mut operation = entities(settings);
    operation.parameters.retain(|parameter| parameter["in"] != "path");
    Operation {
        path: "/api/knowledge/proposals",
        tag: "seeds",
        summary: "Topics and atoms that are proposed",
        description: "Those that wait for a review; with `status`, those that are `approved` or `rejected`.".to_owned(),
        ..operation
    }
}

/// The shapes of the answers.
pub(super) fn schemas() -> Value {
    let time = json!({ "type": "string", "format": "date-time" });
    let text = json!({ "type": ["string", "null"] });
    let count = json!({ "type": "integer", "minimum": 0 });
    json!({
        "ItemPage": object(&json!({
            "items": { "type": "array", "items": object(&json!({
                "stream": named("StreamName"),
                "id": { "type": "string", "description": "The last segment of the stream's name." },
                "space": text,
                "status": text,
                "revision": named("Revision"),
                "version": count,
                "position": { "description": "The last event.", "$ref": "#/components/schemas/Position" },
                "created": time,
                "updated": time,
                "state": { "description": "Whatever the entity's state is." },
            })) },
            "position": { "description": "What the list has come to.", "$ref": "#/components/schemas/Position" },
            "next": { "oneOf": [named("Position"), { "type": "null" }], "description": "The cursor of the next page." },
        })),
        "Projections": object(&json!({
            "projections": { "type": "array", "items": object(&json!({
                "name": { "type": "string" },
                "state": { "enum": ["following", "behind", "rebuilding", "outdated", "full", "failing"] },
                "position": named("Position"),
                "head": named("Position"),
                "lag_events": count,
                "lag_ms": count,
                "generation": count,
                "rebuilding": { "type": ["object", "null"] },
                "failure": text,
                "set_aside": object(&json!({
                    "count": count,
                    "max": count,
                    "unlisted": count,
                    "events": { "type": "array", "items": object(&json!({
                        "sequence": named("Sequence"),
                        "position": named("Position"),
                        "stream": text,
                        "type": text,
                        "reason": text,
                        "tries": count,
                    })) },
                })),
            })) },
        })),
        "Requested": object(&json!({
            "position": { "description": "The event that asks for it.", "$ref": "#/components/schemas/Position" },
        })),
    })
}

/// An object that has all of these members and no other.
fn object(properties: &Value) -> Value {
    let required: Vec<_> = properties.as_object().into_iter().flat_map(serde_json::Map::keys).collect();
    json!({ "type": "object", "required": required, "properties": properties, "additionalProperties": false })
}

fn entities(settings: &Settings) -> Operation {
    Operation {
        path: "/v1/entities/{entity}",
        method: "get",
        tag: "read",
        summary: "List the things of a kind",
        description: "Things as they stand, in the order in which their streams began. A list is a little behind the log: its \
            `position` says how far it has come. Only what may be read is in it; a page may be empty though there is a `next`."
            .into(),
        parameters: vec![
            path("entity", "The kind of thing.", json!({ "type": "string" }), json!("task")),
            query("space", "Only those in this space.", json!({ "type": "string" })),
            query("status", "Only those whose state says so, as `phase` or `status`.", json!({ "type": "string" })),
            query(
                "order",
                "Which come first: those whose streams began first, or last.",
                json!({ "enum": ["oldest", "newest"], "default": "oldest" }),
            ),
            query(
                "cursor",
                "Where to begin: the `next` of the page before, which was asked for in the same order.",
                named("Position"),
            ),
            limit(settings),
            min_position(),
        ],
        body: None,
        answers: vec![answer(200, "A page.", "ItemPage", true)],
        problems: [&[kind::NOT_FOUND][..], &READ_PROBLEMS].concat(),
        access: Need::TokenOrCookie,
    }
}

fn projections() -> Operation {
    Operation {
        path: "/v1/projections",
        method: "get",
        tag: "operate",
        summary: "How what is derived from the log stands",
        description:
            "How far it has come, what is being built, and what could not be folded. Where tokens are asked for, for \
            those that may `operate`; of what is set aside they see what they may read."
                .into(),
        parameters: Vec::new(),
        body: None,
        answers: vec![answer(200, "All of them.", "Projections", false)],
        problems: vec![kind::INVALID_REQUEST, kind::UNAVAILABLE],
        access: Need::TokenOrCookie,
    }
}

/// What operators ask for.
fn request(route: &'static str, summary: &'static str, what: &str) -> Operation {
    let mut parameters = vec![path("name", "Which one.", json!({ "type": "string" }), json!("lists"))];
    if route.contains("{sequence}") {
        parameters.push(path("sequence", "The event's place.", named("Sequence"), json!(1)));
    }
    parameters.extend([
        header_parameter("Highwater-Actor", "Who asks, among the token's sources.", json!({ "type": "string" })),
        header_parameter(
            "Idempotency-Key",
            "The request's id: the same again is asked once.",
            json!({ "type": "string" }),
        ),
    ]);
    Operation {
        path: route,
        method: "post",
        tag: "operate",
        summary,
        description: format!(
            "{what} What is asked for is an event of the stream `highwater:projections:lists`, and so is what comes of it. \
             Where tokens are asked for, for those that may `operate`."
        ),
        parameters,
        body: None,
        answers: vec![answer(202, "It is asked for.", "Requested", true)],
        problems: vec![
            kind::INVALID_REQUEST,
            kind::INVALID_EVENT,
            kind::NOT_FOUND,
            kind::ID_CONFLICT,
            kind::CLOCK_FULL,
            kind::OVERLOADED,
            kind::UNAVAILABLE,
        ],
        access: Need::Token,
    }
}

fn answer(status: u16, description: &str, schema: &str, has_position: bool) -> (u16, Value) {
    let mut answer = json!({ "description": description, "content": { JSON: { "schema": named(schema) } } });
    if has_position {
        answer["headers"] = json!({ "Highwater-Position": required("The answer's `position`.") });
    }
    (status, answer)
}

fn path(name: &str, description: &str, schema: Value, example: Value) -> Value {
    json!({ "name": name, "in": "path", "required": true, "description": description, "schema": schema, "example": example })
}
