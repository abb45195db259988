//! [`Work`]: what the server does by itself when something has happened. It reads messages that were ingested, extracts knowledge where that
//! is asked for, executes analysis runs that are started, and has runs fail whose executor is gone.
//!
//! It follows the log, as anybody could, and says what it has done by commands, as anybody would. Each piece of work may be begun again after
//! a crash: its commands have ids that follow from the event, so what was done is not done twice.

mod extraction;
mod messages;
mod offset;
mod runs;

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::StreamExt;
use highwater_core::{
    decider::{Decider, Origin, Projection},
    domain::{
        analysis_run::{AnalysisRun, RunEvent},
        knowledge::{Knowledge, KnowledgeEvent},
        message::{Message, MessageEvent},
    },
    event::{Actor, Event, EventId},
    stream::StreamName,
    topic::Topics,
    upcast::{self, Read},
    version::{After, Position, Sequence},
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::{sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;

use self::offset::Offset;
use crate::{
    analysis::{Analyst, Extractor, Rules},
    broker::{Delivery, EventBroker, SubscriptionError},
    commands::{CommandError, Commands, Request},
    feed::Lagging,
    states::States,
    store::Unavailable,
};

/// Who the server is when it commands.
pub(crate) const WORKER: &str = "highwater:worker";
/// The most pieces of work that are begun and not done. While there are so many, the log is not read on.
const UNDER_WAY_MAX: usize = 1_024;
/// The most that read texts at a time.
const READING_MAX: usize = 4;

/// See the [module](self).
pub struct Work {
    broker: EventBroker,
    commands: Commands,
    states: States,
    extractor: Arc<dyn Extractor>,
    analyst: Arc<dyn Analyst>,
    offset: Option<PathBuf>,
    reading: Semaphore,
}

/// Why a piece of work came to nothing. What may pass is tried again when the server starts again.
#[derive(Debug, thiserror::Error)]
enum WorkError {
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    #[error("the server is shutting down")]
    ShuttingDown,
}

/// What is to be done about an event.
enum Due {
    Enrich(StreamName),
    Extract(StreamName),
    Run(StreamName),
}

impl Work {
    /// For this server's commands, with the rules that come with it.
    #[must_use]
    pub fn new(broker: EventBroker, commands: Commands, states: States) -> Self {
        let (extractor, analyst) = (Arc::new(Rules), Arc::new(Rules));
        Self { broker, commands, states, extractor, analyst, offset: None, reading: Semaphore::new(READING_MAX) }
    }

    /// Keeps in this file how far it has come, and goes on from there when the server starts again. Without it, work that was not done is
    /// done no more.
    #[must_use]
    pub fn with_offset(self, path: impl Into<PathBuf>) -> Self {
        Self { offset: Some(path.into()), ..self }
    }

    /// Has others read the texts.
    #[must_use]
    pub fn with_ports(self, extractor: Arc<dyn Extractor>, analyst: Arc<dyn Analyst>) -> Self {
        Self { extractor, analyst, ..self }
    }

    /// Works until the broker closes. What is under way then is left, and done when the server starts again.
    pub async fn run(self) {
        let work = Arc::new(self);
        let closing = work.broker.closing().clone();
        let mut offset = Offset::read(work.offset.clone(), work.broker.status().head);
        let mut after = offset.start(work.broker.status().head);
        let topics = [AnalysisRun::STREAMS, Knowledge::STREAMS, Message::STREAMS];
        let topics = Topics::new(topics).expect("entities' topics");
        let mut under_way = UnderWay::default();
        while !closing.is_cancelled() {
            let mut events = work.broker.subscribe(topics.clone(), after, Lagging::CatchUp);
            while let Some(delivery) = under_way.next(&mut events, &closing).await {
                match delivery {
                    Ok(Delivery::Event { position, event }) => {
                        after = After::Position(position);
                        under_way.begin(&work, position.sequence, &event);
                    }
                    Ok(Delivery::Ready(position) | Delivery::Reset { position, .. }) => {
                        after = After::Position(position);
                        under_way.come_to(position.sequence);
                    }
                    Ok(Delivery::Skipped { .. }) => {}
                    Err(SubscriptionError::Malformed { position, error }) => {
                        tracing::warn!(%position, "no work is done for what is stored there: it {error}");
                    }
                    Err(SubscriptionError::Ended | SubscriptionError::Unavailable(_)) => break,
                }
                let done = Position::new(work.broker.status().head.epoch, under_way.done());
                if let Err(error) = offset.advance(done) {
                    tracing::warn!("cannot note how far work has come: {error}");
                }
            }
        }
    }

    /// Says something of what it has done. The id follows from what it is about, so that it is said once.
    async fn say(
        &self,
        entity: &str,
        stream: &StreamName,
        id: EventId,
        command: &impl Serialize,
    ) -> Result<(), CommandError> {
        let command = serde_json::to_string(command).expect("a command is JSON");
        let origin = Origin::new(id, Actor::new(WORKER).expect("a URI reference"));
        self.commands.run(Request::new(entity, stream.clone(), command, origin)).await.map(drop)
    }

    /// The state of a stream now.
    async fn state<D: Decider>(&self, stream: &StreamName) -> Result<Projection<D>, Unavailable> {
        let state = self.states.current(stream).await?;
        Ok(state.and_then(|state| state.as_any().downcast_ref::<Projection<D>>().cloned()).unwrap_or_default())
    }

    async fn do_it(&self, due: &Due, cause: &EventId) -> Result<(), WorkError> {
        match due {
            Due::Enrich(stream) => self.enrich(stream, cause).await,
            Due::Extract(stream) => self.extract(stream, cause).await,
            Due::Run(stream) => self.see_to_run(stream, cause).await,
        }
    }
}

/// The pieces of work that are begun and not done, and how far the log is read.
#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<()>,
    begun: Arc<Mutex<BTreeSet<Sequence>>>,
    read: Sequence,
}

impl UnderWay {
    /// The next delivery, once there is room for its work. `None` when it is over.
    async fn next<T>(
        &mut self,
        events: &mut (impl futures_util::Stream<Item = T> + Unpin),
        closing: &CancellationToken,
    ) -> Option<T> {
        loop {
            tokio::select! {
                () = closing.cancelled() => return None,
                Some(_) = self.tasks.join_next() => {}
                delivery = events.next(), if self.tasks.len() < UNDER_WAY_MAX => return delivery,
            }
        }
    }

    fn begin(&mut self, work: &Arc<Work>, sequence: Sequence, event: &Event) {
        self.come_to(sequence);
        let Some(due) = due(event) else { return };
        let (work, begun, cause) = (Arc::clone(work), Arc::clone(&self.begun), event.id.clone());
        lock(&begun).insert(sequence);
        self.tasks.spawn(async move {
            match work.do_it(&due, &cause).await {
                Err(WorkError::ShuttingDown) => return,
                Err(error) => tracing::warn!(%cause, "work is given up: {error}"),
                Ok(()) => {}
            }
            lock(&begun).remove(&sequence);
        });
    }

    fn come_to(&mut self, sequence: Sequence) {
        self.read = self.read.max(sequence);
    }

    /// Up to where all is done.
    fn done(&self) -> Sequence {
        let first = lock(&self.begun).first().copied();
        first.and_then(Sequence::previous).unwrap_or(self.read)
    }
}

fn lock(begun: &Mutex<BTreeSet<Sequence>>) -> std::sync::MutexGuard<'_, BTreeSet<Sequence>> {
    begun.lock().unwrap_or_else(PoisonError::into_inner)
}

fn due(event: &Event) -> Option<Due> {
    let stream = || event.stream.clone();
    match upcast::read::<Message>(event) {
        Read::Event(MessageEvent::Updated(updated)) => return updated.content.map(|_| Due::Enrich(stream())),
        Read::Event(MessageEvent::Ingested(_)) => return Some(Due::Enrich(stream())),
        Read::Unknown | Read::Unreadable(_) => {}
    }
    if let Read::Event(KnowledgeEvent::ExtractionRequested(_)) = upcast::read::<Knowledge>(event) {
        return Some(Due::Extract(stream()));
    }
    match upcast::read::<AnalysisRun>(event) {
        Read::Event(RunEvent::Started(_)) => Some(Due::Run(stream())),
        _ => None,
    }
}

/// An id that follows from another: what is said because of one event has the same id each time.
fn follows_from(cause: &EventId, what: &str) -> EventId {
    let hash = Sha256::new().chain_update(what).chain_update([0]).chain_update(cause.as_str()).finalize();
    let bytes: [u8; 16] = std::array::from_fn(|at| hash[at]);
    let id = uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string();
    EventId::new(&id).expect("a UUID is an id")
}
