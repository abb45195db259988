//! Commands over a real socket: each is carried out once, by its entity's rules, on the states that it was decided on.

#[path = "http_commands/races.rs"]
mod races;

use highwater_core::{
    decider::{Entities, Origin},
    domain,
    envelope::Proposed,
    event::NewEvent,
    version::Revision,
};
use highwater_server::{
    commands::{CommandError, Request},
    config::Settings,
    store::{Commit, CommitError, Expected},
};
use highwater_tests::{
    counter::{self, Counter},
    http::{Answer, BATCH, EVENT, client, command, event, event_to, get, post},
    server::Server,
};
use reqwest::Client;
use serde_json::{Value, json};

/// A server of the seeds' entities and of the tests' own.
async fn server() -> Server {
    Server::start_of(domain::entities().with::<Counter>(), Settings::default()).await
}

fn add(source: &str, by: u32) -> Value {
    json!({ "type": "add", "data": { "by": by }, "source": source })
}

fn transfer(source: &str, to: &str, by: u32) -> Value {
    json!({ "type": "move", "data": { "to": to, "by": by }, "source": source })
}

/// Where commands for a counter go.
fn counter_url(server: &Server, id: &str) -> String {
    server.url(&format!("/v1/commands/counter/space:1:counters:{id}"))
}

/// The whole log, which fits a page.
async fn log(client: &Client, server: &Server) -> Vec<Value> {
    let page = get(client, &server.url("/v1/events?topic=**&limit=1000")).await;
    page.json["events"].as_array().expect("a page").clone()
}

async fn send_with(client: &Client, url: &str, headers: &[(&'static str, &str)], body: &str) -> Answer {
    let mut request = client.post(url).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request.send().await.expect("an answer")).await
}

#[tokio::test]
async fn a_command_is_carried_out_once_and_answered_the_same_again() {
    let (server, client) = (server().await, client());
    let url = server.url("/v1/commands/task/space:1:tasks:task-abc");
    let generate = json!({
        "type": "generate_code", "data": { "code": "…", "hash": "abc123" }, "source": "generator",
        "time": "2026-11-20T12:23:00Z", "clock": "generator=7", "correlationid": "race",
    });
    let first = command(&client, &url, Some("k1"), &generate).await;
    assert_eq!(first.status, 201, "{first:?}");
    let position = first.json["position"].as_str().expect("a position");
    let epoch = position.strip_suffix("-1").expect("the first");
    let place = json!({ "id": "k1", "stream": "space:1:tasks:task-abc", "sequence": 1, "revision": 1 });
    assert_eq!(first.json, json!({ "position": position, "events": [place], "id": "task-abc" }));
    assert_eq!((first.header("highwater-position"), first.header("etag")), (position, &*format!("\"{epoch}.1\"")));

    let report =
        json!({ "type": "report_bug", "data": { "bug": "…" }, "source": "tester", "version": 1, "causationid": "k1" });
    let second = command(&client, &url, Some("k2"), &report).await;
    assert_eq!((second.status.as_u16(), &second.json["id"]), (200, &Value::Null), "{second:?}");
    assert_eq!(second.header("etag"), format!("\"{epoch}.2\""));

    // In quotation marks it is the same key, and white space is no other body.
    let headers = [("content-type", "application/json; charset=UTF-8"), ("idempotency-key", "\"k1\"")];
    for again in [
        command(&client, &url, Some("k1"), &generate).await,
        send_with(&client, &url, &headers, &serde_json::to_string_pretty(&generate).unwrap()).await,
    ] {
        assert_eq!(
            (again.status, &again.json, again.header("etag")),
            (first.status, &first.json, first.header("etag"))
        );
    }

    let log = log(&client, &server).await;
    assert_eq!(log.len(), 2);
    let told = |at: usize, name: &str| log[at][name].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        (told(0, "type"), told(0, "commandid"), told(0, "clock")),
        ("task.code_generated.v1".into(), "k1".into(), "generator=7".into())
    );
    assert_eq!((told(0, "time"), told(0, "correlationid")), ("2026-11-20T12:23:00Z".into(), "race".into()));
    assert_eq!((told(1, "causationid"), told(1, "clock")), ("k1".into(), "generator=7,tester=1".into()));
    assert_eq!((&log[0]["version"], &log[1]["version"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn a_key_is_of_one_command_of_its_actor() {
    let (server, client) = (server().await, client());
    let url = counter_url(&server, "a");
    assert_eq!(command(&client, &url, Some("k"), &add("ann", 1)).await.status, 201);
    let others = [(&url, add("ann", 2)), (&counter_url(&server, "b"), add("ann", 1))];
    let mut with_version = add("ann", 1);
    with_version["version"] = 0.into();
    for (url, other) in others.iter().chain([&(&url, with_version)]) {
        let refused = command(&client, url, Some("k"), other).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, "idempotency_key_reused"), "{refused:?}");
    }
    assert_eq!(command(&client, &url, Some("k"), &add("bob", 2)).await.status, 200, "of another actor it is another");
    for _ in 0..2 {
        assert_eq!(command(&client, &url, None, &add("ann", 1)).await.status, 200, "without one it is new each time");
    }
    assert_eq!(log(&client, &server).await.len(), 4);
}

#[tokio::test]
async fn a_command_without_events_has_a_position_and_is_known() {
    let (server, client) = (server().await, client());
    let url = counter_url(&server, "a");
    command(&client, &url, Some("k1"), &add("ann", 1)).await;
    let nothing = command(&client, &url, Some("k2"), &add("ann", 0)).await;
    assert_eq!((nothing.status.as_u16(), &nothing.json["events"]), (200, &json!([])), "{nothing:?}");
    assert!(nothing.json["position"].as_str().is_some_and(|position| position.ends_with("-1")), "{nothing:?}");
    assert!(nothing.header("etag").ends_with(".1\""), "{nothing:?}");
    command(&client, &url, Some("k3"), &add("ann", 1)).await;
    assert_eq!(command(&client, &url, Some("k2"), &add("ann", 0)).await.json, nothing.json);
    assert_eq!(command(&client, &url, Some("k2"), &add("ann", 5)).await.code(), "idempotency_key_reused");
}

/// A name, a path, headers, a body; then the status and the code that it must be answered with.
type Case = (&'static str, &'static str, Vec<(&'static str, &'static str)>, String, u16, &'static str);

#[tokio::test]
async fn what_may_not_be_is_told_by_name_and_stores_nothing() {
    let (server, client) = (server().await, client());
    const TASK: &str = "/v1/commands/task/space:1:tasks:t";
    const COUNTER: &str = "/v1/commands/counter/space:1:counters:a";
    assert_eq!(command(&client, &server.url(COUNTER), Some("k"), &add("ann", 5)).await.status, 201);
    let json = || vec![("content-type", "application/json")];
    let with = |name, value| vec![("content-type", "application/json"), (name, value)];
    let asked = |command: Value| command.to_string();
    let report = |more: Value| {
        let mut command = json!({ "type": "report_bug", "data": { "bug": "…" }, "source": "tester" });
        command.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        command.to_string()
    };
    let deep = format!(r#"{{"type":"add","source":"ann","data":{}{}}}"#, "[".repeat(61), "]".repeat(61));
    let large = json!({ "type": "report_bug", "source": "t", "data": { "bug": "x".repeat(2 << 20) } }).to_string();
    let long_key: &str = &*"k".repeat(201).leak();
    let cases: Vec<Case> = vec![
        ("no such entity", "/v1/commands/planet/space:1:tasks:t", json(), report(json!({})), 404, "unknown_entity"),
        ("another entity's", "/v1/commands/task/space:1:counters:a", json(), report(json!({})), 400, "wrong_stream"),
        ("nobody's stream", "/v1/commands/task/space:1:notes:a", json(), report(json!({})), 400, "wrong_stream"),
        ("no stream", "/v1/commands/task/alone", json(), report(json!({})), 400, "invalid_stream"),
        ("path is not UTF-8", "/v1/commands/task/a:%FF", json(), report(json!({})), 400, "invalid_request"),
        ("no such command", TASK, json(), asked(json!({ "type": "sing", "source": "t" })), 400, "invalid_command"),
        ("no type", TASK, json(), asked(json!({ "source": "t" })), 400, "invalid_command"),
        ("no data", TASK, json(), asked(json!({ "type": "report_bug", "source": "t" })), 400, "invalid_command"),
        ("an unknown member", TASK, json(), report(json!({ "revision": 1 })), 400, "invalid_command"),
        ("a member twice", TASK, json(), r#"{"type":"x","type":"y","source":"t"}"#.into(), 400, "invalid_command"),
        ("version is negative", TASK, json(), report(json!({ "version": -1 })), 400, "invalid_command"),
        ("clock is no clock", TASK, json(), report(json!({ "clock": "tester" })), 400, "invalid_command"),
        ("source is no URI", TASK, json(), report(json!({ "source": "two words" })), 400, "invalid_command"),
        ("broken JSON", TASK, json(), "{".into(), 400, "invalid_command"),
        ("no body", TASK, json(), String::new(), 400, "invalid_command"),
        ("nested too deep", COUNTER, json(), deep, 400, "invalid_command"),
        ("2 MiB", TASK, json(), large, 413, "payload_too_large"),
        ("no media type", TASK, vec![], report(json!({})), 415, "unsupported_media_type"),
        ("a CloudEvent", TASK, vec![("content-type", EVENT)], report(json!({})), 415, "unsupported_media_type"),
        ("key is empty", TASK, with("idempotency-key", ""), report(json!({})), 400, "invalid_request"),
        ("key is too long", TASK, with("idempotency-key", long_key), report(json!({})), 400, "invalid_request"),
        ("key is open", TASK, with("idempotency-key", "\"k"), report(json!({})), 400, "invalid_request"),
        ("key is not ASCII", TASK, with("idempotency-key", "ключ"), report(json!({})), 400, "invalid_request"),
        ("not the task's code", TASK, json(), report(json!({})), 409, "no_code"),
        (
            "version to come",
            COUNTER,
            json(),
            asked(json!({ "type": "add", "data": { "by": 1 }, "source": "t", "version": 3 })),
            409,
            "unknown_version",
        ),
        ("too little", COUNTER, json(), asked(transfer("ann", "b", 6)), 409, "too_little"),
        ("no id of a stream", COUNTER, json(), asked(transfer("ann", "a b", 1)), 400, "invalid_id"),
        (
            "clock without its actor",
            COUNTER,
            json(),
            asked(json!({ "type": "add", "data": { "by": 1 }, "source": "t", "clock": "x=1" })),
            400,
            "invalid_event",
        ),
    ];
    for (name, path, headers, body, status, code) in cases {
        let answer = send_with(&client, &server.url(path), &headers, &body).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{name}: {answer:?}");
        assert_eq!(log(&client, &server).await.len(), 1, "{name}");
    }
    let again = [("content-type", "application/json"), ("idempotency-key", "a"), ("idempotency-key", "b")];
    assert_eq!(send_with(&client, &server.url(TASK), &again, &report(json!({}))).await.code(), "invalid_request");
}

#[tokio::test]
async fn preconditions_are_of_the_own_stream_and_come_after_a_retry() {
    let (server, client) = (server().await, client());
    let url = counter_url(&server, "a");
    let give = async |key: &str, by: u32, name: &'static str, value: &str| {
        let headers = [("content-type", "application/json"), ("idempotency-key", key), (name, value)];
        send_with(&client, &url, &headers, &add("ann", by).to_string()).await
    };
    assert_eq!(give("k0", 1, "if-match", "*").await.code(), "revision_conflict");
    let first = give("k1", 1, "if-none-match", "*").await;
    assert_eq!(first.status, 201, "{first:?}");
    let etag = first.header("etag");
    let second = give("k2", 1, "if-match", etag).await;
    assert_eq!(second.status, 200, "{second:?}");

    let stale = give("k3", 1, "if-match", etag).await;
    assert_eq!((stale.status.as_u16(), stale.code(), &stale.json["revision"]), (412, "revision_conflict", &json!(2)));
    let nothing_to_do = give("k4", 0, "if-match", etag).await;
    assert_eq!((nothing_to_do.status.as_u16(), nothing_to_do.code()), (412, "revision_conflict"));
    assert_eq!(give("k3", 1, "if-none-match", "*").await.status, 412);
    assert_eq!(give("k3", 1, "if-match", "nonsense").await.code(), "invalid_request");
    assert_eq!(give("k1", 1, "if-match", "\"00000000.7\"").await.json, first.json, "what is done is done");
    assert_eq!(give("k3", 1, "if-match", second.header("etag")).await.status, 200, "the same command, on top of it");
    assert_eq!(log(&client, &server).await.len(), 3);
}

#[tokio::test]
async fn who_gives_a_command_is_said_in_it_or_beside_it() {
    let (server, client) = (server().await, client());
    let url = counter_url(&server, "a");
    let body = |source: Option<&str>| {
        let mut command = json!({ "type": "add", "data": { "by": 1 } });
        command.as_object_mut().unwrap().extend(source.map(|source| ("source".to_owned(), source.into())));
        command.to_string()
    };
    let json = ("content-type", "application/json");
    let named = ("highwater-actor", "beside");
    assert_eq!(send_with(&client, &url, &[json, named], &body(None)).await.status, 201);
    assert_eq!(send_with(&client, &url, &[json, named], &body(Some("within"))).await.status, 200);
    for bad in [&[json][..], &[json, ("highwater-actor", "two words")], &[json, named, named]] {
        assert_eq!(send_with(&client, &url, bad, &body(None)).await.code(), "invalid_request", "{bad:?}");
    }
    let log = log(&client, &server).await;
    assert_eq!((&log[0]["source"], &log[1]["source"], log.len()), (&json!("beside"), &json!("within"), 2));
}

#[tokio::test]
async fn streams_of_entities_take_nothing_but_commands_and_imports() {
    let (server, client) = (server().await, client());
    let task = "space:1:tasks:t";
    let url = server.url(&format!("/v1/streams/{task}"));
    let refused = post(&client, &url, EVENT, &event("one")).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (403, "entity_stream"), "{refused:?}");
    let detail = refused.json["detail"].as_str().unwrap();
    assert!(detail.contains("/v1/commands/task/space:1:tasks:t"), "{detail}");
    let batch = json!([event_to("space:1:notes:n", "one"), event_to(task, "two")]);
    let refused = post(&client, &server.url("/v1/events"), BATCH, &batch).await;
    assert_eq!(
        (refused.code(), &refused.json["index"], &refused.json["entity"]),
        ("entity_stream", &json!(1), &json!("task"))
    );
    assert_eq!(log(&client, &server).await.len(), 0);

    let import = async |url: &str, value: &str, body: &Value| {
        let media_type = if body.is_array() { BATCH } else { EVENT };
        let headers = [("content-type", media_type), ("highwater-import", value)];
        send_with(&client, url, &headers, &body.to_string()).await
    };
    assert_eq!(import(&url, "yes", &event("one")).await.code(), "invalid_request");
    assert_eq!(import(&server.url("/v1/events"), "true", &batch).await.status, 201);
    assert_eq!(import(&url, "true", &event("one more")).await.status, 201);
    assert_eq!(post(&client, &server.url("/v1/streams/space:1:notes:n"), EVENT, &event("three")).await.status, 201);
    let known = post(&client, &url, EVENT, &event("one more")).await;
    assert_eq!(known.code(), "entity_stream", "it is refused before it is looked whether it is known");

    let own = NewEvent::new(task.parse().unwrap(), "program".parse().unwrap(), "note.taken.v1".parse().unwrap());
    let own = Commit { events: vec![Proposed::from(own)], ..Commit::default() };
    server.broker().publish(own).await.expect("programs that hold the broker know what they do");
    assert_eq!(log(&client, &server).await.len(), 5);
}

#[tokio::test]
async fn a_command_that_spans_streams_is_all_or_nothing() {
    let (server, client) = (server().await, client());
    command(&client, &counter_url(&server, "a"), Some("k1"), &add("ann", 5)).await;
    let moved = command(&client, &counter_url(&server, "a"), Some("k2"), &transfer("ann", "b", 3)).await;
    assert_eq!(moved.status, 200, "{moved:?}");
    let places = json!([
        { "id": "k2", "stream": "space:1:counters:a", "sequence": 2, "revision": 2 },
        { "id": "k2.1", "stream": "space:1:counters:b", "sequence": 3, "revision": 1 },
    ]);
    assert_eq!(moved.json["events"], places);
    assert!(moved.header("etag").ends_with(".2\""), "of its own stream: {moved:?}");
    assert_eq!(
        command(&client, &counter_url(&server, "a"), Some("k2"), &transfer("ann", "b", 3)).await.json,
        moved.json
    );
    let refused = command(&client, &counter_url(&server, "a"), Some("k3"), &transfer("ann", "b", 3)).await;
    assert_eq!(refused.code(), "too_little");
    let itself = command(&client, &counter_url(&server, "a"), Some("k4"), &transfer("ann", "a", 1)).await;
    assert_eq!(itself.json["events"][1]["revision"], 4, "{itself:?}");
    assert_eq!(values(&log(&client, &server).await), [("a".to_owned(), 2), ("b".to_owned(), 3)]);
}

/// What the counters come to, by their ids.
fn values(log: &[Value]) -> Vec<(String, i64)> {
    let mut values = std::collections::BTreeMap::new();
    for event in log {
        let id = event["subject"].as_str().expect("a stream").rsplit(':').next().expect("an id");
        let by = event["data"]["by"].as_i64().expect("a number");
        let sign = if event["type"] == "counter.added.v1" { 1 } else { -1 };
        let value = values.entry(id.to_owned()).or_default();
        *value += sign * by;
        assert!(*value >= 0, "{id} never has less than nothing: {event}");
    }
    values.into_iter().collect()
}

#[tokio::test]
async fn programs_give_commands_themselves() {
    let server = Server::start_of(counter::entities(), Settings::default()).await;
    let commands = server.commands();
    let request = |id: &str, command: &str| {
        let origin = Origin::new(id.parse().unwrap(), "background".parse().unwrap());
        Request::new("counter", "space:1:counters:a".parse().unwrap(), command, origin)
    };
    let done = commands.run(request("job", r#"{"type":"add","data":{"by":2}}"#)).await.unwrap();
    assert_eq!((done.events.len(), done.is_new, done.revision.get()), (1, true, 1));
    let again = commands.run(request("job", r#"{"type":"add","data":{"by":2}}"#)).await.unwrap();
    assert_eq!((&again.events, again.position, again.is_new), (&done.events, done.position, false));
    let refused = commands.run(request("more", r#"{"type":"move","data":{"to":"b","by":3}}"#)).await;
    assert!(matches!(&refused, Err(CommandError::Refused(refusal)) if refusal.code() == "too_little"), "{refused:?}");
    let expecting = Request {
        expected: vec![Expected::At(Revision::ZERO)],
        ..request("late", r#"{"type":"add","data":{"by":2}}"#)
    };
    let conflict = commands.run(expecting).await;
    assert!(matches!(conflict, Err(CommandError::Commit(CommitError::RevisionConflict { .. }))), "{conflict:?}");
}

#[tokio::test]
async fn a_server_without_entities_has_no_rules() {
    let (server, client) = (Server::start_of(Entities::new(), Settings::default()).await, client());
    let url = server.url("/v1/streams/space:1:tasks:t");
    assert_eq!(post(&client, &url, EVENT, &event("one")).await.status, 201);
    let answer = command(&client, &server.url("/v1/commands/task/space:1:tasks:t"), None, &add("ann", 1)).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (404, "unknown_entity"));
}
