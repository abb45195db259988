//! `highwater append` and `highwater tail`, as people use them.

use std::process::Stdio;

use highwater_tests::{
    command::{CuttingProxy, highwater, highwater_with_input, json_lines, ran, start},
    http::{BATCH, client, event_to, post},
    server::{PATIENCE, Server},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::timeout,
};

fn append(stream: &str) -> Vec<&str> {
    vec!["append", stream, "--type", "note.taken.v1", "--source", "tester"]
}

#[tokio::test]
async fn what_is_appended_is_shown_in_a_pipe_as_json() {
    let server = Server::start().await;
    let url = server.url("");
    let first = [append("space:1"), vec!["--data", r#"{"text": "é"}"#, "--extension", "tier=7"]].concat();
    let position = highwater(&url, &first).await.output();
    let second = [append("space:2"), vec!["--data", "-", "--content-type", "text/plain", "--version", "3"]].concat();
    highwater_with_input(&url, &second, b"plain text").await.output();

    let tail = ["tail", "space:*", "--after", "earliest", "--count", "2"];
    let shown = json_lines(&highwater(&url, &tail).await.output());
    assert_eq!((&shown[0]["subject"], &shown[0]["data"]["text"]), (&json!("space:1"), &json!("é")));
    assert_eq!((&shown[0]["tier"], &shown[0]["revision"]), (&json!(7), &json!(1)));
    assert_eq!((&shown[1]["version"], &shown[1]["data_base64"]), (&json!(3), &json!("cGxhaW4gdGV4dA==")));

    let tail = ["tail", "space:*", "--after", position.trim(), "--count", "1"];
    assert_eq!(json_lines(&highwater(&url, &tail).await.output()), [shown[1].clone()]);
    server.stop().await;
}

#[tokio::test]
async fn refusals_say_why_and_store_nothing() {
    let server = Server::start().await;
    let url = server.url("");
    let with = |flags: &[&'static str]| [append("space:1"), flags.to_vec()].concat();
    highwater(&url, &with(&["--if-new", "--version", "2"])).await.output();
    for (flags, code) in [
        (&["--if-new"][..], "revision_conflict"),
        (&["--if-revision", "7"], "revision_conflict"),
        (&["--version", "1", "--monotonic"], "stale_version"),
        (&["--version", "2000"], "version_jump"),
        (&["--clock", "tester=1"], "clock_reused"),
    ] {
        let error = highwater(&url, &with(flags)).await.error();
        assert!(error.contains(code), "{flags:?}: {error}");
    }
    highwater(&url, &with(&["--if-revision", "1"])).await.output();
    assert_eq!(highwater(&url, &["export"]).await.output().lines().count(), 2);
    server.stop().await;

    let error = highwater(&url, &with(&[])).await.error();
    assert!(error.contains("cannot reach") && error.contains("highwater serve"), "{error}");
}

#[tokio::test]
async fn wrong_usage_has_its_own_exit_code() {
    let many: Vec<String> = (0..65).map(|number| format!("a:{number}")).collect();
    let many: Vec<&str> = std::iter::once("tail").chain(many.iter().map(String::as_str)).collect();
    for (url, arguments, reason) in [
        ("http://127.0.0.1:1", &["tail", "a b"][..], "must have 2 to 8 segments"),
        ("http://127.0.0.1:1", &["export", "--topic", "a:**:b"], "may use '*' only"),
        ("http://127.0.0.1:1", &many, "more than 64 topics"),
        ("ftp://here", &["tail", "a:b"], "must begin with http://"),
        ("here", &["export"], "must be a URL"),
        (
            "http://127.0.0.1:1",
            &["append", "a:b", "--type", "t.v1", "--source", "s", "--clock", "s"],
            "is wrong at byte 0",
        ),
    ] {
        let ran = highwater(url, arguments).await;
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(reason), "{arguments:?}: {}", ran.stderr);
    }
}

#[tokio::test]
async fn events_about_what_is_left_behind_are_shown_on_demand() {
    let server = Server::start().await;
    let url = server.url("");
    for version in ["1", "2", "1", "3"] {
        highwater(&url, &[append("space:1"), vec!["--version", version]].concat()).await.output();
    }
    let versions = |shown: String| -> Vec<u64> {
        json_lines(&shown).iter().map(|event| event["version"].as_u64().expect("a version")).collect()
    };
    let tail = ["tail", "space:1", "--after", "earliest", "--count"];
    let current = highwater(&url, &[&tail[..], &["3"]].concat()).await.output();
    assert_eq!(versions(current), [1, 2, 3]);
    let all = highwater(&url, &[&tail[..], &["4", "--stale"]].concat()).await.output();
    assert_eq!(versions(all), [1, 2, 1, 3]);
    server.stop().await;
}

#[tokio::test]
async fn a_tail_over_broken_connections_shows_each_event_once_in_order() {
    let server = Server::start().await;
    let proxy = CuttingProxy::start(server.address(), 6_000).await;
    let tail = start(&proxy.url, &["tail", "space:**", "--after", "earliest", "--count", "100"], Stdio::null());
    let client = client();
    let name = |number: usize| number.to_string();
    for batch in (0..100).collect::<Vec<usize>>().chunks(10) {
        let events: Vec<Value> =
            batch.iter().map(|number| event_to(&format!("space:{}", number % 7), &name(*number))).collect();
        assert_eq!(post(&client, &server.url("/v1/events"), BATCH, &json!(events)).await.status, 201);
    }
    let tail = ran(tail).await;
    assert!(tail.stderr.contains("connecting again"), "no connection was cut: {}", tail.stderr);
    let ids: Vec<String> =
        json_lines(&tail.output()).iter().map(|event| event["id"].as_str().expect("an id").to_owned()).collect();
    assert_eq!(ids, (0..100).map(name).collect::<Vec<_>>());
    server.stop().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_tail_ends_in_peace_when_it_is_interrupted() {
    let server = Server::start().await;
    let url = server.url("");
    highwater(&url, &append("space:1")).await.output();
    let mut tail = start(&url, &["tail", "space:**", "--after", "earliest"], Stdio::null());
    let mut shown = BufReader::new(tail.stdout.take().expect("it is piped")).lines();
    let line = shown.next_line().await.expect("it is text");
    assert!(line.is_some_and(|line| line.starts_with('{')), "a line comes as soon as there is an event");
    let pid = tail.id().expect("it has not ended").to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().expect("there is a kill").success());
    let tail = ran(tail).await;
    assert_eq!((tail.code, tail.stderr.as_str()), (Some(0), ""));
    server.stop().await;
}

#[tokio::test]
async fn a_tail_ends_in_peace_when_nobody_reads_it() {
    let server = Server::start().await;
    let url = server.url("");
    let mut tail = start(&url, &["tail", "space:**", "--after", "earliest"], Stdio::null());
    let mut shown = BufReader::new(tail.stdout.take().expect("it is piped")).lines();
    highwater(&url, &append("space:1")).await.output();
    assert!(shown.next_line().await.expect("it is text").is_some());
    drop(shown);
    let tail = timeout(PATIENCE, ran(tail)).await.expect("it needs no event to notice");
    assert_eq!((tail.code, tail.stderr.as_str()), (Some(0), ""));
    server.stop().await;
}
