//! Connections: how many there may be, how long they may do nothing, and that none is left behind.

use std::time::{Duration, Instant};

use highwater_server::config::Settings;
use highwater_tests::{
    http::{EVENT, Half, Subscription, client, event, get, post},
    on_both_halves,
    server::{PATIENCE, Process, Server},
    socket::{GET_HEALTH, answer_to, connect, dribble, is_served, until_closed},
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{interval, timeout},
};

on_both_halves!(
    between_requests_a_connection_has_its_time_and_during_them_all_time,
    while_it_drains_it_serves_but_is_not_ready,
);

#[tokio::test]
async fn who_does_not_come_to_a_request_is_cut() {
    let settings = Settings { header_timeout_ms: 300, ..Settings::default() };
    let server = Server::start_with(settings).await;
    let mut silent = connect(server.address()).await;
    for endless in [&b"GET /healthz HTTP/1.1\r\nx: "[..], b"x: y\r\n", b"\r\n"] {
        let (mut socket, begun) = (connect(server.address()).await, Instant::now());
        dribble(&mut socket, endless).await;
        assert!(begun.elapsed() >= Duration::from_millis(250), "{:?}", begun.elapsed());
    }
    assert_eq!(until_closed(&mut silent).await, "");
    server.until_open(0).await;
}

async fn between_requests_a_connection_has_its_time_and_during_them_all_time(half: Half) {
    let settings = Settings { header_timeout_ms: 200, idle_timeout_ms: 200, heartbeat_ms: 50, ..Settings::default() };
    let (server, client) = (Server::start_with(settings).await, client());
    let mut stream = Subscription::open_on(half, &client, &server.url("/v1/events?topic=**"), None).await;
    let mut idle = connect(server.address()).await;
    assert!(is_served(&mut idle).await && is_served(&mut idle).await);
    until_closed(&mut idle).await;
    server.until_open(1).await;

    stream.expect("ready").await;
    for _ in 0..10 {
        stream.expect("heartbeat").await;
    }
    drop(stream);
    server.until_open(0).await;
}

#[tokio::test]
async fn beyond_the_most_connections_is_503_until_one_ends() {
    let server = Server::start_with(Settings { connections_max: 2, ..Settings::default() }).await;
    let (mut first, mut second) = (connect(server.address()).await, connect(server.address()).await);
    assert!(is_served(&mut first).await && is_served(&mut second).await);
    for refused in 1..=3 {
        let answer = get(&client(), &server.url("/v1/events?topic=**")).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (503, "overloaded"));
        assert_eq!((answer.header("retry-after"), answer.header("connection")), ("5", "close"));
        assert!(answer.json["detail"].as_str().unwrap().contains("the server has the 2 connections"), "{answer:?}");
        assert_eq!((server.connections().open(), server.connections().refused()), (2, refused));
    }
    assert!(is_served(&mut first).await, "those before it stay");

    drop(second);
    server.until_open(1).await;
    assert!(is_served(&mut connect(server.address()).await).await);
}

#[tokio::test]
async fn beyond_the_most_of_an_address_is_503() {
    let server = Server::start_with(Settings { connections_per_address_max: 1, ..Settings::default() }).await;
    let mut first = connect(server.address()).await;
    assert!(is_served(&mut first).await);
    let answer = get(&client(), &server.url("/healthz")).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (503, "overloaded"));
    assert!(answer.json["detail"].as_str().unwrap().contains("this address has the 1 connections"), "{answer:?}");
    drop(first);
    server.until_open(0).await;
    assert!(is_served(&mut connect(server.address()).await).await);
}

#[tokio::test]
async fn a_flood_of_refusals_ends_and_leaves_nothing() {
    let server = Server::start_with(Settings { connections_max: 1, ..Settings::default() }).await;
    let mut first = connect(server.address()).await;
    assert!(is_served(&mut first).await);
    let mut flood = JoinSet::new();
    for _ in 0..300 {
        let address = server.address().to_owned();
        flood.spawn(async move { answer_to(&address, GET_HEALTH).await });
    }
    let answers = flood.join_all().await;
    assert!(answers.iter().filter(|answer| answer.starts_with("HTTP/1.1 503 ")).count() >= 64);
    assert!(answers.iter().all(|answer| answer.is_empty() || answer.starts_with("HTTP/1.1 503 ")), "{answers:?}");
    assert!(is_served(&mut first).await);
    assert_eq!(server.connections().open(), 1);
}

#[tokio::test]
async fn a_thousand_quick_visits_leave_no_connection() {
    let server = Server::start().await;
    let (mut visits, mut pace) = (JoinSet::new(), interval(Duration::from_millis(1)));
    for visit in 0..1_000 {
        pace.tick().await;
        let address = server.address().to_owned();
        visits.spawn(async move {
            let mut socket = connect(&address).await;
            match visit % 4 {
                0 => {}
                1 => socket.write_all(b"GET /hea").await.unwrap(),
                2 => assert!(is_served(&mut socket).await),
                _ => {
                    let subscribe =
                        b"GET /v1/events?topic=** HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n";
                    socket.write_all(subscribe).await.unwrap();
                    assert!(socket.read(&mut [0; 16]).await.unwrap() > 0);
                }
            }
        });
    }
    visits.join_all().await;
    server.until_open(0).await;
    assert_eq!(server.connections().refused(), 0);
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn who_does_not_read_answers_is_cut() {
    let settings = Settings { stall_timeout_ms: 500, ..Settings::default() };
    let (server, client) = (Server::start_with(settings).await, client());
    for id in ["1", "2", "3", "4"] {
        let mut large = event(id);
        large["data"] = json!("x".repeat(200 * 1024));
        assert_eq!(post(&client, &server.url("/v1/streams/s:a"), EVENT, &large).await.status, 201);
    }
    drop(client);
    server.until_open(0).await;
    let mut socket = connect(server.address()).await;
    // More than the buffers of both ends together.
    socket.write_all(&b"GET /v1/streams/s:a HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(40)).await.unwrap();
    server.until_open(1).await;
    server.until_open(0).await;
    drop(socket);
}

#[tokio::test]
async fn http_1_0_is_answered_in_its_own_way() {
    let server = Server::start().await;
    let answer = answer_to(server.address(), b"GET /healthz HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n") && answer.ends_with("\r\n\r\nalive\n"), "{answer}");

    let mut socket = connect(server.address()).await;
    socket.write_all(b"GET /v1/events?topic=** HTTP/1.0\r\naccept: text/event-stream\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\n\n") {
        assert!(timeout(PATIENCE, socket.read_buf(&mut answer)).await.unwrap().unwrap() > 0);
    }
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.0 200 OK") && !head.contains("transfer-encoding"), "{head}");
    assert!(body.starts_with("event: highwater\n"), "no length of a chunk stands before it: {body}");
}

#[tokio::test]
async fn an_event_stream_is_never_compressed() {
    let (server, client) = (Server::start().await, client());
    let request = client.get(server.url("/v1/events?topic=**")).header("accept", "text/event-stream");
    let answer = request.header("accept-encoding", "gzip, deflate, br, zstd").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(!answer.headers().contains_key("content-encoding"), "{answer:?}");
    assert!(answer.headers()["cache-control"].to_str().unwrap().contains("no-transform"));
}

async fn while_it_drains_it_serves_but_is_not_ready(half: Half) {
    let settings = Settings { drain_delay_ms: 3_000, ..Settings::default() };
    let (server, client) = (Server::start_with(settings).await, client());
    let mut stream = Subscription::open_on(half, &client, &server.url("/v1/events?topic=s:a"), None).await;
    stream.expect("ready").await;
    assert_eq!(get(&client, &server.url("/readyz")).await.status, 200);
    server.begin_shutdown();
    let answer = get(&client, &server.url("/readyz")).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (503, "unavailable"));
    assert!(is_served(&mut connect(server.address()).await).await, "new connections are taken");
    assert_eq!(post(&client, &server.url("/v1/streams/s:a"), EVENT, &event("1")).await.status, 201);
    assert_eq!(stream.expect_event().await.data["id"], "1");
    server.stop().await;
    stream.expect("goodbye").await;
}

#[tokio::test]
async fn a_request_under_way_is_finished_while_new_connections_are_refused() {
    let (server, client) = (Server::start().await, client());
    let body = event("1").to_string();
    let head = format!(
        "POST /v1/streams/s:a HTTP/1.1\r\nhost: localhost\r\ncontent-type: {EVENT}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut socket = connect(server.address()).await;
    socket.write_all(head.as_bytes()).await.unwrap();
    // Requests are taken up in the order in which their connections came.
    get(&client, &server.url("/readyz")).await;
    server.begin_shutdown();
    let refused = async { while TcpStream::connect(server.address()).await.is_ok() {} };
    timeout(PATIENCE, refused).await.expect("nobody listens any more");
    socket.write_all(body.as_bytes()).await.unwrap();
    let answer = until_closed(&mut socket).await;
    assert!(answer.starts_with("HTTP/1.1 201") && answer.contains("connection: close\r\n"), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn the_second_signal_ends_the_process_at_once() {
    let data = tempfile::tempdir().unwrap();
    let server = Process::start(data.path(), &["--shutdown-grace-ms", "3600000"]).await;
    let mut socket = connect(server.address()).await;
    let endless =
        format!("POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: {EVENT}\r\ncontent-length: 9\r\n\r\n{{");
    socket.write_all(endless.as_bytes()).await.unwrap();
    get(&client(), &server.url("/readyz")).await;
    server.signal_terminate();
    let refused = async { while TcpStream::connect(server.address()).await.is_ok() {} };
    timeout(PATIENCE, refused).await.expect("nobody listens any more");
    server.signal_terminate();
    assert_eq!(server.ended().await.code(), Some(1));
}

#[tokio::test]
async fn where_the_system_has_no_more_files_connections_wait_for_one() {
    let data = tempfile::tempdir().unwrap();
    let server = Process::start_with_files(48, data.path(), &[]).await;
    let mut sockets = Vec::new();
    for _ in 0..64 {
        let mut socket = connect(server.address()).await;
        socket.write_all(GET_HEALTH).await.unwrap();
        sockets.push(socket);
    }
    let mut last = sockets.pop().unwrap();
    drop(sockets);
    assert!(timeout(PATIENCE, last.read(&mut [0; 16])).await.unwrap().unwrap() > 0);
    assert_eq!(server.terminate().await.code(), Some(0));
}
