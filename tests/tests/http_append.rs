//! Appending over a real socket: what is stored, what is answered, and that bad input stores nothing.

use highwater_server::config::Settings;
use highwater_tests::{
    http::{Answer, BATCH, EVENT, client, event, event_to, get, post},
    server::Server,
};
use reqwest::{Body, Client};
use rusqlite::Connection;
use serde_json::{Value, json};

const STREAM: &str = "/v1/streams/space:1:notes:a";

/// How many events the log has.
async fn stored(client: &Client, server: &Server) -> usize {
    let page = get(client, &server.url("/v1/events?topic=**&limit=1000")).await;
    page.json["events"].as_array().expect("a page").len()
}

async fn post_with(client: &Client, url: &str, headers: &[(&'static str, &str)], body: impl Into<Body>) -> Answer {
    let mut request = client.post(url).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request.send().await.expect("an answer")).await
}

#[tokio::test]
async fn an_append_is_answered_with_its_place_and_again_the_same() {
    let (server, client) = (Server::start().await, client());
    let url = server.url(STREAM);
    let first = post(&client, &url, EVENT, &event("one")).await;
    assert_eq!(first.status, 201, "{first:?}");
    assert_eq!(first.json["events"], json!([{ "id": "one", "sequence": 1, "revision": 1 }]));
    let position = first.json["position"].as_str().expect("a position");
    let epoch = position.strip_suffix("-1").expect("the first");
    assert_eq!(first.header("highwater-position"), position);
    assert_eq!(first.header("etag"), format!("\"{epoch}.1\""));

    post(&client, &url, EVENT, &event("two")).await;
    let again = post(&client, &url, EVENT, &event("one")).await;
    assert_eq!((again.status.as_u16(), again.json), (200, first.json));
    assert_eq!(stored(&client, &server).await, 2);
}

#[tokio::test]
async fn a_batch_is_stored_whole_in_its_order() {
    let (server, client) = (Server::start().await, client());
    let batch = json!([event_to("s:a", "1"), event_to("s:b", "2"), event_to("s:a", "3")]);
    let answer = post(&client, &server.url("/v1/events"), BATCH, &batch).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let places = answer.json["events"].as_array().unwrap().iter();
    let places: Vec<_> = places.map(|event| (event["sequence"].as_u64(), event["revision"].as_u64())).collect();
    assert_eq!(places, [(Some(1), Some(1)), (Some(2), Some(1)), (Some(3), Some(2))]);

    let known_and_new = json!([event_to("s:a", "3"), event_to("s:a", "4")]);
    let answer = post(&client, &server.url("/v1/events"), BATCH, &known_and_new).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.json["events"][0]["sequence"], 3);
    assert_eq!(answer.json["events"][1]["revision"], 3);
    assert_eq!(stored(&client, &server).await, 4);
}

#[tokio::test]
async fn binary_mode_carries_attributes_in_headers() {
    let (server, client) = (Server::start().await, client());
    let attributes = [
        ("ce-specversion", "1.0"),
        ("ce-id", "b1"),
        ("ce-source", "tester"),
        ("ce-type", "note.taken.v1"),
        ("ce-version", "3"),
        ("ce-mood", "\"very %E2%82%AC\""),
    ];
    let json_mode = [&attributes[..], &[("content-type", "application/json")]].concat();
    let answer = post_with(&client, &server.url(STREAM), &json_mode, r#"{ "n": 1.10 }"#).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let mut text_mode = [&attributes[..], &[("content-type", "text/plain"), ("ce-subject", "s:x")]].concat();
    text_mode[1].1 = "b2";
    let answer = post_with(&client, &server.url("/v1/events"), &text_mode, "hi").await;
    assert_eq!(answer.status, 201, "{answer:?}");

    let page = get(&client, &server.url("/v1/events?topic=**")).await.json;
    let (json, text) = (&page["events"][0], &page["events"][1]);
    assert_eq!((&json["subject"], &json["version"]), (&json!("space:1:notes:a"), &json!(3)));
    assert_eq!((&json["mood"], &json["data"]), (&json!("very €"), &json!({ "n": 1.1 })));
    assert_eq!((&text["datacontenttype"], &text["data_base64"]), (&json!("text/plain"), &json!("aGk=")));
}

#[tokio::test]
async fn preconditions_hold_or_store_nothing() {
    let (server, client) = (Server::start().await, client());
    let url = server.url(STREAM);
    let append = async |id: &str, name: &'static str, value: &str| {
        let headers = [("content-type", EVENT), (name, value)];
        post_with(&client, &url, &headers, event(id).to_string()).await
    };
    let absent = append("x", "if-match", "*").await;
    assert_eq!((absent.status.as_u16(), absent.code()), (412, "revision_conflict"));
    let first = append("one", "if-none-match", "*").await;
    assert_eq!(first.status, 201, "{first:?}");
    let etag = first.header("etag").to_owned();
    assert_eq!(append("two", "if-match", &etag).await.status, 201);

    let old = append("x", "if-match", &etag).await;
    assert_eq!((old.status.as_u16(), old.code()), (412, "revision_conflict"));
    assert_eq!(old.json["revision"], 2);
    assert_eq!(append("x", "if-none-match", "*").await.code(), "revision_conflict");
    let other_epoch = if etag.starts_with("\"00000000.") { "\"00000001.2\"" } else { "\"00000000.2\"" };
    let foreign = append("x", "if-match", other_epoch).await;
    assert_eq!((foreign.code(), &foreign.json["revision"]), ("revision_conflict", &json!(2)));
    let detail = |answer: &Answer| answer.json["detail"].as_str().expect("a detail").to_owned();
    assert!(detail(&foreign).contains("not at any that the precondition names"), "{foreign:?}");
    let last = append("x", "if-match", &etag.replace(".1", ".2147483647")).await;
    assert!(detail(&last).contains("is at revision 2, not 2147483647"), "{last:?}");
    let weak = format!("W/{}", etag.replace(".1", ".2"));
    assert_eq!(append("x", "if-match", &weak).await.code(), "revision_conflict");
    assert_eq!(append("x", "if-match", "nonsense").await.status, 400);
    assert_eq!(append("x", "if-none-match", &etag).await.status, 400);
    assert_eq!(stored(&client, &server).await, 2);

    // What is stored already is answered as the first time, whatever the precondition is.
    for precondition in [&etag, other_epoch, "\"other\""] {
        let again = append("two", "if-match", precondition).await;
        assert_eq!(again.status, 200, "{precondition} {again:?}");
    }
    assert_eq!(append("one", "if-none-match", "*").await.json, first.json);

    let either = format!("{etag}, {}", etag.replace(".1", ".2"));
    assert_eq!(append("three", "if-match", &either).await.status, 201);
    assert_eq!(append("four", "if-match", "*").await.status, 201);
}

#[tokio::test]
async fn a_batch_expects_revisions_before_itself() {
    let (server, client) = (Server::start().await, client());
    let url = server.url("/v1/events");
    let expecting = |stream: &str, id: &str, revision: u32| {
        let mut event = event_to(stream, id);
        event["expectedrevision"] = revision.into();
        event
    };
    let batch = json!([expecting("s:a", "1", 0), expecting("s:a", "2", 0), expecting("s:b", "3", 0)]);
    assert_eq!(post(&client, &url, BATCH, &batch).await.status, 201);
    let one_wrong = json!([expecting("s:a", "4", 2), expecting("s:b", "5", 0)]);
    let answer = post(&client, &url, BATCH, &one_wrong).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (412, "revision_conflict"));
    assert_eq!((&answer.json["stream"], &answer.json["revision"]), (&json!("s:b"), &json!(1)));
    let headers = [("content-type", BATCH), ("if-none-match", "*")];
    assert_eq!(post_with(&client, &url, &headers, batch.to_string()).await.status, 400);
    assert_eq!(stored(&client, &server).await, 3);
    let page = get(&client, &server.url("/v1/events?topic=**")).await;
    assert!(page.json["events"][0].get("expectedrevision").is_none());
}

#[tokio::test]
async fn what_a_known_event_of_a_batch_expects_does_not_count() {
    let (server, client) = (Server::start().await, client());
    let expecting = |id: &str, revision: u32| {
        let mut event = event(id);
        event["expectedrevision"] = revision.into();
        event
    };
    let url = server.url(STREAM);
    let first = post(&client, &url, EVENT, &expecting("a", 0)).await;
    assert_eq!(first.status, 201, "{first:?}");
    let mixed = json!([expecting("a", 0), expecting("b", 1)]);
    let answer = post(&client, &url, BATCH, &mixed).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.json["events"][0]["sequence"], 1);
    assert_eq!(answer.json["events"][1]["revision"], 2);
    assert_eq!(post(&client, &url, BATCH, &mixed).await.status, 200);

    let new_is_wrong = post(&client, &url, BATCH, &json!([expecting("a", 0), expecting("c", 1)])).await;
    assert_eq!((new_is_wrong.code(), &new_is_wrong.json["revision"]), ("revision_conflict", &json!(2)));
    let headers = [("content-type", BATCH), ("if-match", first.header("etag"))];
    let known_and_new = json!([event("a"), event("c")]).to_string();
    let of_request = post_with(&client, &url, &headers, known_and_new).await;
    assert_eq!(of_request.code(), "revision_conflict", "the request's own counts as soon as an event is new");
    assert_eq!(stored(&client, &server).await, 2);
}

#[tokio::test]
async fn a_counter_at_its_end_is_told_as_that() {
    let (server, client) = (Server::start().await, client());
    let mut last = event("last");
    last["clock"] = "tester=9007199254740991".into();
    assert_eq!(post(&client, &server.url(STREAM), EVENT, &last).await.status, 201);
    let answer = post(&client, &server.url(STREAM), EVENT, &event("beyond")).await;
    assert_eq!((answer.status.as_u16(), answer.code(), &answer.json["index"]), (409, "clock_full", &json!(0)));
    let detail = answer.json["detail"].as_str().unwrap();
    assert!(detail.contains("counter") && !detail.contains("256"), "{detail}");
}

#[tokio::test]
async fn a_server_that_cannot_append_is_not_ready_until_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.db");
    let (server, client) = (Server::start_on(folder, Settings::default()).await, client());
    let ready = || async { get(&client, &server.url("/readyz")).await };
    assert_eq!(ready().await.status, 200);

    // Nobody can write beside another writer, and reading goes on.
    let in_the_way = Connection::open(log).unwrap();
    in_the_way.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = post(&client, &server.url(STREAM), EVENT, &event("one")).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (503, "unavailable"));
    let answer = ready().await;
    assert_eq!((answer.status.as_u16(), answer.code()), (503, "unavailable"));
    assert!(answer.json["detail"].as_str().unwrap().contains("locked"), "{answer:?}");
    assert_eq!(stored(&client, &server).await, 0);

    in_the_way.execute_batch("ROLLBACK").unwrap();
    assert_eq!(ready().await.status, 200, "no append had to be risked for it");
    assert_eq!(post(&client, &server.url(STREAM), EVENT, &event("one")).await.status, 201);
}

/// A name, where it goes, its media type, its body; then the status and the code that it must be answered with.
type Case = (&'static str, &'static str, &'static str, Vec<u8>, u16, &'static str);

/// Every bad input: its answer's status and code, and that nothing of it is stored.
#[tokio::test]
async fn bad_input_gets_its_problem_and_stores_nothing() {
    let (server, client) = (Server::start().await, client());
    let mut known = event("known");
    known["clock"] = "tester=7".into();
    known["version"] = 2.into();
    assert_eq!(post(&client, &server.url(STREAM), EVENT, &known).await.status, 201);

    let with = |changes: Value| {
        let mut event = event("new");
        event.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        event.to_string().into_bytes()
    };
    let large = "x".repeat(300 * 1024);
    let many: Vec<Value> = (0..1_001).map(|n| event(&n.to_string())).collect();
    let deep = format!("{}{}", "[".repeat(61), "]".repeat(61));
    let crowded = (0..256).map(|actor| format!("a{actor}=1,")).collect::<String>() + "tester=8";
    let cases: Vec<Case> = vec![
        ("broken JSON", STREAM, EVENT, br#"{"specversion":"1.0","#.to_vec(), 400, "invalid_event"),
        ("not UTF-8", STREAM, EVENT, b"{\"id\":\"\xFF\"}".to_vec(), 400, "invalid_event"),
        ("no body", STREAM, EVENT, vec![], 400, "invalid_event"),
        ("not an object", STREAM, EVENT, b"[1]".to_vec(), 400, "invalid_event"),
        ("id is a number", STREAM, EVENT, with(json!({ "id": 7 })), 400, "invalid_event"),
        ("version is a string", STREAM, EVENT, with(json!({ "version": "2" })), 400, "invalid_event"),
        ("version is negative", STREAM, EVENT, with(json!({ "version": -1 })), 400, "invalid_event"),
        ("type without version", STREAM, EVENT, with(json!({ "type": "note" })), 400, "invalid_event"),
        ("source is no URI", STREAM, EVENT, with(json!({ "source": "two words" })), 400, "invalid_event"),
        ("clock is an object", STREAM, EVENT, with(json!({ "clock": { "a": 1 } })), 400, "invalid_event"),
        ("clock without its actor", STREAM, EVENT, with(json!({ "clock": "other=1" })), 400, "invalid_event"),
        (
            "clock's counter too high",
            STREAM,
            EVENT,
            with(json!({ "clock": "tester=9007199254740992" })),
            400,
            "invalid_event",
        ),
        ("clock of 257 actors", STREAM, EVENT, with(json!({ "clock": crowded })), 409, "clock_full"),
        ("attribute is an object", STREAM, EVENT, with(json!({ "extra": {} })), 400, "invalid_event"),
        ("sets its revision", STREAM, EVENT, with(json!({ "revision": 9 })), 400, "invalid_event"),
        ("other subject", STREAM, EVENT, with(json!({ "subject": "s:other" })), 400, "invalid_event"),
        ("no subject", "/v1/events", EVENT, with(json!({})), 400, "invalid_event"),
        ("white space in the subject", "/v1/events", EVENT, with(json!({ "subject": "s:a b" })), 400, "invalid_event"),
        ("white space in the path", "/v1/streams/space:1:no%20te", EVENT, with(json!({})), 400, "invalid_stream"),
        ("one segment", "/v1/streams/alone", EVENT, with(json!({})), 400, "invalid_stream"),
        ("path is not UTF-8", "/v1/streams/a:%FF", EVENT, with(json!({})), 400, "invalid_request"),
        ("counter used twice", STREAM, EVENT, with(json!({ "clock": "tester=7" })), 409, "clock_reused"),
        ("version jumps", STREAM, EVENT, with(json!({ "version": 1_003 })), 409, "version_jump"),
        ("300 KiB of data", STREAM, EVENT, with(json!({ "data": large })), 413, "payload_too_large"),
        ("2 MiB", STREAM, EVENT, vec![b' '; 2 * 1024 * 1024], 413, "payload_too_large"),
        ("nested too deep", STREAM, EVENT, format!(r#"{{"data":{deep}}}"#).into_bytes(), 400, "invalid_event"),
        ("empty batch", STREAM, BATCH, b"[]".to_vec(), 400, "invalid_event"),
        ("batch is an object", STREAM, BATCH, with(json!({})), 400, "invalid_event"),
        ("1,001 events", STREAM, BATCH, json!(many).to_string().into_bytes(), 413, "payload_too_large"),
        ("one bad in a batch", STREAM, BATCH, json!([event("a"), {}]).to_string().into_bytes(), 400, "invalid_event"),
        ("known id, other content", STREAM, EVENT, event("known").to_string().into_bytes(), 409, "id_conflict"),
        ("plain JSON", STREAM, "application/json", with(json!({})), 415, "unsupported_media_type"),
        (
            "another charset",
            STREAM,
            "application/cloudevents+json; charset=latin1",
            with(json!({})),
            415,
            "unsupported_media_type",
        ),
    ];
    for (name, path, media_type, body, status, code) in cases {
        let answer = post_with(&client, &server.url(path), &[("content-type", media_type)], body).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{name}: {answer:?}");
        if name == "one bad in a batch" {
            assert_eq!(answer.json["index"], 1);
        }
        assert_eq!(stored(&client, &server).await, 1, "{name}");
    }

    let monotonic = [("content-type", EVENT), ("highwater-require", "monotonic")];
    let answer = post_with(&client, &server.url(STREAM), &monotonic, with(json!({ "version": 1 }))).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (409, "stale_version"));
    let unknown = [("content-type", EVENT), ("highwater-require", "luck")];
    let answer = post_with(&client, &server.url(STREAM), &unknown, with(json!({}))).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, "invalid_request"));
    assert_eq!(stored(&client, &server).await, 1);
}

#[tokio::test]
async fn a_body_of_unknown_length_has_the_same_limit() {
    let (server, client) = (Server::start().await, client());
    let chunks = futures_util::stream::iter((0..64).map(|_| Ok::<_, std::io::Error>(vec![b' '; 64 * 1024])));
    let request = client.post(server.url(STREAM)).header("content-type", EVENT).body(Body::wrap_stream(chunks));
    // The server answers before it has read all, and closes: a client that only writes may miss the answer.
    if let Ok(response) = request.send().await {
        assert_eq!(Answer::of(response).await.code(), "payload_too_large");
    }
    assert_eq!(stored(&client, &server).await, 0);
}
