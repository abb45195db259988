//! The feed: history, then live, for a set of topics, as a stream of [`Item`]s that knows nothing of HTTP.
//!
//! History and live are joined without a hole because they are one thing: the log, read on from a cursor whenever its
//! head has moved beyond it. A reader that does not poll costs nothing but its cursor, and loses nothing.

use std::sync::Arc;

use futures_util::{Stream, stream};
use highwater_core::{
    control::ResetReason,
    topic::Topics,
    version::{After, Sequence},
};
use tokio::sync::watch;

use crate::store::{EventStore, ReadLimit, Stored, Unavailable};

/// What a feed has to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// The next events, at least one.
    Events {
        /// The sequence of the event before the first of these in this set of topics; the cursor, if there was none
        /// since the feed began.
        prev: Sequence,
        /// The events, in the order of the log.
        events: Vec<Stored>,
    },
    /// Every event up to here has been handed out, and the log goes on: a long search that has found nothing lately.
    Scanned(Sequence),
    /// Every event up to here has been handed out, and the log ended here when it was last read. Comes once history is
    /// done, and then whenever the head has moved.
    CaughtUp(Sequence),
}

/// A cursor that is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Why.
    pub reason: ResetReason,
    /// From where it can go on.
    pub resume: Sequence,
}

/// Finds the cursor that a reader means.
///
/// # Errors
/// [`Lost`] where the log does not have that place.
pub fn locate(store: &dyn EventStore, after: After) -> Result<Sequence, Lost> {
    let head = *store.head().borrow();
    match after {
        After::Earliest => Ok(Sequence::ZERO),
        After::Latest => Ok(head),
        After::Position(position) if position.epoch != store.epoch() => {
            Err(Lost { reason: ResetReason::EpochChanged, resume: Sequence::ZERO })
        }
        After::Position(position) if position.sequence > head => {
            Err(Lost { reason: ResetReason::CursorAhead, resume: head })
        }
        After::Position(position) => Ok(position.sequence),
    }
}

/// Follows these topics from a cursor on, for as long as the log can be read: only an error ends it. Each item holds at
/// most `limit`.
///
/// It keeps hold of the store and hears of nothing but the log. Who shuts a server down has to drop it.
pub fn follow(
    store: Arc<dyn EventStore>,
    topics: Topics,
    cursor: Sequence,
    limit: ReadLimit,
) -> impl Stream<Item = Result<Item, Unavailable>> + Send {
    let head = store.head();
    let reader = Reader { store, topics, limit, head, cursor, last: cursor, at_end: false, told_end: false };
    stream::try_unfold(reader, |mut reader| async move { Ok(Some((reader.next().await?, reader))) })
}

struct Reader {
    store: Arc<dyn EventStore>,
    topics: Topics,
    limit: ReadLimit,
    head: watch::Receiver<Sequence>,
    /// Up to here the log has been read.
    cursor: Sequence,
    /// The last event handed out, or where the feed began.
    last: Sequence,
    /// The log ended at the cursor when it was read.
    at_end: bool,
    /// And that has been told.
    told_end: bool,
}

impl Reader {
    async fn next(&mut self) -> Result<Item, Unavailable> {
        if self.at_end && !self.told_end {
            self.told_end = true;
            return Ok(Item::CaughtUp(self.cursor));
        }
        let cursor = self.cursor;
        if self.at_end && self.head.wait_for(|head| *head > cursor).await.is_err() {
            return Err(Unavailable { reason: "it is not written any more".into() });
        }
        let page = self.store.read_log(&self.topics, cursor, self.limit).await?;
        self.cursor = page.next;
        self.at_end = page.next >= page.head;
        self.told_end = false;
        if let Some(newest) = page.events.last() {
            let prev = std::mem::replace(&mut self.last, newest.sequence);
            return Ok(Item::Events { prev, events: page.events });
        }
        self.told_end = self.at_end;
        Ok(if self.at_end { Item::CaughtUp(page.next) } else { Item::Scanned(page.next) })
    }
}

#[cfg(test)]
mod tests;
