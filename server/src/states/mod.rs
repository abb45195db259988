//! [`States`]: what the events of an entity's stream come to, now and at any moment of its past.
//!
//! A state is folded from the last one that is at hand: kept in memory, or, where [snapshots](States::with_snapshots) are kept, in a file
//! beside the log. So reading one costs the events of a snapshot's interval at most, however long the stream is.

mod cache;
mod snapshots;

use std::{
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    num::NonZeroU32,
    ops::RangeInclusive,
    path::Path,
    sync::Arc,
};

use highwater_core::{
    decider::{Entities, Entity, Folded},
    envelope::parse_stored,
    mutation::{Mutation, mutated},
    stream::StreamName,
    version::{Revision, Sequence},
};
use tokio::sync::{Mutex, Semaphore};

use self::{
    cache::{Cache, Reached},
    snapshots::{Snapshot, Snapshots},
};
pub use crate::store::At;
use crate::store::{EventStore, ReadLimit, Unavailable};

/// How much of a stream is read at once.
const PAGE: ReadLimit = ReadLimit { events: 1_000, bytes: 1024 * 1024 };
/// How many states are folded at once; more wait their turn. Each holds a page.
const FOLDS_MAX: usize = 16;
/// Streams whose states are not in memory share so many locks, so that one of them is folded once, however many ask for it at once.
const LOCKS: usize = 64;

/// The states of all streams of the entities that a server knows. Cloning is cheap.
#[derive(Clone)]
pub struct States {
    store: Arc<dyn EventStore>,
    entities: Entities,
    shared: Arc<Shared>,
    snapshots: Option<Arc<Snapshots>>,
}

struct Shared {
    cache: Cache,
    turns: Semaphore,
    locks: [Mutex<()>; LOCKS],
    /// The same in every process: which streams share a lock is nobody's secret, and a simulation has to have it as it was.
    hasher: BuildHasherDefault<DefaultHasher>,
}

/// A stream's state at a moment.
pub struct StateAt {
    /// The name of its entity.
    pub entity: &'static str,
    /// What the events come to.
    pub state: Folded,
    /// Every event of the stream up to this place in the log is in it, and no other.
    pub through: Sequence,
    /// The log's end when it was read.
    pub head: Sequence,
}

/// Why there is no state to tell.
#[derive(Debug, thiserror::Error)]
pub enum NoState {
    /// No entity has streams of that name.
    #[error("the stream is of no entity")]
    NoEntity,
    /// Nothing had happened by then.
    #[error("the stream has no event by then")]
    NoEvent,
    /// The sequence is beyond the log's end.
    #[error("the log ends at {head}")]
    Ahead {
        /// Where the log ends.
        head: Sequence,
    },
    /// The log can't be read.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why a snapshot was not made on demand.
#[derive(Debug, thiserror::Error)]
pub enum NoSnapshot {
    /// None are kept.
    #[error("no snapshots are kept")]
    NotKept,
    /// There is no state.
    #[error(transparent)]
    NoState(#[from] NoState),
}

impl States {
    /// Of a log, and of these entities.
    #[must_use]
    pub fn new(store: Arc<dyn EventStore>, entities: Entities) -> Self {
        let shared = Shared {
            cache: Cache::default(),
            turns: Semaphore::new(FOLDS_MAX),
            locks: std::array::from_fn(|_| Mutex::default()),
            hasher: BuildHasherDefault::default(),
        };
        Self { store, entities, shared: Arc::new(shared), snapshots: None }
    }

    /// Keeps a snapshot of a stream every so many events, in this file. What is in it is derived from the log, so the file can be
    /// deleted at any time. That it can't be written is of no consequence but for the time that it takes to read a long stream.
    #[must_use]
    pub fn with_snapshots(self, file: &Path, every: NonZeroU32) -> Self {
        let head = *self.store.head().borrow();
        let snapshots = Snapshots::open(file, every, (self.store.epoch(), head), &self.entities);
        Self { snapshots: Some(Arc::new(snapshots)), ..self }
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
    pub async fn current(&self, stream: &StreamName) -> Result<Option<Folded>, Unavailable> {
        let Some(entity) = self.entities.of(stream) else { return Ok(None) };
        Ok(Some(self.now(entity, stream).await?.state))
    }

    /// The state of a stream at a moment.
    ///
    /// # Errors
    /// [`NoState`] where there is none, or the log can't be read.
    pub async fn at(&self, stream: &StreamName, at: At) -> Result<StateAt, NoState> {
        let entity = self.entities.of(stream).ok_or(NoState::NoEntity)?;
        let head = *self.store.head().borrow();
        match at {
            At::Now => {
                let Reached { state, head, last, .. } = self.now(entity, stream).await?;
                if last == Sequence::ZERO {
                    return Err(NoState::NoEvent);
                }
                Ok(StateAt { entity: entity.name(), state, through: head, head })
            }
            At::Sequence(sequence) if sequence > head => Err(NoState::Ahead { head }),
            at => {
                let to = self.store.revision_at(stream, at).await?.ok_or(NoState::NoEvent)?;
                let Reached { state, last, .. } = self.past(entity, stream, to).await?;
                let through = if let At::Sequence(sequence) = at { sequence } else { last };
                Ok(StateAt { entity: entity.name(), state, through, head: head.max(last) })
            }
        }
    }

    /// Makes a snapshot of a stream as it is now. Returns its revision once it is written.
    ///
    /// # Errors
    /// [`NoSnapshot`] where none are kept, or it can't be written.
    pub async fn snapshot(&self, stream: &StreamName) -> Result<Revision, NoSnapshot> {
        let snapshots = self.snapshots.as_ref().ok_or(NoSnapshot::NotKept)?;
        let entity = self.entities.of(stream).ok_or(NoState::NoEntity)?;
        let Reached { state, last, .. } = self.now(entity, stream).await.map_err(NoState::from)?;
        if last == Sequence::ZERO {
            return Err(NoState::NoEvent.into());
        }
        let is_written = snapshots.write(Snapshot::of(entity, stream, &state, last)).await;
        let reason = "the snapshot could not be written: the server's log says why".to_owned();
        if is_written { Ok(state.mark().revision) } else { Err(NoState::Unavailable(Unavailable { reason }).into()) }
    }

    /// A stream has events at these revisions by other means than a command, so that nobody has folded them. Where a snapshot is due among
    /// them, it is made, lest somebody have to read all of them at once later.
    pub(crate) async fn keep_up(&self, stream: &StreamName, revisions: RangeInclusive<Revision>) {
        let is_due = self.snapshots.as_ref().is_some_and(|snapshots| snapshots.is_due_within(&revisions));
        let Some(entity) = self.entities.of(stream).filter(|_| is_due) else { return };
        if let Err(error) = self.now(entity, stream).await {
            tracing::debug!(%stream, "no snapshot is made of what came: {error}");
        }
    }

    /// The state with all events, which is kept in memory from now on.
    async fn now(&self, entity: &Entity, stream: &StreamName) -> Result<Reached, Unavailable> {
        let head = *self.store.head().borrow();
        let _alone = match self.shared.cache.get(stream) {
            Some(known) if known.head >= head => return Ok(known.copy()),
            Some(_) => None,
            None => Some(self.shared.lock(stream).await),
        };
        let _turn = self.shared.turns.acquire().await;
        let begun = match self.shared.cache.get(stream) {
            Some(known) => known.copy(),
            None => self.begin(entity, stream, Revision::MAX).await,
        };
        let reached = self.fold(entity, stream, begun, None).await?;
        if reached.last > Sequence::ZERO {
            self.shared.cache.put(stream, &reached);
        }
        Ok(reached)
    }

    /// The state with all events up to a revision that the stream has.
    async fn past(&self, entity: &Entity, stream: &StreamName, to: Revision) -> Result<Reached, Unavailable> {
        let known = self.shared.cache.get(stream).filter(|known| known.revision() <= to);
        let _turn = self.shared.turns.acquire().await;
        let begun = match known {
            Some(known) => known.copy(),
            None => self.begin(entity, stream, to).await,
        };
        let to = if mutated(Mutation::PastIsPresent) { None } else { Some(to) };
        self.fold(entity, stream, begun, to).await
    }

    /// The nearest state before or at a revision that is stored, or the initial one.
    async fn begin(&self, entity: &Entity, stream: &StreamName, to: Revision) -> Reached {
        if let Some(snapshots) = &self.snapshots
            && let Some(reached) = snapshots.latest(entity, stream, to).await
        {
            return reached;
        }
        Reached::initial(entity)
    }

    /// Reads on from a state, up to a revision or to the stream's end.
    async fn fold(
        &self,
        entity: &Entity,
        stream: &StreamName,
        mut reached: Reached,
        to: Option<Revision>,
    ) -> Result<Reached, Unavailable> {
        reached.head = reached.head.max(*self.store.head().borrow());
        loop {
            let revision = reached.state.mark().revision;
            let missing = to.unwrap_or(Revision::MAX).get() - revision.get();
            let Some(from) = revision.next().filter(|_| missing > 0) else { break };
            let limit = ReadLimit { events: PAGE.events.min(missing as usize), ..PAGE };
            let page = self.store.read_stream(stream, from, limit).await?;
            let end = page.as_ref().map_or(Revision::ZERO, |page| page.revision);
            if end < revision {
                // The log does not have what a snapshot was made of.
                tracing::warn!(%stream, "a snapshot is ahead of the log: the stream is read from its beginning");
                reached = Reached::initial(entity);
                continue;
            }
            let Some(page) = page else { break };
            for stored in &page.events {
                let malformed = |error| Unavailable {
                    reason: format!("what is stored at {} is no event: {error}", stored.sequence),
                };
                let vouched = stored.is_checked.then_some(stream);
                let event = parse_stored(&stored.envelope, vouched).map_err(malformed)?;
                reached.apply(&event, stored.envelope.len());
                self.keep(entity, stream, &reached).await;
            }
            reached.head = reached.head.max(page.head);
            if page.events.is_empty() || reached.state.mark().revision >= end {
                break;
            }
        }
        Ok(reached)
    }

    /// Has a snapshot written where one is due.
    async fn keep(&self, entity: &Entity, stream: &StreamName, reached: &Reached) {
        if let Some(snapshots) = &self.snapshots
            && snapshots.is_due(reached.state.mark().revision)
        {
            snapshots.keep(Snapshot::of(entity, stream, &reached.state, reached.last)).await;
        }
    }
}

impl Shared {
    async fn lock(&self, stream: &StreamName) -> tokio::sync::MutexGuard<'_, ()> {
        let at = self.hasher.hash_one(stream) % LOCKS as u64;
        self.locks[at as usize].lock().await
    }
}

#[cfg(test)]
mod tests;
