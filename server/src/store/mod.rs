//! The log: [`EventStore`], what every store can do. The stores themselves lie beside each other in this folder.

mod at;
mod command;
#[cfg(test)]
pub(crate) mod probe;
pub mod sqlite;

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use highwater_core::{
    clock::{ACTORS_MAX, COUNTER_MAX},
    envelope::Proposed,
    event::{EventId, InvalidEvent},
    stream::StreamName,
    topic::Topics,
    version::{Epoch, Revision, Sequence, Version},
};
use tokio::sync::watch;

pub use self::{
    at::{At, InvalidAt},
    command::{CommandDigest, CommandIdentity, CommandKey, RecordedCommand, RecordedEvent},
};
use crate::telemetry::{StoreMetrics, TraceParent};

/// An append-only, durable log of events.
///
/// What a store has answered is durable, and whatever is visible (the head, a page) is durable too.
#[async_trait]
pub trait EventStore: Send + Sync + 'static {
    /// The log's generation. It does not change while the store is open.
    fn epoch(&self) -> Epoch;

    /// The sequence of the last durable event, and notice of every later one. 0 while the log is empty.
    fn head(&self) -> watch::Receiver<Sequence>;

    /// Appends all events of a commit, or none.
    ///
    /// An event that is stored already (same source, id and content) is answered with its place: what it expects of its
    /// stream is not looked at, and what the commit expects only if some event of it is new.
    ///
    /// A commit that carries out a command is answered as the first one of that key, before anything else is looked at.
    ///
    /// # Errors
    /// [`CommitError`]; after any but [`CommitError::Unavailable`] nothing of the commit is stored.
    async fn commit(&self, commit: Commit) -> Result<Committed, CommitError>;

    /// Reads the events of these topics after a sequence, in its order.
    ///
    /// # Errors
    /// [`Unavailable`] where the log can't be read.
    async fn read_log(&self, topics: &Topics, after: Sequence, limit: ReadLimit) -> Result<LogPage, Unavailable>;

    /// Reads the events of one stream from a revision on. `None` where the stream has no event.
    ///
    /// # Errors
    /// [`Unavailable`] where the log can't be read.
    async fn read_stream(
        &self,
        stream: &StreamName,
        from: Revision,
        limit: ReadLimit,
    ) -> Result<Option<StreamPage>, Unavailable>;

    /// The command of this identity, where it was carried out. One whose events are not visible yet is not found.
    ///
    /// # Errors
    /// [`Unavailable`] where the log can't be read.
    async fn command(&self, identity: CommandIdentity) -> Result<Option<RecordedCommand>, Unavailable>;

    /// Where a stream is at a moment: its last revision then. `None` where it has no event by then.
    ///
    /// # Errors
    /// [`Unavailable`] where the log can't be read.
    async fn revision_at(&self, stream: &StreamName, at: At) -> Result<Option<Revision>, Unavailable>;

    /// Whether appends can be stored. While the last one could not, this tries to write, so that it finds out by itself
    /// when that works again.
    ///
    /// # Errors
    /// [`Unavailable`] says what is in the way.
    async fn check_writable(&self) -> Result<(), Unavailable>;

    /// What it has counted, and goes on counting into.
    fn metrics(&self) -> StoreMetrics;

    /// Stores what was accepted, refuses what comes later, and lets the log go. Returns once that is done.
    async fn close(&self);
}

/// Events to append, all or nothing.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// The events, in the order that they shall have. Not empty, but for a command that makes none. What an event expects
    /// must hold before the commit, unless the event is stored already.
    pub events: Vec<Proposed>,
    /// What else must hold of the streams before the commit, unless all its events are stored already. A stream may be
    /// named though no event goes there.
    pub expectations: Vec<Expectation>,
    /// Whether a version below its stream's is refused.
    pub monotonic: bool,
    /// The command that the commit carries out: it is known from then on, with the places of its events, which must all be
    /// new.
    pub command: Option<CommandKey>,
    /// The trace that the request is part of. Events that name none of their own are recorded with it, as the attribute
    /// `traceparent`. It is not part of what the producer gave: the same events in another trace are the same events.
    pub trace: Option<TraceParent>,
}

/// What a producer believes of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// The stream.
    pub stream: StreamName,
    /// Where it is.
    pub expected: Expected,
}

/// Where a producer believes a stream to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// At this revision, its last one; 0 for a stream that has no event.
    At(Revision),
    /// Nowhere that it is or can come to. So a precondition that names no state of the stream fails like any other:
    /// after the store has recognised a retry.
    Nowhere,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(revision) => revision.fmt(f),
            Self::Nowhere => f.write_str("at any that the precondition names"),
        }
    }
}

/// The places of a commit's events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// In the order of the commit.
    pub events: Vec<Placed>,
    /// Whether every event, or the command, was stored already, so that nothing was appended.
    pub all_known: bool,
    /// Where the log ended when it was found that there was nothing to append, for a commit without events.
    pub end: Sequence,
}

/// Where an event is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The event's id, given or made.
    pub id: EventId,
    /// Its place in the log.
    pub sequence: Sequence,
    /// Its place in its stream.
    pub revision: Revision,
}

impl Committed {
    /// The highest sequence of the commit: who has read up to it has read all of it, and all that a command without events
    /// was decided on.
    #[must_use]
    pub fn sequence(&self) -> Sequence {
        self.events.iter().map(|event| event.sequence).max().unwrap_or(self.end)
    }
}

/// How much one read may bring: it ends at whichever bound it meets first, but not before the first event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimit {
    /// The most events.
    pub events: usize,
    /// The most bytes of envelopes.
    pub bytes: usize,
}

/// A recorded event as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its place in the log.
    pub sequence: Sequence,
    /// The CloudEvent in JSON, one line.
    pub envelope: Bytes,
    /// Whether a checksum has told that it is what was written.
    pub is_checked: bool,
}

/// A page of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPage {
    /// The events, in the order of the log.
    pub events: Vec<Stored>,
    /// Up to here the log has been read: no event of these topics lies between the last one and this.
    pub next: Sequence,
    /// The head when the page was read.
    pub head: Sequence,
}

/// A page of one stream, and how the stream stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamPage {
    /// The events, by revision.
    pub events: Vec<Stored>,
    /// The first revision that the log still has.
    pub first_revision: Revision,
    /// The last revision.
    pub revision: Revision,
    /// The stream's version: the highest of its events'.
    pub version: Version,
    /// The head when the page was read.
    pub head: Sequence,
}

/// The log can't be read or written just now. Whether an append is stored is unknown: retry with the same ids.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the log is not available: {reason}")]
pub struct Unavailable {
    /// What went wrong.
    pub reason: String,
}

/// Why a commit was not taken.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommitError {
    /// An event is beyond the limits that the store was opened with.
    #[error("event {index} {error}")]
    Invalid {
        /// Which event of the commit, from 0.
        index: usize,
        /// What is wrong with it.
        error: InvalidEvent,
    },
    /// A stream is not where the producer believes it.
    #[error("stream '{stream}' is at revision {current}, not {expected}")]
    RevisionConflict {
        /// The stream.
        stream: StreamName,
        /// What was expected.
        expected: Expected,
        /// What it is.
        current: Revision,
    },
    /// An event's version is below its stream's, and the commit asked for monotonic ones.
    #[error("event {index}: version {version} is below the stream's, which is {current}")]
    StaleVersion {
        /// Which event of the commit, from 0.
        index: usize,
        /// Its version.
        version: Version,
        /// The stream's.
        current: Version,
    },
    /// An event's version is too far above its stream's.
    #[error("event {index}: version {version} is more than {max_jump} above the stream's, which is {current}")]
    VersionJump {
        /// Which event of the commit, from 0.
        index: usize,
        /// Its version.
        version: Version,
        /// The stream's.
        current: Version,
        /// How far above it may lie.
        max_jump: u32,
    },
    /// An actor's counter stands on another of its events in the stream.
    #[error("event {index}: its actor has used counter {counter} in this stream before")]
    ClockReused {
        /// Which event of the commit, from 0.
        index: usize,
        /// The counter.
        counter: u64,
    },
    /// The clock derived would name too many actors.
    #[error("event {index}: its clock would name more than {ACTORS_MAX} actors")]
    ClockFull {
        /// Which event of the commit, from 0.
        index: usize,
    },
    /// The clock derived would count above what a counter can be.
    #[error("event {index}: its actor's counter in this stream is at its end, {COUNTER_MAX}")]
    CounterSpent {
        /// Which event of the commit, from 0.
        index: usize,
    },
    /// The source and id name another event.
    #[error("event {index}: its source and id belong to an event with other content")]
    IdConflict {
        /// Which event of the commit, from 0.
        index: usize,
    },
    /// The command's id was used by its actor for another one.
    #[error("the command's id belongs to another command of the same actor")]
    CommandConflict,
    /// More appends are waiting than the store takes.
    #[error("too many appends are waiting")]
    Overloaded,
    /// The log can't be written just now, or is closing.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}
