//! States over a real socket: now and at every kind of moment, for whom, and what is said where there is none.

use highwater_core::domain::entities;
use highwater_server::config::Settings;
use highwater_tests::{
    http::{Answer, EVENT, client, client_with, event, get, import, post},
    server::Server,
    token::Issuer,
};
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

const TASK: &str = "/v1/streams/space:1:tasks:a";
const STATE: &str = "/v1/streams/space:1:tasks:a/state";

fn task_event(id: &str, kind: &str, version: u32, data: &Value) -> Value {
    json!({ "specversion": "1.0", "id": id, "source": "worker", "type": format!("task.{kind}"), "version": version, "data": data })
}

/// Appends what happens to a task, as an import would: two codes, a report between them and one that is late.
async fn write_history(client: &Client, server: &Server) {
    for (id, kind, version, data) in [
        ("1", "code_generated.v1", 1, json!({ "code": "one" })),
        ("2", "bug_report_received.v1", 1, json!({ "bug": "it fails" })),
        ("3", "correction_completed.v1", 2, json!({ "code": "two", "addresses": ["2"] })),
        ("4", "bug_report_received.v1", 1, json!({ "bug": "it still fails" })),
        ("5", "never_heard_of.v1", 2, json!({})),
        ("6", "planned.v1", 2, json!({ "steps": 7 })),
    ] {
        post(client, &server.url("/v1/streams/a:b"), EVENT, &event(id)).await;
        let answer = import(client, &server.url(TASK), EVENT, &task_event(id, kind, version, &data)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }
}

async fn state(client: &Client, server: &Server, at: &str) -> Answer {
    get(client, &server.url(&format!("{STATE}?at={at}"))).await
}

/// The code, the revision, the version, and the position's sequence.
fn shown(answer: &Answer) -> (&str, u64, u64, &str) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let json = &answer.json;
    let (_, sequence) = json["position"].as_str().expect("a position").split_once('-').expect("with a sequence");
    let code = json["state"]["code"]["code"].as_str().unwrap_or_default();
    (code, json["revision"].as_u64().unwrap(), json["version"].as_u64().unwrap(), sequence)
}

#[tokio::test]
async fn a_state_is_told_now_and_at_any_moment() {
    let (server, client) = (Server::start_of(entities(), Settings::default()).await, client());
    write_history(&client, &server).await;

    let now = get(&client, &server.url(STATE)).await;
    assert_eq!(shown(&now), ("two", 6, 2, "12"));
    assert_eq!((&now.json["entity"], &now.json["stream"]), (&json!("task"), &json!("space:1:tasks:a")));
    assert_eq!(now.json["sequence"], 12, "what is set aside for its data has moved the mark");
    assert_eq!(now.json["set_aside"], json!({ "stale": 1, "unknown": 1, "unreadable": 1 }));
    let (epoch, _) = now.json["position"].as_str().unwrap().split_once('-').unwrap();
    assert_eq!(now.header("etag"), format!("\"{epoch}.6\""));
    assert_eq!((now.header("cache-control"), now.header("content-type")), ("no-store", "application/json"));
    assert_eq!(now.header("highwater-position"), format!("{epoch}-12"));

    for (at, expected) in [
        ("now", ("two", 6, 2, "12")),
        ("2", ("one", 1, 1, "2")),
        ("5", ("one", 2, 1, "5")),
        ("6", ("two", 3, 2, "6")),
        ("12", ("two", 6, 2, "12")),
        ("version:1", ("one", 2, 1, "4")),
        ("version:2", ("two", 6, 2, "12")),
        ("version:9", ("two", 6, 2, "12")),
        ("9999-01-01T00:00:00Z", ("two", 6, 2, "12")),
    ] {
        assert_eq!(shown(&state(&client, &server, at).await), expected, "at {at}");
    }
    let page = get(&client, &server.url(TASK)).await;
    for recorded in page.json["events"].as_array().unwrap() {
        let time = recorded["recordedtime"].as_str().unwrap();
        let then = state(&client, &server, time).await;
        assert!(then.json["revision"].as_u64() >= recorded["revision"].as_u64(), "at {time}: {then:?}");
    }
    let at_first = state(&client, &server, "2").await;
    assert_eq!(at_first.header("highwater-position"), format!("{epoch}-12"), "the log's end is elsewhere");
}

#[tokio::test]
async fn who_has_a_state_is_not_sent_it_again() {
    let (server, client) = (Server::start_of(entities(), Settings::default()).await, client());
    write_history(&client, &server).await;
    let first = state(&client, &server, "5").await;
    let ask = async |at: &str, name: &str, value: &str| {
        let url = server.url(&format!("{STATE}?at={at}"));
        Answer::of(client.get(url).header(name, value).send().await.expect("an answer")).await
    };
    let again = ask("4", "if-none-match", first.header("etag")).await;
    assert_eq!((again.status.as_u16(), again.header("etag")), (304, first.header("etag")), "of the same revision");
    assert_eq!(ask("6", "if-none-match", first.header("etag")).await.status, 200);

    let epoch = &first.header("etag")[1..9];
    assert_eq!(ask("now", "highwater-min-position", &format!("{epoch}-12")).await.status, 200);
    let other = if epoch.starts_with('0') { "1" } else { "0" }.to_owned() + &epoch[1..];
    assert_eq!(ask("now", "highwater-min-position", &format!("{other}-1")).await.code(), "epoch_changed");
}

#[tokio::test]
async fn what_has_no_state_is_told_why() {
    let (server, client) = (Server::start_of(entities(), Settings::default()).await, client());
    write_history(&client, &server).await;
    for (path, status, code) in [
        (format!("{STATE}?at=1"), 404, "unknown_stream"),
        (format!("{STATE}?at=version:0"), 404, "unknown_stream"),
        (format!("{STATE}?at=1970-01-01T00:00:00Z"), 404, "unknown_stream"),
        (format!("{STATE}?at=13"), 409, "cursor_ahead"),
        (format!("{STATE}?at=yesterday"), 400, "invalid_request"),
        (format!("{STATE}?at=version:x"), 400, "invalid_request"),
        (format!("{STATE}?at=1&at=2"), 400, "invalid_request"),
        (format!("{STATE}?when=1"), 400, "invalid_request"),
        ("/v1/streams/space:1:tasks:none/state".into(), 404, "unknown_stream"),
        ("/v1/streams/a:b/state".into(), 404, "no_entity"),
        ("/v1/streams/a*:b/state".into(), 400, "invalid_stream"),
    ] {
        let answer = get(&client, &server.url(&path)).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{path}");
    }
    let bad = state(&client, &server, "yesterday").await;
    for said in ["now", "sequence", "RFC 3339", "version:2"] {
        assert!(bad.json["detail"].as_str().unwrap().contains(said), "{bad:?}");
    }
}

async fn server_with_keys(settings: Settings) -> (Server, Issuer, TempDir) {
    let (issuer, folder) = (Issuer::hs256(), tempfile::tempdir().expect("a folder"));
    let auth_keys = folder.path().join("keys");
    std::fs::write(&auth_keys, issuer.key_file()).expect("it can be written");
    (Server::start_of(entities(), Settings { auth_keys, ..settings }).await, issuer, folder)
}

#[tokio::test]
async fn a_state_that_may_not_be_read_is_like_one_without_events() {
    let (server, issuer, _folder) = server_with_keys(Settings::default()).await;
    let all = client_with(&issuer.token(json!({ "read": ["**"], "append": ["**"], "sources": ["*"], "import": true })));
    write_history(&all, &server).await;
    assert_eq!(shown(&get(&all, &server.url(STATE)).await).1, 6);

    let stranger = client_with(&issuer.token(json!({ "read": ["space:2:**"], "operate": true })));
    let forbidden = get(&stranger, &server.url(STATE)).await;
    let unknown = get(&all, &server.url("/v1/streams/space:1:tasks:none/state")).await;
    let no_entity = get(&stranger, &server.url("/v1/streams/a:b/state")).await;
    let snapshot = post(&stranger, &server.url(&format!("{TASK}/snapshot")), "application/json", &Value::Null).await;
    let said = |answer: &Answer, stream: &str| {
        let detail = answer.json["detail"].as_str().unwrap().replace(stream, "…");
        (answer.status, answer.code().to_owned(), detail, answer.header("etag").to_owned())
    };
    let expected = said(&unknown, "space:1:tasks:none");
    assert_eq!(said(&forbidden, "space:1:tasks:a"), expected);
    assert_eq!(said(&snapshot, "space:1:tasks:a"), expected);
    assert_eq!(said(&no_entity, "a:b"), expected, "whether it is of an entity is not told either");
}

#[tokio::test]
async fn an_operator_has_a_snapshot_made() {
    let (server, issuer, _folder) = server_with_keys(Settings::default()).await;
    let rights = json!({ "read": ["**"], "append": ["**"], "sources": ["*"], "operate": true, "import": true });
    let operator = client_with(&issuer.token(rights));
    let reader = client_with(&issuer.token(json!({ "read": ["**"] })));
    write_history(&operator, &server).await;
    let ask = async |client: &Client, stream: &str| {
        let url = server.url(&format!("/v1/streams/{stream}/snapshot"));
        post(client, &url, "application/json", &Value::Null).await
    };
    let made = ask(&operator, "space:1:tasks:a").await;
    assert_eq!((made.status.as_u16(), made.json), (200, json!({ "stream": "space:1:tasks:a", "revision": 6 })));
    assert_eq!(ask(&reader, "space:1:tasks:a").await.code(), "forbidden");
    assert_eq!(ask(&operator, "space:1:tasks:none").await.code(), "unknown_stream");
    assert_eq!(ask(&operator, "a:b").await.code(), "no_entity");

    let without = Server::start().await;
    let off = post(&client(), &without.url(&format!("{TASK}/snapshot")), "application/json", &Value::Null).await;
    assert_eq!((off.status.as_u16(), off.code()), (404, "not_found"));
    assert!(off.json["detail"].as_str().unwrap().contains("keeps no snapshots"), "{off:?}");
}

#[tokio::test]
async fn snapshots_are_of_use_to_the_next_server() {
    let (server, client) = (Server::start_of(entities(), Settings::default()).await, client());
    write_history(&client, &server).await;
    let before = get(&client, &server.url(STATE)).await.json;
    post(&client, &server.url(&format!("{TASK}/snapshot")), "application/json", &Value::Null).await;
    let folder = server.stop().await;
    assert!(folder.path().join("snapshots.sqlite").is_file());

    let server = Server::start_of_on(folder, entities(), Settings::default()).await;
    assert_eq!(get(&client, &server.url(STATE)).await.json, before);
    import(&client, &server.url(TASK), EVENT, &task_event("7", "user_intervened.v1", 2, &json!({ "note": "stop" })))
        .await;
    let after = get(&client, &server.url(STATE)).await.json;
    assert_eq!((&after["revision"], &after["state"]["interventions"]), (&json!(7), &json!(1)));
    assert_eq!(after["set_aside"], before["set_aside"]);
}
