//! Seed 3's topics and atoms, from the messages to what is approved.

use std::iter::successors;

use super::*;
use crate::{
    decider::{
        RefusalKind,
        testing::{Cell, Scenario, assert_types_are_named},
    },
    domain::entities,
};

const EXTRACTION: &str = "space:1:knowledge:e1";
const TOPIC: &str = "space:1:knowledge:p1";
const ATOM: &str = "space:1:knowledge:p2";

fn stream(name: &str) -> StreamName {
    StreamName::new(name).unwrap()
}

fn topic() -> Topic {
    Topic {
        title: "Slow pages".into(),
        text: "Pages with totals take seconds.".into(),
        keywords: vec!["slow".into(), "totals".into()],
        sources: vec![stream("space:1:messages:7-1")],
        said_at: "2026-01-01T09:00:00Z".parse().unwrap(),
    }
}

fn atom(of: Option<&str>) -> Atom {
    Atom {
        kind: AtomKind::Problem,
        title: "Totals are summed up on every page".into(),
        text: String::new(),
        keywords: vec!["totals".into()],
        topic: of.map(Into::into),
        sources: vec![stream("space:1:messages:7-2")],
        said_at: "2026-01-01T09:01:00Z".parse().unwrap(),
    }
}

fn found(id: &str, item: Item) -> Found {
    Found { id: id.into(), item }
}

fn extracted() -> Extracted {
    let topic = found("p1", Item::Topic(topic()));
    Extracted { proposals: vec![topic, found("p2", Item::Atom(atom(Some("topic-p1"))))] }
}

fn new(of: &str) -> Scenario<Knowledge> {
    Scenario::new(entities(), of)
}

/// An extraction is asked for; the scenario is of this stream.
fn requested(of: &str) -> Scenario<Knowledge> {
    let request = KnowledgeCommand::RequestExtraction(ExtractionRequested::default());
    new(of).after::<Knowledge>(EXTRACTION, "pm", request)
}

/// Topic `p1` and atom `p2` are proposed; the scenario is of this stream.
fn proposed(of: &str) -> Scenario<Knowledge> {
    requested(of).after::<Knowledge>(EXTRACTION, "worker", KnowledgeCommand::RecordExtraction(extracted()))
}

fn retitled(title: &str) -> Edited {
    Edited { title: Some(title.into()), ..Edited::default() }
}

#[test]
fn types_are_named() {
    assert_types_are_named::<Knowledge>();
}

#[test]
fn an_extraction_reads_no_other_space() {
    for other in ["space:2:messages:m1", "space:1:tasks:m1", "space:1:x:messages:m1", "messages:m1"] {
        let request = ExtractionRequested { messages: vec![stream(other)], ..ExtractionRequested::default() };
        let _ =
            new(EXTRACTION).when("pm", KnowledgeCommand::RequestExtraction(request)).then_refused("foreign_message");
    }
    let request =
        ExtractionRequested { messages: vec![stream("space:1:messages:m1")], ..ExtractionRequested::default() };
    let _ = new(EXTRACTION)
        .when("pm", KnowledgeCommand::RequestExtraction(request))
        .then_types(&["knowledge.extraction_requested.v1"]);
}

#[test]
fn an_extraction_proposes_topics_and_atoms() {
    let mut extraction = new(EXTRACTION)
        .when("pm", KnowledgeCommand::RequestExtraction(ExtractionRequested::default()))
        .then_types(&["knowledge.extraction_requested.v1"])
        .when("worker", KnowledgeCommand::RecordExtraction(extracted()))
        .then_types(&["knowledge.topic_proposed.v1", "knowledge.atom_proposed.v1", "knowledge.extraction_completed.v1"])
        .when("worker", KnowledgeCommand::RecordExtraction(extracted()))
        .then_types(&[]);
    let KnowledgeState::Extraction(state) = extraction.state() else { panic!("it is an extraction") };
    assert_eq!((state.phase, state.proposals), (ExtractionPhase::Completed, vec!["p1".to_owned(), "p2".to_owned()]));
    let proposal = extraction.log().projection::<Knowledge>(&stream(TOPIC));
    let KnowledgeState::Proposal(proposal) = proposal.state() else { panic!("it is a proposal") };
    assert_eq!((proposal.phase, proposal.extraction.as_str()), (ProposalPhase::Pending, "e1"));
    assert_eq!(proposal.item, Item::Topic(topic()));
}

#[test]
fn an_approval_makes_the_topic_in_the_same_commit() {
    let mut proposal = proposed(TOPIC)
        .when("pm", KnowledgeCommand::Approve {})
        .then_types(&["knowledge.approved.v1", "knowledge.topic_created.v1"]);
    let KnowledgeState::Proposal(state) = proposal.state() else { panic!("it is a proposal") };
    assert_eq!(state.review.unwrap().created.as_deref(), Some("topic-p1"));
    let created = proposal.log().projection::<Knowledge>(&stream("space:1:knowledge:topic-p1"));
    let KnowledgeState::Approved(created) = created.state() else { panic!("it is a topic") };
    assert_eq!((created.proposal.as_str(), &created.item), ("p1", &Item::Topic(topic())));
}

#[test]
fn an_atom_is_approved_after_its_topic_or_without_one() {
    let atom = proposed(ATOM)
        .when("pm", KnowledgeCommand::Approve {})
        .then_refused("unknown_topic")
        .after::<Knowledge>(TOPIC, "pm", KnowledgeCommand::Approve {})
        .when("pm", KnowledgeCommand::Approve {})
        .then_types(&["knowledge.approved.v1", "knowledge.atom_created.v1"]);
    assert!(matches!(atom.state(), KnowledgeState::Proposal(Proposal { phase: ProposalPhase::Approved, .. })));
    let _ = proposed(ATOM)
        .after::<Knowledge>(TOPIC, "pm", KnowledgeCommand::Reject(Rejected::default()))
        .when("pm", KnowledgeCommand::Approve {})
        .then_refused("unknown_topic")
        .when("pm", KnowledgeCommand::Edit(Edited { topic: Some(String::new()), ..Edited::default() }))
        .then_types(&["knowledge.edited.v1"])
        .when("pm", KnowledgeCommand::Approve {})
        .then_types(&["knowledge.approved.v1", "knowledge.atom_created.v1"]);
}

#[test]
fn what_is_proposed_can_be_edited_until_it_is_reviewed() {
    let many = vec![String::from("word"); KEYWORDS_MAX + 1];
    let of_topic = Edited { topic: Some("topic-p9".into()), ..Edited::default() };
    let mut proposal = proposed(TOPIC)
        .when("pm", KnowledgeCommand::Edit(retitled("Slow totals")))
        .then([KnowledgeEvent::Edited(retitled("Slow totals"))])
        .when("pm", KnowledgeCommand::Edit(retitled("Slow totals")))
        .then([])
        .when("pm", KnowledgeCommand::Edit(retitled("")))
        .then_refused("empty_text")
        .when("pm", KnowledgeCommand::Edit(Edited { keywords: Some(many), ..Edited::default() }))
        .then_refused("too_many")
        .when("pm", KnowledgeCommand::Edit(of_topic))
        .then_refused("no_atom")
        .after::<Knowledge>(TOPIC, "pm", KnowledgeCommand::Approve {});
    let created = proposal.log().projection::<Knowledge>(&stream("space:1:knowledge:topic-p1"));
    let KnowledgeState::Approved(created) = created.state() else { panic!("it is a topic") };
    assert_eq!(created.item, Item::Topic(Topic { title: "Slow totals".into(), ..topic() }));
}

#[test]
fn who_comes_second_is_told_who_was_first() {
    let rejected = KnowledgeCommand::Reject(Rejected { reason: Some("small talk".into()) });
    let outcome = proposed(TOPIC).after::<Knowledge>(TOPIC, "ada", rejected).when("bob", KnowledgeCommand::Approve {});
    let refusal = outcome.result().unwrap_err();
    assert_eq!((refusal.kind(), refusal.code()), (RefusalKind::Conflict, "already_reviewed"));
    assert_eq!(refusal.detail(), "the proposal was rejected by ada at 2026-01-01T00:00:00Z, and that stands");
}

#[test]
fn what_can_not_be_meant_is_refused() {
    let period = ExtractionRequested { since: Some(Timestamp::MAX), until: Some(Timestamp::MAX), messages: Vec::new() };
    let many =
        ExtractionRequested { messages: vec![stream(TOPIC); MESSAGES_MAX + 1], ..ExtractionRequested::default() };
    for (request, code) in [(period, "invalid_period"), (many, "too_many")] {
        let _ = new(EXTRACTION).when("pm", KnowledgeCommand::RequestExtraction(request)).then_refused(code);
    }
    let one = |id: &str, topic: Topic| Extracted { proposals: vec![found(id, Item::Topic(topic))] };
    let twice = Extracted { proposals: [one("x", topic()).proposals, one("x", topic()).proposals].concat() };
    let many = (0..=PROPOSALS_MAX).map(|n| found(&n.to_string(), Item::Topic(topic()))).collect();
    let sources = Topic { sources: vec![stream(TOPIC); SOURCES_MAX + 1], ..topic() };
    for (extracted, code) in [
        (twice, "duplicate_id"),
        (Extracted { proposals: many }, "too_many"),
        (one("x", sources), "too_many"),
        (one("x", Topic { title: " ".into(), ..topic() }), "empty_text"),
        (one("a:b", topic()), "invalid_id"),
        (one("e1", topic()), "id_taken"),
    ] {
        let record = KnowledgeCommand::RecordExtraction(extracted);
        let _ = requested(EXTRACTION).when("worker", record).then_refused(code);
    }
    let failed = ExtractionFailed { reason: String::new() };
    let _ = requested(EXTRACTION).when("worker", KnowledgeCommand::FailExtraction(failed)).then_refused("empty_text");
}

#[test]
fn no_topic_is_overwritten() {
    let taken = Extracted { proposals: vec![found("topic-p1", Item::Topic(topic()))] };
    let request = KnowledgeCommand::RequestExtraction(ExtractionRequested::default());
    let _ = proposed(TOPIC)
        .after::<Knowledge>("space:1:knowledge:e2", "pm", request)
        .after::<Knowledge>("space:1:knowledge:e2", "worker", KnowledgeCommand::RecordExtraction(taken))
        .when("pm", KnowledgeCommand::Approve {})
        .then_refused("id_taken");
}

/// What a stream may stand for, and how that may stand.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stands {
    None,
    Extraction(ExtractionPhase),
    Proposal(ProposalPhase),
    Approved,
}

impl From<&KnowledgeState> for Stands {
    fn from(state: &KnowledgeState) -> Self {
        match state {
            KnowledgeState::None => Self::None,
            KnowledgeState::Extraction(extraction) => Self::Extraction(extraction.phase),
            KnowledgeState::Proposal(proposal) => Self::Proposal(proposal.phase),
            KnowledgeState::Approved(_) => Self::Approved,
        }
    }
}

/// Every state. The compiler asks for one that is missing.
fn all() -> impl Iterator<Item = Stands> {
    use ExtractionPhase::{Completed, Failed, Requested};
    use ProposalPhase::{Approved, Pending, Rejected};
    successors(Some(Stands::None), |state| match state {
        Stands::None => Some(Stands::Extraction(Requested)),
        Stands::Extraction(Requested) => Some(Stands::Extraction(Completed)),
        Stands::Extraction(Completed) => Some(Stands::Extraction(Failed)),
        Stands::Extraction(Failed) => Some(Stands::Proposal(Pending)),
        Stands::Proposal(Pending) => Some(Stands::Proposal(Approved)),
        Stands::Proposal(Approved) => Some(Stands::Proposal(Rejected)),
        Stands::Proposal(Rejected) => Some(Stands::Approved),
        Stands::Approved => None,
    })
}

/// Every command. The compiler asks for one that is missing.
fn commands() -> impl Iterator<Item = KnowledgeCommand> {
    let first = KnowledgeCommand::RequestExtraction(ExtractionRequested::default());
    successors(Some(first), |command| match command {
        KnowledgeCommand::RequestExtraction(_) => Some(KnowledgeCommand::RecordExtraction(extracted())),
        KnowledgeCommand::RecordExtraction(_) => {
            Some(KnowledgeCommand::FailExtraction(ExtractionFailed { reason: "no model".into() }))
        }
        KnowledgeCommand::FailExtraction(_) => Some(KnowledgeCommand::Edit(retitled("Slow totals"))),
        KnowledgeCommand::Edit(_) => Some(KnowledgeCommand::Approve {}),
        KnowledgeCommand::Approve {} => Some(KnowledgeCommand::Reject(Rejected::default())),
        KnowledgeCommand::Reject(_) => None,
    })
}

fn that(stands: Stands) -> Scenario<Knowledge> {
    let approve = KnowledgeCommand::Approve {};
    match stands {
        Stands::None => new("space:1:knowledge:x"),
        Stands::Extraction(ExtractionPhase::Requested) => requested(EXTRACTION),
        Stands::Extraction(ExtractionPhase::Completed) => proposed(EXTRACTION),
        Stands::Extraction(ExtractionPhase::Failed) => {
            let failed = KnowledgeCommand::FailExtraction(ExtractionFailed { reason: "no model".into() });
            requested(EXTRACTION).after::<Knowledge>(EXTRACTION, "worker", failed)
        }
        Stands::Proposal(ProposalPhase::Pending) => proposed(TOPIC),
        Stands::Proposal(ProposalPhase::Approved) => proposed(TOPIC).after::<Knowledge>(TOPIC, "pm", approve),
        Stands::Proposal(ProposalPhase::Rejected) => {
            proposed(TOPIC).after::<Knowledge>(TOPIC, "pm", KnowledgeCommand::Reject(Rejected::default()))
        }
        Stands::Approved => proposed("space:1:knowledge:topic-p1").after::<Knowledge>(TOPIC, "pm", approve),
    }
}

fn cell(stands: Stands, command: &KnowledgeCommand) -> Cell {
    use ExtractionPhase::{Completed, Failed, Requested};
    use KnowledgeCommand as Do;
    use ProposalPhase::{Approved, Pending, Rejected};
    match (stands, command) {
        (Stands::None, Do::RequestExtraction(_)) => Ok(&["knowledge.extraction_requested.v1"]),
        (Stands::Extraction(_) | Stands::Proposal(_) | Stands::Approved, Do::RequestExtraction(_)) => Err("id_taken"),
        (Stands::None, Do::RecordExtraction(_) | Do::FailExtraction(_)) => Err("unknown_extraction"),
        (Stands::Extraction(Requested), Do::RecordExtraction(_)) => {
            Ok(&["knowledge.topic_proposed.v1", "knowledge.atom_proposed.v1", "knowledge.extraction_completed.v1"])
        }
        (Stands::Extraction(Requested), Do::FailExtraction(_)) => Ok(&["knowledge.extraction_failed.v1"]),
        (Stands::Extraction(Completed), Do::RecordExtraction(_)) => Ok(&[]),
        (Stands::Extraction(Completed), Do::FailExtraction(_)) => Err("extraction_ended"),
        (Stands::Extraction(Failed), Do::RecordExtraction(_) | Do::FailExtraction(_)) => Err("extraction_ended"),
        (Stands::Proposal(_) | Stands::Approved, Do::RecordExtraction(_) | Do::FailExtraction(_)) => {
            Err("no_extraction")
        }
        (Stands::None, Do::Edit(_) | Do::Approve {} | Do::Reject(_)) => Err("unknown_proposal"),
        (Stands::Extraction(_) | Stands::Approved, Do::Edit(_) | Do::Approve {} | Do::Reject(_)) => Err("no_proposal"),
        (Stands::Proposal(Pending), Do::Edit(_)) => Ok(&["knowledge.edited.v1"]),
        (Stands::Proposal(Pending), Do::Approve {}) => Ok(&["knowledge.approved.v1", "knowledge.topic_created.v1"]),
        (Stands::Proposal(Pending), Do::Reject(_)) => Ok(&["knowledge.rejected.v1"]),
        (Stands::Proposal(Approved | Rejected), Do::Edit(_) | Do::Approve {} | Do::Reject(_)) => {
            Err("already_reviewed")
        }
    }
}

#[test]
fn every_command_in_every_state() {
    for stands in all() {
        for command in commands() {
            let knowledge = that(stands);
            assert_eq!(Stands::from(&knowledge.state()), stands);
            let name = format!("{stands:?} × {command:?}");
            let expected = cell(stands, &command);
            knowledge.when("pm", command).then_cell(&name, expected);
        }
    }
}
