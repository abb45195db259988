//! Messages that come once, again, edited, and out of order.

use std::iter::successors;

use super::*;
use crate::{
    decider::{
        RefusalKind,
        testing::{Cell, Scenario, assert_types_are_named},
    },
    domain::entities,
};

const STREAM: &str = "space:1:messages:7-1";

fn said(text: &str) -> Ingested {
    Ingested {
        message_id: 1,
        chat: Chat { id: 7, kind: "supergroup".into(), title: Some("Team".into()) },
        sent_at: "2026-01-01T09:00:00Z".parse().unwrap(),
        content: Content {
            text: text.into(),
            user: Some(User { id: 42, username: Some("ada".into()), is_bot: false }),
            profile: Some(Profile { first_name: "Ada".into(), last_name: None, language_code: Some("en".into()) }),
            edited_at: None,
            update_id: Some(100),
        },
    }
}

fn edited(text: &str, at: &str, update_id: u64) -> Ingested {
    let mut message = said(text);
    (message.content.edited_at, message.content.update_id) = (Some(at.parse().unwrap()), Some(update_id));
    message
}

fn found(edits: u32) -> Found {
    Found { edits, hashtags: vec!["slow".into()], words: 3, ..Found::default() }
}

fn new() -> Scenario<Message> {
    Scenario::new(entities(), STREAM)
}

fn ingested() -> Scenario<Message> {
    new().after::<Message>(STREAM, "telegram", MessageCommand::Ingest(said("Pages are #slow")))
}

fn text(scenario: &Scenario<Message>) -> String {
    scenario.state().message.unwrap().content.text
}

#[test]
fn types_are_named() {
    assert_types_are_named::<Message>();
}

#[test]
fn a_message_comes_with_its_user_and_profile() {
    let message = new()
        .when("telegram", MessageCommand::Ingest(said("Pages are #slow")))
        .then([MessageEvent::Ingested(said("Pages are #slow"))]);
    assert_eq!(message.state().message, Some(said("Pages are #slow")));
}

#[test]
fn the_same_again_is_no_event() {
    let mut again = said("Pages are #slow");
    again.content.update_id = Some(101);
    let _ = ingested()
        .when("telegram", MessageCommand::Ingest(said("Pages are #slow")))
        .then([])
        .when("telegram", MessageCommand::Ingest(again))
        .then([]);
}

#[test]
fn of_two_texts_the_one_that_was_edited_later_stays() {
    let later = edited("Pages with totals are #slow", "2026-01-01T09:05:00Z", 103);
    let message = ingested()
        .when("telegram", MessageCommand::Ingest(later.clone()))
        .then([MessageEvent::Updated(Updated { content: Some(later.content), found: None })])
        .when("telegram", MessageCommand::Ingest(edited("Pages are so #slow", "2026-01-01T09:04:00Z", 102)))
        .then([])
        .when("telegram", MessageCommand::Ingest(said("Pages are #slow")))
        .then([]);
    assert_eq!((text(&message).as_str(), message.state().edits), ("Pages with totals are #slow", 1));
}

#[test]
fn of_two_edits_within_a_second_the_later_update_stays() {
    let at = "2026-01-01T09:05:00Z";
    let message = ingested()
        .after::<Message>(STREAM, "telegram", MessageCommand::Ingest(edited("b", at, 102)))
        .after::<Message>(STREAM, "telegram", MessageCommand::Ingest(edited("c", at, 103)))
        .when("telegram", MessageCommand::Ingest(edited("b", at, 102)))
        .then([]);
    assert_eq!(text(&message), "c");
}

#[test]
fn an_edit_that_comes_before_its_message_is_the_message() {
    let message = new()
        .after::<Message>(STREAM, "telegram", MessageCommand::Ingest(edited("b", "2026-01-01T09:05:00Z", 102)))
        .when("telegram", MessageCommand::Ingest(said("a")))
        .then([]);
    assert_eq!((text(&message).as_str(), message.state().edits), ("b", 0));
}

#[test]
fn another_message_is_not_taken_for_an_edit() {
    let refusal = |message| {
        let outcome = ingested().when("telegram", MessageCommand::Ingest(message));
        outcome.result().unwrap_err().code()
    };
    assert_eq!(refusal(Ingested { message_id: 2, ..said("a") }), "other_message");
    let chat = Chat { id: 8, kind: "private".into(), title: None };
    assert_eq!(refusal(Ingested { chat, ..said("a") }), "other_message");
}

#[test]
fn what_was_found_is_of_the_text_that_is_there() {
    let edit = edited("Pages are fast", "2026-01-01T09:05:00Z", 102);
    let message = ingested()
        .when("worker", MessageCommand::Enrich(found(0)))
        .then([MessageEvent::Updated(Updated { content: None, found: Some(found(0)) })])
        .when("worker", MessageCommand::Enrich(found(0)))
        .then([]);
    assert_eq!(message.state().found, Some(found(0)));
    let message = message.after::<Message>(STREAM, "telegram", MessageCommand::Ingest(edit));
    assert_eq!(message.state().found, None, "it was of another text");
    let message = message.when("worker", MessageCommand::Enrich(found(0))).then_refused("stale_text");
    let message = message.after::<Message>(STREAM, "worker", MessageCommand::Enrich(found(1)));
    assert_eq!(message.state().found, Some(found(1)));
}

#[test]
fn what_was_found_is_bounded() {
    let many = vec![String::from("x"); FOUND_MAX + 1];
    for found in [
        Found { hashtags: many.clone(), ..found(0) },
        Found { mentions: many.clone(), ..found(0) },
        Found { urls: many, ..found(0) },
    ] {
        let _ = ingested().when("worker", MessageCommand::Enrich(found)).then_refused("too_many");
    }
}

/// Every command. The compiler asks for one that is missing.
fn commands() -> impl Iterator<Item = MessageCommand> {
    let edit = edited("Pages are fast", "2026-01-01T09:05:00Z", 102);
    successors(Some(MessageCommand::Ingest(edit)), |command| match command {
        MessageCommand::Ingest(_) => Some(MessageCommand::Enrich(found(0))),
        MessageCommand::Enrich(_) => None,
    })
}

fn cell(is_there: bool, command: &MessageCommand) -> Cell {
    match (is_there, command) {
        (false, MessageCommand::Ingest(_)) => Ok(&["message.ingested.v1"]),
        (false, MessageCommand::Enrich(_)) => Err("unknown_message"),
        (true, MessageCommand::Ingest(_) | MessageCommand::Enrich(_)) => Ok(&["message.updated.v1"]),
    }
}

#[test]
fn every_command_before_and_after_the_message_has_come() {
    for is_there in [false, true] {
        for command in commands() {
            let message = if is_there { ingested() } else { new() };
            assert_eq!(message.state().message.is_some(), is_there);
            let name = format!("{is_there} × {command:?}");
            let expected = cell(is_there, &command);
            message.when("telegram", command).then_cell(&name, expected);
        }
    }
    let outcome = new().when("worker", MessageCommand::Enrich(found(0)));
    assert_eq!(outcome.result().unwrap_err().kind(), RefusalKind::NotFound);
}
