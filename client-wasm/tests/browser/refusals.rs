//! What ends a subscription, and what a token changes.

use std::cell::Cell;
use std::rc::Rc;

use highwater_client::browser::{Failure, Status};
use wasm_bindgen_test::wasm_bindgen_test;

use super::world::{all_of, last, place, until};

/// The status that a subscription was refused with, and the problem's name.
fn refusal(status: &Status) -> (u16, Option<&str>) {
    let Status::Failed { error: Failure::Refused { cause } } = status else { panic!("{status:?} is no refusal") };
    let refusal = cause.refusal().unwrap();
    (refusal.status, refusal.code.as_deref())
}

#[wasm_bindgen_test]
async fn without_a_token_it_is_refused_and_ends() {
    let verdicts = all_of(place("guarded"), "refusals:a").subscribe().unwrap();
    assert_eq!(refusal(&last(verdicts).await), (401, Some("unauthorized")));
}

#[wasm_bindgen_test]
async fn where_there_is_no_server_it_is_refused_and_ends() {
    let verdicts = all_of(place("server") + "/nowhere", "refusals:a").subscribe().unwrap();
    assert_eq!(refusal(&last(verdicts).await).0, 404);
}

#[wasm_bindgen_test]
async fn a_token_that_is_refused_is_followed_by_another() {
    let asked = Rc::new(Cell::new(0));
    let tokens = {
        let asked = Rc::clone(&asked);
        move || {
            asked.set(asked.get() + 1);
            let token = if asked.get() == 1 { "of yesterday".to_owned() } else { place("token") };
            async { Ok::<_, String>(token) }
        }
    };
    let mut verdicts = all_of(place("guarded"), "refusals:a").subscribe_with_token(tokens).unwrap();
    until(&mut verdicts, |status| *status == Status::Live).await;
    assert_eq!(asked.get(), 2);
}

#[wasm_bindgen_test]
async fn whoever_has_no_token_now_is_asked_again() {
    let asked = Rc::new(Cell::new(0));
    let tokens = {
        let asked = Rc::clone(&asked);
        move || {
            asked.set(asked.get() + 1);
            let token = if asked.get() == 1 { Err("nobody is signed in") } else { Ok(place("token")) };
            async { token }
        }
    };
    let mut verdicts = all_of(place("guarded"), "refusals:a").subscribe_with_token(tokens).unwrap();
    let status = until(&mut verdicts, |status| matches!(status, Status::BackingOff { .. })).await;
    let Status::BackingOff { cause, .. } = status else { unreachable!("that was waited for") };
    assert_eq!(cause.to_string(), "there is no token: nobody is signed in");
    until(&mut verdicts, |status| *status == Status::Live).await;
}
