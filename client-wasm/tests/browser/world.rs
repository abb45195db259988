//! What lies outside of the page, and how tests read what they are told.

use std::iter;

use futures_util::StreamExt;
use highwater_client::browser::{After, Data, Options, Status, Verdict, Verdicts};
use js_sys::{JSON, Object, Reflect};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = append)]
    async fn append_event(stream: &str, event: JsValue) -> JsValue;

    /// Ends the server as a crash would.
    pub(crate) async fn kill();

    /// Starts it again, where it was.
    pub(crate) async fn restart();

    /// Waits until no client reads a stream with this fault.
    pub(crate) async fn ended(fault: &str);

    /// How many listeners for events the page has.
    pub(crate) fn listeners() -> i32;

    /// How many answers the page has begun to read.
    pub(crate) fn readers() -> usize;

    /// How often it has asked for a piece of one of them, counted from 0 on.
    pub(crate) fn reads(reader: usize) -> u32;
}

/// One of the places that the page was told: `server`, `proxy`, `guarded`, and what is no place, `token`.
pub(crate) fn place(name: &str) -> String {
    let member = |object: &JsValue, name: &str| Reflect::get(object, &name.into()).unwrap();
    member(&member(&js_sys::global(), "places"), name).as_string().unwrap()
}

/// Appends an event with a number, and gives its position.
pub(crate) async fn append(stream: &str, number: u32) -> String {
    append_as(stream, &format!(r#"{{"data":{number}}}"#)).await
}

/// Appends an event with what it has of its own, as JSON.
pub(crate) async fn append_as(stream: &str, event: &str) -> String {
    append_event(stream, JSON::parse(event).unwrap()).await.as_string().unwrap()
}

/// Options to follow a stream from its first event on, and not to wait long.
pub(crate) fn all_of(url: impl Into<String>, stream: &str) -> Options {
    Options { after: After::Earliest, backoff_max_ms: 500, ..Options::new(url, [stream]) }
}

/// The next that is told. It has to come.
pub(crate) async fn next(verdicts: &mut Verdicts) -> Verdict {
    verdicts.next().await.expect("the stream has ended too early")
}

/// The next that is no status.
pub(crate) async fn next_of_events(verdicts: &mut Verdicts) -> Verdict {
    loop {
        match next(verdicts).await {
            Verdict::Status(_) => {}
            verdict => return verdict,
        }
    }
}

/// Position and number of the next `count` events that are applied. Statuses are passed over; nothing else may come.
pub(crate) async fn applied(verdicts: &mut Verdicts, count: usize) -> Vec<(String, u32)> {
    let mut applied = Vec::new();
    while applied.len() < count {
        match next_of_events(verdicts).await {
            Verdict::Apply { position, event } => applied.push((position.to_string(), number(&event.data))),
            other => panic!("{other:?} instead of an event that is applied"),
        }
    }
    applied
}

/// Reads on until a status, and gives it. Nothing but statuses may come.
pub(crate) async fn until(verdicts: &mut Verdicts, wanted: impl Fn(&Status) -> bool) -> Status {
    loop {
        match next(verdicts).await {
            Verdict::Status(status) if wanted(&status) => return status,
            Verdict::Status(_) => {}
            other => panic!("{other:?} instead of a status"),
        }
    }
}

/// What is told last, once the stream has ended. Nothing but statuses may come.
pub(crate) async fn last(mut verdicts: Verdicts) -> Status {
    let status = until(&mut verdicts, |status| matches!(status, Status::Failed { .. } | Status::Closed)).await;
    assert_eq!(verdicts.next().await, None);
    assert_eq!(verdicts.next().await, None, "it has ended for good");
    status
}

/// The number in an event's data.
pub(crate) fn number(data: &Data) -> u32 {
    match data {
        Data::Json(json) => json.get().parse().unwrap(),
        other => panic!("{other:?} is no number"),
    }
}

/// Positions, each with its number from 1 on.
pub(crate) fn numbered(positions: &[String]) -> Vec<(String, u32)> {
    iter::zip(positions.iter().cloned(), 1..).collect()
}

/// An object of JavaScript's, from JSON.
pub(crate) fn object(json: &str) -> Object {
    JSON::parse(json).unwrap().dyn_into().unwrap()
}
