//! [`States`]: what the events of an entity's stream come to.

use std::sync::Arc;

use highwater_core::{
    decider::{Entities, Folded},
    envelope::parse_event,
    stream::StreamName,
    version::Revision,
};

use crate::store::{EventStore, ReadLimit, Unavailable};

/// How much of a stream is read at once.
const PAGE: ReadLimit = ReadLimit { events: 1_000, bytes: 4 * 1024 * 1024 };

/// The states of all streams of the entities that a server knows. Cloning is cheap.
#[derive(Clone)]
pub struct States {
    store: Arc<dyn EventStore>,
    entities: Entities,
}

impl States {
    /// Of a log, and of these entities.
    #[must_use]
    pub fn new(store: Arc<dyn EventStore>, entities: Entities) -> Self {
        Self { store, entities }
    }

    /// The entities.
    #[must_use]
    pub fn entities(&self) -> &Entities {
        &self.entities
    }

    /// The state of a stream as the log has it now; before its first event, the initial one. `None` for a stream of no entity.
    ///
    /// # Errors
    /// [`Unavailable`] where the log can't be read.
    pub async fn current(&self, stream: &StreamName) -> Result<Option<Box<dyn Folded>>, Unavailable> {
        let Some(entity) = self.entities.of(stream) else { return Ok(None) };
        let mut state = entity.initial();
        let mut next = Revision::ZERO.next();
        while let Some(from) = next {
            let Some(page) = self.store.read_stream(stream, from, PAGE).await? else { break };
            for stored in &page.events {
                let malformed = |error| Unavailable {
                    reason: format!("what is stored at {} is no event: {error}", stored.sequence),
                };
                state.apply(&parse_event(&stored.envelope).map_err(malformed)?);
            }
            next = state.mark().revision.next().filter(|next| !page.events.is_empty() && *next <= page.revision);
        }
        Ok(Some(state))
    }
}
