//! What the server does by itself, and what becomes of it when somebody is gone.

use serde_json::json;

use super::{
    Office, of,
    telegram::{SECRET, message, secret_file, send},
};

#[tokio::test]
async fn a_run_whose_executor_is_gone_fails_and_frees_its_space() {
    let data = tempfile::tempdir().unwrap();
    let office = Office::open(data.path()).await;
    let created = office.post("/api/runs", json!({})).await;
    let run = created.json["id"].as_str().unwrap();
    let start = json!({ "type": "start", "source": "gone", "data": { "executor": "gone", "lease_ms": 100 } });
    assert_eq!(office.command("analysis_run", &format!("analysis_runs:{run}"), start).await.status, 200);
    let events = office.until("analysis_runs", "analysis_run.failed.v1").await;
    assert_eq!(of(&events, "analysis_run.failed.v1")[0]["data"]["reason"], "lease_expired");
    assert_eq!(office.post("/api/runs", json!({})).await.status, 201);
}

/// A command's id is unique to its actor only: what follows from two of the same id is two things.
#[tokio::test]
async fn of_two_who_use_the_same_key_both_get_what_they_ask_for() {
    let data = tempfile::tempdir().unwrap();
    let office = Office::open(data.path()).await;
    for actor in ["ann", "bob"] {
        let url = office.server.url("/api/knowledge/extract?space=1");
        let request = office.http.post(url).header("idempotency-key", "extract-1").header("highwater-actor", actor);
        assert_eq!(request.send().await.unwrap().status(), 202);
    }
    let mut completed = 0;
    while completed < 2 {
        let events = office.until("knowledge", "knowledge.extraction_completed.v1").await;
        completed = of(&events, "knowledge.extraction_completed.v1").len();
    }
}

#[tokio::test]
async fn a_run_that_is_cancelled_is_not_executed_on() {
    let data = tempfile::tempdir().unwrap();
    let office = Office::open(data.path()).await;
    let created = office.post("/api/runs", json!({})).await;
    let run = created.json["id"].as_str().unwrap();
    assert_eq!(office.post(&format!("/api/runs/{run}/cancel"), json!({ "reason": "not now" })).await.status, 200);
    let late = office.post(&format!("/api/runs/{run}/start"), json!({})).await;
    assert_eq!((late.status.as_u16(), late.code()), (409, "run_ended"));
    let closed = office.put(&format!("/api/runs/{run}/close")).await;
    assert_eq!((closed.status.as_u16(), closed.code()), (409, "run_ended"));
}

/// However soon the server dies after it has answered, what was asked for is done once, by it or its successor.
#[tokio::test]
async fn what_was_asked_of_a_server_that_died_its_successor_does() {
    let data = tempfile::tempdir().unwrap();
    let secret = secret_file(&data);
    let flags = ["--telegram-secret-file", secret.to_str().unwrap()];
    for round in 1..=3 {
        let office = Office::open_with(data.path(), &flags).await;
        for number in 1..=20 {
            let id = round * 100 + number;
            assert_eq!(
                send(&office, Some(SECRET), message(id, id, &format!("The build {id} fails"))).await.status,
                200
            );
        }
        assert_eq!(office.post("/api/knowledge/extract", json!({})).await.status, 202);
        office.server.kill().await;
    }
    let office = Office::open_with(data.path(), &flags).await;
    // The log is worked off in its order, but for what several do at a time: wait for each.
    let (mut found, mut extracted) = (Vec::new(), Vec::new());
    while found.len() < 60 || extracted.len() < 3 {
        let messages = office.until("messages", "message.updated.v1").await;
        found = of(&messages, "message.updated.v1").iter().map(|event| event["subject"].clone()).collect();
        let knowledge = office.until("knowledge", "knowledge.extraction_completed.v1").await;
        extracted =
            of(&knowledge, "knowledge.extraction_completed.v1").iter().map(|event| event["subject"].clone()).collect();
    }
    found.dedup();
    assert_eq!((found.len(), extracted.len()), (60, 3), "each once");
}
