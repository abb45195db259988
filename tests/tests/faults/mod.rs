//! What the tests share: an account of what was answered, and ways to start a server that is to fail.

mod damage;
mod disk;
mod kills;
mod limits;
#[cfg(target_os = "linux")]
mod power;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    path::Path,
    process::{self, Stdio},
};

use highwater_core::envelope::parse_event;
use highwater_tests::{
    http::{Answer, EVENT, event, get},
    server::{PATIENCE, Process, command},
};
use reqwest::{Client, StatusCode};
use serde_json::Value;
use tokio::time::timeout;

/// Where all events go.
const STREAM: &str = "/v1/streams/fault:a";
/// The file in the test's folder that has what the server said.
const LINES_FILE: &str = "lines";
const SIGKILL: i32 = 9;

/// What was answered, to be held against the log.
#[derive(Default)]
struct Account {
    epoch: Option<String>,
    /// Where each event is.
    acknowledged: BTreeMap<String, u64>,
    refused: BTreeSet<String>,
    /// Of these nothing is known.
    unanswered: BTreeSet<String>,
}

impl Account {
    /// Appends an event and notes what becomes of it. `None` where there is no answer.
    async fn append(&mut self, client: &Client, server: &Process, event: &Value) -> Option<StatusCode> {
        self.note(event, send(client, &server.url(STREAM), event).await)
    }

    /// Notes what became of an event, as [`send`] tells it.
    fn note(&mut self, event: &Value, answer: Option<Answer>) -> Option<StatusCode> {
        let id = event["id"].as_str().expect("it has one").to_owned();
        for noted in [&mut self.refused, &mut self.unanswered] {
            noted.remove(&id);
        }
        let Some(answer) = answer else {
            self.unanswered.insert(id);
            return None;
        };
        if answer.status.is_success() {
            let sequence = answer.json["events"][0]["sequence"].as_u64().expect("a place");
            let before = self.acknowledged.insert(id, sequence);
            assert!(before.is_none_or(|before| before == sequence), "it has another place now");
        } else {
            assert!(matches!(answer.code(), "unavailable" | "overloaded"), "{answer:?}");
            self.refused.insert(id);
        }
        Some(answer.status)
    }

    /// Appends events that must be new and acknowledged.
    async fn append_all(&mut self, client: &Client, server: &Process, events: impl IntoIterator<Item = Value>) {
        for event in events {
            assert_eq!(self.append(client, server, &event).await, Some(StatusCode::CREATED), "{}", event["id"]);
        }
    }

    /// What was acknowledged is there, once and in its place; what was refused is not; the log is the one it was.
    async fn check(&mut self, client: &Client, server: &Process) {
        let (epoch, log) = read_log(client, server).await;
        assert_eq!(*self.epoch.get_or_insert_with(|| epoch.clone()), epoch, "another epoch");
        for (at, id) in log.iter().enumerate() {
            assert!(!self.refused.contains(id), "{id} was refused, and is there");
            match self.acknowledged.get(id) {
                Some(sequence) => assert_eq!(*sequence, at as u64 + 1, "{id} is in another place"),
                None => assert!(self.unanswered.contains(id), "nobody knows of {id}"),
            }
        }
        let stored: BTreeSet<_> = log.iter().collect();
        assert_eq!(stored.len(), log.len(), "something is there twice: {log:?}");
        let lost: Vec<_> = self.acknowledged.keys().filter(|id| !stored.contains(id)).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    }
}

/// Sends an event to a URL. `None` where there is no answer.
async fn send(client: &Client, url: &str, event: &Value) -> Option<Answer> {
    let request = client.post(url).header("content-type", EVENT).body(event.to_string());
    match timeout(PATIENCE, request.send()).await.expect("an answer or an end") {
        Ok(response) => Some(Answer::of(response).await),
        Err(_) => None,
    }
}

/// The log's epoch and its events' ids, after checking that sequences and revisions have no holes.
async fn read_log(client: &Client, server: &Process) -> (String, Vec<String>) {
    let (mut ids, mut after) = (Vec::new(), "earliest".to_owned());
    loop {
        let page = read_page(client, server, &after).await;
        assert_eq!(page.status, StatusCode::OK, "{page:?}");
        after = page.json["next"].as_str().expect("a page says how far it goes").to_owned();
        let events = page.json["events"].as_array().expect("a page has events");
        if events.is_empty() {
            let (epoch, _) = after.split_once('-').expect("a position");
            return (epoch.to_owned(), ids);
        }
        for envelope in events {
            let event = parse_event(envelope.to_string().as_bytes()).expect("an event");
            ids.push(event.id.to_string());
            assert_eq!((event.sequence.get(), event.revision.get() as usize), (ids.len() as u64, ids.len()));
        }
    }
}

async fn read_page(client: &Client, server: &Process, after: &str) -> Answer {
    get(client, &server.url(&format!("/v1/events?topic=fault:*&after={after}&limit=100"))).await
}

/// Events of so many bytes.
fn large(ids: impl IntoIterator<Item = usize>, bytes: usize) -> impl Iterator<Item = Value> {
    ids.into_iter().map(move |id| {
        let mut event = event(&id.to_string());
        event["data"]["text"] = "~".repeat(bytes).into();
        event
    })
}

/// Has a command write what it says into a file of this folder, to be read by [`lines`].
fn logged(mut command: process::Command, folder: &Path) -> process::Command {
    command.stderr(File::create(folder.join(LINES_FILE)).expect("a file for what it says"));
    command
}

fn lines(folder: &Path) -> String {
    fs::read_to_string(folder.join(LINES_FILE)).expect("what it said")
}

/// A command that fails at a failpoint.
fn failing_at(failpoint: &str) -> process::Command {
    let mut command = command();
    command.env("HIGHWATER_FAILPOINT", failpoint);
    command
}

/// Runs `highwater serve` where it is to end by itself.
async fn run_to_its_end(command: process::Command, data: &Path) -> process::Output {
    let mut command = tokio::process::Command::from(command);
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data).stdin(Stdio::null()).kill_on_drop(true);
    timeout(PATIENCE, command.output()).await.expect("it ends by itself").expect("the binary starts")
}

/// The server refused to start, and its last words are about this file. Returns these.
fn assert_refused(output: &process::Output, file: &Path) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains(&*file.to_string_lossy()), "{said}");
    said
}
