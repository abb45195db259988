use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use axum::{Router, body::Body, extract::Request, http::header, routing::get};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use highwater_core::sse::{Decoder, encode_event};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    Faults, Proxy,
    blocks::Blocks,
    mangle::{Mangler, Sending},
};
use crate::{
    config::Settings,
    demo::pace::Pace,
    serve::{Listener, serve},
};

const WORST: Faults =
    Faults { delay_ms: [0, 30], repeat: 1.0, reorder: 1.0, cut_every_ms: Some(100), seed: Some(7), ..Faults::NONE };
/// Everything that a stream may have: comments, all ends of lines, fields of no use, an unfinished block at the end.
const STREAM: &[u8] =
    b"\xEF\xBB\xBF: hello\n\nid: 1\ndata: a\ndata: b\n\ndata: c\r\n\r\ndata: d\r\revent: x\ndata: e\n\r\n\
    retry: 5\n\ndata: \xFF\n\n\n\ndata: unfinished";

#[test]
fn blocks_are_the_stream_however_it_is_cut() {
    for size in 1..=STREAM.len() {
        let mut blocks = Blocks::default();
        let mut cut = Vec::new();
        for chunk in STREAM.chunks(size) {
            blocks.push(chunk);
            cut.extend(std::iter::from_fn(|| blocks.next()));
        }
        assert_eq!(cut.len(), 9, "chunks of {size}: {cut:?}");
        cut.push(blocks.rest());
        assert_eq!(cut.concat(), STREAM);
        assert_eq!(blocks.rest(), "");
    }
}

#[test]
fn a_block_without_an_end_is_not_held_for_ever() {
    let mut blocks = Blocks::default();
    let chunk = vec![b'x'; 1024 * 1024];
    let passed: usize = (0..8)
        .filter_map(|_| {
            blocks.push(&chunk);
            blocks.next()
        })
        .map(|block| block.len())
        .sum();
    assert!(passed >= 5 * chunk.len(), "{passed}");
}

#[test]
fn delays_keep_the_order() {
    let faults = Faults { delay_ms: [10, 500], ..Faults::NONE };
    let (mut mangler, opened) = mangler();
    (0..50).for_each(|number| mangler.take(frame(number), &faults, opened));
    assert_eq!(mangler.poll(&faults, opened), None);
    assert_eq!(numbers(&drain(&mut mangler, &faults, opened)), (0..50).collect::<Vec<_>>());
}

#[test]
fn reordered_frames_go_after_later_ones_and_none_is_lost() {
    let faults = Faults { reorder: 0.5, ..Faults::NONE };
    let (mut mangler, opened) = mangler();
    (0..200).for_each(|number| mangler.take(frame(number), &faults, opened));
    let sent = numbers(&drain(&mut mangler, &faults, opened));
    assert_eq!(sent.iter().copied().collect::<BTreeSet<_>>().len(), 200);
    assert_eq!(sent.len(), 200);
    let passed_by = |at: usize| sent[..at].iter().filter(|earlier| **earlier > sent[at]).count();
    let overtaken: Vec<usize> = (0..200).map(passed_by).collect();
    assert!(overtaken.iter().filter(|count| **count > 0).count() > 50, "{sent:?}");
    assert!(overtaken.iter().all(|count| *count <= 16), "{sent:?}");
}

#[test]
fn a_held_frame_goes_when_no_later_one_comes() {
    let faults = Faults { reorder: 1.0, ..Faults::NONE };
    let (mut mangler, opened) = mangler();
    mangler.take(frame(1), &faults, opened);
    assert_eq!(mangler.poll(&faults, opened), None);
    let timeout = mangler.next_timeout(&faults).unwrap();
    assert!(timeout <= opened + Duration::from_secs(3));
    assert_eq!(mangler.poll(&faults, timeout), Some(Sending::Frame(frame(1))));
    assert_eq!(mangler.next_timeout(&faults), None);
}

#[test]
fn a_slower_network_holds_a_frame_for_as_much_longer() {
    let faults = Faults { reorder: 1.0, ..Faults::NONE }.stretched(20.0);
    let (mut mangler, opened) = mangler();
    mangler.take(frame(1), &faults, opened);
    assert_eq!(mangler.poll(&faults, opened + Duration::from_secs(59)), None);
    assert_eq!(mangler.poll(&faults, opened + Duration::from_secs(60)), Some(Sending::Frame(frame(1))));
}

#[test]
fn faults_that_are_stretched_stay_possible() {
    let faults = Faults { delay_ms: [10, 40], cut_every_ms: Some(1_500), ..Faults::NONE };
    let slower = faults.clone().stretched(20.0);
    assert_eq!((slower.delay_ms, slower.cut_every_ms), ([200, 800], Some(30_000)));
    for factor in [0.001, 0.06, 1.0, 120.0, 1e6] {
        assert_eq!(faults.clone().stretched(factor).check(), Ok(()), "{factor}");
    }
}

#[test]
fn what_is_held_goes_at_once_when_the_faults_end() {
    let (mut mangler, opened) = mangler();
    (0..5).for_each(|number| mangler.take(frame(number), &WORST, opened));
    assert_eq!(drain(&mut mangler, &Faults::NONE, opened).len(), 10);
}

#[test]
fn a_cut_comes_after_a_whole_frame() {
    let faults = Faults { cut_every_ms: Some(100), ..Faults::NONE };
    let (mut parts, mut wholes) = (0, 0);
    for seed in 0..40 {
        let opened = Instant::now();
        let mut mangler = Mangler::new(seed, opened);
        let later = opened + Duration::from_secs(9);
        assert_eq!(mangler.poll(&faults, later), None, "nothing has been carried yet");
        mangler.take(frame(1), &faults, later);
        mangler.take(frame(2), &faults, later);
        assert_eq!(mangler.poll(&faults, later), Some(Sending::Frame(frame(1))));
        match mangler.poll(&faults, later) {
            Some(Sending::Cut(part)) if part.is_empty() => wholes += 1,
            Some(Sending::Cut(part)) => {
                assert!(part.len() < frame(2).len() && frame(2).starts_with(&part));
                parts += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(parts > 5 && wholes > 5, "{parts} in a frame, {wholes} between frames");
}

#[test]
fn little_is_on_the_way() {
    let faults = Faults { delay_ms: [1_000, 1_000], repeat: 1.0, ..Faults::NONE };
    let (mut mangler, opened) = mangler();
    let mut taken = 0;
    while mangler.has_room() {
        mangler.take(Bytes::from(vec![b'x'; 1024]), &faults, opened);
        taken += 1;
    }
    assert!(taken <= 256, "{taken}");
    drain(&mut mangler, &faults, opened);
    assert!(mangler.has_room() && mangler.is_empty());
}

#[tokio::test]
async fn without_faults_every_byte_passes() {
    let proxy = Running::start(Faults::NONE).await;
    let answer = proxy.get("/stream").await;
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/event-stream");
    assert_eq!(answer.bytes().await.unwrap(), STREAM);
}

#[tokio::test]
async fn what_is_no_event_stream_passes_both_ways() {
    let proxy = Running::start(WORST).await;
    let body = vec![b'z'; 3_000_000];
    let answer =
        proxy.http.put(proxy.url("/echo?a=%20b&c")).header("x-own", "1").body(body.clone()).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(answer.headers()["x-seen"], "PUT /echo?a=%20b&c 1");
    assert_eq!(answer.bytes().await.unwrap(), body);
}

#[tokio::test]
async fn faults_fall_on_open_streams_and_readers_are_counted() {
    let proxy = Running::start(Faults::NONE).await;
    let mut readers = proxy.proxy.readers();
    let mut answer = proxy.get("/endless").await;
    assert!(answer.chunk().await.unwrap().is_some());
    readers.wait_for(|readers| *readers == 1).await.unwrap();
    let cut = json!({ "delay_ms": [0, 0], "repeat": 0.5, "reorder": 0, "cut_every_ms": 100 });
    let set = proxy.http.put(proxy.url("/demo/faults")).json(&cut).send().await.unwrap();
    assert_eq!(set.status(), StatusCode::OK);
    while let Ok(Some(_)) = answer.chunk().await {}
    assert!(answer.chunk().await.is_err() || answer.chunk().await.unwrap().is_none(), "the cut is an end");
    drop(answer);
    readers.wait_for(|readers| *readers == 0).await.unwrap();
}

#[tokio::test]
async fn repeats_are_whole_frames_with_their_ids() {
    let proxy = Running::start(Faults { repeat: 1.0, ..Faults::NONE }).await;
    let mut decoder = Decoder::new();
    decoder.push(&proxy.get("/numbers").await.bytes().await.unwrap());
    let mut ids = Vec::new();
    while let Some(frame) = decoder.next_frame().unwrap() {
        let data = str::from_utf8(frame.data).unwrap();
        assert_eq!(frame.id.unwrap(), format!("k3x9q7ma-{data}").as_bytes());
        assert_eq!(frame.prev.unwrap() + 1, data.parse::<u64>().unwrap());
        ids.push(data.parse::<u64>().unwrap());
    }
    ids.sort_unstable();
    assert_eq!(ids, (1..=20).flat_map(|number| [number, number]).collect::<Vec<_>>());
}

#[tokio::test]
async fn faults_that_can_not_be_are_refused() {
    let proxy = Running::start(Faults::NONE).await;
    let url = proxy.url("/demo/faults");
    for bad in [
        "",
        "[]",
        "{}",
        "null",
        r#"{"delay_ms":[5,1],"repeat":0,"reorder":0,"cut_every_ms":null}"#,
        r#"{"delay_ms":[0,10001],"repeat":0,"reorder":0,"cut_every_ms":null}"#,
        r#"{"delay_ms":[-1,1],"repeat":0,"reorder":0,"cut_every_ms":null}"#,
        r#"{"delay_ms":[0,1],"repeat":1.1,"reorder":0,"cut_every_ms":null}"#,
        r#"{"delay_ms":[0,1],"repeat":0,"reorder":-0.1,"cut_every_ms":null}"#,
        r#"{"delay_ms":[0,1],"repeat":0,"reorder":0,"cut_every_ms":99}"#,
        r#"{"delay_ms":[0,1],"repeat":0,"reorder":0,"cut_every_ms":null,"colour":1}"#,
    ] {
        let answer = proxy.http.put(&url).body(bad).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{bad}");
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["code"], "invalid_request");
    }
    let flood = proxy.http.put(&url).body(vec![b' '; 5_000]).send().await.unwrap();
    assert_eq!(flood.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let still: Value = proxy.get("/demo/faults").await.json().await.unwrap();
    assert_eq!(still, json!({ "delay_ms": [0, 0], "repeat": 0.0, "reorder": 0.0, "cut_every_ms": null }));
}

#[tokio::test]
async fn the_speed_can_be_set() {
    let proxy = Running::start(Faults::NONE).await;
    let url = proxy.url("/demo/state");
    let set = |speed: Value| proxy.http.put(&url).json(&json!({ "speed": speed })).send();
    assert_eq!(set(json!(8)).await.unwrap().status(), StatusCode::OK);
    for bad in [json!(0), json!(1e9), json!("fast"), Value::Null] {
        assert_eq!(set(bad.clone()).await.unwrap().status(), StatusCode::BAD_REQUEST, "{bad}");
    }
    let state: Value = proxy.get("/demo/state").await.json().await.unwrap();
    assert_eq!(state, json!({ "speed": 8.0, "paused": true, "readers": 0 }));
}

#[tokio::test]
async fn a_server_that_is_away_is_a_problem() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let proxy = Running::before(&format!("http://{gone}"), Faults::NONE).await;
    let answer = proxy.get("/v1/events").await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json");
}

/// A proxy before a server of a few streams, both on ports of their own until this is dropped.
struct Running {
    base: String,
    http: Client,
    proxy: Proxy,
    _ends: Vec<DropGuard>,
}

impl Running {
    async fn start(faults: Faults) -> Self {
        let shutdown = CancellationToken::new();
        let upstream = spawn(upstream(), shutdown.clone()).await;
        let mut running = Self::before(&upstream, faults).await;
        running._ends.push(shutdown.drop_guard());
        running
    }

    async fn before(upstream: &str, faults: Faults) -> Self {
        let shutdown = CancellationToken::new();
        let proxy = Proxy::new(upstream.parse().unwrap(), faults, Pace::new(1.0), 1, CancellationToken::new()).unwrap();
        let base = spawn(proxy.router(), shutdown.clone()).await;
        let http = Client::builder().no_proxy().build().unwrap();
        Self { base, http, proxy, _ends: vec![shutdown.drop_guard()] }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        self.http.get(self.url(path)).send().await.unwrap()
    }
}

async fn spawn(router: Router, shutdown: CancellationToken) -> String {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", socket.local_addr().unwrap());
    let settings = Settings { shutdown_grace_ms: 0, ..Settings::default() };
    tokio::spawn(serve(Listener::new(socket, &settings), router.into(), shutdown));
    base
}

fn upstream() -> Router {
    const EVENT_STREAM: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "text/event-stream")];
    let numbers = || {
        let mut frames = Vec::new();
        (1..=20).for_each(|number: u64| {
            encode_event(&mut frames, format_args!("k3x9q7ma-{number}"), number - 1, number.to_string())
        });
        frames
    };
    Router::new()
        .route(
            "/stream",
            get(move || async move {
                let chunks = STREAM.chunks(5).map(Ok::<_, std::io::Error>);
                (EVENT_STREAM, Body::from_stream(stream::iter(chunks)))
            }),
        )
        .route("/numbers", get(move || async move { (EVENT_STREAM, numbers()) }))
        .route(
            "/endless",
            get(move || async move {
                let first = stream::iter([Ok::<_, std::io::Error>("data: first\n\n")]);
                (EVENT_STREAM, Body::from_stream(first.chain(stream::pending())))
            }),
        )
        .route(
            "/echo",
            axum::routing::put(|request: Request| async move {
                let seen =
                    format!("{} {} {}", request.method(), request.uri(), request.headers()["x-own"].to_str().unwrap());
                (StatusCode::IM_A_TEAPOT, [("x-seen", seen)], request.into_body())
            }),
        )
}

fn mangler() -> (Mangler, Instant) {
    let opened = Instant::now();
    (Mangler::new(1, opened), opened)
}

fn frame(number: u64) -> Bytes {
    format!("data: {number:04}\n\n").into()
}

/// Everything that is sent, in order, time going on as far as it must.
fn drain(mangler: &mut Mangler, faults: &Faults, mut now: Instant) -> Vec<Bytes> {
    let mut sent = Vec::new();
    while !mangler.is_empty() {
        match mangler.poll(faults, now) {
            Some(Sending::Frame(frame)) => sent.push(frame),
            Some(Sending::Cut(_)) => panic!("no cut was asked for"),
            None => now = mangler.next_timeout(faults).expect("what is held has its time").max(now),
        }
    }
    sent
}

fn numbers(frames: &[Bytes]) -> Vec<u64> {
    let number = |frame: &Bytes| str::from_utf8(frame).unwrap()["data: ".len()..].trim_end().parse().unwrap();
    frames.iter().map(number).collect()
}
