//! Options and statuses, to JavaScript and back.

use highwater_client::browser::{Cause, InvalidOptions, Options, Status};
use js_sys::JSON;
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;

use super::world::{append, applied, object, place};

#[wasm_bindgen_test]
fn options_survive_the_way_to_javascript_and_back() {
    let mut options = Options::new("https://example.org/log", ["space:42:**", "space:43:tasks:*"]);
    options.after = "k3x9q7ma-42".parse().unwrap();
    options.headers.insert("x-tenant".into(), "a".into());
    options.backoff_max_ms = u32::MAX;
    let value = JsValue::try_from(&options).unwrap();
    assert_eq!(Options::try_from(value).unwrap(), options);
}

#[wasm_bindgen_test]
async fn an_object_of_javascript_s_is_options_and_the_page_s_origin_is_the_server() {
    let position = append("options:object", 1).await;
    let value = object(r#"{ "topics": ["options:object"], "after": "earliest", "headers": { "x-tenant": "a" } }"#);
    let options = Options::try_from(JsValue::from(value)).unwrap();
    assert_eq!(applied(&mut options.subscribe().unwrap(), 1).await, [(position, 1)]);
}

#[wasm_bindgen_test]
fn what_is_wrong_is_named() {
    for (json, expected) in [
        (r#"{ "topics": 7 }"#, "the options are wrong"),
        (r#"{ "after": "yesterday" }"#, "the options are wrong: Error: after must be a position"),
    ] {
        let error = Options::try_from(JsValue::from(object(json))).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
    }
    assert!(Options::try_from(JsValue::from_str("space:42:**")).is_err());

    for url in ["", "example.org", "ws://example.org", "https://example.org/?a=1", "https://example.org/#a"] {
        let error = Options::new(url, ["a:*"]).subscribe().unwrap_err();
        assert!(matches!(error, InvalidOptions::Url(_)), "{url}: {error}");
    }
    let mut options = Options::new(place("server"), ["a:*"]);
    options.headers.insert("no header".into(), "a".into());
    assert_eq!(options.subscribe().unwrap_err(), InvalidOptions::Header("no header".into()));
}

#[wasm_bindgen_test]
fn a_status_is_an_object_of_javascript_s() {
    let status = Status::BackingOff { delay_ms: 250, cause: Cause::Silent { silent_ms: 5_000 } };
    let text = JSON::stringify(&JsValue::try_from(&status).unwrap()).unwrap();
    assert_eq!(
        String::from(text),
        r#"{"status":"backing_off","delayMs":250,"cause":{"kind":"silent","silentMs":5000}}"#
    );
}
