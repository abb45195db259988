//! Entities as the binary serves them: `append` has no way into their streams, `import` has, and a setting leaves them out.

use highwater_tests::{
    command::{highwater, highwater_with_input},
    http::{client, command},
    server::Process,
};
use serde_json::json;

const TASK: &str = "space:1:tasks:t";

fn append(stream: &str) -> [&str; 6] {
    ["append", stream, "--type", "task.planned.v1", "--source", "ann"]
}

#[tokio::test]
async fn the_binary_serves_entities_unless_told_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let server = Process::start(folder.path(), &[]).await;
    let url = server.url("");
    let planned = json!({ "type": "plan", "data": { "steps": ["one"] }, "source": "ann" });
    let answer = command(&client(), &server.url(&format!("/v1/commands/task/{TASK}")), None, &planned).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let refused = highwater(&url, &append(TASK)).await.error();
    assert!(refused.contains("entity_stream") && refused.contains("/v1/commands/task/"), "{refused}");

    let exported = highwater(&url, &["export"]).await.output();
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Process::start(elsewhere.path(), &[]).await;
    let summary = highwater_with_input(&other.url(""), &["import", "-"], exported.as_bytes()).await.output();
    assert!(summary.starts_with("read 1 lines: 1 stored"), "{summary}");
    server.terminate().await;

    let without = Process::start(folder.path(), &["--entities", "false"]).await;
    highwater(&without.url(""), &append(TASK)).await.output();
}
