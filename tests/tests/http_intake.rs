//! Backpressure inward: appends in flight are bounded in number and in bytes, and whoever is one too many hears it at once.

use highwater_server::config::Settings;
use highwater_tests::{
    exposition::Exposition,
    http::{Answer, EVENT, client, event, post},
    server::{PATIENCE, Process, Server},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const IN_FLIGHT: &str = "highwater_appends_in_flight";
const BYTES: &str = "highwater_append_bytes_in_flight";
const STREAM: &str = "/v1/streams/s:a";

/// An append whose body is announced, and sent up to a point.
async fn begin_append(address: &str, announced: usize, body: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.expect("a connection");
    let head = format!(
        "POST {STREAM} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {EVENT}\r\ncontent-length: {announced}\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.expect("the head is taken");
    // A server that has refused reads no further.
    let _ = socket.write_all(body).await;
    socket
}

/// The answer on a connection, as far as it comes in one piece. Empty where the connection was reset before it was read.
async fn answer(socket: &mut TcpStream) -> String {
    let mut answer = vec![0; 4096];
    let bytes = timeout(PATIENCE, socket.read(&mut answer)).await.expect("an answer or the end").unwrap_or(0);
    String::from_utf8_lossy(&answer[..bytes]).into_owned()
}

fn check_overloaded(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.code()), (503, "overloaded"), "{answer:?}");
    assert_eq!(answer.header("retry-after"), "1");
}

#[tokio::test]
async fn one_append_too_many_is_told_to_come_back() {
    let (server, client) = (Server::start_with(Settings { appends_max: 3, ..Settings::default() }).await, client());
    let (url, metrics) = (server.url(STREAM), server.url("/metrics"));
    let body = event("slow").to_string();
    let mut slow = Vec::new();
    for _ in 0..3 {
        slow.push(begin_append(server.address(), body.len(), &body.as_bytes()[..10]).await);
    }
    Exposition::scrape_until(&client, &metrics, IN_FLIGHT, 3.0).await;
    check_overloaded(&post(&client, &url, EVENT, &event("refused")).await);

    let mut finished = slow.pop().unwrap();
    finished.write_all(&body.as_bytes()[10..]).await.unwrap();
    assert!(answer(&mut finished).await.starts_with("HTTP/1.1 201"));
    assert_eq!(post(&client, &url, EVENT, &event("taken")).await.status, 201, "its place is free again");

    drop(slow);
    let after = Exposition::scrape_until(&client, &metrics, IN_FLIGHT, 0.0).await;
    assert_eq!(after.value(BYTES), 0.0);
    assert_eq!(after.value("highwater_appends_limit"), 3.0);
    assert_eq!(after.value("highwater_appends_rejected_total{code=\"overloaded\"}"), 1.0);
}

#[tokio::test]
async fn bytes_count_as_they_come_and_not_as_they_are_announced() {
    const LIMIT: usize = 64 * 1024;
    let settings = Settings { append_bytes_max: LIMIT, batch_bytes_max: LIMIT, ..Settings::default() };
    let (server, client) = (Server::start_with(settings).await, client());
    let (url, metrics) = (server.url(STREAM), server.url("/metrics"));
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(begin_append(server.address(), LIMIT, b"{").await);
    }
    Exposition::scrape_until(&client, &metrics, BYTES, 20.0).await;
    assert_eq!(post(&client, &url, EVENT, &event("1")).await.status, 201, "who only announces takes no room");

    let half = begin_append(server.address(), LIMIT, &vec![b' '; LIMIT / 2]).await;
    Exposition::scrape_until(&client, &metrics, BYTES, (20 + LIMIT / 2) as f64).await;
    let mut one_too_many = event("2");
    one_too_many["data"] = "x".repeat(LIMIT / 2).into();
    check_overloaded(&post(&client, &url, EVENT, &one_too_many).await);
    assert_eq!(post(&client, &url, EVENT, &event("3")).await.status, 201, "a small one still gets in");

    drop((half, silent));
    Exposition::scrape_until(&client, &metrics, BYTES, 0.0).await;
    assert_eq!(post(&client, &url, EVENT, &one_too_many).await.status, 201);
}

/// More bodies at once than the machine could hold, if it held them.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_flood_of_bodies_is_no_flood_of_memory() {
    const LIMIT: usize = 4 * 1024 * 1024;
    const BODY: usize = 1024 * 1024;
    const FLOOD: usize = 150;
    let data = tempfile::tempdir().unwrap();
    let server = Process::start(data.path(), &["--append-bytes-max", &LIMIT.to_string()]).await;
    let client = client();
    let metrics = server.url("/metrics");
    let before = Exposition::scrape(&client, &metrics).await.value("process_resident_memory_bytes");

    let body = vec![b' '; BODY - 1];
    let mut flood = Vec::new();
    for _ in 0..FLOOD {
        flood.push(begin_append(server.address(), BODY, &body).await);
    }
    const REJECTED: &str = "highwater_appends_rejected_total{code=\"overloaded\"}";
    // Most of the flood may still be on its way to the server.
    let full = Exposition::scrape_until_within(&client, &metrics, REJECTED, 100.0..).await;
    let grown = full.value("process_resident_memory_bytes") - before;
    assert!(full.value(BYTES) <= LIMIT as f64);
    assert!(grown < 8.0 * LIMIT as f64, "{grown} bytes for {} sent", BODY * FLOOD);

    let mut refused = 0;
    for mut socket in flood {
        // The last byte of those that got in.
        let _ = socket.write_all(b" ").await;
        let answer = answer(&mut socket).await;
        if answer.starts_with("HTTP/1.1 503") {
            assert!(answer.contains("retry-after: 1"), "{answer}");
            refused += 1;
        }
    }
    assert!(refused > 0, "who reads before it is cut off is told");
    Exposition::scrape_until(&client, &metrics, BYTES, 0.0).await;
    assert_eq!(post(&client, &server.url(STREAM), EVENT, &event("1")).await.status, 201);
}
