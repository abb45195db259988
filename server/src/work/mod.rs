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
    time::Duration,
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
    json::{self, Json},
    stream::StreamName,
    topic::Topics,
    upcast::{self, Read},
    version::{After, Position, Sequence},
};
use tokio::{sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;

use self::offset::Offset;
use crate::{
    analysis::{Analyst, Extractor, Rules},
    broker::{Delivery, EventBroker, SubscriptionError},
    commands::{CommandError, Commands, Request, derived_id},
    feed::Lagging,
    states::States,
    store::{CommandKey, CommitError, Unavailable},
    telemetry::{Due, WorkMetrics, WorkOutcome},
};

/// Who the server is when it commands.
pub(crate) const WORKER: &str = "highwater:worker";
/// The most pieces of work that are begun and not done. While there are so many, the log is not read on.
const UNDER_WAY_MAX: usize = 1_024;
/// The most that read texts at a time.
const READING_MAX: usize = 4;

/// How long it waits before it tries again what may pass: longer each time, up to this.
const RETRY_MIN: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// See the [module](self).
pub struct Work {
    broker: EventBroker,
    commands: Commands,
    states: States,
    extractor: Arc<dyn Extractor>,
    analyst: Arc<dyn Analyst>,
    offset: Option<PathBuf>,
    reading: Semaphore,
    metrics: WorkMetrics,
}

/// Why a piece of work came to nothing.
#[derive(Debug, thiserror::Error)]
enum WorkError {
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    #[error("the server is shutting down")]
    ShuttingDown,
}

/// The event that something is to be done about.
struct Cause {
    stream: StreamName,
    sequence: Sequence,
    source: Actor,
    id: EventId,
    command: Option<EventId>,
}

impl From<&Event> for Cause {
    fn from(event: &Event) -> Self {
        let Event { stream, sequence, source, id, command_id, .. } = event;
        let (stream, source, id, command) = (stream.clone(), source.clone(), id.clone(), command_id.clone());
        Self { stream, sequence: *sequence, source, id, command }
    }
}

impl Cause {
    /// The id of what is said because of it: the same each time.
    fn leads_to(&self, what: &str) -> EventId {
        derived_id(&[self.stream.as_str(), self.source.as_str(), self.id.as_str(), what])
    }
}

impl Work {
    /// For this server's commands, with the rules that come with it.
    #[must_use]
    pub fn new(broker: EventBroker, commands: Commands, states: States) -> Self {
        let (extractor, analyst) = (Arc::new(Rules), Arc::new(Rules));
        let (reading, metrics) = (Semaphore::new(READING_MAX), broker.metrics().work.clone());
        metrics.limit(UNDER_WAY_MAX);
        Self { broker, commands, states, extractor, analyst, offset: None, reading, metrics }
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
                    Err(SubscriptionError::Ended) => break,
                    Err(SubscriptionError::Unavailable(_)) => {
                        tokio::select! {
                            () = tokio::time::sleep(RETRY_MIN) => break,
                            () = closing.cancelled() => break,
                        }
                    }
                }
                let done = Position::new(work.broker.status().head.epoch, under_way.done());
                if let Err(error) = offset.advance(done) {
                    tracing::warn!("cannot note how far work has come: {error}");
                }
            }
        }
    }

    /// Says something of what it has done about an event. It is said once: what was said first stands, also where a reader of texts would
    /// put it otherwise another time.
    async fn say(&self, entity: &str, cause: &Cause, what: &str, command: &impl Json) -> Result<(), CommandError> {
        let command = json::to_string(command);
        let origin = Origin::new(cause.leads_to(what), Actor::new(WORKER).expect("a URI reference"));
        match self.commands.run(Request::new(entity, cause.stream.clone(), command, origin)).await {
            Ok(_) | Err(CommandError::Commit(CommitError::CommandConflict)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The state of a stream now.
    async fn state<D: Decider>(&self, stream: &StreamName) -> Result<Projection<D>, Unavailable> {
        let state = self.states.current(stream).await?;
        Ok(state.and_then(|state| state.of::<D>().cloned()).unwrap_or_default())
    }

    /// Does what is due, however often it has to be tried. Answers what came of it; `None` where it is left for the next start.
    async fn see_to(&self, due: Due, cause: &Cause) -> Option<WorkOutcome> {
        let mut wait = RETRY_MIN;
        loop {
            let error = match self.attempt(due, cause).await {
                Ok(outcome) => return Some(outcome),
                Err(error) => error,
            };
            if !error.may_pass() {
                tracing::warn!(stream = %cause.stream, cause = %cause.id, "work is given up: {error}");
                return Some(WorkOutcome::GivenUp);
            }
            tracing::info!(stream = %cause.stream, cause = %cause.id, "work is tried again: {error}");
            self.metrics.retried(due);
            tokio::select! {
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(RETRY_MAX),
                () = self.broker.closing().cancelled() => return None,
            }
        }
    }

    async fn attempt(&self, due: Due, cause: &Cause) -> Result<WorkOutcome, WorkError> {
        if !self.is_of_this_log(cause).await? {
            return Ok(WorkOutcome::Nothing);
        }
        match due {
            Due::Enrich => self.enrich(cause).await,
            Due::Extract => self.extract(cause).await,
            Due::Run => self.see_to_run(cause).await,
            Due::Watch => self.watch(cause).await,
        }
    }

    /// Whether the event was recorded here: what follows from an imported one has happened where it comes from, and is imported too.
    async fn is_of_this_log(&self, cause: &Cause) -> Result<bool, Unavailable> {
        let Some(command) = &cause.command else { return Ok(false) };
        let identity = CommandKey::new(&cause.source, command, []).identity;
        Ok(self.broker.store().command(identity).await?.is_some())
    }
}

impl WorkError {
    /// Whether the same may go well later.
    fn may_pass(&self) -> bool {
        match self {
            Self::Command(error) => error.may_pass(),
            Self::Unavailable(_) | Self::ShuttingDown => true,
        }
    }
}

/// The pieces of work that are begun and not done, and how far the log is read.
#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<()>,
    /// Those that only wait, and are not counted: one for each open run of somebody else.
    watching: JoinSet<()>,
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
                Some(_) = self.watching.join_next() => {}
                delivery = events.next(), if self.tasks.len() < UNDER_WAY_MAX => return delivery,
            }
        }
    }

    fn begin(&mut self, work: &Arc<Work>, sequence: Sequence, event: &Event) {
        self.come_to(sequence);
        let Some(due) = due(event) else { return };
        let tasks = if due == Due::Watch { &mut self.watching } else { &mut self.tasks };
        let (work, begun, cause) = (Arc::clone(work), Arc::clone(&self.begun), Cause::from(event));
        let pending = work.metrics.begun(due, sequence, event.recorded_time);
        lock(&begun).insert(sequence);
        tasks.spawn(async move {
            if let Some(outcome) = work.see_to(due, &cause).await {
                lock(&begun).remove(&sequence);
                work.metrics.ended(due, outcome);
            }
            drop(pending);
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
    match upcast::read::<Message>(event) {
        Read::Event(MessageEvent::Updated(updated)) => return updated.content.map(|_| Due::Enrich),
        Read::Event(MessageEvent::Ingested(_)) => return Some(Due::Enrich),
        Read::Unknown | Read::Unreadable(_) => {}
    }
    if let Read::Event(KnowledgeEvent::ExtractionRequested(_)) = upcast::read::<Knowledge>(event) {
        return Some(Due::Extract);
    }
    match upcast::read::<AnalysisRun>(event) {
        Read::Event(RunEvent::Started(started)) if started.executor.as_str() == WORKER => Some(Due::Run),
        Read::Event(RunEvent::Started(_)) => Some(Due::Watch),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
