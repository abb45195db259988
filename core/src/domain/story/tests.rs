//! Seed 2's event stream, told in its words.

use std::iter::successors;

use super::*;
use crate::{
    decider::{
        RefusalKind,
        testing::{Cell, Scenario, assert_types_are_named},
    },
    domain::entities,
};

const STREAM: &str = "space:1:stories:S1";

fn context() -> ContextCreated {
    ContextCreated { title: "Event sourcing".into(), description: "Make the log the truth".into() }
}

fn decision(id: &str) -> DecisionAdded {
    DecisionAdded { id: id.into(), decision: "Use a log".into(), rationale: None }
}

fn subtask(id: &str, status: SubtaskStatus) -> SubtaskUpdated {
    SubtaskUpdated { id: id.into(), title: Some(format!("Subtask {id}")), status }
}

fn new() -> Scenario<Story> {
    Scenario::new(entities(), STREAM)
}

fn created() -> Scenario<Story> {
    new().after::<Story>(STREAM, "po", StoryCommand::CreateContext(context()))
}

#[test]
fn types_are_named() {
    assert_types_are_named::<Story>();
}

#[test]
fn the_seeds_stream_of_events() {
    let snapshot = ContextSnapshot {
        version: 3,
        decisions: 1,
        subtasks: 1,
        subtasks_completed: 1,
        note: Some("end of the sprint".into()),
    };
    let story = new()
        .when("po", StoryCommand::CreateContext(context()))
        .then([StoryEvent::ContextCreated(context())])
        .when("architect", StoryCommand::AddDecision(decision("D1")))
        .then([StoryEvent::DecisionAdded(decision("D1"))])
        .when("dev", StoryCommand::UpdateSubtask(subtask("T1", SubtaskStatus::Completed)))
        .then([StoryEvent::SubtaskUpdated(subtask("T1", SubtaskStatus::Completed))])
        .when("po", StoryCommand::TakeSnapshot(TakeSnapshot { note: snapshot.note.clone() }))
        .then([StoryEvent::ContextSnapshot(snapshot.clone())]);
    let state = story.state();
    assert_eq!((state.version, state.snapshot), (3, Some(snapshot)));
    assert_eq!(state.decisions[0].by.as_str(), "architect");
}

#[test]
fn a_snapshot_is_of_the_versions_so_far_and_of_each_there_is_one() {
    let mut story = created();
    for n in 1..10 {
        story = story.after::<Story>(STREAM, "architect", StoryCommand::AddDecision(decision(&format!("D{n}"))));
    }
    let story = story.after::<Story>(STREAM, "po", StoryCommand::TakeSnapshot(TakeSnapshot::default()));
    assert_eq!(story.state().snapshot.as_ref().map(|snapshot| snapshot.version), Some(10));
    let story = story
        .when("po", StoryCommand::TakeSnapshot(TakeSnapshot::default()))
        .then([])
        .after::<Story>(STREAM, "architect", StoryCommand::AddDecision(decision("D10")))
        .when("po", StoryCommand::TakeSnapshot(TakeSnapshot::default()))
        .then_types(&["story.context_snapshot.v1"]);
    assert_eq!(story.state().snapshot.map(|snapshot| snapshot.version), Some(11));
}

#[test]
fn a_decision_stands() {
    let other = DecisionAdded { decision: "Use a table".into(), ..decision("D1") };
    let outcome = created()
        .after::<Story>(STREAM, "architect", StoryCommand::AddDecision(decision("D1")))
        .when("architect", StoryCommand::AddDecision(decision("D1")))
        .then([])
        .when("architect", StoryCommand::AddDecision(other));
    let refusal = outcome.result().unwrap_err();
    assert_eq!((refusal.kind(), refusal.code()), (RefusalKind::Conflict, "decision_exists"));
}

#[test]
fn a_subtask_keeps_its_title_and_its_place() {
    let done = SubtaskUpdated { title: None, ..subtask("T1", SubtaskStatus::Completed) };
    let story = created()
        .after::<Story>(STREAM, "dev", StoryCommand::UpdateSubtask(subtask("T1", SubtaskStatus::Open)))
        .after::<Story>(STREAM, "dev", StoryCommand::UpdateSubtask(subtask("T2", SubtaskStatus::InProgress)))
        .when("dev", StoryCommand::UpdateSubtask(done.clone()))
        .then([StoryEvent::SubtaskUpdated(done.clone())])
        .when("dev", StoryCommand::UpdateSubtask(done))
        .then([]);
    let subtasks: Vec<_> = story.state().subtasks.into_iter().map(|subtask| (subtask.title, subtask.status)).collect();
    let expected = [("Subtask T1", SubtaskStatus::Completed), ("Subtask T2", SubtaskStatus::InProgress)];
    assert_eq!(subtasks, expected.map(|(title, status)| (title.to_owned(), status)));
}

#[test]
fn what_says_nothing_is_refused() {
    let blank = |command| created().when("po", command).then_refused("empty_text");
    let _ = new()
        .when("po", StoryCommand::CreateContext(ContextCreated { title: " ".into(), ..context() }))
        .then_refused("empty_text");
    let _ = blank(StoryCommand::AddDecision(decision("")));
    let _ = blank(StoryCommand::AddDecision(DecisionAdded { decision: " ".into(), ..decision("D1") }));
    let _ = blank(StoryCommand::UpdateSubtask(subtask("", SubtaskStatus::Open)));
    let untitled = SubtaskUpdated { title: None, ..subtask("T1", SubtaskStatus::Open) };
    let _ = blank(StoryCommand::UpdateSubtask(untitled));
}

#[test]
fn a_story_is_bounded() {
    let mut story = created();
    for n in 0..DECISIONS_MAX {
        story = story.given("architect", decision(&n.to_string()));
    }
    for n in 0..SUBTASKS_MAX {
        story = story.given("dev", subtask(&n.to_string(), SubtaskStatus::Open));
    }
    let story = story
        .when("architect", StoryCommand::AddDecision(decision("one more")))
        .then_refused("story_full")
        .when("dev", StoryCommand::UpdateSubtask(subtask("one more", SubtaskStatus::Open)))
        .then_refused("story_full")
        .when("dev", StoryCommand::UpdateSubtask(subtask("0", SubtaskStatus::Completed)))
        .then_types(&["story.subtask_updated.v1"]);
    let imported =
        story.given("architect", decision("imported")).given("dev", subtask("imported", SubtaskStatus::Open));
    assert_eq!((imported.state().decisions.len(), imported.state().subtasks.len()), (DECISIONS_MAX, SUBTASKS_MAX));
}

/// Every command. The compiler asks for one that is missing.
fn commands() -> impl Iterator<Item = StoryCommand> {
    successors(Some(StoryCommand::CreateContext(context())), |command| match command {
        StoryCommand::CreateContext(_) => Some(StoryCommand::AddDecision(decision("D1"))),
        StoryCommand::AddDecision(_) => Some(StoryCommand::UpdateSubtask(subtask("T1", SubtaskStatus::Open))),
        StoryCommand::UpdateSubtask(_) => Some(StoryCommand::TakeSnapshot(TakeSnapshot::default())),
        StoryCommand::TakeSnapshot(_) => None,
    })
}

fn cell(is_there: bool, command: &StoryCommand) -> Cell {
    use StoryCommand as Do;
    match (is_there, command) {
        (false, Do::CreateContext(_)) => Ok(&["story.context_created.v1"]),
        (true, Do::CreateContext(_)) => Err("story_exists"),
        (false, Do::AddDecision(_) | Do::UpdateSubtask(_) | Do::TakeSnapshot(_)) => Err("unknown_story"),
        (true, Do::AddDecision(_)) => Ok(&["story.decision_added.v1"]),
        (true, Do::UpdateSubtask(_)) => Ok(&["story.subtask_updated.v1"]),
        (true, Do::TakeSnapshot(_)) => Ok(&["story.context_snapshot.v1"]),
    }
}

#[test]
fn every_command_before_and_after_the_context_is_created() {
    for is_there in [false, true] {
        for command in commands() {
            let story = if is_there { created() } else { new() };
            assert_eq!(story.state().context.is_some(), is_there);
            let name = format!("{is_there} × {command:?}");
            let expected = cell(is_there, &command);
            story.when("po", command).then_cell(&name, expected);
        }
    }
}
