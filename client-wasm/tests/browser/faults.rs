//! What is told where the network repeats, loses or keeps back.

use highwater_client::browser::{After, Cause, ResetReason, Status, Verdict};
use wasm_bindgen_test::wasm_bindgen_test;

use super::world::{all_of, append, applied, next, next_of_events, number, numbered, place, until};

#[wasm_bindgen_test]
async fn what_comes_twice_is_applied_once() {
    let positions = [append("faults:twice", 1).await, append("faults:twice", 2).await];
    let mut verdicts = all_of(place("proxy") + "/twice", "faults:twice").subscribe().unwrap();
    for applied_once in numbered(&positions) {
        assert_eq!(applied(&mut verdicts, 1).await.first(), Some(&applied_once));
        match next_of_events(&mut verdicts).await {
            Verdict::Duplicate { position } => assert_eq!(position.to_string(), applied_once.0),
            other => panic!("{other:?} instead of a duplicate"),
        }
    }
}

#[wasm_bindgen_test]
async fn what_is_lost_is_fetched_before_anything_after_it() {
    let mut positions = Vec::new();
    for number in 1..=5 {
        positions.push(append("faults:lost", number).await);
    }
    let mut verdicts = all_of(place("proxy") + "/losing", "faults:lost").subscribe().unwrap();
    let (mut told, mut gaps) = (Vec::new(), Vec::new());
    while told.len() < positions.len() {
        match next(&mut verdicts).await {
            Verdict::Apply { position, event } => told.push((position.to_string(), number(&event.data))),
            Verdict::Gap { position } => gaps.push(position.to_string()),
            Verdict::Duplicate { .. } | Verdict::Status(Status::Connecting | Status::Replaying | Status::Live) => {}
            // Another connection would bring what is missing, too.
            other => panic!("{other:?} where something was lost"),
        }
    }
    assert_eq!(told, numbered(&positions));
    // The second event and the fourth are lost.
    assert_eq!(gaps.first(), positions.get(2));
}

#[wasm_bindgen_test]
async fn what_keeps_streams_back_is_got_round_by_polling() {
    let mut positions = vec![append("faults:kept", 1).await, append("faults:kept", 2).await];
    let mut options = all_of(place("proxy") + "/kept-back", "faults:kept");
    options.connect_timeout_ms = 300;
    let mut verdicts = options.subscribe().unwrap();
    assert_eq!(applied(&mut verdicts, 2).await, numbered(&positions));
    until(&mut verdicts, |status| *status == Status::Live).await;
    positions.push(append("faults:kept", 3).await);
    assert_eq!(applied(&mut verdicts, 1).await, numbered(&positions)[2..]);
}

#[wasm_bindgen_test]
async fn a_poll_that_is_refused_for_its_cursor_begins_anew() {
    let position = append("faults:reset", 1).await;
    let mut options = all_of(place("proxy") + "/kept-back", "faults:reset");
    (options.connect_timeout_ms, options.after) = (300, After::Position("00000000-7".parse().unwrap()));
    let mut verdicts = options.subscribe().unwrap();
    let reset = next_of_events(&mut verdicts).await;
    assert!(matches!(reset, Verdict::Reset { reason: ResetReason::EpochChanged, .. }), "{reset:?}");
    assert_eq!(applied(&mut verdicts, 1).await, [(position, 1)]);
}

#[wasm_bindgen_test]
async fn where_nobody_answers_it_tries_again() {
    // Nothing listens there, and nothing may.
    let mut verdicts = all_of("http://127.0.0.1:1", "a:*").subscribe().unwrap();
    for _ in 0..2 {
        assert_eq!(next(&mut verdicts).await, Verdict::Status(Status::Connecting));
        match next(&mut verdicts).await {
            Verdict::Status(Status::BackingOff { cause: Cause::Network { .. }, .. }) => {}
            other => panic!("{other:?} where nobody answers"),
        }
    }
}
