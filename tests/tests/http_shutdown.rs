//! The end of a server: subscribers get their goodbye, nobody holds it up, and what was accepted is stored.

use std::{
    collections::BTreeSet,
    process::Output,
    time::{Duration, Instant},
};

use highwater_server::config::Settings;
use highwater_tests::{
    http::{EVENT, Half, Subscription, client, event, get, post},
    on_both_halves,
    server::{PATIENCE, Process, Server, command},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    time::timeout,
};

async fn subscribers_get_their_goodbye_and_idle_connections_hold_nothing_up(half: Half) {
    let (server, client) = (Server::start().await, client());
    let mut subscribers = Vec::new();
    for _ in 0..3 {
        let mut stream = Subscription::open_on(half, &client, &server.url("/v1/events?topic=**"), None).await;
        stream.expect("ready").await;
        subscribers.push(stream);
    }
    let mut silent = TcpStream::connect(server.address()).await.unwrap();
    let mut idle = TcpStream::connect(server.address()).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = [0; 512];
    assert!(idle.read(&mut answer).await.unwrap() > 0);

    let begun = Instant::now();
    server.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    for mut stream in subscribers {
        let goodbye = stream.expect("goodbye").await;
        assert_eq!((goodbye.id, goodbye.data["retry_ms"].as_u64()), (None, Some(1_000)));
        assert_eq!(stream.next().await, None);
    }
    for socket in [&mut silent, &mut idle] {
        let end = timeout(PATIENCE, socket.read(&mut answer)).await.expect("the server has closed it");
        assert_eq!(end.unwrap_or(0), 0);
    }
}

on_both_halves!(
    subscribers_get_their_goodbye_and_idle_connections_hold_nothing_up,
    the_binary_says_goodbye_at_sigterm_and_goes_on_where_it_was,
);

#[tokio::test]
async fn a_long_poll_is_answered_before_the_end() {
    let (server, client) = (Server::start().await, client());
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    socket.write_all(b"GET /v1/events?topic=s:a&wait=30 HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    // Requests are taken up in the order in which their connections came.
    get(&client, &server.url("/readyz")).await;
    server.stop().await;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains(r#""events":[]"#), "{answer}");
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_off() {
    let settings = Settings { shutdown_grace_ms: 200, ..Settings::default() };
    let (server, client) = (Server::start_with(settings).await, client());
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    let head =
        format!("POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: {EVENT}\r\ncontent-length: 9\r\n\r\n{{");
    socket.write_all(head.as_bytes()).await.unwrap();
    get(&client, &server.url("/readyz")).await;
    let begun = Instant::now();
    server.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

/// Appends one event after the other until the server is gone, telling of each one that was acknowledged.
async fn produce(client: reqwest::Client, url: String, producer: usize, acknowledged: mpsc::UnboundedSender<String>) {
    for number in 0.. {
        let id = format!("{producer}-{number}");
        let request = client.post(&url).header("content-type", EVENT).body(event(&id).to_string());
        match request.send().await {
            Ok(answer) if answer.status() == 201 => acknowledged.send(id).expect("somebody counts"),
            Ok(answer) => assert_eq!(answer.status(), 503, "only an end is a reason"),
            Err(_) => return,
        }
    }
}

#[tokio::test]
async fn what_was_acknowledged_up_to_sigterm_is_stored() {
    let (data, client) = (tempfile::tempdir().unwrap(), client());
    let server = Process::start(data.path(), &[]).await;
    let (acknowledge, mut acknowledged) = mpsc::unbounded_channel();
    let producers: Vec<_> = (0..16)
        .map(|number| tokio::spawn(produce(client.clone(), server.url("/v1/streams/s:a"), number, acknowledge.clone())))
        .collect();
    drop(acknowledge);
    let mut stored = Vec::new();
    while stored.len() < 100 {
        stored.push(acknowledged.recv().await.expect("producers go on"));
    }
    assert_eq!(server.terminate().await.code(), Some(0));
    for producer in producers {
        producer.await.unwrap();
    }
    while let Some(id) = acknowledged.recv().await {
        stored.push(id);
    }

    let server = Process::start(data.path(), &[]).await;
    let (mut there, mut from) = (BTreeSet::new(), 1);
    loop {
        let page = get(&client, &server.url(&format!("/v1/streams/s:a?limit=1000&from_revision={from}"))).await;
        let events = page.json["events"].as_array().unwrap();
        there.extend(events.iter().map(|event| event["id"].as_str().unwrap().to_owned()));
        from += events.len();
        if events.is_empty() {
            break;
        }
    }
    let lost: Vec<_> = stored.iter().filter(|id| !there.contains(*id)).collect();
    assert!(lost.is_empty(), "{lost:?} of {}", stored.len());
    assert_eq!(server.terminate().await.code(), Some(0));
}

async fn the_binary_says_goodbye_at_sigterm_and_goes_on_where_it_was(half: Half) {
    let (data, client) = (tempfile::tempdir().unwrap(), client());
    let server = Process::start(data.path(), &[]).await;
    let url = server.url("/v1/streams/s:a");
    assert_eq!(post(&client, &url, EVENT, &event("1")).await.status, 201);
    let mut stream =
        Subscription::open_on(half, &client, &server.url("/v1/events?topic=s:a&after=earliest"), None).await;
    let first = stream.expect_event().await;
    stream.expect("ready").await;
    let status = server.terminate().await;
    assert_eq!(status.code(), Some(0));
    stream.expect("goodbye").await;

    let server = Process::start(data.path(), &[]).await;
    let resumed = server.url("/v1/events?topic=s:a");
    let mut stream = Subscription::open_on(half, &client, &resumed, first.id.as_deref()).await;
    assert_eq!(stream.expect("ready").await.id, first.id);
    server.kill().await;

    let server = Process::start(data.path(), &[]).await;
    let page = get(&client, &server.url("/v1/streams/s:a")).await;
    assert_eq!(page.json["revision"], 1);
    assert_eq!(server.terminate().await.code(), Some(0));
}

#[tokio::test]
async fn what_hinders_the_start_is_told() {
    let (data, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Process::start(data.path(), &[]).await;
    let serve = |listen: &str, folder: &std::path::Path, config: Option<&str>| -> Output {
        let mut command = command();
        command.args(["serve", "--listen", listen, "--data"]).arg(folder);
        if let Some(toml) = config {
            let file = other.path().join("config.toml");
            std::fs::write(&file, toml).unwrap();
            command.arg("--config").arg(file);
        }
        command.output().unwrap()
    };
    for (output, code, said) in [
        (serve(server.address(), other.path(), None), 3, "--listen"),
        (serve("127.0.0.1:0", data.path(), None), 4, "another server"),
        (serve("127.0.0.1:0", other.path(), Some("heartbeat_s = 1")), 2, "heartbeat_s"),
        (serve("127.0.0.1:0", other.path(), Some("heartbeat_ms = 0")), 2, "heartbeat_ms must be at least 1"),
        (serve("127.0.0.1:0", other.path(), Some("heartbeat_ms = \"x\"")), 2, "heartbeat_ms"),
    ] {
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(stderr.contains(said), "{stderr}");
        assert!(output.stdout.is_empty());
    }
}

#[tokio::test]
async fn settings_come_from_file_and_flag() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("config.toml");
    std::fs::write(&file, "heartbeat_ms = 40\npage_events_max = 7\n").unwrap();
    let flags = ["--config", file.to_str().unwrap(), "--heartbeat-ms", "60"];
    let server = Process::start(data.path(), &flags).await;
    let mut stream = Subscription::open(&client(), &server.url("/v1/events?topic=**"), None).await;
    assert_eq!(stream.expect("ready").await.data["heartbeat_ms"], 60);
    stream.expect("heartbeat").await;
}
