//! Proposals of topics and atoms.

use super::{
    Approved, AtomCreated, Edited, Item, Knowledge, KnowledgeState, Proposal, ProposalPhase, Review, TopicCreated,
};
use crate::{
    decider::{Context, Refusal, Rejection},
    domain::{at_most, not_blank},
    event::{Event, NewEvent},
    time::Timestamp,
};

/// The most keywords of a topic or an atom.
pub const KEYWORDS_MAX: usize = 32;
/// The most messages that a topic or an atom names as what it comes from.
pub const SOURCES_MAX: usize = 100;

/// Holds that something can be proposed.
pub(super) fn check(item: &Item) -> Result<(), Refusal> {
    not_blank("title", item.title())?;
    at_most("keywords", item.keywords(), KEYWORDS_MAX)?;
    at_most("sources", item.sources(), SOURCES_MAX)
}

/// The proposal, if it waits for a review.
pub(super) fn pending(state: &KnowledgeState) -> Result<&Proposal, Refusal> {
    let proposal = match state {
        KnowledgeState::Proposal(proposal) => proposal,
        KnowledgeState::None => {
            return Err(Refusal::not_found("unknown_proposal", "there is no such proposal"));
        }
        KnowledgeState::Extraction(_) | KnowledgeState::Approved(_) => {
            return Err(Refusal::invalid("no_proposal", "this is an extraction, a topic or an atom, and no proposal"));
        }
    };
    let was = match proposal.phase {
        ProposalPhase::Pending => return Ok(proposal),
        ProposalPhase::Approved => "approved",
        ProposalPhase::Rejected => "rejected",
    };
    let by = proposal.review.as_ref().map_or_else(String::new, |review| format!(" by {} at {}", review.by, review.at));
    Err(Refusal::conflict("already_reviewed", format!("the proposal was {was}{by}, and that stands")))
}

pub(super) fn edit(state: &KnowledgeState, data: &Edited, context: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
    let proposal = pending(state)?;
    if let (Item::Topic(_), Some(_)) = (&proposal.item, &data.topic) {
        return Err(Refusal::invalid("no_atom", "a topic belongs to no topic: leave 'topic' out").into());
    }
    let mut item = proposal.item.clone();
    item.edit(data.clone());
    check(&item)?;
    if item == proposal.item {
        return Ok(Vec::new());
    }
    context.only(data)
}

/// The approval, and the topic or atom that it makes.
pub(super) fn approve(state: &KnowledgeState, context: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
    let item = &pending(state)?.item;
    if let Some(topic) = item.topic() {
        is_topic(topic, context)?;
    }
    let proposal = context.id().to_owned();
    let id = format!("{}-{proposal}", item.name());
    let stream = context.beside("knowledge", &id)?;
    if context.of::<Knowledge>(&stream)?.exists() {
        return Err(Refusal::conflict("id_taken", format!("'{id}' is there already: reject the proposal")).into());
    }
    let created = match item.clone() {
        Item::Topic(topic) => context.event_in(&stream, &TopicCreated { proposal, topic }),
        Item::Atom(atom) => context.event_in(&stream, &AtomCreated { proposal, atom }),
    };
    Ok(vec![context.event(&Approved { created: id }), created])
}

/// Holds that the topic that an atom names is there.
fn is_topic(id: &str, context: &Context<'_>) -> Result<(), Rejection> {
    let stream = context.beside("knowledge", id)?;
    match context.of::<Knowledge>(&stream)?.state() {
        KnowledgeState::Approved(approved) if matches!(approved.item, Item::Topic(_)) => Ok(()),
        _ => {
            let detail = format!("there is no topic '{id}': approve it first, or edit the atom to belong to another");
            Err(Refusal::conflict("unknown_topic", detail).into())
        }
    }
}

pub(super) fn proposed(extraction: String, item: Item, created_at: Timestamp) -> KnowledgeState {
    let phase = ProposalPhase::Pending;
    KnowledgeState::Proposal(Proposal { phase, extraction, item, edits: 0, created_at, review: None })
}

pub(super) fn edited(state: &mut KnowledgeState, data: Edited) {
    if let KnowledgeState::Proposal(proposal) = state {
        proposal.item.edit(data);
        proposal.edits = proposal.edits.saturating_add(1);
    }
}

pub(super) fn reviewed(
    state: &mut KnowledgeState,
    phase: ProposalPhase,
    created: Option<String>,
    reason: Option<String>,
    recorded: &Event,
) {
    if let KnowledgeState::Proposal(proposal) = state {
        proposal.phase = phase;
        let (by, at) = (recorded.source.clone(), recorded.recorded_time);
        proposal.review = Some(Review { by, at, created, reason });
    }
}
