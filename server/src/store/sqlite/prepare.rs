//! What can be worked out of a commit before it is the writer's turn: ids, and what the log knows events by.

use highwater_core::{
    envelope::{Proposed, write_new_event},
    event::{Actor, EventId, Limits, NewEvent},
    version::Revision,
};
use sha2::{Digest as _, Sha256};
use uuid::{Uuid, Version};

use crate::{
    store::{CommandKey, Commit, CommitError, Expectation, command::half},
    telemetry::TraceParent,
};

/// A commit that is ready for the writer. One without events and without a command asks whether anything could be stored.
#[derive(Default)]
pub(super) struct PreparedCommit {
    pub(super) events: Vec<Prepared>,
    pub(super) expectations: Vec<Expectation>,
    pub(super) monotonic: bool,
    pub(super) command: Option<CommandKey>,
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
    let mut bytes = size_of::<PreparedCommit>();
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
        command: commit.command,
        trace: commit.trace,
        bytes,
    })
}

impl PreparedCommit {
    /// Whether it stores nothing.
    pub(super) fn is_question(&self) -> bool {
        self.events.is_empty() && self.command.is_none()
    }
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

/// How many bytes of a UUIDv7 are its time (RFC 9562, section 5.7).
const UUID_TIME_BYTES: usize = 6;
const ID_HASH_BYTES: usize = 8;

/// What differs between ids, to find an event by its id alone: the time of a UUIDv7, then a hash. So an index of ids that
/// rise with time grows at its end, and whoever chooses ids can't make many with the same key.
pub(super) fn id_key(id: &EventId) -> [u8; UUID_TIME_BYTES + ID_HASH_BYTES] {
    let mut key = [0; UUID_TIME_BYTES + ID_HASH_BYTES];
    let (time, hash) = key.split_at_mut(UUID_TIME_BYTES);
    if let Some(uuid) = Uuid::try_parse(id.as_str()).ok().filter(|uuid| uuid.get_version() == Some(Version::SortRand)) {
        time.copy_from_slice(&uuid.as_bytes()[..UUID_TIME_BYTES]);
    }
    hash.copy_from_slice(&half(Sha256::new_with_prefix(id.as_str()))[..ID_HASH_BYTES]);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_rise_with_time_have_keys_that_do() {
        let key = |id: &str| id_key(&EventId::new(id).unwrap());
        let [older, newer] = ["019aa2f4-6a53-7c1e-9a57-3b5f0c1d2e3f", "019aa2f4-6a54-7000-8000-000000000000"];
        assert!(key(older) < key(newer));
        assert_ne!(key(older), key("019aa2f4-6a53-7c1e-9a57-3b5f0c1d2e40"), "of the same time, but another");
        let random = "f81d4fae-7dec-41d0-a765-00a0c91e6bf6";
        assert_eq!(key(random)[..UUID_TIME_BYTES], [0; UUID_TIME_BYTES], "it has no time");
        assert_ne!(key(random), key("order-17"));
    }
}
