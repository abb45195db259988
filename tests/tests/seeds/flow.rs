//! Seed 3 from its first phase to its last.

use serde_json::{Value, json};

use super::{
    Office, of, position,
    telegram::{SECRET, message, secret_file, send},
};

const SAID: [&str; 4] = [
    "Checkout fails with error 500 on mobile. #payments",
    "We decided to move checkout to the new API.",
    "Lunch?",
    "Please document the checkout API.",
];

#[tokio::test]
async fn messages_become_knowledge_and_that_proposals_and_those_tasks() {
    let data = tempfile::tempdir().unwrap();
    let office =
        Office::open_with(data.path(), &["--telegram-secret-file", secret_file(&data).to_str().unwrap()]).await;

    // Phase 1: message ingestion.
    for (number, text) in (1..).zip(SAID) {
        assert_eq!(send(&office, Some(SECRET), message(number, number, text)).await.status, 200);
    }

    // Phase 2: knowledge extraction.
    let extraction = office.post("/api/knowledge/extract", json!({})).await;
    assert_eq!(extraction.status, 202, "{extraction:?}");
    let events = office.until("knowledge", "knowledge.extraction_completed.v1").await;
    let proposed =
        of(&events, "knowledge.topic_proposed.v1").into_iter().chain(of(&events, "knowledge.atom_proposed.v1"));
    let proposed: Vec<String> = proposed.map(id).collect();
    assert!(proposed.len() >= 4, "topics, a problem, a decision and a request: {events:?}");

    // Phase 3: human review of what was found.
    for id in &proposed {
        let approved = office.post(&format!("/api/knowledge/proposals/{id}/approve"), json!({})).await;
        assert_eq!(approved.status, 200, "{approved:?}");
    }

    // Phase 4: creating a run. While it is open, there is no other.
    let created = office.post("/api/runs", json!({})).await;
    assert_eq!(created.status, 201, "{created:?}");
    let run = created.json["id"].as_str().unwrap();
    let other = office.post("/api/runs", json!({})).await;
    assert_eq!((other.status.as_u16(), other.code()), (409, "run_open"));

    // Phase 5: it runs in the background, once however often it is asked.
    let start = format!("/api/runs/{run}/start");
    assert_eq!(office.post(&start, json!({})).await.status, 202);
    for _ in 0..2 {
        // It may be through by now.
        let again = office.post(&start, json!({})).await.status.as_u16();
        assert!([202, 409].contains(&again), "{again}");
    }
    let events = office.until("analysis_runs", "analysis_run.completed.v1").await;
    assert_eq!(of(&events, "analysis_run.started.v1").len(), 1);
    assert!(!of(&events, "analysis_run.progress_updated.v1").is_empty());
    let proposals: Vec<String> = of(&events, "analysis_run.proposals_created.v1")
        .iter()
        .flat_map(|event| event["data"]["proposals"].as_array().unwrap())
        .map(|id| id.as_str().unwrap().to_owned())
        .collect();
    let [first, rest @ ..] = &proposals[..] else { panic!("nothing is proposed: {events:?}") };

    // Phase 7 comes after phase 6.
    let early = office.put(&format!("/api/runs/{run}/close")).await;
    assert_eq!((early.status.as_u16(), early.code()), (400, "proposals_pending"));
    assert!(
        early.json["detail"].as_str().unwrap().contains(&proposals.len().to_string()),
        "it says how many: {early:?}"
    );

    // Phase 6: review. A proposal may be edited before.
    let path = format!("/api/proposals/{first}");
    let edited = office.ask(reqwest::Method::PATCH, &path, json!({ "title": "Mend the checkout" })).await;
    assert_eq!(edited.status, 200, "{edited:?}");
    let approved = office.put(&format!("{path}/approve")).await;
    assert_eq!(approved.status, 200, "{approved:?}");
    assert!(position(&approved).sequence > position(&edited).sequence);
    let again = office.put(&format!("{path}/reject")).await;
    assert_eq!((again.status.as_u16(), again.code()), (409, "already_reviewed"));
    let task = office.until("tasks", "task.requirement_gathered.v1").await;
    assert!(task[0]["data"]["requirement"].as_str().unwrap().starts_with("Mend the checkout"));
    for (number, id) in rest.iter().enumerate() {
        let answer = match number {
            0 => {
                office.ask(reqwest::Method::PUT, &format!("/api/proposals/{id}/merge"), json!({ "into": first })).await
            }
            _ => office.put(&format!("/api/proposals/{id}/reject")).await,
        };
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    // Phase 7: closing.
    office.until("analysis_runs", "analysis_run.reviewed.v1").await;
    assert_eq!(office.put(&format!("/api/runs/{run}/close")).await.status, 200);
    let events = office.until("analysis_runs", "analysis_run.closed.v1").await;
    let accuracy = &of(&events, "analysis_run.closed.v1")[0]["data"]["accuracy"];
    assert_eq!(accuracy["approved_permille"], 1_000 / proposals.len(), "one of them became a task: {accuracy}");
    assert_eq!(office.post("/api/runs", json!({})).await.status, 201, "the space is free again");
}

#[tokio::test]
async fn a_story_is_told_by_its_own_routes() {
    let data = tempfile::tempdir().unwrap();
    let office = Office::open(data.path()).await;
    let story = office.post("/api/stories", json!({ "title": "S1" })).await;
    assert_eq!(story.status, 201, "{story:?}");
    let path = format!("/api/stories/{}", story.json["id"].as_str().unwrap());
    let decided = office.post(&format!("{path}/decisions"), json!({ "id": "D1", "decision": "use SQLite" })).await;
    assert_eq!(decided.status, 200, "{decided:?}");
    let subtask = office
        .ask(
            reqwest::Method::PUT,
            &format!("{path}/subtasks/T1"),
            json!({ "title": "write it", "status": "completed" }),
        )
        .await;
    assert_eq!(subtask.status, 200, "{subtask:?}");
    assert_eq!(office.post(&format!("{path}/snapshots"), json!({})).await.status, 200);
    let events = office.until("stories", "story.context_snapshot.v1").await;
    assert_eq!(of(&events, "story.context_snapshot.v1")[0]["data"]["subtasks_completed"], 1);
}

/// The last segment of an event's stream.
fn id(event: &Value) -> String {
    event["subject"].as_str().unwrap().rsplit(':').next().unwrap().to_owned()
}
