//! The seeds' own routes, each of which is one command.

use serde_json::{Value, json};

use super::{
    Need, Operation,
    parts::{JSON, query},
    writes::command,
};
use crate::{config::Settings, error::kind};

/// Path, method, what it does, what its data must have and may have, and how it is answered.
type Route = (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)], u16);

const ROUTES: [Route; 18] = [
    ("/api/runs", "post", "Open an analysis run", &[("since", "time"), ("until", "time")], 201),
    ("/api/runs/{id}/start", "post", "Have a run executed in the background", &[("lease_ms", "integer")], 202),
    ("/api/runs/{id}/close", "put", "Close a run whose proposals are all reviewed", &[], 200),
    ("/api/runs/{id}/cancel", "post", "Cancel a run", &[("reason", "string")], 200),
    (
        "/api/proposals/{id}",
        "patch",
        "Edit a proposal that is pending",
        &[("title", "string"), ("description", "string"), ("priority", "string")],
        200,
    ),
    ("/api/proposals/{id}/approve", "put", "Make a task of a proposal", &[], 200),
    ("/api/proposals/{id}/reject", "put", "Reject a proposal", &[("reason", "string")], 200),
    ("/api/proposals/{id}/merge", "put", "Merge a proposal into a task", &[("into", "string")], 200),
    (
        "/api/knowledge/extract",
        "post",
        "Have topics and atoms extracted from messages, in the background",
        &[("messages", "array"), ("since", "time"), ("until", "time")],
        202,
    ),
    (
        "/api/knowledge/proposals/{id}",
        "patch",
        "Edit a topic or an atom that is pending",
        &[("title", "string"), ("text", "string"), ("keywords", "array"), ("topic", "string")],
        200,
    ),
    ("/api/knowledge/proposals/{id}/approve", "post", "Approve a topic or an atom", &[], 200),
    ("/api/knowledge/proposals/{id}/reject", "post", "Reject a topic or an atom", &[("reason", "string")], 200),
    ("/api/tasks", "post", "Open a task", &[("requirement", "string")], 201),
    ("/api/tasks/{id}/{command}", "post", "Give a task a command, such as `report_bug`", &[], 200),
    ("/api/stories", "post", "Open a story", &[("title", "string"), ("description", "string")], 201),
    (
        "/api/stories/{id}/decisions",
        "post",
        "Add a decision to a story",
        &[("id", "string"), ("decision", "string"), ("rationale", "string")],
        200,
    ),
    (
        "/api/stories/{id}/subtasks/{subtask}",
        "put",
        "Add a subtask to a story, or say how it stands",
        &[("title", "string"), ("status", "string")],
        200,
    ),
    ("/api/stories/{id}/snapshots", "post", "Set a mark in a story", &[("note", "string")], 200),
];

pub(super) fn operations(settings: &Settings) -> Vec<Operation> {
    ROUTES.iter().map(|route| operation(settings, route)).chain([telegram()]).collect()
}

/// A command like any other, but for its path and its body.
fn operation(settings: &Settings, &(path, method, summary, members, status): &Route) -> Operation {
    let of_command = command(settings);
    let in_path = path.split(['{', '}']).skip(1).step_by(2);
    let in_path = in_path.map(
        |name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } }),
    );
    let is_in_path = |parameter: &Value| parameter["in"] == "path";
    let shared = of_command.parameters.iter().filter(|parameter| !is_in_path(parameter)).cloned();
    let text = || json!({ "type": "string" });
    let queries = [
        query("space", "The space, where the body does not say it. Left out, it is `default`.", text()),
        query(
            "version",
            "The version that the command is about.",
            json!({ "type": "integer", "minimum": 0, "maximum": 2_147_483_647 }),
        ),
        query("causationid", "The event that caused it.", text()),
    ];
    let properties = members.iter().map(|&(name, kind)| (name.to_owned(), member(kind)));
    let mut properties: serde_json::Map<String, Value> = properties.collect();
    properties.insert("space".to_owned(), text());
    let answer = &of_command.answers[0].1;
    Operation {
        path,
        method,
        tag: "seeds",
        summary,
        description: "What may be, and what comes of it, is the entity's to say. It is answered once it is durable."
            .to_owned(),
        parameters: in_path.chain(queries).chain(shared).collect(),
        body: Some(
            json!({ "required": false, "content": { JSON: { "schema": { "type": "object", "properties": properties } } } }),
        ),
        answers: vec![(status, answer.clone())],
        ..of_command
    }
}

fn member(kind: &str) -> Value {
    match kind {
        "time" => json!({ "type": "string", "format": "date-time" }),
        "array" => json!({ "type": "array", "items": { "type": "string" } }),
        kind => json!({ "type": kind }),
    }
}

fn telegram() -> Operation {
    Operation {
        path: "/webhook/telegram",
        method: "post",
        tag: "seeds",
        summary: "Take an update from Telegram",
        description: "Telegram's servers post here what a bot sees, once its webhook is set. Messages and their edits are stored; an \
            update about anything else is answered as if it were."
            .to_owned(),
        parameters: vec![
            query("space", "The space that messages belong to.", json!({ "type": "string", "default": "default" })),
            json!({ "name": "X-Telegram-Bot-Api-Secret-Token", "in": "header", "required": true,
                "description": "What `setWebhook` was told as `secret_token`.", "schema": { "type": "string" } }),
        ],
        body: Some(json!({ "required": true, "content": { JSON: { "schema": {
            "type": "object", "required": ["update_id"], "properties": { "update_id": { "type": "integer", "minimum": 0 } } } } } })),
        answers: vec![(200, json!({ "description": "It is stored, now or before, or not for us." }))],
        problems: vec![
            kind::INVALID_REQUEST,
            kind::INVALID_STREAM,
            kind::INVALID_COMMAND,
            kind::UNAUTHORIZED,
            kind::NOT_FOUND,
            kind::BODY_TIMEOUT,
            kind::UNKNOWN_VERSION,
            kind::IDEMPOTENCY_KEY_REUSED,
            kind::TOO_LARGE,
            kind::UNSUPPORTED_MEDIA_TYPE,
            kind::OVERLOADED,
            kind::UNAVAILABLE,
        ],
        access: Need::Nothing,
    }
}
