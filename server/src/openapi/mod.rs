//! What `/openapi.json` says: the HTTP surface as an OpenAPI 3.1 document, made of the settings that the server runs with
//! and of the table of problems that it answers from.

mod api;
mod lists;
mod operations;
mod parts;
mod schemas;
mod writes;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{
    config::Settings,
    error::kind::{self, Kind},
};

/// What can be asked of a path.
struct Operation {
    path: &'static str,
    /// In lower case.
    method: &'static str,
    tag: &'static str,
    summary: &'static str,
    description: String,
    parameters: Vec<Value>,
    body: Option<Value>,
    /// The answers that are none of problems.
    answers: Vec<(u16, Value)>,
    problems: Vec<Kind>,
    access: Need,
}

/// What a request has to bring where tokens are asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Nothing,
    /// A bearer token.
    Token,
    /// A bearer token, or the cookie that stands for it.
    TokenOrCookie,
}

/// The whole document.
#[must_use]
pub(crate) fn document(settings: &Settings, asks_for_tokens: bool) -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let others = lists::operations(settings).into_iter().chain(api::operations(settings));
    for operation in operations::all(settings).into_iter().chain(others) {
        let path = paths.entry(operation.path).or_default();
        path.insert(operation.method.to_owned(), operation.value(asks_for_tokens));
    }
    let mut schemas = schemas::all(settings);
    if let (Value::Object(all), Value::Object(lists)) = (&mut schemas, lists::schemas()) {
        all.extend(lists);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Highwater",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "An append-only log of events, read as pages, as an event stream, or over a WebSocket.",
            "description": "Every failure is a problem document (RFC 9457) with a stable `code`. After a 4xx nothing has \
                been stored; after a 5xx or silence, retry with the same ids.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": [
            { "name": "command", "description": "Ask something of an entity, which decides what happens." },
            { "name": "seeds", "description": "The commands of the entities that come with the server, each a path." },
            { "name": "append", "description": "Put events into the log." },
            { "name": "read", "description": "Take events out of it." },
            { "name": "session", "description": "A cookie for a browser's own `EventSource`." },
            { "name": "operate", "description": "How the server does." },
        ],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "Asked for only where the server has keys.",
                },
                "cookie": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": crate::auth::COOKIE,
                    "description": "Set by `POST /v1/session`; reads only.",
                },
            },
        },
    })
}

impl Operation {
    fn value(self, asks_for_tokens: bool) -> Value {
        let mut problems = self.problems;
        // Of every route: a host that is not ours, another site's page, and no place for one more connection.
        problems.extend([kind::MISDIRECTED, kind::FOREIGN_ORIGIN, kind::OVERLOADED]);
        let security = match (asks_for_tokens, self.access) {
            (false, _) | (_, Need::Nothing) => Vec::new(),
            (true, Need::Token) => vec![json!({ "token": [] })],
            (true, Need::TokenOrCookie) => vec![json!({ "token": [] }), json!({ "cookie": [] })],
        };
        if !security.is_empty() {
            problems.extend([kind::UNAUTHORIZED, kind::FORBIDDEN]);
        }
        let answers = self.answers.into_iter().map(|(status, answer)| (status.to_string(), answer));
        let responses: Map<_, _> = answers.chain(problem_responses(problems)).collect();
        let mut operation = json!({
            "operationId": format!("{} {}", self.method, self.path),
            "tags": [self.tag],
            "summary": self.summary,
            "description": self.description,
            "parameters": self.parameters,
            "responses": responses,
            "security": security,
        });
        if let Some(body) = self.body {
            operation["requestBody"] = body;
        }
        operation
    }
}

/// A response for each status that these problems have.
fn problem_responses(problems: Vec<Kind>) -> impl Iterator<Item = (String, Value)> {
    let mut by_status: BTreeMap<u16, Vec<Kind>> = BTreeMap::new();
    for kind in problems {
        let kinds = by_status.entry(kind.status.as_u16()).or_default();
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    by_status.into_iter().map(|(status, kinds)| (status.to_string(), problem_response(status, &kinds)))
}

fn problem_response(status: u16, kinds: &[Kind]) -> Value {
    let described: Vec<_> = kinds.iter().map(|kind| format!("`{}`: {}", kind.code, kind.title)).collect();
    let codes: Vec<_> = kinds.iter().map(|kind| kind.code).collect();
    // An entity refuses with codes of its own, which are not known here.
    let (code, others) = match kinds.iter().any(|kind| kind::REFUSALS.contains(kind)) {
        true => (json!({ "type": "string", "pattern": "^[a-z_]+$" }), " Or a code of the entity's own."),
        false => (json!({ "enum": codes }), ""),
    };
    let mut response = json!({
        "description": described.join(". ") + "." + others,
        "content": { "application/problem+json": { "schema": {
            "allOf": [
                { "$ref": "#/components/schemas/Problem" },
                { "properties": { "status": { "const": status }, "code": code } },
            ],
        } } },
    });
    let header = |name: &str, description: &str| json!({ name: { "description": description, "required": true, "schema": { "type": "string" } } });
    match status {
        503 => response["headers"] = header("Retry-After", "Seconds to wait before the next try."),
        401 => response["headers"] = header("WWW-Authenticate", "What to present (RFC 6750)."),
        _ => {}
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_somewhere() {
        fn walk<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
            match value {
                Value::Object(members) => {
                    found.extend(members.get("$ref").and_then(Value::as_str));
                    members.values().for_each(|value| walk(value, found));
                }
                Value::Array(items) => items.iter().for_each(|value| walk(value, found)),
                _ => {}
            }
        }
        let document = document(&Settings::default(), true);
        let mut references = Vec::new();
        walk(&document, &mut references);
        assert!(!references.is_empty());
        for reference in references {
            let pointer = reference.strip_prefix('#').expect("a reference within the document");
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn every_kind_of_problem_is_told_of() {
        let text = document(&Settings::default(), true).to_string();
        // What has no route, or another method than it has, is in no operation.
        let nowhere = [kind::METHOD_NOT_ALLOWED];
        for kind in kind::ALL.iter().filter(|kind| !nowhere.contains(kind)) {
            assert!(text.contains(&format!("`{}`", kind.code)), "{}", kind.code);
        }
    }

    #[test]
    fn tokens_are_asked_for_where_there_are_keys() {
        let operation = |asks| document(&Settings::default(), asks)["paths"]["/v1/events"]["post"].clone();
        assert_eq!(operation(false)["security"], json!([]));
        assert!(operation(false)["responses"].get("401").is_none());
        assert_eq!(operation(true)["security"], json!([{ "token": [] }]));
        assert!(operation(true)["responses"].get("401").is_some());
    }
}
