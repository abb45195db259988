//! Event streams over a real socket: history, live, resuming, resets, heartbeats.

use std::time::{Duration, Instant};

use highwater_server::config::Settings;
use highwater_tests::{
    http::{BATCH, EVENT, Frame, Half, Subscription, client, event, event_to, get, post},
    on_both_halves,
    server::Server,
};
use reqwest::Client;
use serde_json::{Value, json};

on_both_halves!(
    history_then_ready_then_live,
    a_stream_starts_at_latest_unless_told_otherwise,
    nothing_is_lost_or_repeated_between_history_and_live,
    the_last_event_id_wins_over_after,
    a_cursor_of_no_use_resets_the_stream_and_it_goes_on,
    a_quiet_topic_hears_of_a_growing_log_within_a_second,
    silence_has_a_limit,
    a_subscription_has_its_longest_life,
    a_long_search_goes_on_where_it_was,
    a_slow_reader_gets_everything,
);

const ALL: &str = "/v1/events?topic=**&after=earliest";

async fn append(client: &Client, server: &Server, stream: &str, id: &str) {
    let answer = post(client, &server.url("/v1/events"), EVENT, &event_to(stream, id)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

/// Reads events until there are that many, and checks that each names the one before it.
async fn events(subscription: &mut Subscription, count: usize, mut prev: u64) -> Vec<Frame> {
    let mut events = Vec::new();
    while events.len() < count {
        let frame = subscription.next().await.expect("the stream goes on");
        assert_eq!(frame.prev, Some(prev), "{frame:?}");
        prev = frame.sequence().expect("a position");
        if !frame.is_control {
            assert_eq!(frame.data["sequence"], format!("{prev:016}"));
            events.push(frame);
        }
    }
    events
}

async fn history_then_ready_then_live(half: Half) {
    let (server, client) = (Server::start().await, client());
    for (stream, id) in [("s:a", "1"), ("s:b", "2"), ("s:a", "3")] {
        append(&client, &server, stream, id).await;
    }
    let url = server.url("/v1/events?topic=s:a&after=earliest");
    let mut stream = Subscription::open_on(half, &client, &url, None).await;
    assert_eq!(stream.headers()["cache-control"], "no-cache, no-transform");
    assert_eq!(stream.headers()["x-accel-buffering"], "no");
    let history = events(&mut stream, 2, 0).await;
    assert_eq!((history[0].sequence(), history[1].sequence()), (Some(1), Some(3)));
    let ready = stream.expect("ready").await;
    assert_eq!((ready.sequence(), ready.prev, &ready.data["heartbeat_ms"]), (Some(3), Some(3), &json!(15_000)));

    append(&client, &server, "s:b", "4").await;
    append(&client, &server, "s:a", "5").await;
    let mut frame = stream.next().await.expect("the stream goes on");
    if frame.is_control {
        assert_eq!((frame.kind(), frame.sequence(), frame.prev), (Some("heartbeat"), Some(4), Some(3)));
        frame = stream.next().await.expect("the stream goes on");
    }
    assert_eq!((frame.sequence(), frame.prev, &frame.data["id"]), (Some(5), Some(3), &json!("5")));
}

async fn a_stream_starts_at_latest_unless_told_otherwise(half: Half) {
    let (server, client) = (Server::start().await, client());
    append(&client, &server, "s:a", "1").await;
    let mut stream = Subscription::open_on(half, &client, &server.url("/v1/events?topic=s:a"), None).await;
    let ready = stream.expect("ready").await;
    assert_eq!((ready.sequence(), ready.prev), (Some(1), Some(1)));
    append(&client, &server, "s:a", "2").await;
    assert_eq!(stream.expect_event().await.sequence(), Some(2));
}

/// A subscriber that comes back after every few frames, while events are appended, has each exactly once and in order.
async fn nothing_is_lost_or_repeated_between_history_and_live(half: Half) {
    const EVENTS: usize = 400;
    let (server, client) = (Server::start().await, client());
    let appending = tokio::spawn({
        let (client, url) = (client.clone(), server.url("/v1/events"));
        async move {
            for n in 0..EVENTS / 4 {
                let batch: Vec<Value> = (0..4).map(|m| event_to("s:a", &format!("{n}-{m}"))).collect();
                assert_eq!(post(&client, &url, BATCH, &json!(batch)).await.status, 201);
            }
        }
    });
    let (mut seen, mut position): (Vec<u64>, Option<String>) = (Vec::new(), None);
    while seen.len() < EVENTS {
        let mut stream = Subscription::open_on(half, &client, &server.url(ALL), position.as_deref()).await;
        let wanted = (EVENTS - seen.len()).min(17);
        let read = events(&mut stream, wanted, seen.last().copied().unwrap_or(0)).await;
        position = read.last().and_then(|frame| frame.id.clone());
        seen.extend(read.iter().filter_map(Frame::sequence));
    }
    appending.await.unwrap();
    assert_eq!(seen, (1..=EVENTS as u64).collect::<Vec<_>>());
}

async fn the_last_event_id_wins_over_after(half: Half) {
    let (server, client) = (Server::start().await, client());
    append(&client, &server, "s:a", "1").await;
    append(&client, &server, "s:a", "2").await;
    let page = get(&client, &server.url("/v1/events?topic=s:a&limit=1")).await;
    let mut stream = Subscription::open_on(half, &client, &server.url(ALL), page.json["next"].as_str()).await;
    let first = stream.expect_event().await;
    assert_eq!((first.sequence(), first.prev), (Some(2), Some(1)));
}

async fn a_cursor_of_no_use_resets_the_stream_and_it_goes_on(half: Half) {
    let (server, client) = (Server::start().await, client());
    append(&client, &server, "s:a", "1").await;
    let head = get(&client, &server.url("/v1/events?topic=s:a")).await.json["head"].as_str().unwrap().to_owned();
    let foreign = format!("{}{}", if head.starts_with('0') { "1" } else { "0" }, &head[1..]);

    let mut stream = Subscription::open_on(half, &client, &server.url(ALL), Some(&foreign)).await;
    let reset = stream.expect("reset").await;
    assert_eq!(
        (reset.data["reason"].as_str(), reset.sequence(), reset.prev),
        (Some("epoch_changed"), Some(0), Some(0))
    );
    assert_eq!(stream.expect_event().await.sequence(), Some(1));
    stream.expect("ready").await;

    let ahead = head.replace("-1", "-9");
    let mut stream = Subscription::open_on(half, &client, &server.url(ALL), Some(&ahead)).await;
    let reset = stream.expect("reset").await;
    assert_eq!((reset.data["reason"].as_str(), reset.id), (Some("cursor_ahead"), Some(head)));
    stream.expect("ready").await;
    append(&client, &server, "s:a", "2").await;
    let next = stream.expect_event().await;
    assert_eq!((next.sequence(), next.prev), (Some(2), Some(1)));
}

async fn a_quiet_topic_hears_of_a_growing_log_within_a_second(half: Half) {
    let (server, client) = (Server::start().await, client());
    let mut stream = Subscription::open_on(half, &client, &server.url("/v1/events?topic=s:quiet"), None).await;
    assert_eq!(stream.expect("ready").await.sequence(), Some(0));
    for id in ["1", "2", "3"] {
        append(&client, &server, "s:busy", id).await;
    }
    let moved = Instant::now();
    let mut told = 0;
    while told < 3 {
        let heartbeat = stream.expect("heartbeat").await;
        assert_eq!(heartbeat.prev, Some(0));
        told = heartbeat.sequence().unwrap();
    }
    // A second by the protocol, and patience with a loaded machine: far from the 15 seconds of an idle stream all the same.
    assert!(moved.elapsed() < Duration::from_secs(5), "{:?}", moved.elapsed());
}

async fn silence_has_a_limit(half: Half) {
    let settings = Settings { heartbeat_ms: 50, ..Settings::default() };
    let (server, client) = (Server::start_with(settings).await, client());
    append(&client, &server, "s:a", "1").await;
    let mut stream =
        Subscription::open_on(half, &client, &server.url("/v1/events?topic=s:a&after=earliest"), None).await;
    stream.expect_event().await;
    assert_eq!(stream.expect("ready").await.data["heartbeat_ms"], 50);
    for _ in 0..3 {
        let heartbeat = stream.expect("heartbeat").await;
        assert_eq!((heartbeat.sequence(), heartbeat.prev), (Some(1), Some(1)));
    }
}

async fn a_subscription_has_its_longest_life(half: Half) {
    let settings = Settings { subscription_max_s: 1, goodbye_retry_ms: 7, ..Settings::default() };
    let (server, client) = (Server::start_with(settings).await, client());
    let begun = Instant::now();
    let mut stream = Subscription::open_on(half, &client, &server.url(ALL), None).await;
    stream.expect("ready").await;
    append(&client, &server, "s:a", "1").await;
    let event = stream.expect_event().await;
    assert_eq!(stream.expect("goodbye").await.data["retry_ms"], 7);
    assert_eq!(stream.next().await, None);
    // Up to a fifth less.
    assert!(begun.elapsed() >= Duration::from_millis(800), "{:?}", begun.elapsed());
    assert_eq!(server.broker().status().subscriptions, 0);
    append(&client, &server, "s:a", "2").await;
    let mut again = Subscription::open_on(half, &client, &server.url(ALL), event.id.as_deref()).await;
    assert_eq!(again.expect_event().await.data["id"], "2", "its client goes on where it was");
}

/// A search that no event ever comes out of still moves the cursor of a plain client, on whatever connection it is.
async fn a_long_search_goes_on_where_it_was(half: Half) {
    const FOREIGN: usize = 30_000;
    let settings = Settings { head_heartbeat_ms: 1, ..Settings::default() };
    let (server, client) = (Server::start_with(settings).await, client());
    for n in 0..FOREIGN / 1_000 {
        let batch: Vec<Value> = (0..1_000).map(|m| event_to("s:busy", &format!("{n}-{m}"))).collect();
        assert_eq!(post(&client, &server.url("/v1/events"), BATCH, &json!(batch)).await.status, 201);
    }
    let mut stream =
        Subscription::open_on(half, &client, &server.url("/v1/events?topic=t:*&after=earliest"), None).await;
    let heartbeat = stream.expect("heartbeat").await;
    let through = heartbeat.sequence().expect("a position");
    assert_eq!(heartbeat.prev, Some(0));
    assert!((1..FOREIGN as u64).contains(&through), "{through}");

    let url = server.url("/v1/events?topic=t:*&after=earliest");
    let mut stream = Subscription::open_on(half, &client, &url, heartbeat.id.as_deref()).await;
    let next = stream.next().await.expect("the stream goes on");
    assert!(next.sequence() > Some(through), "{next:?}");
    assert_eq!(next.prev, Some(through));
}

/// More than all buffers between hold: the server waits for its slow reader, and loses nothing.
async fn a_slow_reader_gets_everything(half: Half) {
    const EVENTS: usize = 300;
    let (server, client) = (Server::start().await, client());
    let mut stream = Subscription::open_on(half, &client, &server.url(ALL), None).await;
    for n in 0..EVENTS {
        let mut large = event(&n.to_string());
        large["data"] = "x".repeat(60_000).into();
        assert_eq!(post(&client, &server.url("/v1/streams/s:large"), EVENT, &large).await.status, 201);
    }
    stream.expect("ready").await;
    let read = events(&mut stream, EVENTS, 0).await;
    assert_eq!(read.last().and_then(Frame::sequence), Some(EVENTS as u64));
}
