//! A domain as JavaScript asks it.

use highwater_core::domain::entities;
use serde_json::{Value, json};

use super::*;

const STREAM: &str = "space:1:tasks:task-abc";

fn event(revision: u32, version: u32, kind: &str, data: &Value) -> Value {
    json!({
        "specversion": "1.0", "id": format!("event-{revision}"), "source": "generator", "type": kind, "subject": STREAM,
        "time": "2026-11-21T10:00:00Z", "recordedtime": "2026-11-21T10:00:00Z",
        "sequence": format!("{revision:016}"), "revision": revision, "version": version, "clock": format!("generator={revision}"),
        "data": data,
    })
}

/// As a page hands events in.
fn lines(events: &[Value]) -> String {
    let two = |event: &Value| {
        let mut attributes = event.clone();
        let data = attributes.as_object_mut().unwrap().remove("data");
        format!("{attributes}\n{}", data.map(|data| data.to_string()).unwrap_or_default())
    };
    events.iter().map(two).collect::<Vec<_>>().join("\n")
}

fn code(revision: u32, version: u32) -> Value {
    event(revision, version, "task.code_generated.v1", &json!({ "code": "x" }))
}

fn request(command: &Value) -> Value {
    json!({
        "entity": "task", "stream": STREAM, "command": command.to_string(),
        "id": "command-1", "source": "corrector", "now": "2026-11-21T10:00:01Z",
    })
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The domain of the task's entity alone, and the task's number.
fn opened() -> (Domain, usize) {
    let mut domain = Domain::new(Entities::new().with::<highwater_core::domain::task::Task>());
    let number = domain.open(0, "").unwrap();
    (domain, number)
}

#[test]
fn it_says_what_there_is() {
    let all = read(&Domain::new(entities()).entities());
    let task = all.as_array().unwrap().iter().find(|entity| entity["name"] == "task").unwrap();
    assert_eq!((&task["streams"], &task["schema"]), (&json!("space:*:tasks:*"), &json!(1)));
    assert_eq!(task["types"][0], "task.requirement_gathered.v1");
}

#[test]
fn events_are_folded_and_what_moves_nothing_is_counted() {
    let (mut domain, task) = opened();
    let unreadable = event(3, 1, "task.planned.v1", &json!({ "steps": 7 }));
    let newer = event(4, 1, "task.planned.v2", &json!({}));
    let events = [code(1, 1), code(2, 0), unreadable, newer, json!({ "specversion": "0.3" })];
    let told = read(&domain.apply(task, &lines(&events)));
    assert_eq!(told["version"], 1);
    let places: Vec<_> = told["unreadable"].as_array().unwrap().iter().map(|told| &told[0]).collect();
    assert_eq!(places, [&json!(2), &json!(4)]);
    let snapshot = read(&domain.snapshot(task));
    assert_eq!(snapshot["set_aside"], json!({ "stale": 1, "unknown": 1, "unreadable": 1 }));
    assert_eq!((&snapshot["mark"]["revision"], &snapshot["state"]["phase"]), (&json!(4), &json!("written")));
}

#[test]
fn a_snapshot_is_gone_on_from_unless_it_is_of_another_schema() {
    let (mut domain, task) = opened();
    domain.apply(task, &lines(&[code(1, 1)]));
    let snapshot = domain.snapshot(task);
    let again = domain.open(0, &snapshot).unwrap();
    assert_eq!(domain.snapshot(again), snapshot);
    assert_eq!(domain.open(0, &snapshot.replace("\"schema\":1", "\"schema\":2")), None);
    assert_eq!(domain.open(0, "{"), None);
    assert_eq!(domain.open(9, ""), None);
}

#[test]
fn a_command_moves_the_state_that_is_given_and_no_other() {
    let (mut domain, task) = opened();
    domain.apply(task, &lines(&[code(1, 1)]));
    let (before, copy) = (domain.snapshot(task), domain.copy(task).unwrap());
    let told =
        read(&domain.decide(copy, &request(&json!({ "type": "report_bug", "data": { "bug": "…" } })).to_string()));
    let event = &told["events"][0];
    assert_eq!((&event["id"], &event["commandid"]), (&json!("command-1"), &json!("command-1")));
    assert_eq!((&event["source"], &event["type"]), (&json!("corrector"), &json!("task.bug_report_received.v1")));
    assert_eq!((&event["subject"], &event["data"]), (&json!(STREAM), &json!({ "bug": "…" })));
    assert_eq!(read(&domain.snapshot(copy))["state"]["pending_bugs"][0]["report"], "command-1");
    assert_eq!(read(&domain.snapshot(copy))["mark"]["revision"], 2);
    assert_eq!(domain.snapshot(task), before);
}

#[test]
fn what_may_not_be_is_refused() {
    let (mut domain, task) = opened();
    let mut refused = |request: &Value| read(&domain.decide(task, &request.to_string()))["refused"].clone();
    let report = request(&json!({ "type": "report_bug", "data": { "bug": "…" } }));
    let told = refused(&report);
    assert_eq!((&told["kind"], &told["code"]), (&json!("conflict"), &json!("no_code")));
    assert_eq!(refused(&request(&json!({ "type": "fly" })))["code"], "invalid_command");
    assert_eq!(refused(&json!({ "entity": "task" }))["kind"], "invalid");
    for (name, value) in [("source", " "), ("clock", "="), ("stream", "space"), ("now", "yesterday")] {
        let mut report = report.clone();
        report[name] = json!(value);
        assert_eq!(refused(&report)["code"], "invalid_command", "{name}");
    }
    let mut other = report;
    other["entity"] = json!("elephant");
    assert_eq!(refused(&other)["kind"], "not_found");
}

#[test]
fn numbers_are_used_again() {
    let (mut domain, task) = opened();
    let copies: Vec<_> = (0..3).map(|_| domain.copy(task).unwrap()).collect();
    copies.iter().for_each(|number| domain.close(*number));
    assert_eq!(domain.copy(task), Some(copies[0]));
    assert_eq!((domain.snapshot(99), domain.apply(99, ""), domain.copy(99)), (String::new(), String::new(), None));
}
