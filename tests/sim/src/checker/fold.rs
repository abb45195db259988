//! The plain fold: what the events of a log come to, without any of the machines between log and page.

use std::collections::BTreeMap;

use highwater_core::{
    decider::Decider,
    domain::task::{Task, TaskState},
    envelope::parse_event,
    upcast::{self, Read},
};

use super::{Log, wants};

#[derive(Default)]
struct Plain {
    version: u64,
    applied: Vec<String>,
    task: Option<TaskState>,
}

/// The state of each stream of these topics by its events after a place, as text: of a task as JSON, of others the ids of what counts.
#[must_use]
pub fn fold(log: &Log, topics: &[String], after: u64) -> BTreeMap<String, String> {
    let mut states: BTreeMap<String, Plain> = BTreeMap::new();
    let events = log.events().iter().filter(|event| event.sequence > after && wants(topics, &event.stream));
    for recorded in events {
        let state = states.entry(recorded.stream.clone()).or_default();
        if recorded.stream.contains(":tasks:") {
            state.task.get_or_insert_default();
        }
        if recorded.version < state.version {
            continue;
        }
        state.version = recorded.version;
        state.applied.push(recorded.id.clone());
        if let Some(task) = &mut state.task
            && let Ok(event) = parse_event(recorded.envelope.as_bytes())
            && let Read::Event(happened) = upcast::read::<Task>(&event)
        {
            *task = Task::evolve(std::mem::take(task), happened, &event);
        }
    }
    let show = |(stream, state): (String, Plain)| {
        let shown = match &state.task {
            Some(task) => highwater_core::json::to_string(task),
            None => state.applied.join(" "),
        };
        (stream, shown)
    };
    states.into_iter().map(show).collect()
}
