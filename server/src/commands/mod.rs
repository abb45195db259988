//! [`Commands`]: carries out what is asked of entities. It loads the states that a decision depends on, has the entity decide, and
//! commits the events on the condition that all these states are still what they were. Where one is not, it loads and decides again.
//!
//! A command is carried out once, however often it is asked for: its key is committed with its events, and looked up before anything is
//! decided. A refusal leaves nothing behind: the same command may be allowed later.

mod locks;
mod request;

use std::{collections::BTreeSet, sync::Arc};

use highwater_core::{
    decider::{Context, Decision, Refusal, Rejection, Streams},
    envelope::Proposed,
    event::EventId,
    mutation::{Mutation, mutated},
    stream::StreamName,
    version::{Position, Revision},
};
use sha2::{Digest as _, Sha256};

use self::locks::Locks;
pub use self::request::Request;
use crate::{
    auth::Forbidden,
    broker::EventBroker,
    states::States,
    store::{
        CommandKey, Commit, CommitError, Committed, Expectation, Expected, ReadLimit, RecordedCommand, RecordedEvent,
        Unavailable,
    },
};

/// The most streams that a decision may depend on.
const STREAMS_MAX: usize = 256;
/// How often a command is decided at most. From the second time on it waits for its turn at the streams that were in the way, so that
/// only those who came to them before can be in its way again.
const ATTEMPTS_MAX: usize = 128;

/// See the [module](self). Cloning is cheap.
#[derive(Clone)]
pub struct Commands {
    broker: EventBroker,
    states: States,
    locks: Arc<Locks>,
}

/// What a command has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Who has read up to here has read all that it did, or all that it was decided on where it did nothing.
    pub position: Position,
    /// Its events, in order.
    pub events: Vec<RecordedEvent>,
    /// The revision of its own stream: at its last event there, or where it has none, now.
    pub revision: Revision,
    /// Whether it was carried out just now, and not before.
    pub is_new: bool,
}

/// An id that follows from these parts, and from nothing else: who commands because of something commands the same each time.
pub(crate) fn derived_id(parts: &[&str]) -> EventId {
    let hash = parts
        .iter()
        .fold(Sha256::new(), |hash, part| hash.chain_update((part.len() as u64).to_be_bytes()).chain_update(part));
    let hash = hash.finalize();
    let id = uuid::Builder::from_custom_bytes(std::array::from_fn(|at| hash[at])).into_uuid().to_string();
    EventId::new(&id).expect("a UUID is an id")
}

/// Why a command was not carried out.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommandError {
    /// Its entity decides against it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Whoever gives it may not.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// So many others wrote to this stream that the command never found it as it was when it was decided: try again.
    #[error("too many write to stream '{0}'")]
    Contended(StreamName),
    /// Its events can't be recorded. A [`CommitError::RevisionConflict`] is about what the command itself expects of its stream.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The log can't be read.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// What came of trying once.
enum Attempt {
    Done(Outcome),
    /// Others write to this stream: it is to be waited for.
    InTheWay(StreamName),
}

/// What a decision can come to.
enum Decided {
    Decision(Decision, Revision),
    /// Others are waiting to write to this stream, on which the decision depends.
    InTheWay(StreamName),
}

impl CommandError {
    /// Whether the same command may be carried out later.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Contended(_) | Self::Unavailable(_) => true,
            Self::Commit(error) => matches!(error, CommitError::Overloaded | CommitError::Unavailable(_)),
            Self::Refused(_) | Self::Forbidden(_) => false,
        }
    }
}

impl Commands {
    /// For these states' entities. What is decided goes through the broker, whose log the states must be of.
    #[must_use]
    pub fn new(broker: EventBroker, states: States) -> Self {
        Self { broker, states, locks: Arc::default() }
    }

    /// Carries a command out, unless that was done before. All its events are durable when this returns.
    ///
    /// # Errors
    /// [`CommandError`]; after any but one that tells that the log is [`Unavailable`] nothing is stored.
    pub async fn run(&self, request: Request) -> Result<Outcome, CommandError> {
        request.access.append_to(&request.stream, &request.origin.actor, 0)?;
        let key = request.key();
        if let Some(outcome) = self.recorded(&request, key).await? {
            return Ok(outcome);
        }
        match self.carry_out(&request, key).await {
            Ok(outcome) => Ok(outcome),
            // The very same command may have been carried out meanwhile, and be what is in the way.
            Err(error) => self.recorded(&request, key).await.ok().flatten().ok_or(error),
        }
    }

    async fn carry_out(&self, request: &Request, key: CommandKey) -> Result<Outcome, CommandError> {
        let mut awaited = BTreeSet::new();
        let mut turn = Vec::new();
        let mut last = request.stream.clone();
        for _ in 0..ATTEMPTS_MAX {
            match self.attempt(request, key, &awaited).await? {
                Attempt::Done(outcome) => return Ok(outcome),
                Attempt::InTheWay(stream) => last = stream,
            }
            if awaited.insert(last.clone()) {
                // All turns are taken anew, in the one order that everybody takes them in.
                drop(turn);
                turn = self.locks.take(&awaited).await;
            }
        }
        Err(CommandError::Contended(last))
    }

    async fn attempt(
        &self,
        request: &Request,
        key: CommandKey,
        awaited: &BTreeSet<StreamName>,
    ) -> Result<Attempt, CommandError> {
        let (decision, own) = match self.decide(request, awaited).await? {
            Decided::Decision(decision, own) => (decision, own),
            Decided::InTheWay(stream) => return Ok(Attempt::InTheWay(stream)),
        };
        request.check_expected(own)?;
        let streams: Vec<_> = decision.events.iter().map(|event| event.stream.clone()).collect();
        let events: Vec<_> = decision.events.into_iter().map(Proposed::from).collect();
        request.access.append(&events)?;
        let expect = |(stream, revision)| Expectation { stream, expected: Expected::At(revision) };
        let expectations = decision.expected.into_iter().map(expect).collect();
        let trace = request.trace.clone();
        let commit = Commit { events, expectations, monotonic: false, command: Some(key), trace };
        match self.broker.publish(commit).await {
            Ok(committed) if committed.all_known => {
                let outcome = self.recorded(request, key).await?;
                outcome
                    .map(Attempt::Done)
                    .ok_or_else(|| unavailable("a command that is recorded is not to be found").into())
            }
            Ok(committed) => Ok(Attempt::Done(self.outcome(request, streams, committed, own))),
            Err(CommitError::RevisionConflict { stream, .. })
                if request.expected.is_empty() || stream != request.stream =>
            {
                Ok(Attempt::InTheWay(stream))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Decides on the states as they are now.
    async fn decide(&self, request: &Request, awaited: &BTreeSet<StreamName>) -> Result<Decided, CommandError> {
        let entities = self.states.entities();
        let (mut streams, mut loaded) = (Streams::default(), 0);
        // The own stream's state is a condition of every command, whether its entity looks at it or not.
        let mut needed = entities.get(&request.entity).map(|_| request.stream.clone());
        loop {
            if let Some(stream) = needed.take() {
                if loaded == STREAMS_MAX {
                    let detail = format!("the command depends on more than {STREAMS_MAX} streams: give several");
                    return Err(Refusal::invalid("invalid_command", detail).into());
                }
                if !awaited.contains(&stream) && self.locks.has(&stream) {
                    return Ok(Decided::InTheWay(stream));
                }
                let of_none = || Refusal::invalid("wrong_stream", format!("'{stream}' is of no entity"));
                let state = self.states.current(&stream).await?.ok_or_else(of_none)?;
                streams.insert(stream, state);
                loaded += 1;
            }
            let (stream, origin) = (&request.stream, &request.origin);
            let context = Context { stream, origin, now: self.broker.host().now(), streams: &streams };
            match entities.decide(&request.entity, &request.command, &context) {
                Ok(events) => {
                    let decision = Decision::new(events, &streams);
                    let own = streams.get(stream).map_or(Revision::ZERO, |state| state.mark().revision);
                    return Ok(Decided::Decision(decision, own));
                }
                Err(Rejection::Needs(stream)) => needed = Some(stream),
                Err(Rejection::Refused(refusal)) => {
                    return match self.moved(&streams).await? {
                        Some(stream) => Ok(Decided::InTheWay(stream)),
                        None => Err(refusal.into()),
                    };
                }
            }
        }
    }

    /// A stream that is not where it was when it was loaded. States that are loaded one after the other may never have been so at one moment;
    /// no commit finds that out for a refusal.
    async fn moved(&self, streams: &Streams) -> Result<Option<StreamName>, Unavailable> {
        if streams.iter().count() > 1 {
            for (stream, state) in streams.iter() {
                let now = self.states.current(stream).await?;
                if now.is_some_and(|now| now.mark().revision != state.mark().revision) {
                    return Ok(Some(stream.clone()));
                }
            }
        }
        Ok(None)
    }

    /// What the command has done, where it was carried out before.
    async fn recorded(&self, request: &Request, key: CommandKey) -> Result<Option<Outcome>, CommandError> {
        let store = self.broker.store();
        let Some(RecordedCommand { digest, sequence, events }) = store.command(key.identity).await? else {
            return Ok(None);
        };
        if digest != key.digest && !mutated(Mutation::TakeAnyCommand) {
            return Err(CommitError::CommandConflict.into());
        }
        let revision = match last_revision(&events, &request.stream) {
            Some(revision) => revision,
            None => {
                let page = store.read_stream(&request.stream, Revision::MAX, ReadLimit { events: 1, bytes: 1 }).await?;
                page.map_or(Revision::ZERO, |page| page.revision)
            }
        };
        let position = Position::new(store.epoch(), sequence);
        Ok(Some(Outcome { position, events, revision, is_new: false }))
    }

    /// What the command has done just now.
    fn outcome(&self, request: &Request, streams: Vec<StreamName>, committed: Committed, own: Revision) -> Outcome {
        let position = Position::new(self.broker.store().epoch(), committed.sequence());
        let placed = committed.events.into_iter().zip(streams);
        let events: Vec<_> = placed
            .map(|(placed, stream)| RecordedEvent {
                stream,
                id: placed.id,
                sequence: placed.sequence,
                revision: placed.revision,
            })
            .collect();
        let revision = last_revision(&events, &request.stream).unwrap_or(own);
        Outcome { position, events, revision, is_new: true }
    }
}

impl Outcome {
    /// Whether a stream begins with one of the command's events.
    #[must_use]
    pub fn has_created(&self, stream: &StreamName) -> bool {
        self.events.iter().any(|event| event.stream == *stream && event.revision.previous() == Some(Revision::ZERO))
    }
}

/// Where a stream's last one of these events is.
fn last_revision(events: &[RecordedEvent], stream: &StreamName) -> Option<Revision> {
    events.iter().filter(|event| event.stream == *stream).map(|event| event.revision).max()
}

fn unavailable(reason: &str) -> Unavailable {
    Unavailable { reason: reason.to_owned() }
}
