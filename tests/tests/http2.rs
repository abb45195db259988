//! HTTP/2 by its frames, for what no client would do: that a connection costs no more than it may, for no longer.

use bytes::Bytes;
use h2::{
    RecvStream,
    client::{Builder, SendRequest},
};
use highwater_server::config::Settings;
use highwater_tests::{
    http::{EVENT, event, post},
    server::{PATIENCE, Server},
    tls::Authority,
};
use http::{Request, Response};
use rustls::ALL_VERSIONS;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

const PAGE: &str = "/v1/events?topic=**";
/// What each client has room for, of all answers together.
const CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;

/// A connection whose answers may each have so many bytes before they are taken.
async fn connect(authority: &Authority, server: &Server, window_bytes: u32) -> SendRequest<Bytes> {
    let stream = authority.connect(server.address(), ALL_VERSIONS, &["h2"]).await.expect("an agreement");
    let mut builder = Builder::new();
    builder.initial_window_size(window_bytes).initial_connection_window_size(CONNECTION_WINDOW_BYTES);
    let (requests, connection) = builder.handshake(stream).await.expect("HTTP/2");
    tokio::spawn(connection);
    requests.ready().await.expect("it takes requests")
}

async fn ask(requests: &mut SendRequest<Bytes>, url: &str, accept: &str) -> Response<RecvStream> {
    let request = Request::get(url).header("accept", accept).body(()).expect("a request");
    let (answer, _) = requests.send_request(request, true).expect("it can be sent");
    timeout(PATIENCE, answer).await.expect("an answer").expect("a whole head")
}

/// A server with more than a window full of events.
async fn begin(authority: &Authority, settings: Settings) -> Server {
    let server = Server::start_tls(settings, authority.tls()).await;
    let client = authority.client().build().expect("a client");
    for id in ["1", "2", "3", "4"] {
        let mut large = event(id);
        large["data"] = json!("x".repeat(100_000));
        assert_eq!(post(&client, &server.url("/v1/streams/s:a"), EVENT, &large).await.status, 201);
    }
    drop(client);
    server.until_open(0).await;
    server
}

#[tokio::test]
async fn who_gives_no_room_for_an_answer_is_cut() {
    let authority = Authority::new();
    let settings = Settings { stall_timeout_ms: 500, heartbeat_ms: 50, ..Settings::default() };
    let server = begin(&authority, settings).await;
    for accept in ["application/json", "text/event-stream"] {
        let mut requests = connect(&authority, &server, 0).await;
        let answer = ask(&mut requests, &server.url(PAGE), accept).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(server.connections().open(), 1);
        server.until_open(0).await;
        assert_eq!(server.broker().status().subscriptions, 0);
    }
}

/// A small answer is in HTTP's hands whole, and its body gone, long before its client takes it.
#[tokio::test]
async fn who_leaves_a_small_answer_is_cut() {
    let authority = Authority::new();
    let settings = Settings { stall_timeout_ms: 500, idle_timeout_ms: 600_000, ..Settings::default() };
    let server = begin(&authority, settings).await;
    let mut requests = connect(&authority, &server, 1).await;
    let _left = ask(&mut requests, &server.url("/openapi.json"), "*/*").await;
    server.until_open(0).await;
}

/// That it reads something else on the same connection does not help: each answer that is held costs memory.
#[tokio::test]
async fn who_leaves_one_answer_of_several_is_cut() {
    let authority = Authority::new();
    let settings = Settings { stall_timeout_ms: 500, heartbeat_ms: 50, ..Settings::default() };
    let server = begin(&authority, settings).await;
    let mut requests = connect(&authority, &server, 64 * 1024).await;
    let stream = ask(&mut requests, &server.url(PAGE), "text/event-stream").await;
    let mut stream = stream.into_body();
    let mut taken = 0;
    let mut take = async || {
        let data = timeout(PATIENCE, stream.data()).await.expect("a frame or the end")?.ok()?;
        stream.flow_control().release_capacity(data.len()).expect("what has come can be released");
        taken += data.len();
        Some(taken)
    };
    // Longer than may pass with an answer left alone.
    for _ in 0..20 {
        take().await.expect("who takes everything is let be");
    }
    let _left = ask(&mut requests, &server.url(PAGE), "application/json").await;
    let cut = async { while take().await.is_some() {} };
    timeout(PATIENCE, cut).await.expect("the end");
    server.until_open(0).await;
}

#[tokio::test]
async fn so_many_requests_may_be_under_way() {
    let authority = Authority::new();
    let server = begin(&authority, Settings { http2_streams_max: 7, ..Settings::default() }).await;
    let mut requests = connect(&authority, &server, 64 * 1024).await;
    ask(&mut requests, &server.url("/healthz"), "*/*").await;
    assert_eq!(requests.current_max_send_streams(), 7);
}

#[tokio::test]
async fn browsers_are_asked_to_insist_on_tls() {
    let authority = Authority::new();
    let server = begin(&authority, Settings { hosts: ["events.example.org"].into(), ..Settings::default() }).await;
    let mut requests = connect(&authority, &server, 64 * 1024).await;
    let by_name = ask(&mut requests, "https://events.example.org/healthz", "*/*").await;
    assert_eq!(by_name.headers()["strict-transport-security"], "max-age=31536000");
    let by_address = ask(&mut requests, &server.url("/healthz"), "*/*").await;
    assert!(!by_address.headers().contains_key("strict-transport-security"));
}

/// Frames have a head of nine bytes: a length of three, a type, flags and a stream (RFC 9113, section 4.1).
#[tokio::test]
async fn a_connection_is_asked_whether_it_lives() {
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const PING: u8 = 6;
    let authority = Authority::new();
    let server = begin(&authority, Settings { http2_ping_ms: 50, ..Settings::default() }).await;
    let mut stream = authority.connect(server.address(), ALL_VERSIONS, &["h2"]).await.expect("an agreement");
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("a preface");
    stream.write_all(&SETTINGS).await.expect("settings");
    let pinged = async {
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await.expect("a frame before the end");
            if head[3] == PING && head[4] == 0 {
                return u32::from_be_bytes([0, head[0], head[1], head[2]]);
            }
            let bytes = u64::from(u32::from_be_bytes([0, head[0], head[1], head[2]]));
            tokio::io::copy(&mut (&mut stream).take(bytes), &mut tokio::io::sink()).await.expect("all of it");
        }
    };
    assert_eq!(timeout(PATIENCE, pinged).await.expect("a ping"), 8);
}
