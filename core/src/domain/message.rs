//! **message**: what somebody said in a chat, as it was last edited, and what was found in it.
//!
//! Whoever brings messages may bring one again, late or out of order: what is there already makes no event, and of two texts the one that was
//! edited later stays.

mod data;

pub use self::data::*;
use super::at_most;
use crate::{
    decider::{Context, Decider, Refusal, Rejection},
    event::{Event, NewEvent},
    json::Json,
    time::Timestamp,
};

/// The most hashtags, mentions or links that are kept of a text.
pub const FOUND_MAX: usize = 256;

/// See the [module](self).
pub enum Message {}

/// A message.
#[derive(Clone, Debug, Default, PartialEq, Json)]
pub struct MessageState {
    /// The message as it is now; nothing before it has come.
    pub message: Option<Ingested>,
    /// How often its text was edited since it came.
    pub edits: u32,
    /// What was found in the text that it has now.
    pub found: Option<Found>,
    /// When it came.
    pub ingested_at: Option<Timestamp>,
    /// When something of it last changed.
    pub updated_at: Option<Timestamp>,
}

/// What may be asked of a message.
#[derive(Clone, Debug, PartialEq, Json)]
#[json(tag = "type", content = "data")]
pub enum MessageCommand {
    /// Take it, or take what it says now.
    Ingest(Ingested),
    /// Add what was found in its text.
    Enrich(Found),
}

crate::events! {
    /// What happens to a message.
    pub enum MessageEvent {
        /// It has come.
        "message.ingested.v1" => Ingested(Ingested),
        /// It was edited, or more is known of it.
        "message.updated.v1" => Updated(Updated),
    }
}

impl Decider for Message {
    const ENTITY: &'static str = "message";
    const STREAMS: &'static str = "space:*:messages:*";
    const SCHEMA: u32 = 1;

    type State = MessageState;
    type Command = MessageCommand;
    type Event = MessageEvent;

    fn decide(command: MessageCommand, context: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
        let state = context.own::<Self>()?.state();
        match command {
            MessageCommand::Ingest(data) => ingest(state, data, context),
            MessageCommand::Enrich(found) => enrich(state, found, context),
        }
    }

    fn evolve(mut state: MessageState, event: MessageEvent, recorded: &Event) -> MessageState {
        state.updated_at = Some(recorded.recorded_time);
        match event {
            MessageEvent::Ingested(data) => {
                state.message = Some(data);
                state.ingested_at = Some(recorded.recorded_time);
            }
            MessageEvent::Updated(data) => {
                if let (Some(message), Some(content)) = (&mut state.message, data.content) {
                    message.content = content;
                    state.edits = state.edits.saturating_add(1);
                    state.found = None;
                }
                state.found = data.found.or(state.found);
            }
        }
        state
    }
}

fn ingest(state: &MessageState, data: Ingested, context: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
    let Some(known) = &state.message else { return context.only(&data) };
    if (known.chat.id, known.message_id) != (data.chat.id, data.message_id) {
        let detail =
            format!("this is message {} of chat {}: name each its own stream", known.message_id, known.chat.id);
        return Err(Refusal::conflict("other_message", detail).into());
    }
    let age = |content: &Content| (content.edited_at, content.update_id);
    let is_edit = age(&data.content) > age(&known.content);
    let says_the_same = Content { update_id: known.content.update_id, ..data.content.clone() } == known.content;
    if !is_edit || says_the_same {
        return Ok(Vec::new());
    }
    context.only(&Updated { content: Some(data.content), found: None })
}

fn enrich(state: &MessageState, found: Found, context: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
    if state.message.is_none() {
        return Err(Refusal::not_found("unknown_message", "there is no such message: ingest it first").into());
    }
    if found.edits != state.edits {
        let detail =
            format!("the text was edited {} times, and this is of edit {}: read it again", state.edits, found.edits);
        return Err(Refusal::conflict("stale_text", detail).into());
    }
    for (name, list) in [("hashtags", &found.hashtags), ("mentions", &found.mentions), ("urls", &found.urls)] {
        at_most(name, list, FOUND_MAX)?;
    }
    if state.found.as_ref() == Some(&found) {
        return Ok(Vec::new());
    }
    context.only(&Updated { content: None, found: Some(found) })
}

#[cfg(test)]
mod tests;
