//! `highwater demo`: the page's demo, as a browser has it: through the proxy only.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use highwater_core::{
    clock::Causality,
    envelope::{parse_event, scan_page},
    event::Event,
    reconcile::{Handled, HoldLimits, Message, Missing, Output, Reconciler, Verdict},
    sse::Decoder,
    version::{After, Position},
};
use highwater_tests::{
    http::client,
    server::{PATIENCE, binary},
};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

const TOPIC: &str = "space:demo:tasks:*";
/// The longest that a reader takes until it has seen enough.
const FOLLOWING: Duration = PATIENCE.saturating_mul(2);

/// The demo as a process, until this is dropped.
struct Demo {
    url: String,
    http: Client,
    child: Child,
    temporary: PathBuf,
    _parent: tempfile::TempDir,
}

impl Demo {
    async fn start(flags: &[&str]) -> Self {
        let parent = tempfile::tempdir().unwrap();
        let mut command = Command::new(binary());
        command.args(["demo", "--listen", "127.0.0.1:0"]).args(flags).env("TMPDIR", parent.path());
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("the binary starts");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.expect("it says where it is").unwrap().unwrap();
        let url = line.strip_prefix("open ").and_then(|url| url.strip_suffix('/')).expect("the first line is the URL");
        let http = client();
        Self { url: url.to_owned(), http, child, temporary: parent.path().to_owned(), _parent: parent }
    }

    async fn get(&self, path: &str, accept: &str, query: &[(&str, &str)]) -> reqwest::Response {
        let request = self.http.get(format!("{}{path}", self.url)).header("accept", accept).query(query);
        request.send().await.expect("it answers")
    }

    async fn set_faults(&self, faults: Value) {
        let request = self.http.put(format!("{}/demo/faults", self.url)).json(&faults);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    }

    /// Reads as a client of ours does, until `enough` has been applied; every event but the stale ones, in order.
    async fn follow(&self, enough: impl Fn(&[Event]) -> bool) -> Followed {
        timeout(FOLLOWING, self.follow_on(enough)).await.expect("it gets there")
    }

    async fn follow_on(&self, enough: impl Fn(&[Event]) -> bool) -> Followed {
        let mut followed = Followed::default();
        let mut reconciler = Reconciler::new(After::Earliest, HoldLimits::default());
        loop {
            let after = reconciler.resume().to_string();
            let mut answer = self.get("/v1/events", "text/event-stream", &[("topic", TOPIC), ("after", &after)]).await;
            assert_eq!(answer.status(), StatusCode::OK);
            followed.connections += 1;
            let attempt = reconciler.connect();
            let mut decoder = Decoder::new();
            while let Ok(Some(chunk)) = answer.chunk().await {
                decoder.push(&chunk);
                let mut missing = None;
                while let Some(frame) = decoder.next_frame().unwrap() {
                    let message = Message::read(&frame);
                    if let (Handled::Event(verdict), Message::Event(arrival)) =
                        (reconciler.handle(attempt, &message), message)
                    {
                        followed.take(verdict, arrival.envelope);
                    }
                    followed.drain(&mut reconciler, &mut missing);
                }
                while let Some(after) = missing.take() {
                    let page = self.page(after).await;
                    let page = scan_page(page.as_bytes()).unwrap();
                    let (arrivals, end) = page.arrivals().unwrap();
                    let mut last = page.prev.unwrap();
                    for arrival in arrivals {
                        last = arrival.position.sequence;
                        if let Some(verdict) = reconciler.event(attempt, &arrival) {
                            followed.take(verdict, arrival.envelope);
                        }
                    }
                    reconciler.caught_up(attempt, end, last);
                    reconciler.fetched(attempt);
                    followed.drain(&mut reconciler, &mut missing);
                }
                if enough(&followed.applied) {
                    return followed;
                }
            }
        }
    }

    async fn page(&self, after: Position) -> String {
        let query = [("topic", TOPIC), ("after", &after.to_string()), ("limit", "1000")];
        self.get("/v1/events", "application/json", &query).await.text().await.unwrap()
    }

    /// The log from its start up to this event.
    async fn log(&self, last: &Event) -> Vec<Event> {
        let query = [("topic", TOPIC), ("after", "earliest"), ("limit", "1000")];
        let page = self.get("/v1/events", "application/json", &query).await.text().await.unwrap();
        let events = scan_page(page.as_bytes()).unwrap().events;
        let events = events.into_iter().map(|event| parse_event(event).unwrap());
        events.filter(|event| event.sequence <= last.sequence).collect()
    }

    async fn terminate(mut self) {
        let pid = self.child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let status = timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap();
        assert_eq!(status.code(), Some(0));
        let left: Vec<_> = std::fs::read_dir(&self.temporary).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "its folder is removed: {left:?}");
    }
}

/// What a client of ours has made of what came.
#[derive(Default)]
struct Followed {
    applied: Vec<Event>,
    stale: BTreeSet<u64>,
    repeated: usize,
    gaps: usize,
    connections: usize,
}

impl Followed {
    fn take(&mut self, verdict: Verdict, envelope: &[u8]) {
        let event = parse_event(envelope).unwrap();
        match verdict {
            Verdict::Apply => self.applied.push(event),
            Verdict::Stale => assert!(self.stale.insert(event.sequence.get()), "stale twice: {event:?}"),
            Verdict::Duplicate => self.repeated += 1,
            Verdict::Gap => self.gaps += 1,
            Verdict::Unreadable => panic!("unreadable: {event:?}"),
        }
    }

    fn drain(&mut self, reconciler: &mut Reconciler, missing: &mut Option<Position>) {
        while let Some(output) = reconciler.poll() {
            match output {
                Output::Released { verdict, envelope, .. } => self.take(verdict, &envelope),
                Output::Fetch(Missing::Log { after }) => *missing = Some(after),
                other => panic!("nothing of this sort can happen: {other:?}"),
            }
        }
    }
}

fn checks_passed(events: &[Event]) -> usize {
    events
        .iter()
        .filter(|event| event.kind.as_str() == "task.quality_checked.v1" && data(event)["passed"] == true)
        .count()
}

fn data(event: &Event) -> Value {
    match &event.data {
        highwater_core::event::Data::Json(json) => serde_json::from_str(json.get()).unwrap(),
        other => panic!("the demo's data is JSON: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_worst_network_everything_arrives_once_and_in_order() {
    let demo = Demo::start(&["--speed", "40", "--seed", "4"]).await;
    demo.set_faults(json!({ "delay_ms": [0, 50], "repeat": 1.0, "reorder": 1.0, "cut_every_ms": 300, "seed": 9 }))
        .await;
    let followed = demo.follow(|events| checks_passed(events) >= 6).await;
    let applied: Vec<u64> = followed.applied.iter().map(|event| event.sequence.get()).collect();
    assert!(applied.is_sorted_by(|one, next| one < next), "{applied:?}");
    let log = demo.log(followed.applied.last().unwrap()).await;
    let mut versions = BTreeMap::new();
    for event in &log {
        let version = versions.entry(&event.stream).or_insert(event.version);
        let stale = event.version < *version;
        *version = event.version.max(*version);
        assert_eq!(followed.stale.contains(&event.sequence.get()), stale, "{event:?}");
        assert_eq!(applied.contains(&event.sequence.get()), !stale, "{event:?}");
    }
    assert!(followed.connections > 1 && followed.repeated > 0 && followed.gaps > 0 && !followed.stale.is_empty());
    demo.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_actors_tell_a_true_story() {
    let demo = Demo::start(&["--speed", "100", "--seed", "8"]).await;
    demo.set_faults(json!({ "delay_ms": [0, 0], "repeat": 0, "reorder": 0, "cut_every_ms": null })).await;
    let followed = demo.follow(|events| checks_passed(events) >= 8).await;
    let log = demo.log(followed.applied.last().unwrap()).await;
    let by_id: BTreeMap<&str, &Event> = log.iter().map(|event| (event.id.as_str(), event)).collect();
    let mut corrected = 0;
    for event in &log {
        let data = data(event);
        let cause = event.causation_id.as_ref().map(|id| by_id[id.as_str()]);
        if let Some(cause) = cause {
            assert_eq!(cause.stream, event.stream);
            assert_eq!(cause.clock.compare(&event.clock), Causality::Before, "a cause is known of: {event:?}");
        }
        match event.kind.as_str() {
            "task.code_generated.v1" => assert_eq!((event.version.get(), event.revision.get()), (1, 1)),
            "task.bug_report_received.v1" => {
                let tested = cause.expect("a report is about code");
                assert_eq!(event.version, tested.version);
                assert_eq!(data["hash"], self::data(tested)["hash"]);
                assert_ne!(data["bug"]["expected"], data["bug"]["got"]);
            }
            "task.correction_completed.v1" => {
                corrected += 1;
                assert_eq!(event.version.get(), cause.expect("it was begun").version.get() + 1);
                let addressed = data["addresses"].as_array().unwrap();
                assert!(!addressed.is_empty());
                for report in addressed {
                    let report = by_id[report.as_str().unwrap()];
                    assert_eq!(report.kind.as_str(), "task.bug_report_received.v1");
                    assert_eq!(report.clock.compare(&event.clock), Causality::Before);
                }
            }
            _ => assert!(cause.is_some()),
        }
    }
    assert!(corrected >= 8, "{corrected}");
    let stale = log.iter().filter(|event| followed.stale.contains(&event.sequence.get()));
    assert!(stale.count() > 0, "some reports are about code that is gone");
    demo.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_that_nobody_looks_at_rests() {
    let demo = Demo::start(&["--speed", "1000", "--seed", "2"]).await;
    // The first four tasks are written without a reader; then nothing comes for a while in which much would.
    let (mut passed, mut after) = (0, "earliest".to_owned());
    let rest = async {
        loop {
            let query = [("topic", TOPIC), ("after", &after), ("limit", "1000"), ("wait", "2")];
            let page = demo.get("/v1/events", "application/json", &query).await.text().await.unwrap();
            let page = scan_page(page.as_bytes()).unwrap();
            passed +=
                page.events.iter().filter(|event| String::from_utf8_lossy(event).contains("\"passed\":true")).count();
            after = page.next.unwrap().to_string();
            if passed >= 4 && page.events.is_empty() {
                return passed;
            }
        }
    };
    assert_eq!(timeout(PATIENCE, rest).await.expect("it comes to rest"), 4);
    let followed = demo.follow(|events| checks_passed(events) > 6).await;
    assert!(checks_passed(&followed.applied) > 6);
    demo.terminate().await;
}

/// A page of somebody else can have its name resolve to this machine, and send what needs no preflight to it.
#[tokio::test]
async fn other_sites_pages_read_and_set_nothing() {
    let demo = Demo::start(&[]).await;
    for path in ["/", "/demo/faults", "/demo.js", "/v1/events?topic=**"] {
        let rebound = client().get(format!("{}{path}", demo.url)).header("host", "evil.example");
        assert_eq!(rebound.send().await.unwrap().status(), 421, "{path}");
    }
    let before = demo.get("/demo/faults", "*/*", &[]).await.text().await.unwrap();
    let foreign = client().put(format!("{}/demo/faults", demo.url)).header("origin", "https://evil.example");
    assert_eq!(foreign.body("{}").send().await.unwrap().status(), 403);
    assert_eq!(demo.get("/demo/faults", "*/*", &[]).await.text().await.unwrap(), before);
    demo.terminate().await;
}

#[tokio::test]
async fn the_browser_needs_the_proxy_only() {
    let demo = Demo::start(&[]).await;
    let page = demo.get("/", "text/html", &[]).await;
    assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert_eq!(demo.get("/healthz", "*/*", &[]).await.status(), StatusCode::OK);
    let state: Value = demo.get("/demo/state", "application/json", &[]).await.json().await.unwrap();
    assert_eq!(state["speed"], 4.0);
    let script = demo.get("/demo.js", "*/*", &[]).await;
    assert_eq!(script.headers()["content-type"], "text/javascript; charset=utf-8");
    assert_eq!(script.text().await.unwrap(), "export const isDemo = true;\n");
    let unknown = demo.get("/nothing", "*/*", &[]).await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    demo.terminate().await;
}
