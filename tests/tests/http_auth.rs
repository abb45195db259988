//! Who may, over a real socket: tokens of every kind, cookies, other sites' pages, other names. That nothing of one
//! token is seen with another is in `auth_properties.rs`.

use std::time::{Duration, Instant};

use highwater_server::config::Settings;
use highwater_tests::{
    http::{Answer, BATCH, EVENT, Half, Subscription, client, client_with, event, event_to},
    on_both_halves,
    server::Server,
    token::{Issuer, now_s},
};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

on_both_halves!(a_connection_ends_when_its_token_does);

const STREAM: &str = "/v1/streams/space:1:notes";
const LOG: &str = "/v1/events?topic=space:1:**";

/// A file that is a server's `auth_keys`.
fn key_file(content: impl AsRef<[u8]>) -> NamedTempFile {
    let file = NamedTempFile::new().expect("a file");
    std::fs::write(&file, content).expect("it can be written");
    file
}

async fn server_of(keys: impl AsRef<[u8]>, settings: Settings) -> Server {
    let file = key_file(keys);
    Server::start_with(Settings { auth_keys: file.path().to_owned(), ..settings }).await
}

async fn send(request: RequestBuilder) -> Answer {
    Answer::of(request.send().await.expect("an answer")).await
}

fn posted(client: &Client, url: &str, body: &Value) -> RequestBuilder {
    let media_type = if body.is_array() { BATCH } else { EVENT };
    client.post(url).header("content-type", media_type).body(body.to_string())
}

/// Rights to everything in a space.
fn all_of(space: &str) -> Value {
    json!({ "read": [space], "append": [space], "sources": ["*"] })
}

#[tokio::test]
async fn tokens_of_every_kind_are_taken_by_the_key_they_are_of() {
    let client = client();
    for issuer in Issuer::all() {
        let name = issuer.algorithm();
        let set = json!({ "keys": [issuer.jwk("1"), Issuer::hs256().jwk("2")] }).to_string().into_bytes();
        for keys in [issuer.key_file(), set] {
            let server = server_of(keys, Settings::default()).await;
            let claims = json!({ "sub": "tester", "exp": now_s() + 60, "highwater": all_of("space:1:**") });
            let token = issuer.sign(&json!({ "alg": name, "kid": "1", "typ": "JWT" }), &claims);
            let stored = send(posted(&client, &server.url(STREAM), &event("one")).bearer_auth(&token)).await;
            assert_eq!(stored.status, 201, "{name}: {stored:?}");
            let page = send(client.get(server.url(LOG)).bearer_auth(&token)).await;
            assert_eq!(page.json["events"][0]["id"], "one", "{name}: {page:?}");

            for stranger in Issuer::all().iter().filter(|other| other.algorithm() == name && name != "RS256") {
                let forged = stranger.sign(&json!({ "alg": name, "kid": "1" }), &claims);
                let answer = send(client.get(server.url(LOG)).bearer_auth(&forged)).await;
                assert_eq!((answer.status.as_u16(), answer.code()), (401, "unauthorized"), "{name}: {answer:?}");
            }
        }
    }
}

/// A public key is no secret: what it signs as an HMAC is nothing, nor is what nobody signs.
#[tokio::test]
async fn algorithms_are_not_confused() {
    let client = client();
    for issuer in Issuer::all().into_iter().filter(|issuer| issuer.algorithm() != "HS256") {
        let file = issuer.key_file();
        let server = server_of(&file, Settings::default()).await;
        let text = String::from_utf8(file).expect("PEM is text");
        let claims = json!({ "sub": "tester", "exp": now_s() + 60, "highwater": all_of("**") });
        for secret in [text.as_bytes(), text.trim().as_bytes()] {
            let forger = Issuer::Hs256(secret.to_vec());
            for alg in ["HS256", issuer.algorithm()] {
                let token = forger.sign(&json!({ "alg": alg }), &claims);
                let answer = send(client.get(server.url(LOG)).bearer_auth(&token)).await;
                assert_eq!(answer.code(), "unauthorized", "{alg} for {}", issuer.algorithm());
            }
        }
        let good = issuer.sign(&json!({ "alg": "none" }), &claims);
        let (unsigned, _) = good.rsplit_once('.').expect("three parts");
        let answer = send(client.get(server.url(LOG)).bearer_auth(format!("{unsigned}."))).await;
        assert_eq!(answer.code(), "unauthorized");
    }
}

#[tokio::test]
async fn without_a_good_token_nothing_is_told_or_stored() {
    let (issuer, client) = (Issuer::hs256(), client());
    let server = server_of(issuer.key_file(), Settings::default()).await;
    let operator = issuer.token(all_of("**"));
    send(posted(&client, &server.url(STREAM), &event("secret")).bearer_auth(&operator)).await;

    let no_kid = Issuer::hs256().token(all_of("**"));
    let claims = json!({ "sub": "tester", "exp": now_s() + 60 });
    let bad = [
        None,
        Some(String::new()),
        Some("x".into()),
        Some("..".into()),
        Some("a.b.c.d".into()),
        Some("é".repeat(20)),
        Some("x".repeat(10_000)),
        Some(format!("{operator}x")),
        Some(no_kid),
        Some(issuer.token_until(now_s() - 600, all_of("**"))),
        Some(issuer.token(json!({ "read": ["**:x"] }))),
        Some(issuer.sign(&json!({ "alg": "RS256" }), &claims)),
        Some(issuer.sign(&json!({ "alg": "HS256", "crit": ["x"] }), &claims)),
        Some(issuer.sign(&json!("HS256"), &claims)),
        Some(issuer.sign(&json!({ "alg": "HS256" }), &json!("claims"))),
    ];
    for token in bad {
        let requests = [
            client.get(server.url(LOG)),
            client.get(server.url(LOG)).header("accept", "text/event-stream"),
            client.get(server.url("/v1/events?topic=nonsense")),
            client.get(server.url(STREAM)),
            client.get(server.url("/v1/streams/nonsense")),
            posted(&client, &server.url(STREAM), &event("new")),
            posted(&client, &server.url("/v1/events"), &json!([event_to("space:1:notes", "new")])),
            client.post(server.url("/v1/session")),
        ];
        for request in requests {
            let request = match &token {
                Some(token) => request.header("authorization", format!("Bearer {token}").into_bytes()),
                None => request,
            };
            let answer = send(request).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (401, "unauthorized"), "{token:?}: {answer:?}");
            let challenge = answer.header("www-authenticate");
            assert!(challenge.starts_with("Bearer realm="), "{challenge}");
            assert_eq!(challenge.contains("error="), token.is_some(), "{challenge}");
            assert!(!answer.json.to_string().contains("secret"), "{answer:?}");
        }
    }
    let page = send(client.get(server.url(LOG)).bearer_auth(&operator)).await;
    assert_eq!(page.json["events"].as_array().map(Vec::len), Some(1));
    for open in ["/healthz", "/readyz"] {
        assert_eq!(send(client.get(server.url(open))).await.status, 200, "{open}");
    }
}

#[tokio::test]
async fn unknown_and_forbidden_streams_answer_alike() {
    let (issuer, client) = (Issuer::hs256(), client());
    let server = server_of(issuer.key_file(), Settings::default()).await;
    let theirs = issuer.token(all_of("space:2:**"));
    send(posted(&client, &server.url("/v1/streams/space:2:there"), &event("one")).bearer_auth(&theirs)).await;

    let ours = issuer.token(all_of("space:1:**"));
    let mut answers = Vec::new();
    for stream in ["space:2:there", "space:2:not-there", "space:1:not-there"] {
        let read = send(client.get(server.url(&format!("/v1/streams/{stream}"))).bearer_auth(&ours)).await;
        assert_eq!((read.status.as_u16(), read.code()), (404, "unknown_stream"), "{stream}");
        let mut headers = read.headers.clone();
        headers.remove("date");
        headers.remove("content-length");
        answers.push((headers, read.json.to_string().replace(stream, "STREAM")));
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");

    let mut refusals = Vec::new();
    for stream in ["space:2:there", "space:2:not-there"] {
        for precondition in [("if-match", "*"), ("if-none-match", "*"), ("if-match", "\"00000000.1\"")] {
            let url = server.url(&format!("/v1/streams/{stream}"));
            let request =
                posted(&client, &url, &event("two")).bearer_auth(&ours).header(precondition.0, precondition.1);
            let answer = send(request).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (403, "forbidden"), "{answer:?}");
            assert!(answer.header("www-authenticate").contains("insufficient_scope"), "{answer:?}");
            refusals.push(answer.json.to_string().replace(stream, "STREAM"));
        }
    }
    assert!(refusals.windows(2).all(|pair| pair[0] == pair[1]), "{refusals:?}");
}

#[tokio::test]
async fn the_id_of_an_event_elsewhere_tells_nothing_of_it() {
    let (issuer, client) = (Issuer::hs256(), client());
    let server = server_of(issuer.key_file(), Settings::default()).await;
    let theirs = issuer.token(all_of("space:2:**"));
    let theirs_stored = event_to("space:2:there", "taken");
    send(posted(&client, &server.url("/v1/events"), &theirs_stored).bearer_auth(&theirs)).await;

    let ours = issuer.token(all_of("space:1:**"));
    for url in ["/v1/events", STREAM] {
        let mut same = theirs_stored.clone();
        same["subject"] = "space:1:notes".into();
        let answer = send(posted(&client, &server.url(url), &same).bearer_auth(&ours)).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (409, "id_conflict"), "{answer:?}");
        assert_eq!(answer.json["index"], 0);
        assert!(!answer.json.to_string().contains("space:2") && answer.json.get("revision").is_none(), "{answer:?}");
        assert_eq!((answer.header("highwater-position"), answer.header("etag")), ("", ""));
    }
    let retried = send(posted(&client, &server.url("/v1/events"), &theirs_stored).bearer_auth(&ours)).await;
    assert_eq!(retried.code(), "forbidden", "its place is not told either");

    let mut effect = event("effect");
    effect["causationid"] = "taken".into();
    let answer = send(posted(&client, &server.url(STREAM), &effect).bearer_auth(&ours)).await;
    assert_eq!(answer.status, 201);
    let page = send(client.get(server.url(STREAM)).bearer_auth(&ours)).await;
    assert_eq!(page.json["events"][0]["clock"], "tester=1", "a cause elsewhere is not looked at");
}

#[tokio::test]
async fn the_cookie_reads_and_does_nothing_else() {
    let (issuer, client) = (Issuer::hs256(), client());
    let server = server_of(issuer.key_file(), Settings::default()).await;
    let token = issuer.token(all_of("space:1:**"));
    send(posted(&client, &server.url(STREAM), &event("one")).bearer_auth(&token)).await;

    let begun = send(client.post(server.url("/v1/session")).bearer_auth(&token)).await;
    assert_eq!((begun.status.as_u16(), begun.header("cache-control")), (204, "no-store"));
    let set_cookie = begun.header("set-cookie");
    let (cookie, attributes) = set_cookie.split_once("; ").expect("attributes");
    assert_eq!(cookie, format!("__Host-highwater={token}"));
    let (fixed, max_age_s) = attributes.rsplit_once("; Max-Age=").expect("an end");
    assert_eq!(fixed, "Path=/; Secure; HttpOnly; SameSite=Strict");
    assert!((1..=70).contains(&max_age_s.parse::<u64>().unwrap()), "{max_age_s}");

    for path in [LOG, STREAM] {
        let page = send(client.get(server.url(path)).header("cookie", cookie)).await;
        assert_eq!(page.json["events"][0]["id"], "one", "{page:?}");
    }
    let stream = client.get(server.url(LOG)).header("cookie", cookie).header("accept", "text/event-stream");
    assert_eq!(stream.send().await.unwrap().status(), 200);
    for refused in [
        posted(&client, &server.url(STREAM), &event("two")),
        posted(&client, &server.url("/v1/events"), &json!([event_to("space:1:notes", "two")])),
        client.post(server.url("/v1/session")),
        client.head(server.url(LOG)),
    ] {
        assert_eq!(send(refused.header("cookie", cookie)).await.status, 401);
    }
    let page = send(client.get(server.url(LOG)).bearer_auth(&token)).await;
    assert_eq!(page.json["events"].as_array().map(Vec::len), Some(1));

    let ended = send(client.delete(server.url("/v1/session"))).await;
    assert_eq!(ended.status, 204);
    assert!(
        ended.header("set-cookie").starts_with("__Host-highwater=; ") && ended.header("set-cookie").ends_with("=0")
    );
    let long = issuer.token(json!({ "sources": vec!["x".repeat(200); 25] }));
    let refused = send(client.post(server.url("/v1/session")).bearer_auth(&long)).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (400, "invalid_request"));
}

async fn a_connection_ends_when_its_token_does(half: Half) {
    let (issuer, client) = (Issuer::hs256(), client());
    let settings = Settings { auth_leeway_s: 0, ..Settings::default() };
    let server = server_of(issuer.key_file(), settings).await;
    let token = issuer.token_until(now_s() + 3, all_of("space:1:**"));
    let authorized = client_with(&token);
    let begun = Instant::now();
    let mut stream = Subscription::open_on(half, &authorized, &server.url(LOG), None).await;
    stream.expect("ready").await;
    let held = tokio::spawn(send(authorized.get(server.url(&format!("{LOG}&wait=30")))));
    send(
        posted(&client, &server.url("/v1/streams/space:2:x"), &event("other")).bearer_auth(issuer.token(all_of("**"))),
    )
    .await;

    let goodbye = loop {
        let frame = stream.next().await.expect("a goodbye first");
        assert!(frame.is_control, "{frame:?}");
        if frame.kind() != Some("heartbeat") {
            break frame;
        }
    };
    assert_eq!(goodbye.kind(), Some("goodbye"));
    assert_eq!(stream.next().await, None);
    assert_eq!(server.broker().status().subscriptions, 0);
    assert_eq!(held.await.unwrap().json["events"], json!([]));
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert_eq!(send(authorized.get(server.url(LOG))).await.code(), "unauthorized");
}

#[tokio::test]
async fn other_sites_pages_change_nothing() {
    let client = client();
    let settings = Settings { cors_origins: ["https://app.example.com"].into(), ..Settings::default() };
    let server = Server::start_with(settings).await;
    let own = server.url("");
    let from = |origin: &str| posted(&client, &server.url(STREAM), &event(origin)).header("origin", origin);
    for foreign in ["https://evil.example", "null", "http://localhost", "https://app.example.com.evil.example"] {
        let answer = send(from(foreign)).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (403, "foreign_origin"), "{foreign}");
        let answer = send(client.delete(server.url("/v1/session")).header("origin", foreign)).await;
        assert_eq!(answer.code(), "foreign_origin", "{foreign}");
        let upgrade = client.get(server.url("/v1/ws")).header("upgrade", "websocket").header("origin", foreign);
        assert_eq!(send(upgrade).await.code(), "foreign_origin", "{foreign}");
        assert_eq!(
            send(client.get(server.url(LOG)).header("origin", foreign)).await.header("access-control-allow-origin"),
            ""
        );
    }
    let cross_site =
        send(posted(&client, &server.url(STREAM), &event("x")).header("sec-fetch-site", "cross-site")).await;
    assert_eq!(cross_site.code(), "foreign_origin");
    assert_eq!(send(client.get(server.url("/v1/events?topic=**"))).await.json["events"], json!([]));

    assert_eq!(send(from(&own)).await.status, 201);
    let allowed = send(from("https://app.example.com")).await;
    assert_eq!(allowed.status, 201, "{allowed:?}");
    assert_eq!(allowed.header("access-control-allow-origin"), "https://app.example.com");
    assert_eq!(allowed.header("access-control-allow-credentials"), "true");
    let exposed = allowed.header("access-control-expose-headers");
    assert!(["highwater-position", "etag", "retry-after"].iter().all(|name| exposed.contains(name)), "{exposed}");

    let preflight = client
        .request(reqwest::Method::OPTIONS, server.url(STREAM))
        .header("origin", "https://app.example.com")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,ce-id,ce-mood,if-match,highwater-require");
    let answer = send(preflight).await;
    assert_eq!(answer.header("access-control-allow-origin"), "https://app.example.com");
    assert!(answer.header("access-control-allow-headers").contains("ce-mood"), "{answer:?}");
    assert!(answer.header("access-control-allow-methods").contains("POST"), "{answer:?}");
    let page = send(client.get(server.url(LOG)).header("origin", "https://app.example.com")).await;
    let varies: Vec<_> = page.headers.get_all("vary").iter().filter_map(|value| value.to_str().ok()).collect();
    assert!(varies.contains(&"accept") && varies.iter().any(|names| names.contains("origin")), "{varies:?}");
}

#[tokio::test]
async fn a_server_on_this_machine_answers_to_its_names_only() {
    let client = client();
    let server = Server::start_with(Settings { hosts: ["log.example.com"].into(), ..Settings::default() }).await;
    for path in ["/", "/healthz", LOG, STREAM, "/nothing"] {
        let answer = send(client.get(server.url(path)).header("host", "evil.example")).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (421, "misdirected"), "{path}");
    }
    let posted = posted(&client, &server.url(STREAM), &event("x")).header("host", "evil.example:4848");
    assert_eq!(send(posted.header("origin", "http://evil.example:4848")).await.code(), "misdirected");
    for name in ["localhost", "127.0.0.1", "[::1]:7", "log.example.com"] {
        let answer = send(client.get(server.url(LOG)).header("host", name)).await;
        assert_eq!((answer.status.as_u16(), &answer.json["events"]), (200, &json!([])), "{name}");
    }
}

#[tokio::test]
async fn every_answer_tells_browsers_to_be_careful() {
    let client = client();
    let server = Server::start().await;
    let stream = client.get(server.url(LOG)).header("accept", "text/event-stream").send().await.unwrap();
    let mut answers = vec![("an event stream", stream.headers().clone())];
    for path in ["/healthz", "/", LOG, "/nothing", "/v1/streams/a:b"] {
        answers.push((path, send(client.get(server.url(path))).await.headers));
    }
    answers.push(("other host", send(client.get(server.url("/")).header("host", "evil.example")).await.headers));
    for (what, headers) in answers {
        assert_eq!(headers["x-content-type-options"], "nosniff", "{what}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{what}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src") && policy.contains("frame-ancestors 'none'"), "{what}: {policy}");
        assert!(!headers.contains_key("strict-transport-security"), "{what}: this is not TLS");
    }
}

/// What a page does in development, it does against a server without keys too.
#[tokio::test]
async fn without_keys_everyone_may() {
    let client = client();
    let server = Server::start().await;
    let begun = send(client.post(server.url("/v1/session")).bearer_auth("whatever")).await;
    assert_eq!((begun.status.as_u16(), begun.header("set-cookie")), (204, ""));
    let stored = send(posted(&client, &server.url(STREAM), &event("one")).bearer_auth("whatever")).await;
    assert_eq!(stored.status, 201);
}
