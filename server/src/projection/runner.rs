//! [`Runner`]: follows the log, and has each event its effect on the lists. It goes in steps, each of which leaves all that is true on disk.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use highwater_core::{
    decider::Entities,
    stream::StreamName,
    topic::Topics,
    version::{Position, Revision, Sequence},
};
use tokio::{task::spawn_blocking, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    ListsOptions, Progress, Shared,
    database::{Database, Generations},
    fold::{Arrival, Fold, restore},
    operator::{self, Outcome, Request},
    rows::{Generation, GenerationId, Pending},
};
use crate::{
    broker::EventBroker,
    store::{Commit, CommitError, LogPage, ReadLimit, Stored, Unavailable},
};

/// How long to wait before what failed is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How much of a stream is read at once where it is folded anew.
const STREAM_PAGE: ReadLimit = ReadLimit { events: 1_000, bytes: 4 * 1024 * 1024 };
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// See the [module](self).
pub(super) struct Runner {
    broker: EventBroker,
    entities: Entities,
    database: Arc<Mutex<Database>>,
    shared: Arc<Shared>,
    topics: Topics,
    batch: ReadLimit,
    serving: Following,
    building: Option<Following>,
    /// Whether what serves can't go on: it is of other entities than there are now.
    is_outdated: bool,
    /// The requests whose answers have been handed to the log, and not yet come back from it.
    told: BTreeSet<Sequence>,
    /// Whether there may be requests to answer.
    is_asked: bool,
    /// Whether there may be dropped generations.
    has_dropped: bool,
}

/// A generation on its way through the log.
struct Following {
    generation: Generation,
    /// The position that the database has.
    committed: Sequence,
    /// Where the log ended when it was last read.
    head: Sequence,
}

impl From<Generation> for Following {
    fn from(generation: Generation) -> Self {
        let committed = generation.position;
        Self { generation, committed, head: Sequence::MAX }
    }
}

/// What keeps the runner from going on just now.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{0}")]
    Database(#[from] rusqlite::Error),
    #[error("{0}")]
    Log(#[from] Unavailable),
    #[error("what came of a request can't be recorded: {0}")]
    Record(CommitError),
    #[error("it broke off")]
    Broke,
}

impl Runner {
    /// Takes up where the database is.
    pub(super) fn new(
        broker: EventBroker,
        entities: Entities,
        mut database: Database,
        shared: Arc<Shared>,
        options: &ListsOptions,
    ) -> rusqlite::Result<Self> {
        let head = *broker.store().head().borrow();
        let generations = database.begin(head)?;
        let topics = entities.iter().map(|entity| entity.streams()).chain([operator::STREAM]);
        // More entities than a set of topics can name are found among everything.
        let topics = Topics::new(topics).unwrap_or_else(|_| Topics::everything());
        let is_outdated = generations.serving.fingerprint != shared.fingerprint;
        let mut runner = Self {
            broker,
            entities,
            database: Arc::new(Mutex::new(database)),
            shared,
            topics,
            batch: ReadLimit { events: options.batch_events_max, bytes: BATCH_BYTES_MAX },
            serving: generations.serving.clone().into(),
            building: None,
            is_outdated,
            told: BTreeSet::new(),
            is_asked: true,
            has_dropped: true,
        };
        runner.take_up(generations);
        runner.shared.metrics.limit(options.set_aside_max);
        runner.tell(None);
        Ok(runner)
    }

    /// Follows the log until this is cancelled.
    pub(super) async fn run(mut self, closing: CancellationToken) {
        let mut head = self.broker.store().head();
        while !closing.is_cancelled() {
            let stepped = self.step().await;
            self.tell(stepped.as_ref().err());
            let waiting = async {
                match stepped {
                    Ok(true) => true,
                    Ok(false) => head.wait_for(|head| *head > self.serving.generation.position).await.is_ok(),
                    Err(failure) => {
                        tracing::warn!("the lists are behind: {failure}");
                        sleep(RETRY).await;
                        true
                    }
                }
            };
            if closing.run_until_cancelled(waiting).await != Some(true) {
                break;
            }
        }
    }

    /// Does a little of everything that is to be done. Says whether there is more.
    pub(super) async fn step(&mut self) -> Result<bool, Failure> {
        if !self.is_outdated {
            self.advance(false).await?;
            self.tell(None);
        }
        if self.building.is_some() {
            self.advance(true).await?;
            self.swap_when_caught_up().await?;
        }
        let mut is_busy = self.building.is_some() || !self.serving.is_at_head();
        if self.is_asked && self.serving.is_at_head() && !self.is_outdated {
            is_busy |= self.answer_requests().await?;
        }
        if self.has_dropped {
            self.has_dropped = self.with_database(Database::clear_dropped).await?;
        }
        Ok(is_busy || self.has_dropped)
    }

    /// Has the next events their effect.
    async fn advance(&mut self, is_building: bool) -> Result<(), Failure> {
        let following = if is_building { self.building.as_ref() } else { Some(&self.serving) };
        let Some(following) = following else { return Ok(()) };
        let (id, position, committed) = (following.generation.id, following.generation.position, following.committed);
        let LogPage { events, next, head } = self.broker.store().read_log(&self.topics, position, self.batch).await?;
        if !is_building && next < head {
            self.shared.behind(events.first());
        }
        let (effects, committed) = self
            .with_database(move |database| {
                let arrivals = events.iter().map(Arrival::read).collect();
                database.apply(id, arrivals, committed, next)
            })
            .await?;
        let following = if is_building { self.building.as_mut() } else { Some(&mut self.serving) };
        if let Some(following) = following {
            (following.generation.position, following.committed, following.head) = (next, committed, head);
        }
        self.is_asked |= effects.heard;
        self.shared.metrics.applied(effects.applied, effects.set_aside);
        if !is_building && (effects.heard || effects.set_aside > 0) {
            self.count_set_aside().await?;
        }
        Ok(())
    }

    /// What was built serves once it has come as far as the log, and no less far than what served before.
    async fn swap_when_caught_up(&mut self) -> Result<(), Failure> {
        let Some(building) = &self.building else { return Ok(()) };
        if !building.is_at_head() || building.generation.position < self.serving.generation.position {
            return Ok(());
        }
        let (serving, built) = (self.serving.generation.id, building.generation.clone());
        let generations = self.with_database(move |database| database.swap(serving, &built)).await?;
        self.shared.metrics.rebuilt();
        tracing::info!(generation = generations.serving.id.0, "the lists have been built anew");
        self.take_up(generations);
        (self.is_asked, self.has_dropped) = (true, true);
        self.count_set_aside().await
    }

    fn take_up(&mut self, generations: Generations) {
        self.is_outdated = generations.serving.fingerprint != self.shared.fingerprint;
        if generations.serving.id != self.serving.generation.id {
            self.serving = Following::from(generations.serving);
        }
        self.building = generations.building.map(Following::from);
    }

    async fn count_set_aside(&self) -> Result<(), Failure> {
        let serving = self.serving.generation.id;
        let count = self.with_database(move |database| database.set_aside_count(serving)).await?;
        self.shared.metrics.set_aside(count);
        Ok(())
    }

    /// Does what operators have asked for, and records what came of it. Says whether something was done.
    async fn answer_requests(&mut self) -> Result<bool, Failure> {
        let requests = self.with_database(|database| database.requests()).await?;
        self.is_asked = !requests.is_empty();
        self.told.retain(|told| requests.iter().any(|pending| pending.sequence == *told));
        let mut is_busy = false;
        for pending in requests {
            match pending.outcome.as_deref().map(serde_json::from_str::<Outcome>) {
                Some(Ok(outcome)) if !self.told.contains(&pending.sequence) => {
                    self.record(&pending, &outcome).await?;
                    self.told.insert(pending.sequence);
                }
                Some(_) => {}
                None => is_busy |= self.act(&pending).await?,
            }
        }
        Ok(is_busy)
    }

    /// Does what is asked for. Says whether that has come to something: building takes longer, and comes after what is built already.
    async fn act(&mut self, pending: &Pending) -> Result<bool, Failure> {
        let sequence = pending.sequence;
        let target = match pending.request() {
            Some(Request::Rebuild) if pending.generation.is_some() || self.building.is_some() => return Ok(false),
            Some(Request::Rebuild) => {
                let generations = self.with_database(move |database| database.rebuild(sequence)).await?;
                self.take_up(generations);
                return Ok(true);
            }
            Some(Request::Retry(target) | Request::Discard(target)) => target,
            None => return self.refuse(sequence, "it can't be read").await,
        };
        let generation = self.serving.generation.id;
        let is_there = move |database: &mut Database| database.is_set_aside(generation, target.sequence);
        if target.epoch != self.shared.epoch || !self.with_database(is_there).await? {
            return self.refuse(sequence, "nothing is set aside there").await;
        }
        match pending.request() {
            Some(Request::Retry(_)) => self.retry(generation, (sequence, target)).await?,
            _ => {
                let outcome = Outcome::Discarded { position: target.to_string() };
                self.with_database(move |database| database.answer(sequence, &outcome)).await?;
            }
        }
        Ok(true)
    }

    async fn refuse(&self, request: Sequence, reason: &str) -> Result<bool, Failure> {
        let outcome = Outcome::Refused { reason: reason.to_owned() };
        self.with_database(move |database| database.answer(request, &outcome)).await?;
        Ok(true)
    }

    /// Folds the stream of what is set aside anew: the events after it have been folded without it.
    async fn retry(&self, generation: GenerationId, request: (Sequence, Position)) -> Result<(), Failure> {
        let target = request.1.sequence;
        let Some(arrival) = self.arrival(target).await? else {
            let outcome = Outcome::Refused { reason: "the log does not have it any more".to_owned() };
            return self.with_database(move |database| database.answer(request.0, &outcome)).await;
        };
        let folded = match arrival.stream() {
            Some(stream) => self.folded(stream).await?.map(|folded| (stream.clone(), folded)),
            None => Err("its stream can't be read".to_owned()),
        };
        match folded {
            Ok((stream, folded)) => {
                self.with_database(move |database| database.refolded(generation, &stream, folded, request)).await?;
            }
            Err(reason) => {
                let poisoned = arrival.poisoned(&reason);
                self.with_database(move |database| database.tried(generation, &poisoned, request)).await?;
            }
        }
        self.count_set_aside().await
    }

    /// What stands at a place in the log.
    async fn arrival(&self, at: Sequence) -> Result<Option<Arrival>, Failure> {
        let before = at.previous().unwrap_or(Sequence::ZERO);
        let limit = ReadLimit { events: 1, bytes: 1 };
        let page = self.broker.store().read_log(&Topics::everything(), before, limit).await?;
        Ok(page.events.first().filter(|stored| stored.sequence == at).map(Arrival::read))
    }

    /// All events of a stream, as far as what serves has come.
    async fn folded(&self, stream: &StreamName) -> Result<Result<(Fold, String), String>, Failure> {
        let Some(entity) = self.entities.of(stream) else { return Ok(Err("its stream is of no entity".to_owned())) };
        let mut failed = String::new();
        for is_thorough in [false, true] {
            let mut fold = match restore(entity, None) {
                Ok(initial) => Fold::onto(initial, is_thorough),
                Err(reason) => return Ok(Err(reason)),
            };
            let mut from = Revision::ZERO.next();
            while let Some(revision) = from {
                let page = self.broker.store().read_stream(stream, revision, STREAM_PAGE).await?;
                let Some(page) = page else { break };
                let seen = |stored: &&Stored| stored.sequence <= self.serving.generation.position;
                page.events.iter().take_while(seen).map(Arrival::read).for_each(|arrival| fold.take(&arrival));
                let next = fold.folded().mark().revision.next();
                from = next.filter(|next| *next > revision && *next <= page.revision);
            }
            match fold.snapshot() {
                Ok(snapshot) => return Ok(Ok((fold, snapshot))),
                Err(reason) => failed = reason,
            }
        }
        Ok(Err(failed))
    }

    /// Records what came of a request. Recorded again, it is the same event.
    async fn record(&self, pending: &Pending, outcome: &Outcome) -> Result<(), Failure> {
        let event = outcome.event(Position::new(self.shared.epoch, pending.sequence), &pending.id);
        let commit = Commit { events: vec![event.into()], ..Commit::default() };
        match self.broker.publish(commit).await {
            Ok(_) => Ok(()),
            Err(CommitError::IdConflict { .. }) => {
                tracing::warn!(request = %pending.sequence, "what came of a request is recorded otherwise already");
                Ok(())
            }
            Err(error) => Err(Failure::Record(error)),
        }
    }

    async fn with_database<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Database) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let database = Arc::clone(&self.database);
        let ran = spawn_blocking(move || run(&mut database.lock().unwrap_or_else(PoisonError::into_inner)));
        Ok(ran.await.map_err(|_| Failure::Broke)??)
    }

    /// Lets everyone see how far the lists have come.
    fn tell(&self, failure: Option<&Failure>) {
        let building = self.building.as_ref().map(|building| (building.generation.id.0, building.generation.position));
        self.shared.tell(Progress {
            generation: self.serving.generation.id.0,
            position: self.serving.generation.position,
            building,
            is_outdated: self.is_outdated,
            failure: failure.map(ToString::to_string),
        });
    }
}

impl Following {
    /// Whether it had all of the log when that was last read.
    fn is_at_head(&self) -> bool {
        self.generation.position >= self.head
    }
}
