//! What one token shows, against a plain model of what it should: generated rights and topics, on every route.

use std::{collections::BTreeSet, sync::Mutex};

use highwater_server::config::Settings;
use highwater_tests::{
    http::{Answer, BATCH, EVENT, Subscription, client, client_with, event_to, routes},
    server::Server,
    token::Issuer,
    ws::Socket,
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

#[derive(Clone, Debug)]
struct Case {
    read: Vec<String>,
    append: Vec<String>,
    sources: Vec<&'static str>,
    operate: bool,
    asked: Vec<String>,
    /// What is read by its name, and appended to.
    stream: String,
    /// What is appended to beside it.
    other: String,
    source: &'static str,
}

fn segment() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b"])
}

fn stream() -> impl Strategy<Value = String> {
    prop::collection::vec(segment(), 2..=3).prop_map(|segments| segments.join(":"))
}

fn topic() -> impl Strategy<Value = String> {
    let part = || prop_oneof![3 => segment(), 1 => Just("*")];
    let exact = prop::collection::vec(part(), 2..=3);
    let open = prop::collection::vec(part(), 0..=2).prop_map(|segments| [segments, vec!["**"]].concat());
    prop_oneof![exact, open].prop_map(|segments| segments.join(":"))
}

fn case() -> impl Strategy<Value = Case> {
    let granted = || prop::collection::vec(topic(), 0..=3);
    let source = || prop::sample::select(vec!["tester", "other"]);
    let sources = prop_oneof![3 => prop::collection::vec(source(), 0..=2), 1 => Just(vec!["*"])];
    let rights = (granted(), granted(), sources, any::<bool>());
    (rights, prop::collection::vec(topic(), 1..=2), stream(), stream(), source()).prop_map(
        |((read, append, sources, operate), asked, stream, other, source)| Case {
            read,
            append,
            sources,
            operate,
            asked,
            stream,
            other,
            source,
        },
    )
}

/// The model of a topic: said anew, in another way than the server's.
fn matches(topic: &[&str], stream: &[&str]) -> bool {
    match (topic, stream) {
        ([], []) => true,
        (["**"], [_, ..]) => true,
        (["*", topic @ ..], [_, stream @ ..]) => matches(topic, stream),
        ([name, topic @ ..], [segment, stream @ ..]) => name == segment && matches(topic, stream),
        _ => false,
    }
}

fn any_matches(topics: &[String], stream: &str) -> bool {
    let stream: Vec<&str> = stream.split(':').collect();
    topics.iter().any(|topic| matches(&topic.split(':').collect::<Vec<_>>(), &stream))
}

/// Every stream of up to four segments, of which `z` is named by no topic: topics of up to three segments that match
/// the same of these match the same of all.
fn every_stream() -> Vec<String> {
    let longer = |streams: &[String]| -> Vec<String> {
        streams.iter().flat_map(|stream| ["a", "b", "z"].map(|segment| format!("{stream}:{segment}"))).collect()
    };
    let two = longer(&["a", "b", "z"].map(str::to_owned));
    let three = longer(&two);
    let four = longer(&three);
    [two, three, four].concat()
}

/// Whether a topic lies within one that is granted.
fn is_granted(granted: &[String], asked: &str) -> bool {
    let asked = [asked.to_owned()];
    let streams: Vec<_> = every_stream().into_iter().filter(|stream| any_matches(&asked, stream)).collect();
    granted.iter().any(|granted| streams.iter().all(|stream| any_matches(std::slice::from_ref(granted), stream)))
}

/// In the data and in the id of what the log holds from the beginning.
const SECRET: &str = "first of";

struct World {
    issuer: Issuer,
    server: Server,
    client: Client,
    /// Stream and id of every event in the log.
    log: Mutex<Vec<(String, String)>>,
}

impl World {
    /// A server whose log has an event in each stream of two and three segments.
    async fn begin() -> Self {
        let issuer = Issuer::hs256();
        let keys = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(&keys, issuer.key_file()).expect("it can be written");
        let server = Server::start_with(Settings { auth_keys: keys.path().to_owned(), ..Settings::default() }).await;
        let streams: Vec<_> =
            every_stream().into_iter().filter(|stream| !stream.contains('z') && stream.len() < 6).collect();
        let batch: Value = streams.iter().map(|stream| event_to(stream, &format!("{SECRET} {stream}"))).collect();
        let log = streams.into_iter().map(|stream| (stream.clone(), format!("{SECRET} {stream}"))).collect();
        let world = Self { issuer, server, client: client(), log: Mutex::new(log) };
        let operator = world.issuer.token(json!({ "append": ["**"], "sources": ["*"] }));
        assert_eq!(world.posted("/v1/events", &batch, &operator).await.status, 201);
        world
    }

    async fn send(&self, request: RequestBuilder, token: &str) -> Answer {
        Answer::of(request.bearer_auth(token).send().await.expect("an answer")).await
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        self.send(self.client.get(self.server.url(path)), token).await
    }

    async fn posted(&self, path: &str, body: &Value, token: &str) -> Answer {
        let media_type = if body.is_array() { BATCH } else { EVENT };
        let request = self.client.post(self.server.url(path)).header("content-type", media_type);
        self.send(request.body(body.to_string()), token).await
    }

    /// The ids of all events in streams of these topics, in the log's order.
    fn ids(&self, topics: &[String]) -> Vec<String> {
        let log = self.log.lock().expect("no test has failed while it held it");
        log.iter().filter(|(stream, _)| any_matches(topics, stream)).map(|(_, id)| id.clone()).collect()
    }

    async fn hold(&self, case: &Case) {
        let rights =
            json!({ "read": case.read, "append": case.append, "sources": case.sources, "operate": case.operate });
        let token = self.issuer.token(rights);
        self.reads(case, &token).await;
        self.operates(case, &token).await;
        self.appends(case, &token).await;
    }

    async fn reads(&self, case: &Case, token: &str) {
        let topics: Vec<_> = case.asked.iter().map(|topic| format!("topic={topic}")).collect();
        let path = format!("/v1/events?{}&after=earliest", topics.join("&"));
        let page = self.get(&format!("{path}&limit=1000"), token).await;
        if case.asked.iter().all(|topic| is_granted(&case.read, topic)) {
            assert_eq!(ids_of(&page.json["events"]), self.ids(&case.asked), "{case:?}");
            assert_eq!(self.streamed(&path, token).await, self.ids(&case.asked), "{case:?}");
            assert_eq!(self.on_a_socket(case, token).await, Ok(self.ids(&case.asked)), "{case:?}");
        } else {
            assert_forbidden(&page);
            assert_eq!(self.on_a_socket(case, token).await, Err("forbidden".to_owned()), "{case:?}");
            let stream = self.client.get(self.server.url(&path)).header("accept", "text/event-stream");
            assert_forbidden(&self.send(stream, token).await);
        }

        let own = [case.stream.clone()];
        let page = self.get(&format!("/v1/streams/{}?limit=1000", case.stream), token).await;
        if any_matches(&case.read, &case.stream) {
            assert_eq!(ids_of(&page.json["events"]), self.ids(&own), "{case:?}");
        } else {
            assert_eq!((page.status.as_u16(), page.code()), (404, "unknown_stream"), "{case:?}");
            assert_eq!((page.header("etag"), page.header("highwater-position")), ("", ""));
        }
    }

    /// The ids of the events that a subscription brings before it is live.
    async fn streamed(&self, path: &str, token: &str) -> Vec<String> {
        let mut stream = Subscription::open(&client_with(token), &self.server.url(path), None).await;
        let mut ids = Vec::new();
        loop {
            let frame = stream.next().await.expect("it goes on");
            match frame.kind() {
                Some("ready") => return ids,
                Some(kind) => assert_eq!(kind, "heartbeat"),
                None => ids.push(frame.data["id"].as_str().expect("an id").to_owned()),
            }
        }
    }

    /// The ids of the events that a subscription on a WebSocket brings before it is live, or the code of its refusal.
    async fn on_a_socket(&self, case: &Case, token: &str) -> Result<Vec<String>, String> {
        let mut socket = Socket::open(&self.server.url("/v1/ws"), Some(token)).await;
        socket.say(json!({ "op": "subscribe", "sub": 1, "topics": case.asked, "after": "earliest" })).await;
        let mut ids = Vec::new();
        loop {
            let message = socket.hear().await.expect("it goes on");
            match message["kind"].as_str() {
                Some("ready") => return Ok(ids),
                Some(kind) => {
                    assert_eq!(kind, "error", "{message}");
                    assert!(!message.to_string().contains(SECRET), "{message}");
                    return Err(message["problem"]["code"].as_str().expect("a problem has a code").to_owned());
                }
                None => ids.push(message["event"]["id"].as_str().expect("an id").to_owned()),
            }
        }
    }

    /// What is told to operators, and what the cookie of the token's session reads.
    async fn operates(&self, case: &Case, token: &str) {
        let metrics = self.client.get(self.server.url("/metrics"));
        if case.operate {
            let text = metrics.bearer_auth(token).send().await.expect("an answer").text().await.expect("a whole body");
            assert!(text.contains("highwater_store_head_sequence") && !text.contains(SECRET), "{text}");
        } else {
            assert_forbidden(&self.send(metrics, token).await);
        }
        let session = self.send(self.client.post(self.server.url("/v1/session")), token).await;
        let (cookie, _) = session.header("set-cookie").split_once(';').expect("a cookie");
        let url = self.server.url(&format!("/v1/streams/{}?limit=1000", case.stream));
        let page = self.client.get(url).header("cookie", cookie).send().await.expect("an answer");
        let page = Answer::of(page).await;
        let shown = if any_matches(&case.read, &case.stream) {
            self.ids(std::slice::from_ref(&case.stream))
        } else {
            Vec::new()
        };
        assert_eq!(ids_of(&page.json["events"]), shown, "{case:?}");
    }

    async fn appends(&self, case: &Case, token: &str) {
        let everything = ["**".to_owned()];
        let before = self.ids(&everything).len();
        let event = |stream: &str, at: usize| {
            let mut event = event_to(stream, &format!("{}", before + at));
            event["source"] = case.source.into();
            event
        };
        let may_be_source = case.sources.iter().any(|source| *source == "*" || *source == case.source);
        let may = |stream: &String| may_be_source && any_matches(&case.append, stream);

        let path = format!("/v1/streams/{}", case.stream);
        let answer = self.posted(&path, &event(&case.stream, 0), token).await;
        self.expect(&answer, may(&case.stream), &[(&case.stream, before)]);
        let batch = json!([event(&case.stream, 1), event(&case.other, 2)]);
        let answer = self.posted("/v1/events", &batch, token).await;
        let places = [(&case.stream, before + 1), (&case.other, before + 2)];
        self.expect(&answer, may(&case.stream) && may(&case.other), &places);

        let operator = self.issuer.token(json!({ "read": ["**"] }));
        let stored = self.get("/v1/events?topic=**&limit=1000", &operator).await;
        assert_eq!(ids_of(&stored.json["events"]), self.ids(&everything), "{case:?}");
    }

    fn expect(&self, answer: &Answer, allowed: bool, events: &[(&String, usize)]) {
        if !allowed {
            return assert_forbidden(answer);
        }
        assert_eq!(answer.status, 201, "{answer:?}");
        let mut log = self.log.lock().expect("no test has failed while it held it");
        log.extend(events.iter().map(|(stream, id)| ((*stream).clone(), id.to_string())));
    }
}

fn ids_of(events: &Value) -> Vec<&str> {
    let events = events.as_array().into_iter().flatten();
    events.map(|event| event["id"].as_str().expect("an id")).collect()
}

fn assert_forbidden(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.code()), (403, "forbidden"), "{answer:?}");
    assert!(!answer.json.to_string().contains(SECRET), "{answer:?}");
}

/// The routes that the property above holds to what a token grants, and those that show nothing of events to anybody. A
/// new one has to be added to either.
#[test]
fn no_route_is_left_out() {
    let held = [
        "/v1/events",
        "/v1/streams/{stream}",
        "/v1/streams/{stream}/state",
        "/v1/streams/{stream}/snapshot",
        "/v1/ws",
        "/v1/session",
        "/metrics",
    ];
    let showing_nothing = ["/healthz", "/readyz", "/openapi.json"];
    let known: BTreeSet<_> = held.iter().chain(&showing_nothing).map(|route| (*route).to_owned()).collect();
    assert_eq!(routes(), known);
}

/// Whatever is asked of whatever route, also one that nobody has thought of above: a token for another space brings
/// nothing of this one to light.
#[tokio::test]
async fn no_route_shows_another_space() {
    let world = World::begin().await;
    let rights = json!({ "read": ["z:**"], "append": ["z:**"], "sources": ["*"], "operate": true });
    let token = world.issuer.token(rights);
    for route in routes().into_iter().chain(["/".to_owned(), "/first".to_owned()]) {
        let path = route.replace("{stream}", "a:b");
        for query in ["", "?topic=**", "?topic=a:**&after=earliest", "?topic=a:b&topic=z:**", "?after=earliest"] {
            for accept in ["application/json", "text/event-stream", "*/*"] {
                for method in [Method::GET, Method::POST, Method::DELETE, Method::PUT, Method::OPTIONS] {
                    let url = world.server.url(&format!("{path}{query}"));
                    let request = world.client.request(method.clone(), url).header("accept", accept);
                    let request = request.header("content-type", EVENT).body(event_to("a:b", "new").to_string());
                    let answer = request.bearer_auth(&token).send().await.expect("an answer");
                    let about = format!("{method} {path}{query} {accept}");
                    let shown = format!("{:?}", answer.headers());
                    let shown = shown + &*answer.text().await.expect("a whole body");
                    assert!(!shown.contains(SECRET), "{about}: {shown}");
                }
            }
        }
    }
    let operator = world.issuer.token(json!({ "read": ["**"] }));
    let stored = world.get("/v1/events?topic=**&limit=1000", &operator).await;
    assert_eq!(ids_of(&stored.json["events"]), world.ids(&["**".to_owned()]), "and nothing is appended");
}

#[test]
fn a_token_shows_and_takes_what_it_says_and_nothing_else() {
    let runtime = Runtime::new().expect("a runtime");
    let world = runtime.block_on(World::begin());
    // The log stays within a page.
    let mut runner = TestRunner::new(Config { cases: 128, max_shrink_iters: 64, ..Config::default() });
    let held = runner.run(&case(), |case| {
        runtime.block_on(world.hold(&case));
        Ok(())
    });
    if let Err(failure) = held {
        panic!("{failure}");
    }
}
