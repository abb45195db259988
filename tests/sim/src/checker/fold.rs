//! The plain fold: what the events of a log come to, by what SPEC.md says and none of the code that runs between log and page.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Log, Recorded, log::clock_of, wants};

/// What the events of one stream come to.
pub(super) struct Plain {
    /// The highest version.
    pub version: u64,
    /// How many events were of an earlier one.
    pub stale: u64,
    /// A task's state, or the ids of what counts.
    pub state: Value,
}

/// The state of each stream of these topics by its events after a place.
#[must_use]
pub fn fold(log: &Log, topics: &[String], after: u64) -> BTreeMap<String, Value> {
    let mut streams: BTreeMap<&str, Vec<&Recorded>> = BTreeMap::new();
    let events = log.events().iter().filter(|event| event.sequence > after && wants(topics, &event.stream));
    events.for_each(|event| streams.entry(&event.stream).or_default().push(event));
    streams.into_iter().map(|(stream, events)| (stream.to_owned(), plain(&events).state)).collect()
}

/// What these events of one stream come to. One that is about an earlier version changes nothing.
pub(super) fn plain(events: &[&Recorded]) -> Plain {
    let is_task = events.first().is_some_and(|event| event.stream.contains(":tasks:"));
    let (mut version, mut stale, mut ids, mut task) = (0, 0, Vec::new(), new_task());
    for recorded in events {
        if recorded.version < version {
            stale += 1;
            continue;
        }
        version = recorded.version;
        ids.push(recorded.id.as_str());
        if is_task {
            evolve(&mut task, &recorded.event);
        }
    }
    Plain { version, stale, state: if is_task { task } else { ids.join(" ").into() } }
}

fn new_task() -> Value {
    json!({
        "phase": "new", "requirement": null, "plan": [], "code": null, "pending_bugs": [], "in_correction": null, "tests": 0,
        "quality": null, "dead_code": [], "interventions": 0, "reports_stale": 0, "reports_dropped": 0,
    })
}

/// What an event makes of a task: those that the plan has commands for.
fn evolve(task: &mut Value, event: &Value) {
    let data = &event["data"];
    match event["type"].as_str().unwrap_or_default() {
        "task.requirement_gathered.v1" => {
            task["requirement"] = data["requirement"].clone();
            reach(task, "specified", &["new"]);
        }
        "task.planned.v1" => {
            task["plan"] = data["steps"].clone();
            reach(task, "planned", &["new", "specified"]);
        }
        "task.code_generated.v1" => {
            if task["requirement"].is_null() {
                task["requirement"] = data["task"].clone();
            }
            show(task, event);
        }
        "task.code_refined.v1" => show(task, event),
        "task.test_generated.v1" => add(&mut task["tests"], data["count"].as_u64().unwrap_or_default()),
        "task.bug_report_received.v1" => report(task, event),
        "task.correction_started.v1" => {
            task["in_correction"] = event["version"].clone();
            task["phase"] = "in_correction".into();
        }
        "task.correction_completed.v1" => {
            let is_addressed =
                |bug: &Value| data["addresses"].as_array().is_some_and(|all| all.contains(&bug["report"]));
            let pending = task["pending_bugs"].as_array().into_iter().flatten();
            task["pending_bugs"] = pending.filter(|bug| !is_addressed(bug)).cloned().collect();
            show(task, event);
        }
        "task.user_intervened.v1" => add(&mut task["interventions"], 1),
        other => task["unknown"] = other.into(),
    }
}

fn reach(task: &mut Value, phase: &str, from: &[&str]) {
    if from.contains(&task["phase"].as_str().unwrap_or_default()) {
        task["phase"] = phase.into();
    }
}

fn add(number: &mut Value, more: u64) {
    *number = (number.as_u64().unwrap_or_default() + more).into();
}

/// There is new code, of which nothing is known but what was reported and not addressed.
fn show(task: &mut Value, event: &Value) {
    let data = &event["data"];
    let [version, clock, id] = ["version", "clock", "id"].map(|member| event[member].clone());
    let code = json!({ "code": data["code"], "hash": data["hash"], "version": version, "clock": clock, "event": id });
    task["code"] = code;
    (task["in_correction"], task["quality"]) = (Value::Null, Value::Null);
    (task["tests"], task["dead_code"]) = (0.into(), json!([]));
    settle(task);
}

fn settle(task: &mut Value) {
    if task["in_correction"].is_null() && !task["code"].is_null() {
        let is_good = task["pending_bugs"].as_array().is_some_and(Vec::is_empty);
        task["phase"] = if is_good { "written" } else { "failing" }.into();
    }
}

fn report(task: &mut Value, event: &Value) {
    if task["code"].is_null() {
        return;
    }
    let (about, by) = causality(event, &task["code"]);
    if !matches!(about, "current" | "concurrent") {
        return add(&mut task["reports_stale"], 1);
    }
    let bug = json!({
        "report": event["id"], "bug": event["data"]["bug"], "causality": { "about": about, "by": by }, "is_urgent": false,
    });
    task["pending_bugs"].as_array_mut().into_iter().for_each(|pending| pending.push(bug.clone()));
    settle(task);
}

/// What a report is about, and what says so: the version; a clock that is before the code's; the hashes; else the clocks.
fn causality(report: &Value, code: &Value) -> (&'static str, &'static str) {
    let version = |of: &Value| of["version"].as_u64().unwrap_or_default();
    if version(report) != version(code) {
        return (if version(report) < version(code) { "earlier" } else { "later" }, "version");
    }
    let (own, other) = (clock_of(&report["clock"]), clock_of(&code["clock"]));
    let knows = |one: &BTreeMap<String, u64>, all: &BTreeMap<String, u64>| {
        all.iter().all(|(actor, counter)| one.get(actor).is_some_and(|known| known >= counter))
    };
    let (is_before, is_after) = (knows(&other, &own), knows(&own, &other));
    match (&report["data"]["hash"], &code["hash"]) {
        _ if is_before && !is_after => ("earlier", "clock"),
        (Value::String(one), Value::String(other)) => (if one == other { "current" } else { "earlier" }, "hash"),
        _ if is_after => ("current", "clock"),
        _ => ("concurrent", "clock"),
    }
}
