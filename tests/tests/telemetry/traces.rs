//! Traces: carried in events, and exported where a collector is set.

use highwater_tests::{
    http::{Answer, EVENT, Subscription, client, event, get},
    server::{PATIENCE, Process, Server},
};
use reqwest::Client;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn traceparent() -> String {
    format!("00-{TRACE}-{SPAN}-01")
}

async fn append(client: &Client, url: &str, traceparent: &str, event: &Value) -> Answer {
    let request = client.post(url).header("content-type", EVENT).header("traceparent", traceparent);
    Answer::of(request.body(event.to_string()).send().await.expect("an answer")).await
}

#[tokio::test]
async fn an_event_carries_the_trace_that_it_came_in() {
    let (server, client) = (Server::start().await, client());
    let url = server.url("/v1/streams/s:a");
    let mut subscription = Subscription::open(&client, &server.url("/v1/events?topic=s:*"), None).await;
    subscription.expect("ready").await;

    let first = append(&client, &url, &traceparent(), &event("1")).await;
    assert_eq!(first.status, 201);
    assert_eq!(subscription.expect_event().await.data["traceparent"], traceparent());
    for later in [traceparent().replace(SPAN, "00f067aa0ba902b8"), "nonsense".into()] {
        let retry = append(&client, &url, &later, &event("1")).await;
        assert_eq!((retry.status.as_u16(), &retry.json), (200, &first.json), "the same event, told in another trace");
    }

    let mut own = event("2");
    own["traceparent"] = "the producer's".into();
    append(&client, &url, &traceparent(), &own).await;
    append(&client, &url, "00-0-0-01", &event("3")).await;
    let binary = client.post(&url).header("traceparent", traceparent()).header("content-type", "text/plain");
    let attributes = [("ce-specversion", "1.0"), ("ce-id", "4"), ("ce-source", "tester"), ("ce-type", "a.b.v1")];
    let binary = attributes.into_iter().fold(binary, |request, (name, value)| request.header(name, value));
    assert_eq!(binary.body("text").send().await.unwrap().status(), 201);
    for expected in ["the producer's".into(), Value::Null, traceparent().into()] {
        assert_eq!(subscription.expect_event().await.data["traceparent"], expected);
    }
    let page = get(&client, &server.url("/v1/events?topic=s:*")).await;
    assert_eq!(page.json["events"][0]["traceparent"], traceparent(), "a page has what was stored");
}

/// A collector that takes everything and hands on the bodies that it is sent.
async fn collector() -> (String, mpsc::UnboundedReceiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    let (sender, bodies) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(collect(BufReader::new(socket), sender.clone()));
        }
    });
    (url, bodies)
}

async fn collect(mut socket: BufReader<TcpStream>, bodies: mpsc::UnboundedSender<Vec<u8>>) -> std::io::Result<()> {
    let (mut line, mut length) = (String::new(), 0);
    while socket.read_line(&mut line).await? > 0 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        if line == "\r\n" {
            let mut body = vec![0; length];
            socket.read_exact(&mut body).await?;
            socket
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")
                .await?;
            let _ = bodies.send(body);
        }
        line.clear();
    }
    Ok(())
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// The bytes of hexadecimal digits, which is what a protobuf has of an id.
fn bytes(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("digits")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_exported_as_part_of_its_clients_trace() {
    let (collector, mut bodies) = collector().await;
    let data = tempfile::tempdir().unwrap();
    let server = Process::start(data.path(), &["--otlp-endpoint", &collector]).await;
    let appended = append(&client(), &server.url("/v1/streams/s:a"), &traceparent(), &event("1")).await;
    assert_eq!(appended.status, 201);
    assert!(server.terminate().await.success(), "what is left is sent at the end");
    let mut exported = Vec::new();
    while !contains(&exported, b"POST /v1/streams/{stream}") {
        exported.extend(timeout(PATIENCE, bodies.recv()).await.expect("traces are sent").expect("a body"));
    }
    assert!(contains(&exported, &bytes(TRACE)) && contains(&exported, &bytes(SPAN)), "its parent is the client's span");
    assert!(contains(&exported, b"highwater"));
}

#[tokio::test]
async fn a_collector_that_is_away_is_nobodys_trouble() {
    let data = tempfile::tempdir().unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let server = Process::start(data.path(), &["--otlp-endpoint", &format!("http://{nobody}")]).await;
    assert_eq!(append(&client(), &server.url("/v1/streams/s:a"), &traceparent(), &event("1")).await.status, 201);
    assert!(server.terminate().await.success());
}
