//! What a log keeps of commands, so that the same one again is answered as the first time.

use highwater_core::{
    event::{Actor, EventId},
    stream::StreamName,
    version::{Revision, Sequence},
};
use sha2::{Digest as _, Sha256};

/// What the log knows a command by. It is kept for ever, in about forty bytes, as the events are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandKey {
    /// Which command it is.
    pub identity: CommandIdentity,
    /// What it asks for.
    pub digest: CommandDigest,
}

/// What stands for a command's actor and id: a hash of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CommandIdentity(pub(crate) [u8; 16]);

/// What stands for all that a command asks for: a hash of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandDigest(pub(crate) [u8; 16]);

impl CommandKey {
    /// Of a command by this actor, with an id that is unique to that actor, which asks for all of these parts.
    #[must_use]
    pub fn new<'a>(actor: &Actor, id: &EventId, asked: impl IntoIterator<Item = &'a str>) -> Self {
        Self { identity: CommandIdentity(hash([actor.as_str(), id.as_str()])), digest: CommandDigest(hash(asked)) }
    }
}

/// A command that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedCommand {
    /// What it asked for.
    pub digest: CommandDigest,
    /// Its last event's place; where it made none, the end of the log at that time.
    pub sequence: Sequence,
    /// Its events, in order.
    pub events: Vec<RecordedEvent>,
}

/// An event of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Its stream.
    pub stream: StreamName,
    /// Its id.
    pub id: EventId,
    /// Its place in the log.
    pub sequence: Sequence,
    /// Its place in its stream.
    pub revision: Revision,
}

/// A hash of several texts, which no others have together: each goes in after its length.
fn hash<'a>(parts: impl IntoIterator<Item = &'a str>) -> [u8; 16] {
    let chain = |hash: Sha256, part: &str| hash.chain_update((part.len() as u64).to_be_bytes()).chain_update(part);
    half(parts.into_iter().fold(Sha256::new(), chain))
}

/// The first half of a hash: 128 bits are more than enough to tell things apart.
pub(super) fn half(hash: Sha256) -> [u8; 16] {
    let whole: [u8; 32] = hash.finalize().into();
    std::array::from_fn(|at| whole[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_in_any_part_is_another() {
        let key = |actor: &str, id: &str, asked: &[&str]| {
            CommandKey::new(&actor.parse().unwrap(), &id.parse().unwrap(), asked.iter().copied())
        };
        let one = key("ab", "c", &["task", "a:b"]);
        assert_eq!(one, key("ab", "c", &["task", "a:b"]));
        assert_ne!(one.identity, key("a", "bc", &["task", "a:b"]).identity);
        for other in [&["task", "a:bc"][..], &["taska", ":b"], &["task", "a:b", ""]] {
            let other = key("ab", "c", other);
            assert_eq!(one.identity, other.identity);
            assert_ne!(one.digest, other.digest);
        }
    }
}
