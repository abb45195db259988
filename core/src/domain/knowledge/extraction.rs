//! Extractions.

use super::{
    AtomProposed, Extracted, Extraction, ExtractionCompleted, ExtractionFailed, ExtractionPhase, ExtractionRequested,
    Found, Item, Knowledge, KnowledgeState, TopicProposed, proposal,
};
use crate::{
    decider::{Context, Refusal, Rejection},
    domain::{at_most, not_blank},
    event::NewEvent,
    time::Timestamp,
};

/// The most messages that one extraction names.
pub const MESSAGES_MAX: usize = 1_000;
/// The most that one extraction proposes.
pub const PROPOSALS_MAX: usize = 100;

pub(super) fn request(
    state: &KnowledgeState,
    data: &ExtractionRequested,
    context: &Context<'_>,
) -> Result<Vec<NewEvent>, Rejection> {
    if *state != KnowledgeState::None {
        let detail = format!("'{}' is there already: ask for an extraction with another id", context.id());
        return Err(Refusal::conflict("id_taken", detail).into());
    }
    at_most("messages", &data.messages, MESSAGES_MAX)?;
    for stream in &data.messages {
        // Whoever may ask for an extraction here need not be one who may read elsewhere.
        let here = context.beside("messages", stream.segments().last().unwrap_or_default())?;
        if here != *stream {
            let detail = format!("'{stream}' is no message of this space: those are such as '{here}'");
            return Err(Refusal::invalid("foreign_message", detail).into());
        }
    }
    if data.since.zip(data.until).is_some_and(|(since, until)| since >= until) {
        return Err(Refusal::invalid("invalid_period", "'since' has to be before 'until'").into());
    }
    context.only(data)
}

pub(super) fn record(
    state: &KnowledgeState,
    data: Extracted,
    context: &Context<'_>,
) -> Result<Vec<NewEvent>, Rejection> {
    if extraction(state)?.phase == ExtractionPhase::Completed {
        return Ok(Vec::new());
    }
    is_requested(state)?;
    check(&data)?;
    let (mut events, mut proposals) = (Vec::new(), Vec::new());
    for found in data.proposals {
        proposals.push(found.id.clone());
        events.push(proposed(found, context)?);
    }
    events.push(context.event(&ExtractionCompleted { proposals }));
    Ok(events)
}

pub(super) fn fail(
    state: &KnowledgeState,
    data: &ExtractionFailed,
    context: &Context<'_>,
) -> Result<Vec<NewEvent>, Rejection> {
    is_requested(state)?;
    not_blank("reason", &data.reason)?;
    context.only(data)
}

fn extraction(state: &KnowledgeState) -> Result<&Extraction, Refusal> {
    match state {
        KnowledgeState::Extraction(extraction) => Ok(extraction),
        KnowledgeState::None => {
            Err(Refusal::not_found("unknown_extraction", "there is no such extraction: ask for it first"))
        }
        KnowledgeState::Proposal(_) | KnowledgeState::Approved(_) => {
            Err(Refusal::invalid("no_extraction", "this is a proposal, or what became of one, and no extraction"))
        }
    }
}

fn is_requested(state: &KnowledgeState) -> Result<(), Refusal> {
    let is = match extraction(state)?.phase {
        ExtractionPhase::Requested => return Ok(()),
        ExtractionPhase::Completed => "completed",
        ExtractionPhase::Failed => "failed",
    };
    let detail = format!("the extraction is {is}, and that is its end: ask for another");
    Err(Refusal::conflict("extraction_ended", detail))
}

fn check(data: &Extracted) -> Result<(), Refusal> {
    at_most("proposals", &data.proposals, PROPOSALS_MAX)?;
    for (at, Found { id, item }) in data.proposals.iter().enumerate() {
        proposal::check(item)?;
        if data.proposals[..at].iter().any(|other| other.id == *id) {
            return Err(Refusal::invalid("duplicate_id", format!("two proposals have the id '{id}'")));
        }
    }
    Ok(())
}

fn proposed(found: Found, context: &Context<'_>) -> Result<NewEvent, Rejection> {
    let stream = context.beside("knowledge", &found.id)?;
    if context.of::<Knowledge>(&stream)?.exists() {
        let detail = format!("'{}' is there already: give the proposal another id", found.id);
        return Err(Refusal::conflict("id_taken", detail).into());
    }
    let extraction = context.id().to_owned();
    Ok(match found.item {
        Item::Topic(topic) => context.event_in(&stream, &TopicProposed { extraction, topic }),
        Item::Atom(atom) => context.event_in(&stream, &AtomProposed { extraction, atom }),
    })
}

pub(super) fn requested(data: ExtractionRequested, requested_at: Timestamp) -> KnowledgeState {
    KnowledgeState::Extraction(Extraction {
        phase: ExtractionPhase::Requested,
        messages: data.messages,
        since: data.since,
        until: data.until,
        proposals: Vec::new(),
        reason: None,
        requested_at,
        ended_at: None,
    })
}

pub(super) fn completed(state: &mut KnowledgeState, proposals: Vec<String>, at: Timestamp) {
    if let KnowledgeState::Extraction(extraction) = state {
        (extraction.phase, extraction.ended_at) = (ExtractionPhase::Completed, Some(at));
        extraction.proposals = proposals;
    }
}

pub(super) fn failed(state: &mut KnowledgeState, reason: String, at: Timestamp) {
    if let KnowledgeState::Extraction(extraction) = state {
        (extraction.phase, extraction.ended_at) = (ExtractionPhase::Failed, Some(at));
        extraction.reason = Some(reason);
    }
}
