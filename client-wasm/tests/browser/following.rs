//! What is told where all is well, and where the server or the page goes and comes back.

use gloo_timers::future::TimeoutFuture;
use highwater_client::browser::{After, Cause, Options, ResetReason, Status, Verdict, subscribe};
use wasm_bindgen_test::wasm_bindgen_test;

use super::world::{
    all_of, append, append_as, applied, ended, kill, last, listeners, next, next_of_events, number, numbered, place,
    readers, reads, restart, until,
};

fn is_live(status: &Status) -> bool {
    *status == Status::Live
}

#[wasm_bindgen_test]
async fn history_comes_first_and_then_what_happens() {
    let mut positions = Vec::new();
    for number in 1..=3 {
        positions.push(append("following:order", number).await);
    }
    let mut verdicts = all_of(place("server"), "following:order").subscribe().unwrap();
    for status in [Status::Connecting, Status::Replaying] {
        assert_eq!(next(&mut verdicts).await, Verdict::Status(status));
    }
    assert_eq!(applied(&mut verdicts, 3).await, numbered(&positions));
    assert_eq!(next(&mut verdicts).await, Verdict::Status(Status::Live));
    for number in 4..=5 {
        positions.push(append("following:order", number).await);
    }
    assert_eq!(applied(&mut verdicts, 2).await, numbered(&positions)[3..]);
}

#[wasm_bindgen_test]
async fn without_options_it_begins_with_what_comes() {
    append("following:latest", 1).await;
    let mut verdicts = subscribe(place("server"), ["following:*"]).unwrap();
    until(&mut verdicts, is_live).await;
    let position = append("following:latest", 2).await;
    assert_eq!(applied(&mut verdicts, 1).await, [(position, 2)]);
}

#[wasm_bindgen_test]
async fn what_is_about_a_version_that_has_passed_is_stale() {
    append_as("following:stale", r#"{"version":2,"data":1}"#).await;
    let late = append_as("following:stale", r#"{"version":1,"data":2}"#).await;
    let after = append_as("following:stale", r#"{"version":2,"data":3}"#).await;
    let mut verdicts = all_of(place("server"), "following:stale").subscribe().unwrap();
    applied(&mut verdicts, 1).await;
    match next_of_events(&mut verdicts).await {
        Verdict::Stale { position, event } => {
            assert_eq!((position.to_string(), number(&event.data)), (late, 2));
        }
        other => panic!("{other:?} instead of a stale event"),
    }
    assert_eq!(applied(&mut verdicts, 1).await, [(after, 3)]);
}

#[wasm_bindgen_test]
async fn a_position_is_where_a_later_subscription_goes_on() {
    let first = append("following:position", 1).await;
    let second = append("following:position", 2).await;
    let options = Options { after: first.parse().unwrap(), ..all_of(place("server"), "following:position") };
    assert_eq!(applied(&mut options.subscribe().unwrap(), 1).await, [(second, 2)]);
}

#[wasm_bindgen_test]
async fn a_position_in_another_log_begins_anew() {
    let position = append("following:reset", 1).await;
    let after = After::Position("00000000-7".parse().unwrap());
    let mut verdicts = Options { after, ..all_of(place("server"), "following:reset") }.subscribe().unwrap();
    let reset = next_of_events(&mut verdicts).await;
    assert!(matches!(reset, Verdict::Reset { reason: ResetReason::EpochChanged, .. }), "{reset:?}");
    assert_eq!(applied(&mut verdicts, 1).await, [(position, 1)]);
}

#[wasm_bindgen_test]
async fn it_goes_on_where_it_was_when_the_server_has_died_and_is_back() {
    let mut positions = vec![append("following:killed", 1).await, append("following:killed", 2).await];
    let mut verdicts = all_of(place("server"), "following:killed").subscribe().unwrap();
    assert_eq!(applied(&mut verdicts, 2).await, numbered(&positions));
    until(&mut verdicts, is_live).await;

    kill().await;
    let status = until(&mut verdicts, |status| matches!(status, Status::BackingOff { .. })).await;
    let Status::BackingOff { cause, .. } = status else { unreachable!("that was waited for") };
    assert!(matches!(cause, Cause::Network { .. } | Cause::Ended), "{cause}");
    restart().await;
    positions.push(append("following:killed", 3).await);
    assert_eq!(applied(&mut verdicts, 1).await, numbered(&positions)[2..]);
}

#[wasm_bindgen_test]
async fn a_network_that_is_back_ends_a_wait() {
    let mut options = all_of(place("server"), "following:awake");
    // So long that no test would see its end.
    (options.backoff_base_ms, options.backoff_max_ms) = (u32::MAX, u32::MAX);
    let mut verdicts = options.subscribe().unwrap();
    until(&mut verdicts, is_live).await;
    kill().await;
    until(&mut verdicts, |status| matches!(status, Status::BackingOff { .. })).await;
    restart().await;
    web_sys::window().unwrap().dispatch_event(&web_sys::Event::new("online").unwrap()).unwrap();
    until(&mut verdicts, is_live).await;
}

#[wasm_bindgen_test]
async fn dropped_it_leaves_no_connection_and_no_listener() {
    let before = listeners();
    let url = place("proxy") + "/none";
    let mut verdicts = all_of(url, "following:dropped").subscribe().unwrap();
    until(&mut verdicts, is_live).await;
    // What listens here belongs to it, but for what hears that its request is to end: that goes with the request.
    assert!(listeners() > before);
    drop(verdicts);
    assert_eq!(listeners(), before);
    ended("none").await;
}

#[wasm_bindgen_test]
async fn closed_it_says_so_and_ends() {
    let mut verdicts = all_of(place("proxy") + "/none", "following:closed").subscribe().unwrap();
    until(&mut verdicts, is_live).await;
    verdicts.close();
    ended("none").await;
    assert_eq!(last(verdicts).await, Status::Closed);
}

#[wasm_bindgen_test]
async fn whoever_does_not_read_makes_the_network_wait() {
    let own = readers();
    let mut slow = all_of(place("server"), "following:slow").subscribe().unwrap();
    until(&mut slow, is_live).await;
    let (mut positions, before) = (Vec::new(), reads(own));
    let mut quick = all_of(place("server"), "following:slow").subscribe().unwrap();
    for number in 1..=20 {
        positions.push(append("following:slow", number).await);
        assert_eq!(applied(&mut quick, 1).await, [(positions.last().unwrap().clone(), number)]);
    }
    assert_eq!(reads(own), before);
    assert_eq!(applied(&mut slow, 20).await, numbered(&positions));
    assert!(reads(own) > before);
}

#[wasm_bindgen_test]
async fn the_silence_of_whoever_does_not_read_is_not_the_server_s() {
    let position = append("following:pausing", 1).await;
    let mut options = all_of(place("server"), "following:pausing");
    options.connect_timeout_ms = 1_500;
    let mut verdicts = options.subscribe().unwrap();
    until(&mut verdicts, |status| *status == Status::Replaying).await;
    // Nothing tells that time has passed but time.
    TimeoutFuture::new(options.connect_timeout_ms + 500).await;
    let Verdict::Apply { position: applied, .. } = next(&mut verdicts).await else {
        panic!("the connection was given up")
    };
    assert_eq!(applied.to_string(), position);
    assert_eq!(next(&mut verdicts).await, Verdict::Status(Status::Live));
}
