//! `kill -9` among commands: each is carried out once, whether its answer came or not, and answered as the log has it.

use std::{collections::BTreeMap, ops::RangeInclusive};

use highwater_tests::{
    http::{client, get},
    seed,
    server::{PATIENCE, Process},
};
use rand::RngExt;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::{
    sync::mpsc::{UnboundedSender, unbounded_channel},
    task::JoinSet,
    time::timeout,
};

const ROUNDS: usize = 5;
const CLIENTS: usize = 16;
/// Few, so that clients meet on each.
const TASKS: usize = 3;
/// How many commands are answered before the server dies; as many as there are clients remain under way.
const ANSWERED: RangeInclusive<usize> = 1..=60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_are_carried_out_once_through_kills() {
    let mut rng = seed::random();
    let folder = tempfile::tempdir().unwrap();
    let mut clients: Vec<_> = (0..CLIENTS).map(|number| Given { number, count: 0 }).collect();
    let mut answers = BTreeMap::new();

    for _ in 0..ROUNDS {
        let server = Process::start(folder.path(), &[]).await;
        let (answered, mut heard) = unbounded_channel();
        let mut running = JoinSet::new();
        for given in clients.drain(..) {
            running.spawn(given.give_on(client(), server.url(""), answered.clone()));
        }
        drop(answered);
        for _ in 0..rng.random_range(ANSWERED) {
            let (key, answer) =
                timeout(PATIENCE, heard.recv()).await.expect("commands are answered").expect("they go on");
            answers.insert(key, answer);
        }
        server.kill().await;
        clients = timeout(PATIENCE, running.join_all()).await.expect("clients notice that the server is dead");
        while let Some((key, answer)) = heard.recv().await {
            answers.insert(key, answer);
        }
    }

    let server = Process::start(folder.path(), &[]).await;
    for given in &clients {
        answers.insert(given.key(), given.give(&client(), &server.url("")).await.expect("an answer"));
    }
    let mut log = log(&server).await;
    assert_eq!(log.len(), answers.len(), "each command has made one event");
    for (key, answer) in answers {
        let event = log.remove(&key).unwrap_or_else(|| panic!("{key} was answered and is gone"));
        let place = json!([{ "id": key, "stream": event["subject"], "sequence": sequence(&event), "revision": event["revision"] }]);
        assert_eq!(answer["events"], place);
    }
}

/// What a client has given so far; the last one until it is answered.
struct Given {
    number: usize,
    count: usize,
}

impl Given {
    /// Gives one command after the other until the server dies.
    async fn give_on(mut self, client: Client, url: String, answered: UnboundedSender<(String, Value)>) -> Self {
        while let Ok(answer) = self.give(&client, &url).await {
            // Nobody listens any more only where the test has failed.
            drop(answered.send((self.key(), answer)));
            self.count += 1;
        }
        self
    }

    /// An error means that the outcome is unknown. Any other answer than success fails the test.
    async fn give(&self, client: &Client, url: &str) -> reqwest::Result<Value> {
        let task = (self.number + self.count) % TASKS;
        let request = client.post(format!("{url}/v1/commands/task/space:1:tasks:{task}"));
        let command =
            json!({ "type": "intervene", "data": { "note": self.key() }, "source": format!("user-{}", self.number) });
        let request = request.header("content-type", "application/json").header("idempotency-key", self.key());
        let response = request.body(command.to_string()).send().await?;
        let (status, body) = (response.status(), response.bytes().await?);
        assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
        Ok(serde_json::from_slice(&body).expect("JSON"))
    }

    fn key(&self) -> String {
        format!("{}-{}", self.number, self.count)
    }
}

/// All events, by the commands that made them.
async fn log(server: &Process) -> BTreeMap<String, Value> {
    let (mut events, mut after) = (BTreeMap::new(), "earliest".to_owned());
    loop {
        let page = get(&client(), &server.url(&format!("/v1/events?topic=**&limit=1000&after={after}"))).await.json;
        let new = page["events"].as_array().expect("a page");
        if new.is_empty() {
            return events;
        }
        for event in new {
            let key = event["commandid"].as_str().expect("a command made it").to_owned();
            assert!(events.insert(key, event.clone()).is_none(), "carried out twice: {event}");
        }
        after = page["next"].as_str().expect("a position").to_owned();
    }
}

fn sequence(event: &Value) -> u64 {
    event["sequence"].as_str().and_then(|digits| digits.parse().ok()).expect("a sequence")
}
