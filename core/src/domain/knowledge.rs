//! **knowledge**: topics and atoms that are extracted from messages, once somebody has approved them.
//!
//! The streams are of three kinds, which the state tells: an extraction, a proposal that it made, and the topic or atom that an approved
//! proposal became. What an extraction proposes is recorded in one commit; so is an approval and what it makes.

mod data;
mod extraction;
mod proposal;

pub use self::{
    data::*,
    extraction::{MESSAGES_MAX, PROPOSALS_MAX},
    proposal::{KEYWORDS_MAX, SOURCES_MAX},
};
use crate::{
    decider::{Context, Decider, Rejection},
    event::{Actor, Event, NewEvent},
    json::Json,
    stream::StreamName,
    time::Timestamp,
};

/// See the [module](self).
pub enum Knowledge {}

/// What there is.
#[derive(Clone, Debug, Default, PartialEq, Json)]
#[json(tag = "kind")]
pub enum KnowledgeState {
    /// Nothing.
    #[default]
    None,
    /// An extraction.
    Extraction(Extraction),
    /// Something that an extraction proposes.
    Proposal(Proposal),
    /// Something that was approved.
    Approved(ApprovedItem),
}

/// How an extraction stands.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct Extraction {
    /// What has become of it.
    pub phase: ExtractionPhase,
    /// The streams of the messages to read. Where there are none, it is all of the period.
    pub messages: Vec<StreamName>,
    /// The earliest that is to be read.
    pub since: Option<Timestamp>,
    /// What was said from then on is not to be read.
    pub until: Option<Timestamp>,
    /// The ids of what it proposes.
    pub proposals: Vec<String>,
    /// Why it failed.
    pub reason: Option<String>,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When it was completed, or failed.
    pub ended_at: Option<Timestamp>,
}

/// What has become of an extraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Json)]
pub enum ExtractionPhase {
    /// It is asked for.
    Requested,
    /// What it found is proposed.
    Completed,
    /// It came to nothing.
    Failed,
}

/// How a proposal stands.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct Proposal {
    /// What has become of it.
    pub phase: ProposalPhase,
    /// The id of the extraction that proposes it.
    pub extraction: String,
    /// What is proposed, as it was last edited.
    pub item: Item,
    /// How often it was edited.
    pub edits: u32,
    /// When it was proposed.
    pub created_at: Timestamp,
    /// Who reviewed it, and when.
    pub review: Option<Review>,
}

/// What has become of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Json)]
pub enum ProposalPhase {
    /// It waits for a review.
    Pending,
    /// It is a topic or an atom now.
    Approved,
    /// It is not wanted.
    Rejected,
}

/// Who reviewed a proposal.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct Review {
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// The id of the topic or atom that it became.
    pub created: Option<String>,
    /// Why it was rejected, in words.
    pub reason: Option<String>,
}

/// A topic or an atom that was approved.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct ApprovedItem {
    /// The id of the proposal that it was.
    pub proposal: String,
    /// What it is.
    pub item: Item,
    /// When it was approved.
    pub created_at: Timestamp,
}

/// What may be asked of knowledge.
#[derive(Clone, Debug, PartialEq, Json)]
#[json(tag = "type", content = "data")]
pub enum KnowledgeCommand {
    /// Ask for an extraction.
    RequestExtraction(ExtractionRequested),
    /// Record what an extraction found. What was recorded first stays.
    RecordExtraction(Extracted),
    /// Say that an extraction can't go on.
    FailExtraction(ExtractionFailed),
    /// Change what is proposed.
    Edit(Edited),
    /// Make a topic or an atom of a proposal.
    Approve {},
    /// Say that a proposal is not wanted.
    Reject(Rejected),
}

crate::events! {
    /// What happens to knowledge.
    pub enum KnowledgeEvent {
        /// An extraction is asked for.
        "knowledge.extraction_requested.v1" => ExtractionRequested(ExtractionRequested),
        /// An extraction proposes a topic.
        "knowledge.topic_proposed.v1" => TopicProposed(TopicProposed),
        /// An extraction proposes an atom.
        "knowledge.atom_proposed.v1" => AtomProposed(AtomProposed),
        /// An extraction has come to its end.
        "knowledge.extraction_completed.v1" => ExtractionCompleted(ExtractionCompleted),
        /// An extraction came to nothing.
        "knowledge.extraction_failed.v1" => ExtractionFailed(ExtractionFailed),
        /// What is proposed was changed.
        "knowledge.edited.v1" => Edited(Edited),
        /// What was proposed is there now.
        "knowledge.approved.v1" => Approved(Approved),
        /// What was proposed is not wanted.
        "knowledge.rejected.v1" => Rejected(Rejected),
        /// There is a topic.
        "knowledge.topic_created.v1" => TopicCreated(TopicCreated),
        /// There is an atom.
        "knowledge.atom_created.v1" => AtomCreated(AtomCreated),
    }
}

impl Decider for Knowledge {
    const ENTITY: &'static str = "knowledge";
    const STREAMS: &'static str = "space:*:knowledge:*";
    const SCHEMA: u32 = 1;

    type State = KnowledgeState;
    type Command = KnowledgeCommand;
    type Event = KnowledgeEvent;

    fn decide(command: KnowledgeCommand, context: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
        let state = context.own::<Self>()?.state();
        match command {
            KnowledgeCommand::RequestExtraction(data) => extraction::request(state, &data, context),
            KnowledgeCommand::RecordExtraction(data) => extraction::record(state, data, context),
            KnowledgeCommand::FailExtraction(data) => extraction::fail(state, &data, context),
            KnowledgeCommand::Edit(data) => proposal::edit(state, &data, context),
            KnowledgeCommand::Approve {} => proposal::approve(state, context),
            KnowledgeCommand::Reject(data) => {
                proposal::pending(state)?;
                context.only(&data)
            }
        }
    }

    fn evolve(mut state: KnowledgeState, event: KnowledgeEvent, recorded: &Event) -> KnowledgeState {
        let at = recorded.recorded_time;
        match event {
            KnowledgeEvent::ExtractionRequested(data) => return extraction::requested(data, at),
            KnowledgeEvent::TopicProposed(data) => {
                return proposal::proposed(data.extraction, Item::Topic(data.topic), at);
            }
            KnowledgeEvent::AtomProposed(data) => {
                return proposal::proposed(data.extraction, Item::Atom(data.atom), at);
            }
            KnowledgeEvent::TopicCreated(data) => return created(data.proposal, Item::Topic(data.topic), at),
            KnowledgeEvent::AtomCreated(data) => return created(data.proposal, Item::Atom(data.atom), at),
            KnowledgeEvent::ExtractionCompleted(data) => extraction::completed(&mut state, data.proposals, at),
            KnowledgeEvent::ExtractionFailed(data) => extraction::failed(&mut state, data.reason, at),
            KnowledgeEvent::Edited(data) => proposal::edited(&mut state, data),
            KnowledgeEvent::Approved(data) => {
                proposal::reviewed(&mut state, ProposalPhase::Approved, Some(data.created), None, recorded);
            }
            KnowledgeEvent::Rejected(data) => {
                proposal::reviewed(&mut state, ProposalPhase::Rejected, None, data.reason, recorded);
            }
        }
        state
    }
}

fn created(proposal: String, item: Item, created_at: Timestamp) -> KnowledgeState {
    KnowledgeState::Approved(ApprovedItem { proposal, item, created_at })
}

#[cfg(test)]
mod tests;
