mod flow;
mod races;
mod telegram;
mod work;

use std::path::Path;

use highwater_core::version::Position;
use highwater_tests::{
    http::{Answer, client},
    server::{PATIENCE, Process},
};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::time::timeout;

/// A server, and somebody who asks it.
struct Office {
    server: Process,
    http: Client,
}

impl Office {
    async fn open(data: &Path) -> Self {
        Self::open_with(data, &[]).await
    }

    async fn open_with(data: &Path, flags: &[&str]) -> Self {
        Self { server: Process::start(data, flags).await, http: client() }
    }

    /// Asks for something in space 1.
    async fn ask(&self, method: Method, path: &str, body: Value) -> Answer {
        let url = self.server.url(&format!("{path}?space=1"));
        let request = self.http.request(method, url).header("content-type", "application/json").body(body.to_string());
        Answer::of(request.send().await.expect("an answer")).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, body).await
    }

    async fn put(&self, path: &str) -> Answer {
        self.ask(Method::PUT, path, json!({})).await
    }

    /// Gives any command to a stream of space 1.
    async fn command(&self, entity: &str, stream: &str, command: Value) -> Answer {
        self.post(&format!("/v1/commands/{entity}/space:1:{stream}"), command).await
    }

    /// Waits until an event of this type is in the log, and gives all events of these streams of space 1 up to it.
    async fn until(&self, streams: &str, kind: &str) -> Vec<Value> {
        let mut told = Vec::new();
        let mut after = "earliest".to_owned();
        let come = async {
            loop {
                let url = format!("/v1/events?topic=space:1:{streams}:*&after={after}&wait=10&limit=1000");
                let page = Answer::of(self.http.get(self.server.url(&url)).send().await.expect("an answer")).await;
                told.extend(page.json["events"].as_array().expect("events").iter().cloned());
                if told.iter().any(|event| event["type"] == kind) {
                    return;
                }
                after = page.json["next"].as_str().expect("a position").to_owned();
            }
        };
        timeout(PATIENCE, come).await.unwrap_or_else(|_| panic!("{kind} does not come"));
        told
    }
}

/// The place that an answer tells.
fn position(answer: &Answer) -> Position {
    answer.json["position"].as_str().expect("a position").parse().expect("a position")
}

/// The events of a type.
fn of<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["type"] == kind).collect()
}
