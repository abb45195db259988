//! Subscriptions over a WebSocket, by a client that is a library of its own.

use highwater_server::config::Settings;
use highwater_tests::{
    http::{EVENT, client, event, post},
    server::{PATIENCE, Server},
    ws::Socket,
};
use serde_json::json;
use tokio::time::timeout;

async fn append(server: &Server, stream: &str, id: &str) {
    let answer = post(&client(), &server.url(&format!("/v1/streams/{stream}")), EVENT, &event(id)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

#[tokio::test]
async fn each_subscription_has_its_own_cursor() {
    let server = Server::start().await;
    for (stream, id) in [("s:a", "1"), ("s:b", "2"), ("s:a", "3")] {
        append(&server, stream, id).await;
    }
    let mut socket = Socket::open(&server.url("/v1/ws"), None).await;
    socket.subscribe(1, "s:a", "earliest").await;
    let first = socket.hear().await.unwrap();
    assert_eq!((&first["sub"], &first["prev"], &first["event"]["id"]), (&json!(1), &json!(0), &json!("1")));
    assert!(first["id"].as_str().unwrap().ends_with("-1"), "{first}");
    let second = socket.hear().await.unwrap();
    assert_eq!((&second["prev"], &second["event"]["id"]), (&json!(1), &json!("3")));
    assert_eq!(socket.expect("ready").await["prev"], 3);

    socket.subscribe(7, "s:b", first["id"].as_str().unwrap()).await;
    let other = socket.hear().await.unwrap();
    assert_eq!((&other["sub"], &other["event"]["id"]), (&json!(7), &json!("2")));
    assert_eq!(socket.expect("ready").await["sub"], 7);

    socket.say(json!({ "op": "unsubscribe", "sub": 1 })).await;
    socket.subscribe(1, "s:c", "latest").await;
    assert_eq!(socket.expect("ready").await["sub"], 1, "the number can be used again");
    append(&server, "s:a", "4").await;
    append(&server, "s:b", "5").await;
    append(&server, "s:c", "6").await;
    let heard = [socket.hear().await.unwrap(), socket.hear().await.unwrap()];
    let mut heard = heard.map(|message| (message["sub"].as_u64(), message["event"]["id"].clone()));
    heard.sort_by_key(|(sub, _)| *sub);
    assert_eq!(heard, [(Some(1), json!("6")), (Some(7), json!("5"))]);
}

#[tokio::test]
async fn what_is_not_understood_is_told_and_changes_nothing() {
    let settings = Settings { socket_subscriptions_max: 1, ..Settings::default() };
    let server = Server::start_with(settings).await;
    let mut socket = Socket::open(&server.url("/v1/ws"), None).await;
    socket.subscribe(1, "s:a", "latest").await;
    socket.expect("ready").await;
    for (request, code) in [
        (json!("subscribe"), "invalid_request"),
        (json!({ "op": "publish", "sub": 1 }), "invalid_request"),
        (json!({ "op": "subscribe", "sub": -1, "topics": ["s:b"] }), "invalid_request"),
        (json!({ "op": "subscribe", "sub": 1, "topics": ["s:b"] }), "invalid_request"),
        (json!({ "op": "subscribe", "sub": 2, "topics": ["s:b"] }), "invalid_request"),
        (json!({ "op": "unsubscribe", "sub": 9 }), "invalid_request"),
    ] {
        socket.say(request.clone()).await;
        let error = socket.expect("error").await;
        assert_eq!(error["problem"]["code"], code, "{request}: {error}");
    }
    socket.say(json!({ "op": "unsubscribe", "sub": 1 })).await;
    for (request, code) in [
        (json!({ "op": "subscribe", "sub": 1, "topics": [] }), "invalid_topic"),
        (json!({ "op": "subscribe", "sub": 1, "topics": ["s"] }), "invalid_topic"),
        (json!({ "op": "subscribe", "sub": 1, "topics": ["s:a"], "after": "yesterday" }), "invalid_request"),
        (json!({ "op": "subscribe", "sub": 1, "topics": ["s:a"], "lagging": "behind" }), "invalid_request"),
    ] {
        socket.say(request.clone()).await;
        let error = socket.expect("error").await;
        assert_eq!((&error["sub"], error["problem"]["code"].as_str()), (&json!(1), Some(code)), "{request}");
    }
    socket.subscribe(1, "s:a", "latest").await;
    socket.expect("ready").await;
    append(&server, "s:a", "1").await;
    assert_eq!(socket.hear().await.unwrap()["event"]["id"], "1");
}

#[tokio::test]
async fn it_is_told_of_the_end_and_counted_until_then() {
    let server = Server::start().await;
    let mut socket = Socket::open(&server.url("/v1/ws"), None).await;
    socket.subscribe(1, "s:*", "latest").await;
    socket.expect("ready").await;
    server.begin_shutdown();
    assert_eq!(socket.expect("goodbye").await["sub"], 1);
    assert_eq!(socket.hear().await, None);
    timeout(PATIENCE, server.stop()).await.expect("nothing holds the server up");
}

/// More than all buffers between hold: the server waits for its slow reader, and loses nothing.
#[tokio::test]
async fn a_slow_reader_gets_everything() {
    const EVENTS: usize = 200;
    let settings = Settings { ring_bytes_max: 100_000, ..Settings::default() };
    let server = Server::start_with(settings).await;
    let mut socket = Socket::open(&server.url("/v1/ws"), None).await;
    socket.subscribe(1, "s:large", "latest").await;
    socket.expect("ready").await;
    for number in 1..=EVENTS {
        let mut large = event(&number.to_string());
        large["data"] = "x".repeat(60_000).into();
        assert_eq!(post(&client(), &server.url("/v1/streams/s:large"), EVENT, &large).await.status, 201);
    }
    for number in 1..=EVENTS {
        let message = socket.hear().await.unwrap();
        assert_eq!(message["event"]["id"], number.to_string());
        assert_eq!(message["prev"], number - 1);
    }
}

#[tokio::test]
async fn a_request_that_is_no_handshake_is_a_problem() {
    let server = Server::start().await;
    let answer = highwater_tests::http::get(&client(), &server.url("/v1/ws")).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, "invalid_request"));
}
