//! Many subscribers and slow ones: everybody gets everything, and nobody costs more than a place.

use std::time::Duration;

use highwater_core::{
    sse::{CONTROL_EVENT, Decoder},
    version::Position,
};
use highwater_server::config::Settings;
use highwater_tests::{
    exposition::Exposition,
    http::{BATCH, EVENT, Half, Subscription, client, event, event_to, post},
    on_both_halves,
    server::{PATIENCE, Process, Server},
    socket::connect,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy, sink},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, interval, timeout},
};

on_both_halves!(
    who_stops_reading_for_long_gets_everything_and_costs_no_memory,
    many_who_come_and_go_leave_nothing_behind,
    subscribers_of_one_ring_at_any_pace_get_the_same,
    a_client_that_half_closes_or_talks_is_gone,
    who_is_too_slow_may_choose_what_it_misses,
);

#[cfg(target_os = "linux")]
on_both_halves!(who_does_not_read_is_dropped_after_its_time);

/// What a reader that has read for a while may leave in a server's memory: a page and a ring, and what allocators keep.
const READER_MIB_MAX: u64 = 32;

/// An event stream by hand, which reads only when it is told to.
struct Raw {
    socket: TcpStream,
    decoder: Decoder,
    /// What is left of the present chunk, where the body comes in chunks.
    chunk: Option<Vec<u8>>,
}

impl Raw {
    async fn open(half: Half, address: &str, query: &str) -> Self {
        let mut socket = connect(address).await;
        let version = if half == Half::Socket { "1.1" } else { "1.0" };
        let request =
            format!("GET /v1/events?{query} HTTP/{version}\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n");
        socket.write_all(request.as_bytes()).await.expect("the server takes a request");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(PATIENCE, socket.read_u8()).await.expect("a head").expect("a whole head"));
        }
        let head = String::from_utf8(head).expect("a head is text").to_ascii_lowercase();
        assert!(head.contains(" 200 ok\r\n"), "{head}");
        let chunk = head.contains("transfer-encoding: chunked").then(Vec::new);
        assert_eq!(chunk.is_some(), half == Half::Socket, "{head}");
        Self { socket, decoder: Decoder::new(), chunk }
    }

    /// Reads until there is an event, and gives its sequence.
    async fn event(&mut self) -> u64 {
        loop {
            while let Some(frame) = self.decoder.next_frame().expect("frames of a good size") {
                if frame.event != CONTROL_EVENT.as_bytes() {
                    let position = Position::read(frame.id.expect("events have an id"));
                    return position.expect("a position").sequence.get();
                }
            }
            let mut bytes = vec![0; 64 * 1024];
            let read = timeout(PATIENCE, self.socket.read(&mut bytes)).await.expect("the server goes on");
            let read = read.expect("the connection holds");
            assert!(read > 0, "the stream ends");
            match &mut self.chunk {
                None => self.decoder.push(&bytes[..read]),
                Some(chunks) => {
                    chunks.extend_from_slice(&bytes[..read]);
                    while let Some((data, whole)) = first_chunk(chunks) {
                        self.decoder.push(&chunks[data]);
                        chunks.drain(..whole);
                    }
                }
            }
        }
    }
}

/// Where the data of the first chunk is, and where the chunk ends.
fn first_chunk(bytes: &[u8]) -> Option<(std::ops::Range<usize>, usize)> {
    let line = bytes.windows(2).position(|end| end == b"\r\n")?;
    let size = usize::from_str_radix(str::from_utf8(&bytes[..line]).expect("a size"), 16).expect("a size");
    let data = line + 2..line + 2 + size;
    (bytes.len() >= data.end + 2).then_some((data.clone(), data.end + 2))
}

fn batch(stream: &str, first: usize, count: usize) -> Value {
    json!((first..first + count).map(|number| event_to(stream, &number.to_string())).collect::<Vec<_>>())
}

/// A hundred thousand events pass while it reads nothing. What that costs is held against a server without a reader.
async fn who_stops_reading_for_long_gets_everything_and_costs_no_memory(half: Half) {
    const EVENTS: usize = 100_000;
    let (data, other_data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let flags = ["--ring-bytes-max", "1000000"];
    let (server, other) = (Process::start(data.path(), &flags).await, Process::start(other_data.path(), &flags).await);
    let mut reader = Raw::open(half, server.address(), "topic=**").await;
    let (client, urls) = (client(), [&server, &other].map(|server| server.url("/v1/events")));
    for first in (0..EVENTS).step_by(1_000) {
        let batch = batch("s:a", first, 1_000);
        let (one, two) = tokio::join!(post(&client, &urls[0], BATCH, &batch), post(&client, &urls[1], BATCH, &batch));
        assert_eq!((one.status.as_u16(), two.status.as_u16()), (201, 201));
    }
    let cost = || server.resident_mib().saturating_sub(other.resident_mib());
    assert!(cost() < READER_MIB_MAX, "{} MiB more than without a reader", cost());
    for expected in 1..=EVENTS as u64 {
        assert_eq!(reader.event().await, expected);
    }
    assert!(cost() < READER_MIB_MAX, "{} MiB more than without a reader", cost());
}

/// A thousand visits that begin within a second, one every millisecond, as far as the machine keeps up: what it came to
/// is told, for nothing here depends on it.
async fn many_who_come_and_go_leave_nothing_behind(half: Half) {
    const VISITS: usize = 1_000;
    let server = Server::start().await;
    let streams: Vec<Value> =
        (0..7).map(|stream| event_to(&format!("s:{stream}"), &format!("history {stream}"))).collect();
    assert_eq!(post(&client(), &server.url("/v1/events"), BATCH, &json!(streams)).await.status, 201);
    let (mut visits, begun) = (JoinSet::new(), Instant::now());
    let mut pace = interval(Duration::from_millis(1));
    for number in 0..VISITS {
        pace.tick().await;
        let address = server.address().to_owned();
        visits.spawn(async move {
            // Some leave at once, some read first.
            let mut reader = Raw::open(half, &address, &format!("topic=s:{}&after=earliest", number % 7)).await;
            if number % 2 == 0 {
                reader.event().await;
            }
        });
    }
    let all_begun = begun.elapsed();
    visits.join_all().await;
    println!("{VISITS} visits began within {all_begun:?} and were over after {:?}", begun.elapsed());
    server.until_open(0).await;
    let metrics = Exposition::scrape(&client(), &server.url("/metrics")).await;
    let ended = ["gone", "shutdown", "expired", "too_slow", "failed"]
        .map(|reason| metrics.value(&format!("highwater_feed_subscriptions_ended_total{{reason=\"{reason}\"}}")));
    assert_eq!(ended, [VISITS as f64, 0.0, 0.0, 0.0, 0.0], "each was a subscription");
    assert_eq!(subscribers(&metrics), 0.0);
    assert_eq!((server.broker().status().subscriptions, server.broker().status().rings), (0, 0));
}

/// What the gauge says, whatever they are connected by.
fn subscribers(metrics: &Exposition) -> f64 {
    let of = |transport| metrics.value(&format!("highwater_feed_subscribers{{transport=\"{transport}\"}}"));
    ["sse_socket", "sse_body", "ws"].map(of).iter().sum()
}

/// It takes nothing for too long: more than all buffers between hold has been waiting for it.
#[cfg(target_os = "linux")]
async fn who_does_not_read_is_dropped_after_its_time(half: Half) {
    const EVENTS: u64 = 150;
    const EVENT_BYTES: u64 = 200_000;
    let settings = Settings { stall_timeout_ms: 500, ..Settings::default() };
    let (server, client) = (Server::start_with(settings).await, client());
    let metrics = server.url("/metrics");
    let mut reader = Raw::open(half, server.address(), "topic=**").await;
    let there = Exposition::scrape(&client, &metrics).await;
    assert_eq!(subscribers(&there), 1.0);
    let mut large = event("");
    large["data"] = "x".repeat(EVENT_BYTES as usize).into();
    for number in 0..EVENTS {
        large["id"] = number.to_string().into();
        assert_eq!(post(&client, &server.url("/v1/streams/s:a"), EVENT, &large).await.status, 201);
    }
    let gone = async { while subscribers(&Exposition::scrape(&client, &metrics).await) > 0.0 {} };
    timeout(PATIENCE, gone).await.expect("its time is over");
    assert_eq!(server.broker().status().subscriptions, 0);
    drop(client);
    server.until_open(0).await;
    let rest = timeout(PATIENCE, copy(&mut reader.socket, &mut sink())).await.expect("the end");
    assert!(rest.is_err() || rest.is_ok_and(|bytes| bytes < EVENTS * EVENT_BYTES), "it was not sent all of it");
}

async fn subscribers_of_one_ring_at_any_pace_get_the_same(half: Half) {
    const EVENTS: usize = 600;
    let settings = Settings { ring_bytes_max: 200_000, ..Settings::default() };
    let server = Server::start_with(settings).await;
    let mut readers = JoinSet::new();
    for pause in [0, 1, 50, 599] {
        let address = server.address().to_owned();
        let mut reader = Raw::open(half, &address, "topic=s:*").await;
        let wait = server.broker().clone();
        readers.spawn(async move {
            let mut read = Vec::new();
            while read.len() < EVENTS {
                if read.len() == pause {
                    // Not before everything is in the log, and most of it no longer in the ring.
                    while wait.status().head.sequence.get() < EVENTS as u64 {
                        tokio::task::yield_now().await;
                    }
                }
                read.push(reader.event().await);
            }
            read
        });
    }
    for number in 0..EVENTS {
        let mut large = event(&number.to_string());
        large["data"] = "x".repeat(10_000).into();
        assert_eq!(post(&client(), &server.url("/v1/streams/s:a"), EVENT, &large).await.status, 201);
    }
    while let Some(read) = readers.join_next().await {
        assert_eq!(read.unwrap(), (1..=EVENTS as u64).collect::<Vec<_>>());
    }
}

async fn a_client_that_half_closes_or_talks_is_gone(half: Half) {
    let server = Server::start().await;
    let mut closing = Raw::open(half, server.address(), "topic=**").await;
    closing.socket.shutdown().await.expect("its half can be closed");
    server.until_open(0).await;
    if half == Half::Socket {
        let mut talking = Raw::open(half, server.address(), "topic=**").await;
        let babble = vec![b'x'; 64 * 1024];
        while talking.socket.write_all(&babble).await.is_ok() {}
        server.until_open(0).await;
    }
    assert_eq!(server.broker().status().subscriptions, 0);
}

/// What was asked for before, on the same connection, is answered first.
#[tokio::test]
async fn a_stream_can_follow_other_requests_on_a_connection() {
    let server = Server::start().await;
    let mut socket = connect(server.address()).await;
    let small = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let stream = "GET /v1/events?topic=** HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n";
    socket.write_all([small, small, stream].concat().as_bytes()).await.unwrap();
    let mut answers = String::new();
    while !answers.contains("\"ready\"") {
        let mut bytes = vec![0; 4096];
        let read = timeout(PATIENCE, socket.read(&mut bytes)).await.expect("answers").unwrap();
        assert!(read > 0, "it ends after {answers}");
        answers += str::from_utf8(&bytes[..read]).unwrap();
    }
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers}");
    let places: Vec<_> = ["\"head\"", "text/event-stream"].iter().map(|part| answers.find(part)).collect();
    assert!(places[0] < places[1], "{answers}");
}

async fn who_is_too_slow_may_choose_what_it_misses(half: Half) {
    let settings = Settings { ring_bytes_max: 1_000, ..Settings::default() };
    let server = Server::start_with(settings).await;
    let client = client();
    let answer = client.get(server.url("/v1/events?topic=**&lagging=behind")).header("accept", "text/event-stream");
    assert_eq!(answer.send().await.unwrap().status(), 400);
    let url = server.url("/v1/events?topic=**&lagging=latest");
    let mut stream = Subscription::open_on(half, &client, &url, None).await;
    stream.expect("ready").await;
    for number in 0..400 {
        let mut large = event(&number.to_string());
        large["data"] = "x".repeat(100_000).into();
        assert_eq!(post(&client, &server.url("/v1/streams/s:a"), EVENT, &large).await.status, 201);
    }
    let mut known = 0;
    loop {
        let frame = stream.next().await.expect("the stream goes on");
        if frame.kind() == Some("skipped") {
            assert_eq!((frame.data["from"].as_u64(), frame.prev), (Some(known), Some(known)));
            assert_eq!(frame.data["to"].as_u64(), frame.sequence());
            assert!(frame.sequence() > Some(known), "{frame:?}");
            return;
        }
        known = frame.sequence().unwrap();
        assert!(known < 400, "nothing was skipped");
    }
}
