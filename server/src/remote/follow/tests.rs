//! A follower before a server that says what the test wants, over a real socket.

use std::convert::Infallible;

use axum::{
    Router,
    body::Body,
    extract::Query,
    http::{HeaderMap, header},
    routing::get,
};
use futures_util::{StreamExt, stream};
use highwater_core::{
    control::Control,
    sse::{encode_control, encode_event},
    version::Sequence,
};
use tokio::net::TcpListener;

use super::*;

const STREAM: &str = "a:1";

fn at(sequence: u64) -> Position {
    Position::new("k3x9q7ma".parse().unwrap(), Sequence::new(sequence).unwrap())
}

fn envelope(sequence: u64, revision: u32) -> String {
    format!(r#"{{"subject":"{STREAM}","sequence":"{sequence:016}","revision":{revision},"version":0,"data":1}}"#)
}

/// An event as a frame.
fn frame(sequence: u64, prev: u64, revision: u32) -> Vec<u8> {
    let mut frame = Vec::new();
    encode_event(&mut frame, at(sequence), prev, envelope(sequence, revision));
    frame
}

fn control(at: &Position, prev: u64, control: &Control<'_>) -> Vec<u8> {
    let mut frame = Vec::new();
    encode_control(&mut frame, Some(at), Some(prev), control.to_json());
    frame
}

/// A follower from `earliest` of a server that sends these frames, and nothing after them. The pages of the stream have
/// these events, as their sequences and revisions.
async fn following(frames: Vec<u8>, kept: &'static [(u64, u32)]) -> Follower {
    let subscribe = async move |headers: HeaderMap| {
        assert_eq!(headers[header::ACCEPT], "text/event-stream", "nothing is missing in the set");
        let frames = stream::once(async { Ok::<_, Infallible>(frames) }).chain(stream::pending());
        ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(frames))
    };
    let page = async move |Query(query): Query<Vec<(String, u32)>>| {
        let from = query.iter().find(|(name, _)| name == "from_revision").map_or(0, |(_, from)| *from);
        let events = kept.iter().filter(|(_, revision)| *revision >= from);
        let events: Vec<String> = events.map(|(sequence, revision)| envelope(*sequence, *revision)).collect();
        format!(r#"{{"events":[{}]}}"#, events.join(","))
    };
    let router = Router::new().route("/v1/events", get(subscribe)).route("/v1/streams/{stream}", get(page));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Follower::new(Arc::new(Remote::new(&url).unwrap()), Topics::new([STREAM]).unwrap(), After::Earliest)
}

/// What is told up to and with the event of this sequence, in short.
async fn told_until(follower: &mut Follower, last: u64) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        all.push(match follower.next().await.unwrap() {
            Told::Event { verdict, position: None, envelope, .. } => format!("{verdict:?} {envelope}"),
            Told::Event { verdict, position: Some(position), .. } => {
                let place = position.sequence.get();
                if place == last && verdict != Verdict::Gap {
                    return all;
                }
                format!("{verdict:?} {place}")
            }
            Told::Reset(reason) => reason.to_string(),
            Told::Lost { from, to, .. } => format!("lost {from} to {to}"),
            Told::Connected => continue,
            Told::Control(kind) => format!("{kind:?}"),
            Told::Disconnected { why, .. } => panic!("{why}"),
        });
    }
}

#[tokio::test]
async fn data_without_a_place_is_told_unreadable_and_ends_nothing() {
    let frames = [frame(1, 0, 1), b"data: no place\n\n".to_vec(), frame(2, 1, 2), frame(3, 2, 3)].concat();
    let mut follower = following(frames, &[]).await;
    assert_eq!(told_until(&mut follower, 3).await, ["Apply 1", "Unreadable no place", "Apply 2"]);
}

#[tokio::test]
async fn a_reset_is_told_once_however_often_it_comes() {
    let reset = || control(&at(4), 4, &Control::Reset { reason: ResetReason::CursorAhead });
    let frames = [reset(), reset(), frame(5, 4, 7), reset(), frame(6, 5, 8), frame(7, 6, 9)].concat();
    let mut follower = following(frames, &[]).await;
    assert_eq!(told_until(&mut follower, 7).await, ["cursor_ahead", "Apply 5", "Apply 6"]);
}

#[tokio::test]
async fn every_loss_in_a_page_is_told() {
    let frames = [frame(1, 0, 1), frame(20, 1, 10)].concat();
    let mut follower = following(frames, &[(1, 1), (5, 4), (9, 7), (20, 10)]).await;
    let told = told_until(&mut follower, 20).await;
    let lost: Vec<_> = told.iter().filter(|told| told.starts_with("lost")).collect();
    assert_eq!(lost, ["lost 2 to 3", "lost 5 to 6", "lost 8 to 9"], "{told:?}");
}

#[tokio::test]
async fn a_server_that_is_ready_and_drops_everyone_is_asked_less_and_less() {
    let ready = control(&at(0), 0, &Control::Ready { heartbeat_ms: 1_000 });
    let dropping = get(async move || ([(header::CONTENT_TYPE, "text/event-stream")], ready.clone()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/v1/events", dropping);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut follower =
        Follower::new(Arc::new(Remote::new(&url).unwrap()), Topics::new([STREAM]).unwrap(), After::Earliest);
    let (mut ready, mut waits_ms) = (0, Vec::new());
    while waits_ms.len() < 3 {
        match follower.next().await.unwrap() {
            Told::Control(ControlKind::Ready) => ready += 1,
            Told::Disconnected { wait, .. } => waits_ms.push(wait.as_millis()),
            _ => {}
        }
    }
    assert_eq!(ready, 3);
    for (wait_ms, least_ms) in waits_ms.iter().zip([125, 250, 500]) {
        assert!((least_ms..=2 * least_ms).contains(wait_ms), "{waits_ms:?}");
    }
}
