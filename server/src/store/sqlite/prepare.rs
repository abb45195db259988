//! What can be worked out of a commit before it is the writer's turn: ids, and what the log knows events by.

use highwater_core::{
    envelope::{Proposed, write_new_event},
    event::{Actor, EventId, Limits, NewEvent},
    version::Revision,
};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{
    store::{Commit, CommitError, Expectation},
    telemetry::TraceParent,
};

/// A commit that is ready for the writer. One without events asks whether anything could be stored.
#[derive(Default)]
pub(super) struct PreparedCommit {
    pub(super) events: Vec<Prepared>,
    pub(super) expectations: Vec<Expectation>,
    pub(super) monotonic: bool,
    pub(super) trace: Option<TraceParent>,
    /// What it takes in memory, nearly.
    pub(super) bytes: usize,
}

/// An event with what the log will know it by.
pub(super) struct Prepared {
    /// As given, or a new UUIDv7.
    pub(super) id: EventId,
    pub(super) identity: Identity,
    pub(super) digest: Digest,
    pub(super) event: NewEvent,
    /// What its stream must be at, if it is new.
    pub(super) expected_revision: Option<Revision>,
}

/// What stands for `source` and `id` in the log: a hash of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity(pub(super) [u8; 16]);

/// What stands for all that a producer gave of an event: a hash of it in its one canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digest(pub(super) [u8; 16]);

/// Makes a commit ready.
///
/// # Errors
/// [`CommitError::Invalid`] where an event is beyond the limits.
pub(super) fn prepare(commit: Commit, limits: &Limits) -> Result<PreparedCommit, CommitError> {
    let mut content = Vec::new();
    let mut bytes = 0;
    let mut events = Vec::with_capacity(commit.events.len());
    for (index, Proposed { event, expected_revision }) in commit.events.into_iter().enumerate() {
        event.check(limits).map_err(|error| CommitError::Invalid { index, error })?;
        let digest = Digest::of(&event, &mut content);
        bytes += content.len() + size_of::<Prepared>();
        let id = event.id.clone().unwrap_or_else(new_id);
        events.push(Prepared { identity: Identity::of(&event.source, &id), id, digest, event, expected_revision });
    }
    Ok(PreparedCommit {
        events,
        expectations: commit.expectations,
        monotonic: commit.monotonic,
        trace: commit.trace,
        bytes,
    })
}

fn new_id() -> EventId {
    EventId::new(Uuid::now_v7().hyphenated().encode_lower(&mut Uuid::encode_buffer())).expect("a UUID is an event's id")
}

impl Identity {
    pub(super) fn of(source: &Actor, id: &EventId) -> Self {
        let (source, id) = (source.as_str(), id.as_str());
        let hash = Sha256::new().chain_update((source.len() as u64).to_be_bytes()).chain_update(source);
        Self(half(hash.chain_update(id)))
    }
}

impl Digest {
    /// Takes an event's digest, leaving its canonical form in `content`.
    pub(super) fn of(event: &NewEvent, content: &mut Vec<u8>) -> Self {
        content.clear();
        write_new_event(event, content);
        Self(half(Sha256::new_with_prefix(&content)))
    }
}

/// A number that nearly always differs between ids, to find an event by its id alone.
pub(super) fn id_key(id: &EventId) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = half(Sha256::new_with_prefix(id.as_str()));
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// The first half of a hash: 128 bits are more than enough to tell events apart.
fn half(hash: Sha256) -> [u8; 16] {
    let whole: [u8; 32] = hash.finalize().into();
    std::array::from_fn(|at| whole[at])
}
