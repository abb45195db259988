//! What is read in a message as soon as it has come, and what extractions read.

use std::collections::BTreeMap;

use highwater_core::{
    decider::{Decider, Projection},
    domain::{
        knowledge::{Extraction, MESSAGES_MAX},
        message::{FOUND_MAX, Found, Message, MessageCommand, MessageState},
    },
    envelope::parse_event,
    event::Event,
    stream::StreamName,
    topic::Topics,
    version::Sequence,
};

use super::{Cause, Work, WorkError, WorkOutcome, extraction::space};
use crate::{
    analysis::{Heard, text},
    commands::CommandError,
    store::{ReadLimit, Unavailable},
};

/// Longer ones are kept in the text only.
const URL_BYTES_MAX: usize = 512;
/// How much of the log is read at once.
pub(super) const PAGE: ReadLimit = ReadLimit { events: 1_000, bytes: 4 * 1024 * 1024 };

impl Work {
    /// Adds to a message what is found in its text.
    pub(super) async fn enrich(&self, cause: &Cause) -> Result<WorkOutcome, WorkError> {
        let message = self.state::<Message>(&cause.stream).await?;
        let Some(found) = found(message.state()) else { return Ok(WorkOutcome::Nothing) };
        match self.say(Message::ENTITY, cause, "enrich", &MessageCommand::Enrich(found)).await {
            // It was edited meanwhile: that edit is another piece of work.
            Err(CommandError::Refused(refusal)) if refusal.code() == "stale_text" => Ok(WorkOutcome::Nothing),
            other => Ok(other.map(|()| WorkOutcome::Done)?),
        }
    }

    /// The messages that an extraction is to read, oldest first.
    pub(super) async fn heard(&self, extraction: &Extraction, cause: &Cause) -> Result<Vec<Heard>, WorkError> {
        let mut heard: Vec<Heard> = Vec::new();
        if extraction.messages.is_empty() {
            heard = self.all_heard(extraction, cause).await?;
        }
        for stream in &extraction.messages {
            heard.extend(as_heard(stream, self.state::<Message>(stream).await?.state()));
        }
        heard.sort_by_key(|message| message.sent_at);
        Ok(heard)
    }

    /// The messages of a period: where there are too many, the last ones.
    async fn all_heard(&self, extraction: &Extraction, cause: &Cause) -> Result<Vec<Heard>, Unavailable> {
        let mut messages: BTreeMap<StreamName, Projection<Message>> = BTreeMap::new();
        let in_period = |state: &MessageState| {
            let sent = state.message.as_ref().map(|message| message.sent_at);
            sent.is_some_and(|sent| {
                extraction.since.is_none_or(|since| since <= sent) && extraction.until.is_none_or(|until| sent < until)
            })
        };
        self.fold(cause, "messages", |stream, event| {
            messages.entry(stream.clone()).or_default().apply(event);
            if !in_period(messages[stream].state()) {
                messages.remove(stream);
            } else if messages.len() > MESSAGES_MAX {
                let sent = |(_, message): &(&StreamName, &Projection<Message>)| {
                    message.state().message.as_ref().map(|message| message.sent_at)
                };
                let oldest = messages.iter().min_by_key(sent).map(|(stream, _)| stream.clone());
                oldest.map(|stream| messages.remove(&stream));
            }
        })
        .await?;
        Ok(messages.iter().filter_map(|(stream, message)| as_heard(stream, message.state())).collect())
    }

    /// Hands over all events of one kind of stream in the space of an event, from the first up to that event: however often the work about it
    /// is begun, it is about the same.
    pub(super) async fn fold(
        &self,
        cause: &Cause,
        kind: &str,
        mut take: impl FnMut(&StreamName, &Event),
    ) -> Result<(), Unavailable> {
        let topic = format!("space:{}:{kind}:*", space(&cause.stream));
        let topics = Topics::new([topic.as_str()]).expect("a space is a segment of a stream's name");
        let mut after = Sequence::ZERO;
        while after < cause.sequence {
            let page = self.broker.store().read_log(&topics, after, PAGE).await?;
            for stored in page.events.iter().filter(|stored| stored.sequence <= cause.sequence) {
                let malformed = |error| Unavailable {
                    reason: format!("what is stored at {} is no event: {error}", stored.sequence),
                };
                let event = parse_event(&stored.envelope).map_err(malformed)?;
                take(&event.stream, &event);
            }
            after = page.next;
        }
        Ok(())
    }
}

fn as_heard(stream: &StreamName, state: &MessageState) -> Option<Heard> {
    let message = state.message.as_ref()?;
    Some(Heard { stream: stream.clone(), sent_at: message.sent_at, text: message.content.text.clone() })
}

fn found(state: &MessageState) -> Option<Found> {
    let text = &state.message.as_ref()?.content.text;
    let some = |mut all: Vec<String>| {
        all.truncate(FOUND_MAX);
        all
    };
    Some(Found {
        edits: state.edits,
        hashtags: some(text::signed(text, '#')),
        mentions: some(text::signed(text, '@')),
        urls: some(text::links(text).into_iter().filter(|url| url.len() <= URL_BYTES_MAX).collect()),
        is_question: text::sentences(text).iter().any(|sentence| sentence.ends_with('?')),
        words: u32::try_from(text.split_whitespace().count()).unwrap_or(u32::MAX),
    })
}
