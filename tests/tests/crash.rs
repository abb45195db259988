//! `kill -9` under load, again and again, with and without the power: what was acknowledged is there after the restart, in its
//! place; what was seen stays; no request is stored in part; and what was not acknowledged is stored once when it is sent again.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    process,
    time::Duration,
};

use highwater_core::{
    envelope::{parse_event, scan_page},
    event::{Data, Event},
    version::{Epoch, Position},
};
use highwater_tests::{
    http::{BATCH, client},
    seed,
    server::{PATIENCE, Process, command},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::json;
use tokio::{
    sync::mpsc::{UnboundedSender, unbounded_channel},
    task::JoinSet,
    time::timeout,
};

const PRODUCERS: usize = 64;
/// Few, so that producers meet on each.
const STREAMS: usize = 12;
const REQUEST_EVENTS_MAX: usize = 4;
/// How many requests are acknowledged before the server dies; as many as there are producers remain in flight.
const ACKNOWLEDGED: std::ops::RangeInclusive<usize> = 1..=400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_events_survive_kills_under_load() {
    let folder = tempfile::tempdir().unwrap();
    survive(20, folder.path(), command, |_| {}).await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_events_survive_power_cuts_under_load() {
    let disk = highwater_tests::disk::Disk::new();
    survive(10, &disk.folder(), || disk.command(), |rng| disk.cut_power(rng)).await;
}

/// Starts so many servers on a folder and kills them; after each, something may be done to the folder.
async fn survive(
    rounds: usize,
    folder: &Path,
    command: impl Fn() -> process::Command,
    after_kill: impl Fn(&mut StdRng),
) {
    let mut rng = seed::random();
    let mut producers: Vec<_> = (0..PRODUCERS).map(|number| Producer::new(number, rng.random())).collect();
    let mut checker = Checker::default();

    for _ in 0..rounds {
        let server = Process::spawn(command(), folder, &[]).await;
        let client = client();
        checker.check_new(read_log(&client, &server, &checker.after()).await);

        let watcher = tokio::spawn(watch(client.clone(), server.url(""), checker.after()));
        let (acknowledge, mut acknowledged) = unbounded_channel();
        let mut running = JoinSet::new();
        for producer in producers.drain(..) {
            running.spawn(producer.run(client.clone(), server.url(""), acknowledge.clone()));
        }
        drop(acknowledge);
        for _ in 0..rng.random_range(ACKNOWLEDGED) {
            let next = timeout(PATIENCE, acknowledged.recv()).await.expect("appends are acknowledged");
            checker.acknowledge(next.expect("producers go on until the server dies"));
        }
        server.kill().await;
        after_kill(&mut rng);

        producers = timeout(PATIENCE, running.join_all()).await.expect("producers notice that the server is dead");
        while let Some(late) = acknowledged.recv().await {
            checker.acknowledge(late);
        }
        checker.seen = timeout(PATIENCE, watcher).await.expect("so does the watcher").unwrap();
    }

    let server = Process::spawn(command(), folder, &[]).await;
    let client = client();
    checker.check_new(read_log(&client, &server, &checker.after()).await);
    for producer in producers {
        let request = producer.pending.expect("each was in the middle of a request");
        checker.acknowledge(request.send(&client, &server.url("")).await.expect("an answer"));
    }
    checker.check_new(read_log(&client, &server, &checker.after()).await);
    checker.check_whole(&client, &server).await;
    println!("{} events; {} requests had been stored, but not acknowledged", checker.log.len(), checker.stored_before);
}

/// Appends one request after the other until the server dies; then keeps what was not answered, to send it again.
struct Producer {
    number: usize,
    rng: StdRng,
    requests: usize,
    pending: Option<Request>,
}

impl Producer {
    fn new(number: usize, seed: u64) -> Self {
        Self { number, rng: StdRng::seed_from_u64(seed), requests: 0, pending: None }
    }

    async fn run(mut self, client: Client, url: String, acknowledge: UnboundedSender<Acknowledged>) -> Self {
        loop {
            let request = self.pending.take().unwrap_or_else(|| self.next_request());
            match request.send(&client, &url).await {
                // Nobody listens any more only where the test has failed.
                Ok(acknowledged) => drop(acknowledge.send(acknowledged)),
                Err(_) => {
                    self.pending = Some(request);
                    return self;
                }
            }
        }
    }

    /// One or more events, of one stream or of several.
    fn next_request(&mut self) -> Request {
        self.requests += 1;
        let name = format!("{}-{}", self.number, self.requests);
        let count = self.rng.random_range(1..=REQUEST_EVENTS_MAX);
        let same_stream = self.rng.random_bool(0.5);
        let first = stream(self.rng.random_range(0..STREAMS));
        let planned = |index| Planned {
            id: format!("{name}-{index}of{count}"),
            source: format!("producer-{}", self.number),
            stream: if same_stream || index == 0 { first.clone() } else { stream(self.rng.random_range(0..STREAMS)) },
        };
        Request {
            path: if same_stream { format!("/v1/streams/{first}") } else { "/v1/events".into() },
            events: (0..count).map(planned).collect(),
        }
    }
}

fn stream(number: usize) -> String {
    format!("crash:stream-{number}")
}

/// Events that are stored together or not at all.
struct Request {
    path: String,
    events: Vec<Planned>,
}

struct Planned {
    id: String,
    source: String,
    stream: String,
}

/// What the server answered.
#[derive(Deserialize)]
struct Answer {
    position: String,
    events: Vec<Place>,
}

#[derive(Deserialize)]
struct Place {
    id: String,
    sequence: u64,
    revision: u32,
}

/// A request's streams, and the server's word that its events are stored.
struct Acknowledged {
    streams: Vec<String>,
    answer: Answer,
    stored_before: bool,
}

impl Request {
    /// An error means that the outcome is unknown. Any other answer than success fails the test.
    async fn send(&self, client: &Client, url: &str) -> reqwest::Result<Acknowledged> {
        let events: Vec<_> = self.events.iter().map(Planned::envelope).collect();
        let body = serde_json::to_vec(&events).unwrap();
        let request = client.post(format!("{url}{}", self.path)).header("content-type", BATCH).body(body);
        let response = request.send().await?;
        let status = response.status();
        let body = response.bytes().await?;
        assert!(matches!(status, StatusCode::OK | StatusCode::CREATED), "{status}: {}", String::from_utf8_lossy(&body));
        let answer: Answer = serde_json::from_slice(&body).unwrap();
        assert!(answer.events.iter().map(|place| &place.id).eq(self.events.iter().map(|event| &event.id)));
        let streams = self.events.iter().map(|event| event.stream.clone()).collect();
        Ok(Acknowledged { streams, answer, stored_before: status == StatusCode::OK })
    }
}

impl Planned {
    fn envelope(&self) -> serde_json::Value {
        let Self { id, source, stream } = self;
        let data: serde_json::Value = serde_json::from_str(&data(id, stream)).unwrap();
        json!({ "specversion": "1.0", "id": id, "source": source, "type": "crash.tried.v1", "subject": stream, "data": data })
    }
}

/// An event's data follows from what it is, so that whoever reads it knows what it must be. Its length varies.
fn data(id: &str, stream: &str) -> String {
    let length = id.bytes().fold(0, |hash: usize, byte| hash.wrapping_mul(31).wrapping_add(byte.into())) % 2_000;
    format!(r#"{{"filler":"{}","id":"{id}","stream":"{stream}"}}"#, "~".repeat(length))
}

/// The log after a position, as it is served.
struct Log {
    epoch: Epoch,
    envelopes: Vec<String>,
}

async fn read_log(client: &Client, server: &Process, after: &str) -> Log {
    let mut envelopes = Vec::new();
    let mut after = after.to_owned();
    loop {
        let page = read_page(client, &server.url(""), &after, Duration::ZERO).await.expect("a page");
        if page.envelopes.is_empty() {
            return Log { epoch: page.next.epoch, envelopes };
        }
        envelopes.extend(page.envelopes);
        after = page.next.to_string();
    }
}

/// Reads the log as it grows, until the server dies.
async fn watch(client: Client, url: String, mut after: String) -> Vec<String> {
    let mut seen = Vec::new();
    while let Ok(page) = read_page(&client, &url, &after, PATIENCE).await {
        seen.extend(page.envelopes);
        after = page.next.to_string();
    }
    seen
}

struct Page {
    envelopes: Vec<String>,
    next: Position,
}

/// An error means that the server is gone. Any other answer than a page fails the test.
async fn read_page(client: &Client, url: &str, after: &str, wait: Duration) -> reqwest::Result<Page> {
    let wait = wait.as_secs();
    let request = client.get(format!("{url}/v1/events?topic=crash:*&after={after}&limit=1000&wait={wait}"));
    let response = request.header("accept", "application/json").send().await?;
    let status = response.status();
    let text = response.text().await?;
    assert_eq!(status, StatusCode::OK, "{text}");
    let page = scan_page(text.as_bytes()).unwrap_or_else(|| panic!("no page: {text}"));
    let envelopes = page.events.into_iter().map(|envelope| String::from_utf8_lossy(envelope).into_owned()).collect();
    Ok(Page { envelopes, next: page.next.expect("a page of the log says how far it goes") })
}

/// Remembers what was promised and shown, and holds the log against it.
#[derive(Default)]
struct Checker {
    epoch: Option<Epoch>,
    /// As it was read after each restart.
    log: Vec<String>,
    sequence: u64,
    streams: BTreeMap<String, Vec<String>>,
    events: HashMap<String, Event>,
    /// What the watcher has been shown since the last restart.
    seen: Vec<String>,
    acknowledged: Vec<Acknowledged>,
    stored_before: usize,
}

impl Checker {
    /// Where the log ended when it was last read.
    fn after(&self) -> String {
        self.epoch.map_or("earliest".to_owned(), |epoch| format!("{epoch}-{}", self.sequence))
    }

    fn acknowledge(&mut self, acknowledged: Acknowledged) {
        self.stored_before += usize::from(acknowledged.stored_before);
        self.acknowledged.push(acknowledged);
    }

    /// What has come since the log was last read.
    fn check_new(&mut self, new: Log) {
        assert_eq!(*self.epoch.get_or_insert(new.epoch), new.epoch, "the log is the one it was");
        assert!(new.envelopes.starts_with(&self.seen), "what a reader was shown is stored");
        self.seen.clear();
        let ids: Vec<_> = new.envelopes.iter().map(|envelope| self.check_next(envelope)).collect();
        self.log.extend(new.envelopes);
        for id in ids {
            self.check_whole_request(&id);
        }
        for acknowledged in self.acknowledged.drain(..) {
            check_acknowledged(&acknowledged, &self.events, new.epoch);
        }
    }

    fn check_next(&mut self, envelope: &str) -> String {
        let event = parse_event(envelope.as_bytes()).unwrap_or_else(|error| panic!("{error}: {envelope}"));
        assert!(event.sequence.get() > self.sequence, "sequences rise: {envelope}");
        self.sequence = event.sequence.get();
        let (id, stream) = (event.id.to_string(), event.stream.to_string());
        assert_eq!(event.data, Data::json(&data(&id, &stream)).unwrap(), "{envelope}");
        let of_stream = self.streams.entry(stream).or_default();
        of_stream.push(envelope.to_owned());
        assert_eq!(event.revision.get() as usize, of_stream.len(), "revisions are contiguous: {envelope}");
        assert!(self.events.insert(id.clone(), event).is_none(), "stored twice: {envelope}");
        id
    }

    /// An id says of how many events its request was.
    fn check_whole_request(&self, id: &str) {
        let (request, index) = id.rsplit_once('-').unwrap();
        let (_, count) = index.split_once("of").unwrap();
        for index in 0..count.parse().unwrap() {
            let other = format!("{request}-{index}of{count}");
            assert!(self.events.contains_key(&other), "{id} is stored without {other}");
        }
    }

    /// Nothing has changed or gone since it was first read, and each stream by itself is what the log has of it.
    async fn check_whole(&self, client: &Client, server: &Process) {
        let log = read_log(client, server, "earliest").await;
        assert_eq!(self.epoch, Some(log.epoch));
        assert!(self.log == log.envelopes);
        for (stream, envelopes) in &self.streams {
            assert!(*envelopes == read_stream(client, server, stream, envelopes.len()).await, "{stream}");
        }
    }
}

async fn read_stream(client: &Client, server: &Process, stream: &str, count: usize) -> Vec<String> {
    let mut envelopes = Vec::new();
    while envelopes.len() < count {
        let from = envelopes.len() + 1;
        let url = server.url(&format!("/v1/streams/{stream}?from_revision={from}&limit=1000"));
        let text = client.get(url).send().await.unwrap().text().await.unwrap();
        let page = scan_page(text.as_bytes()).unwrap_or_else(|| panic!("no page: {text}"));
        assert!(!page.events.is_empty(), "{stream} ends before revision {from}");
        envelopes.extend(page.events.into_iter().map(|envelope| String::from_utf8_lossy(envelope).into_owned()));
    }
    envelopes
}

fn check_acknowledged(acknowledged: &Acknowledged, events: &HashMap<String, Event>, epoch: Epoch) {
    let Acknowledged { streams, answer, .. } = acknowledged;
    for (place, stream) in answer.events.iter().zip(streams) {
        let event = events.get(&place.id).unwrap_or_else(|| panic!("{} was acknowledged and is gone", place.id));
        assert_eq!((event.sequence.get(), event.revision.get()), (place.sequence, place.revision), "{}", place.id);
        assert_eq!(event.stream.as_str(), stream, "{}", place.id);
    }
    let last = answer.events.iter().map(|place| place.sequence).max().unwrap();
    assert_eq!(answer.position, format!("{epoch}-{last}"));
}
