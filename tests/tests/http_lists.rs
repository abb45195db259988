//! Lists over HTTP: what is in them, that they wait for what a reader has done, who may see what, and what operators do.

use std::{collections::BTreeMap, path::Path};

use highwater_core::{decider::Folded, domain, envelope::parse_event};
use highwater_server::{app::AppState, config::Settings};
use highwater_tests::{
    exposition::Exposition,
    http::{Answer, BATCH, EVENT, client, client_with, get, import, post},
    server::{PATIENCE, Process, Server},
    token::Issuer,
};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::time::timeout;

fn with_lists(state: AppState, folder: &Path) -> AppState {
    state.with_entities(domain::entities()).with_lists(&folder.join("lists.sqlite")).expect("lists")
}

async fn start(settings: Settings) -> Server {
    Server::start_as(tempfile::tempdir().expect("a folder"), settings, with_lists).await
}

fn task_event(stream: &str, id: &str, kind: &str, data: &Value) -> Value {
    json!({ "specversion": "1.0", "id": id, "source": "tester", "type": kind, "subject": stream, "data": data })
}

fn wanted(stream: &str, id: &str) -> Value {
    task_event(stream, id, "task.requirement_gathered.v1", &json!({ "requirement": "add" }))
}

fn coded(stream: &str, id: &str) -> Value {
    task_event(stream, id, "task.code_generated.v1", &json!({ "code": "1 + 1" }))
}

fn unreadable(stream: &str, id: &str) -> Value {
    task_event(stream, id, "task.planned.v1", &json!({ "steps": "a secret" }))
}

/// Appends events and returns the position of the last.
async fn append(client: &Client, server: &Server, events: &[Value]) -> String {
    let answer = import(client, &server.url("/v1/events"), BATCH, &json!(events)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.header("highwater-position").to_owned()
}

/// Reads a list that has come to a position.
async fn list(client: &Client, url: &str, position: &str) -> Answer {
    let request = client.get(url).header("highwater-min-position", position);
    Answer::of(request.send().await.expect("an answer")).await
}

/// Posts without a body.
async fn ask(client: &Client, url: &str) -> Answer {
    Answer::of(client.post(url).send().await.expect("an answer")).await
}

fn ids(page: &Answer) -> Vec<&str> {
    let items = page.json["items"].as_array().unwrap_or_else(|| panic!("{page:?}"));
    items.iter().map(|item| item["id"].as_str().expect("an id")).collect()
}

/// The projection's status once it is as wanted.
async fn until(client: &Client, server: &Server, is_so: impl Fn(&Value) -> bool) -> Value {
    let look = async {
        loop {
            let status = get(client, &server.url("/v1/projections")).await.json["projections"][0].clone();
            if is_so(&status) {
                return status;
            }
        }
    };
    timeout(PATIENCE, look).await.expect("it comes to that")
}

/// What operators have asked for and were answered, once it is so much.
async fn said(client: &Client, server: &Server, count: usize) -> Vec<Value> {
    let look = async {
        loop {
            let page = get(client, &server.url("/v1/streams/highwater:projections:lists")).await;
            let events = page.json["events"].as_array().cloned().unwrap_or_default();
            if events.len() == count {
                return events;
            }
        }
    };
    timeout(PATIENCE, look).await.expect("it comes to that")
}

#[tokio::test]
async fn a_list_shows_what_its_things_have_come_to() {
    let (server, client) = (start(Settings::default()).await, client());
    let (a, b) = ("space:1:tasks:a", "space:2:tasks:b");
    let position = append(&client, &server, &[wanted(a, "1"), wanted(b, "2"), coded(b, "3")]).await;

    let page = list(&client, &server.url("/v1/entities/task"), &position).await;
    assert_eq!((page.status.as_u16(), page.header("cache-control")), (200, "no-store"));
    assert_eq!(page.json["position"], page.header("highwater-position"));
    assert_eq!((page.json["position"].as_str(), &page.json["next"]), (Some(&*position), &Value::Null));
    let item = &page.json["items"][1];
    for (member, expected) in [
        ("stream", json!(b)),
        ("id", json!("b")),
        ("space", json!("2")),
        ("status", json!("written")),
        ("revision", json!(2)),
        ("version", json!(0)),
        ("position", json!(position)),
    ] {
        assert_eq!(item[member], expected, "{member}: {item}");
    }
    assert_eq!((&item["state"]["phase"], &item["state"]["code"]["code"]), (&json!("written"), &json!("1 + 1")));
    assert!(item["created"].as_str() <= item["updated"].as_str());

    for (query, expected) in [
        ("space=1", vec!["a"]),
        ("status=written", vec!["b"]),
        ("space=1&status=written", vec![]),
        ("space=2&status=written", vec!["b"]),
        ("limit=1", vec!["a"]),
        ("order=oldest", vec!["a", "b"]),
        ("order=newest", vec!["b", "a"]),
        ("order=newest&limit=1", vec!["b"]),
    ] {
        let page = list(&client, &server.url(&format!("/v1/entities/task?{query}")), &position).await;
        assert_eq!(ids(&page), expected, "{query}");
    }
    for (order, last) in [("oldest", "b"), ("newest", "a")] {
        let first = get(&client, &server.url(&format!("/v1/entities/task?order={order}&limit=1"))).await;
        let cursor = first.json["next"].as_str().expect("there is more");
        let rest = get(&client, &server.url(&format!("/v1/entities/task?order={order}&cursor={cursor}"))).await;
        assert_eq!((ids(&rest), &rest.json["next"]), (vec![last], &Value::Null));
    }
}

#[tokio::test]
async fn what_can_not_be_listed_is_told() {
    let (server, client) = (start(Settings::default()).await, client());
    for (path, code) in [
        ("/v1/entities/nothing", "not_found"),
        ("/v1/entities/%FF", "not_found"),
        ("/v1/entities/task?limit=0", "invalid_request"),
        ("/v1/entities/task?spaces=1", "invalid_request"),
        ("/v1/entities/task?order=desc", "invalid_request"),
        ("/v1/entities/task?cursor=1", "invalid_request"),
        ("/v1/entities/task?cursor=k3x9q7ma-1", "epoch_changed"),
    ] {
        assert_eq!(get(&client, &server.url(path)).await.code(), code, "{path}");
    }
    for path in ["other/rebuild", "lists/set-aside/x/retry", "lists/set-aside/99/discard", "%FF/rebuild"] {
        let answer = ask(&client, &server.url(&format!("/v1/projections/{path}"))).await;
        assert_eq!(answer.code(), "not_found", "{path}");
    }
    let named = client.post(server.url("/v1/projections/lists/rebuild")).header("highwater-actor", "no actor");
    assert_eq!(Answer::of(named.send().await.expect("an answer")).await.code(), "invalid_request");

    let without = Server::start().await;
    assert_eq!(get(&client, &without.url("/v1/entities/task")).await.code(), "not_found");
    assert_eq!(ask(&client, &without.url("/v1/projections/lists/rebuild")).await.code(), "not_found");
    assert_eq!(get(&client, &without.url("/v1/projections")).await.json, json!({ "projections": [] }));
}

#[tokio::test]
async fn a_list_waits_for_what_its_reader_has_done_and_says_so_where_it_does_not_come() {
    let server = start(Settings { min_position_wait_ms: 50, ..Settings::default() }).await;
    let client = client();
    for number in 0..50 {
        let stream = format!("space:1:tasks:{number}");
        let position = append(&client, &server, &[wanted(&stream, &number.to_string())]).await;
        let page = loop {
            // A slow machine may need more than one wait: that is what 503 is for.
            let page = list(&client, &server.url("/v1/entities/task?limit=1000"), &position).await;
            if page.status != 503 {
                break page;
            }
        };
        assert_eq!(ids(&page).len(), number + 1);
    }
    let page = get(&client, &server.url("/v1/entities/task")).await;
    let (epoch, _) = page.json["position"].as_str().and_then(|text| text.split_once('-')).expect("a position");
    let behind = list(&client, &server.url("/v1/entities/task"), &format!("{epoch}-1000")).await;
    assert_eq!((behind.code(), behind.header("retry-after")), ("behind", "1"));
    let other = list(&client, &server.url("/v1/entities/task"), "k3x9q7ma-1").await;
    assert_eq!(other.code(), "epoch_changed");
}

#[tokio::test]
async fn who_lists_sees_what_its_token_reads() {
    let (issuer, keys) = (Issuer::hs256(), tempfile::NamedTempFile::new().expect("a file"));
    std::fs::write(keys.path(), issuer.key_file()).expect("it can be written");
    let server = start(Settings { auth_keys: keys.path().to_owned(), ..Settings::default() }).await;
    let all = json!({ "read": ["**"], "append": ["**"], "sources": ["*"], "operate": true, "import": true });
    let operator = client_with(&issuer.token(all));
    let mut events = vec![unreadable("space:2:tasks:bad", "bad")];
    for id in 0..20 {
        events.push(wanted(&format!("space:{}:tasks:{id}", id % 2 + 1), &id.to_string()));
    }
    let position = append(&operator, &server, &events).await;

    // Page by page, as long as it goes on.
    let everything = async |client: &Client, query: &str| {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let url = server.url(&format!("/v1/entities/task?limit=3{query}{cursor}"));
            let page = list(client, &url, &position).await;
            found.extend(ids(&page).into_iter().map(str::to_owned));
            match page.json["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return found.join(" "),
            }
        }
    };
    let reader = |read: &[&str]| client_with(&issuer.token(json!({ "read": read, "operate": true })));
    assert_eq!(everything(&reader(&["space:1:**"]), "").await, "0 2 4 6 8 10 12 14 16 18");
    assert_eq!(everything(&reader(&["space:1:**"]), "&space=2").await, "");
    assert_eq!(everything(&reader(&["space:*:tasks:7", "space:1:tasks:4"]), "").await, "4 7");
    assert_eq!(everything(&reader(&[]), "").await, "");
    assert_eq!(everything(&operator, "&space=2").await, "bad 1 3 5 7 9 11 13 15 17 19");

    // What is set aside is named to those who may read it.
    let status = until(&operator, &server, |status| status["set_aside"]["count"] == 1).await;
    assert_eq!(status["set_aside"]["events"][0]["stream"], "space:2:tasks:bad");
    let reason = status["set_aside"]["events"][0]["reason"].as_str().expect("a reason");
    assert!(reason.contains("'steps' must be a list"), "{reason}");
    let status = get(&reader(&["space:1:**"]), &server.url("/v1/projections")).await;
    let shown = &status.json["projections"][0]["set_aside"]["events"][0];
    assert_eq!((&shown["sequence"], &shown["stream"], &shown["reason"]), (&json!(1), &Value::Null, &Value::Null));

    // Operators operate, and nobody else: not by asking, and not by an event of their own making.
    let writer = json!({ "read": ["**"], "append": ["**"], "sources": ["*"] });
    let writer = client_with(&issuer.token(writer));
    assert_eq!(get(&writer, &server.url("/v1/projections")).await.code(), "forbidden");
    for path in ["rebuild", "set-aside/1/retry", "set-aside/1/discard"] {
        let answer = ask(&writer, &server.url(&format!("/v1/projections/lists/{path}"))).await;
        assert_eq!(answer.code(), "forbidden", "{path}");
    }
    let forged = task_event("highwater:projections:lists", "x", "projection.rebuild_requested.v1", &json!({}));
    let url = server.url("/v1/streams/highwater:projections:lists");
    assert_eq!(post(&writer, &url, EVENT, &forged).await.code(), "forbidden");
    let bound = json!({ "operate": true, "sources": ["ann"] });
    let bound = client_with(&issuer.token(bound));
    let named = |actor: &'static str| {
        let request = bound.post(server.url("/v1/projections/lists/rebuild")).header("highwater-actor", actor);
        async move { Answer::of(request.send().await.expect("an answer")).await }
    };
    assert_eq!(named("bob").await.code(), "forbidden");
    assert_eq!(named("ann").await.status, 202);
}

#[tokio::test]
async fn what_operators_do_is_in_the_log_and_so_is_what_comes_of_it() {
    let (server, client) = (start(Settings::default()).await, client());
    let stream = "space:1:tasks:a";
    let events = [unreadable(stream, "1"), wanted(stream, "2"), unreadable("space:1:tasks:b", "3")];
    let position = append(&client, &server, &events).await;
    let before = list(&client, &server.url("/v1/entities/task"), &position).await;
    let status = until(&client, &server, |status| status["state"] == "following").await;
    assert_eq!(
        (&status["name"], &status["generation"], &status["lag_events"]),
        (&json!("lists"), &json!(1), &json!(0))
    );
    assert_eq!((&status["set_aside"]["count"], &status["set_aside"]["max"]), (&json!(2), &json!(1_000)));
    assert_eq!(status["set_aside"]["events"][0]["type"], "task.planned.v1");

    let url = |path: &str| server.url(&format!("/v1/projections/lists/{path}"));
    assert_eq!(ask(&client, &url("set-aside/1/retry")).await.status, 202);
    said(&client, &server, 2).await;
    let status = until(&client, &server, |status| status["set_aside"]["events"][0]["tries"] == 2).await;
    assert_eq!(status["set_aside"]["count"], 2);
    assert_eq!(ask(&client, &url("set-aside/1/discard")).await.status, 202);
    let status = until(&client, &server, |status| status["set_aside"]["count"] == 1).await;
    assert_eq!(status["set_aside"]["events"][0]["sequence"], 3);
    // The same request, asked for twice, is one.
    for _ in 0..2 {
        let request = client.post(url("rebuild")).header("idempotency-key", "once").header("highwater-actor", "ann");
        let answer = Answer::of(request.send().await.expect("an answer")).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json["position"]),
            (202, &json!(answer.header("highwater-position")))
        );
    }
    until(&client, &server, |status| status["generation"] == 2 && status["state"] == "following").await;

    let after = get(&client, &server.url("/v1/entities/task")).await;
    assert_eq!(after.json["items"], before.json["items"], "built anew they are the same");
    let said = said(&client, &server, 6).await;
    let kinds: Vec<_> = said.iter().map(|event| event["type"].as_str().expect("a type")).collect();
    let asked =
        ["retry_requested", "event_retried", "discard_requested", "event_discarded", "rebuild_requested", "rebuilt"];
    assert_eq!(kinds, asked.map(|kind| format!("projection.{kind}.v1")));
    assert_eq!(
        (&said[0]["source"], &said[4]["source"], &said[4]["id"]),
        (&json!("operator"), &json!("ann"), &json!("once"))
    );
    for (asked, answered) in [(0, 1), (2, 3), (4, 5)] {
        assert_eq!(
            (&said[answered]["causationid"], &said[answered]["source"]),
            (&said[asked]["id"], &json!("highwater"))
        );
    }

    // Once the lists have seen the last of it, they are behind nothing.
    let page = get(&client, &server.url("/v1/streams/highwater:projections:lists")).await;
    list(&client, &server.url("/v1/entities/task"), page.header("highwater-position")).await;
    let metrics = Exposition::scrape(&client, &server.url("/metrics")).await;
    for (name, value) in [
        ("highwater_lists_set_aside_events", 1.0),
        ("highwater_lists_set_aside_events_limit", 1_000.0),
        ("highwater_lists_rebuilds_total", 1.0),
        ("highwater_lists_building", 0.0),
        ("highwater_lists_lag_events", 0.0),
    ] {
        assert_eq!(metrics.value(name), value, "{name}");
    }
}

#[tokio::test]
async fn lists_survive_kills_under_load() {
    let (data, client) = (tempfile::tempdir().expect("a folder"), client());
    let mut number = 0;
    for _ in 0..4 {
        let process = Process::start(data.path(), &["--lists-batch-events-max", "7"]).await;
        for _ in 0..20 {
            let batch: Vec<_> = (0..10)
                .map(|_| {
                    number += 1;
                    let stream = format!("space:1:tasks:{}", number % 13);
                    let event = [wanted, coded, unreadable][number % 3];
                    event(&stream, &number.to_string())
                })
                .collect();
            let answer = import(&client, &process.url("/v1/events"), BATCH, &json!(batch)).await;
            assert_eq!(answer.status, 201, "{answer:?}");
        }
        process.kill().await;
    }
    let process = Process::start(data.path(), &[]).await;
    let log = get(&client, &process.url("/v1/events?topic=**&limit=1000")).await;
    let entities = domain::entities();
    let task = entities.get("task").expect("there are tasks");
    let mut folded: BTreeMap<String, Folded> = BTreeMap::new();
    for event in log.json["events"].as_array().expect("events") {
        let event = parse_event(event.to_string().as_bytes()).expect("an event");
        folded.entry(event.stream.to_string()).or_insert_with(|| task.initial()).apply(&event);
    }
    assert_eq!(log.json["events"].as_array().map(Vec::len), Some(800));
    let head = log.json["head"].as_str().expect("a position");
    let page = list(&client, &process.url("/v1/entities/task"), head).await;
    assert_eq!(ids(&page).len(), folded.len());
    for item in page.json["items"].as_array().expect("items") {
        let folded = &folded[item["stream"].as_str().expect("a stream")];
        let state: Value = serde_json::from_str(folded.state_json().get()).expect("JSON");
        assert_eq!((&item["state"], &item["revision"]), (&state, &json!(folded.mark().revision.get())));
    }
    assert!(process.terminate().await.success());
}
