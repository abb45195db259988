//! Reading over a real socket: pages of topics, long polls, pages of one stream, and what is not there.

use std::time::{Duration, Instant};

use highwater_server::config::Settings;
use highwater_tests::{
    http::{Answer, BATCH, EVENT, client, event, event_to, get, post},
    server::Server,
};
use reqwest::Client;
use serde_json::{Value, json};

async fn append(client: &Client, server: &Server, events: &[(&str, &str)]) -> String {
    let batch: Vec<Value> = events.iter().map(|(stream, id)| event_to(stream, id)).collect();
    let answer = post(client, &server.url("/v1/events"), BATCH, &json!(batch)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json["position"].as_str().expect("a position").to_owned()
}

async fn get_with(client: &Client, url: &str, name: &'static str, value: &str) -> Answer {
    Answer::of(client.get(url).header(name, value).send().await.expect("an answer")).await
}

fn ids(page: &Answer) -> Vec<&str> {
    page.json["events"].as_array().expect("a page").iter().map(|event| event["id"].as_str().expect("an id")).collect()
}

/// A position of a log that this is not.
fn in_other_epoch(position: &str) -> String {
    let flipped = if position.starts_with('0') { "1" } else { "0" };
    format!("{flipped}{}", &position[1..])
}

#[tokio::test]
async fn pages_chain_without_hole_or_repeat() {
    let (server, client) = (Server::start().await, client());
    let events: Vec<(String, String)> =
        (1..=10).map(|n| (if n % 3 == 0 { "s:other" } else { "s:a" }.into(), n.to_string())).collect();
    let events: Vec<(&str, &str)> = events.iter().map(|(stream, id)| (stream.as_str(), id.as_str())).collect();
    let head = append(&client, &server, &events).await;

    let (mut after, mut prev, mut seen) = ("earliest".to_owned(), 0, Vec::new());
    while seen.len() < 7 {
        let page = get(&client, &server.url(&format!("/v1/events?topic=s:a&limit=2&after={after}"))).await;
        assert_eq!(page.header("content-type"), "application/json");
        assert_eq!((page.json["prev"].as_u64(), page.json["head"].as_str()), (Some(prev), Some(head.as_str())));
        assert!(!ids(&page).is_empty() && ids(&page).len() <= 2, "{page:?}");
        seen.extend(ids(&page).into_iter().map(str::to_owned));
        after = page.json["next"].as_str().expect("a position").to_owned();
        prev = after.split_once('-').unwrap().1.parse().unwrap();
    }
    assert_eq!(seen, ["1", "2", "4", "5", "7", "8", "10"]);
    let end = get(&client, &server.url(&format!("/v1/events?topic=s:a&after={after}"))).await;
    assert_eq!((ids(&end).len(), &end.json["next"]), (0, &json!(head)));

    let both = get(&client, &server.url("/v1/events?topic=s:other&topic=s:a")).await;
    assert_eq!(ids(&both).len(), 10);
    let latest = get(&client, &server.url("/v1/events?topic=**&after=latest")).await;
    assert_eq!((ids(&latest).len(), latest.json["prev"].as_u64()), (0, Some(10)));
    let resumed = get_with(&client, &server.url("/v1/events?topic=**&after=latest"), "last-event-id", &after).await;
    assert_eq!(resumed.json["prev"].as_u64(), Some(prev));
}

#[tokio::test]
async fn a_long_poll_ends_with_the_first_event_of_its_topics() {
    let (server, client) = (Server::start().await, client());
    append(&client, &server, &[("s:a", "1")]).await;
    let url = server.url("/v1/events?topic=s:a&after=latest&wait=25");
    let poll = tokio::spawn({
        let client = client.clone();
        async move { (get(&client, &url).await, Instant::now()) }
    });
    append(&client, &server, &[("s:other", "2")]).await;
    let asked = Instant::now();
    // Whether the poll had begun before is open: it is after `latest` then, and so has to be asked until it shows.
    let mut number = 3;
    while !poll.is_finished() {
        append(&client, &server, &[("s:a", &number.to_string())]).await;
        number += 1;
    }
    let (page, answered) = poll.await.unwrap();
    assert!(!ids(&page).is_empty(), "{page:?}");
    assert!(answered - asked < Duration::from_secs(20));

    let begun = Instant::now();
    let empty = get(&client, &server.url("/v1/events?topic=s:quiet&after=latest&wait=1")).await;
    assert_eq!(ids(&empty).len(), 0);
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn bad_reads_are_told_why() {
    let (server, client) = (Server::start().await, client());
    let position = append(&client, &server, &[("s:a", "1")]).await;
    let ahead = position.replace("-1", "-2");
    let foreign = in_other_epoch(&position);
    for (query, status, code) in [
        ("", 400, "invalid_topic"),
        ("topic=a%20b:c", 400, "invalid_topic"),
        ("topic=a:**:c", 400, "invalid_topic"),
        ("topic=%FF:a", 400, "invalid_request"),
        ("topic=s:a&limit=0", 400, "invalid_request"),
        ("topic=s:a&limit=many", 400, "invalid_request"),
        ("topic=s:a&limit=1&limit=2", 400, "invalid_request"),
        ("topic=s:a&wait=31", 400, "invalid_request"),
        ("topic=s:a&after=7", 400, "invalid_request"),
        ("topic=s:a&form=json", 400, "invalid_request"),
        (&format!("topic=s:a&after={foreign}"), 410, "epoch_changed"),
        (&format!("topic=s:a&after={ahead}"), 409, "cursor_ahead"),
    ] {
        let answer = get(&client, &server.url(&format!("/v1/events?{query}"))).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{query}: {answer:?}");
    }
    let topics: String = (0..65).map(|n| format!("topic=s:{n}&")).collect();
    assert_eq!(get(&client, &server.url(&format!("/v1/events?{topics}"))).await.code(), "invalid_topic");
    let answer = get_with(&client, &server.url("/v1/events?topic=s:a"), "last-event-id", "junk").await;
    assert_eq!(answer.code(), "invalid_request");
    let gone = get(&client, &server.url(&format!("/v1/events?topic=s:a&after={foreign}"))).await;
    assert_eq!(gone.json["head"], json!(position));
    assert_eq!(gone.json["earliest"], json!(position.replace("-1", "-0")));
}

#[tokio::test]
async fn a_stream_is_read_by_revision_and_known_by_its_tag() {
    let (server, client) = (Server::start().await, client());
    append(&client, &server, &[("s:a", "1"), ("s:b", "2"), ("s:a", "3"), ("s:a", "4")]).await;
    let url = server.url("/v1/streams/s:a");
    let page = get(&client, &url).await;
    assert_eq!(ids(&page), ["1", "3", "4"]);
    assert_eq!((&page.json["first_revision"], &page.json["revision"]), (&json!(1), &json!(3)));
    let part = get(&client, &format!("{url}?from_revision=2&limit=1")).await;
    assert_eq!((ids(&part), &part.json["revision"]), (vec!["3"], &json!(3)));
    let beyond = get(&client, &format!("{url}?from_revision=9")).await;
    assert_eq!((ids(&beyond).len(), beyond.status.as_u16()), (0, 200));

    let etag = page.header("etag").to_owned();
    let known = get_with(&client, &url, "if-none-match", &format!("\"x\", W/{etag}")).await;
    assert_eq!((known.status.as_u16(), known.header("etag")), (304, etag.as_str()));
    let appended = post(&client, &url, EVENT, &event("5")).await;
    let changed = get_with(&client, &url, "if-none-match", &etag).await;
    assert_eq!((changed.status.as_u16(), changed.header("etag")), (200, appended.header("etag")));

    let unknown = get(&client, &server.url("/v1/streams/s:none")).await;
    assert_eq!((unknown.status.as_u16(), unknown.code()), (404, "unknown_stream"));
    assert_eq!(get(&client, &server.url("/v1/streams/a%20b")).await.code(), "invalid_stream");
    assert_eq!(get(&client, &format!("{url}?from_revision=-1")).await.code(), "invalid_request");
}

#[tokio::test]
async fn a_read_can_insist_on_a_position() {
    let settings = Settings { min_position_wait_ms: 300, ..Settings::default() };
    let (server, client) = (Server::start_with(settings).await, client());
    let position = append(&client, &server, &[("s:a", "1")]).await;
    for path in ["/v1/events?topic=s:a", "/v1/streams/s:a"] {
        let read = async |wanted: &str| get_with(&client, &server.url(path), "highwater-min-position", wanted).await;
        assert_eq!(read(&position).await.status, 200);
        let behind = read(&position.replace("-1", "-99")).await;
        assert_eq!((behind.status.as_u16(), behind.code(), behind.header("retry-after")), (503, "behind", "1"));
        let foreign = read(&in_other_epoch(&position)).await;
        assert_eq!((foreign.status.as_u16(), foreign.code()), (410, "epoch_changed"));
        assert_eq!(read("soon").await.code(), "invalid_request");
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let (server, client) = (Server::start().await, client());
    for path in ["/v1/nothing", "/v1/streams/", "/../Cargo.toml", "/%2e%2e/Cargo.toml", "/highwater/../../x"] {
        let answer = get(&client, &server.url(path)).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (404, "not_found"), "{path}");
    }
    let answer = Answer::of(client.delete(server.url("/v1/events")).send().await.unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (405, "method_not_allowed"));
    assert_eq!(answer.header("allow"), "GET,HEAD,POST");
    let answer = Answer::of(client.post(server.url("/")).send().await.unwrap()).await;
    assert_eq!((answer.code(), answer.header("allow")), ("method_not_allowed", "GET, HEAD"));
    for path in ["/healthz", "/readyz"] {
        assert_eq!(get(&client, &server.url(path)).await.status, 200, "{path}");
    }
}
