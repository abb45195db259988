//! The HTTP surface under Schemathesis: whatever is asked, `/openapi.json` has told how it is answered, and nothing is
//! answered with a server's own failure.

use std::{
    env,
    ffi::{OsStr, OsString},
    process::Stdio,
};

use highwater_core::domain::entities;
use highwater_server::config::Settings;
use highwater_tests::{
    http::{EVENT, client, client_with, event, get, post},
    server::Server,
    token::Issuer,
};
use reqwest::Client;
use serde_json::json;
use tokio::process::Command;

/// Where `cargo xtask test` has it.
const VARIABLE: &str = "HIGHWATER_SCHEMATHESIS";
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
    response_schema_conformance,unsupported_method,allow_header_conformance";
const EVERYTHING: [&str; 4] = ["--phases", "examples,coverage,fuzzing", "--max-examples", "30"];
/// It says nothing of what it accepts by itself, as OpenAPI leaves that header to the answers. Each stream lasts a second.
const EVENT_STREAMS: [&str; 8] = [
    "--header",
    "Accept: text/event-stream",
    "--include-name",
    "GET /v1/events",
    "--phases",
    "examples,fuzzing",
    "--max-examples",
    "15",
];

#[tokio::test]
async fn every_answer_is_one_that_is_documented() {
    let Some(program) = program() else { return };
    let server = Server::start_of(entities(), settings()).await;
    fuzz(&program, &server, &EVERYTHING).await;
    holds_events(&client(), &server).await;
}

#[tokio::test]
async fn every_answer_is_one_that_is_documented_where_tokens_are_asked_for() {
    let Some(program) = program() else { return };
    let (issuer, keys) = (Issuer::hs256(), tempfile::NamedTempFile::new().expect("a file"));
    std::fs::write(keys.path(), issuer.key_file()).expect("the secret is written");
    let token = issuer.token(json!({ "read": ["**"], "append": ["**"], "sources": ["*"], "operate": true }));
    let server = Server::start_with(Settings { auth_keys: keys.path().to_owned(), ..settings() }).await;
    let authorization = format!("Authorization: Bearer {token}");
    fuzz(&program, &server, &[&EVERYTHING[..], &["--header", &authorization]].concat()).await;
    holds_events(&client_with(&token), &server).await;
}

#[tokio::test]
async fn every_event_stream_is_one_that_is_documented() {
    let Some(program) = program() else { return };
    let server = Server::start_with(settings()).await;
    for id in ["1", "2", "3"] {
        post(&client(), &server.url("/v1/streams/space:42:tasks:task-abc"), EVENT, &event(id)).await;
    }
    fuzz(&program, &server, &EVENT_STREAMS).await;
}

/// Not all that was made up was refused.
async fn holds_events(reader: &Client, server: &Server) {
    let page = get(reader, &server.url("/v1/events?topic=**")).await;
    assert!(page.json["events"].as_array().is_some_and(|events| !events.is_empty()), "{page:?}");
}

/// What waits, or goes on without an end, does so for a moment.
fn settings() -> Settings {
    Settings { subscription_max_s: 1, long_poll_max_s: 1, min_position_wait_ms: 100, ..Settings::default() }
}

async fn fuzz(program: &OsStr, server: &Server, asked: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder for what it remembers");
    let mut command = Command::new(program);
    command.args(["run", &server.url("/openapi.json"), "--checks", CHECKS]).args(asked);
    command.args(["--seed", "1", "--continue-on-failure", "--request-timeout", "20"]);
    command.args(["--no-color", "--warnings", "off"]).current_dir(&folder);
    let ran = command.stdin(Stdio::null()).kill_on_drop(true).output().await.expect("it starts");
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{told}\n{}", String::from_utf8_lossy(&ran.stderr));
    assert!(told.contains(" passed") && told.contains("Fuzzing"), "it has asked something: {told}");
}

fn program() -> Option<OsString> {
    let program = env::var_os(VARIABLE);
    if program.is_none() {
        assert!(env::var_os("CI").is_none(), "{VARIABLE} does not say where Schemathesis is: run cargo xtask test");
        eprintln!("skipped: {VARIABLE} does not say where Schemathesis is; cargo xtask test does");
    }
    program
}
