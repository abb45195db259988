//! [`Lists`]: what the events of all streams of the registered entities come to, one row a stream, to be listed by entity, space and status.
//!
//! A runner follows the log and keeps the rows in a database of its own. All in it is derived: it may be deleted at any time, and is made
//! again from the log.
//!
//! - How far the runner has come is committed in one transaction with what it made of the events. It may end anywhere, and goes on from there.
//! - **A row is what [`Entity`](highwater_core::decider::Entity) makes of its stream's events**, as everywhere.
//! - What can't be folded is set aside by name, and the rest goes on without it. Tried again, its whole stream is folded anew: what came
//!   after it was folded without it.
//! - The lists are built anew beside those that serve, and take their place in one transaction. That begins by itself where the entities are
//!   other ones than before; till then the old ones serve, as they were. What is of another log never serves.

mod database;
mod fold;
mod items;
mod operator;
mod rows;
mod runner;
mod schema;
#[cfg(test)]
mod tests;

use std::{
    error::Error as StdError,
    fmt::Write,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use highwater_core::{
    decider::Entities,
    version::{Epoch, Sequence},
};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub use self::items::{InvalidOrder, Item, Items, Order, Wanted};
pub(crate) use self::operator::Request;
use self::{
    database::{Database, Subject},
    rows::Role,
    runner::Runner,
};
use crate::{
    broker::EventBroker,
    config::Settings,
    store::{Stored, Unavailable, sqlite::Readers},
    telemetry::{self, ListsMetrics},
};

/// The name of the projection, in paths and in the stream of what operators ask of it.
pub const NAME: &str = "lists";
/// What the rows depend on beside the entities: raised whenever other rows are made of the same states.
const VERSION: u32 = 1;
/// How many of the events that are set aside are told of at once.
const TOLD_MAX: usize = 1_000;

/// How [`Lists`] are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListsOptions {
    /// The most events of one transaction.
    pub batch_events_max: usize,
    /// The most events that are set aside by name.
    pub set_aside_max: usize,
}

impl From<&Settings> for ListsOptions {
    fn from(settings: &Settings) -> Self {
        Self { batch_events_max: settings.lists_batch_events_max, set_aside_max: settings.lists_set_aside_max }
    }
}

/// Why the lists can't be kept. Its text holds the cause, which is therefore not told as its source again.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database is none of lists.
    #[error("{} is another program's database, not lists of Highwater", path.display())]
    Foreign {
        /// The database.
        path: PathBuf,
    },
    /// The database is damaged, or can't be used.
    #[error("the lists {} can't be opened: {error}; all in them is derived from the log, so the file may be deleted", path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        error: rusqlite::Error,
    },
    /// A file can't be removed.
    #[error("{} can't be used: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
}

/// The lists are closing, and come no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lists are closed")]
pub struct Closed;

/// The lists. Cloning is cheap.
#[derive(Clone)]
pub struct Lists {
    shared: Arc<Shared>,
    readers: Arc<Readers>,
    running: Arc<tokio::sync::Mutex<Option<JoinHandle<()>>>>,
}

/// What the runner and those who ask share.
struct Shared {
    entities: Entities,
    epoch: Epoch,
    fingerprint: String,
    head: watch::Receiver<Sequence>,
    position: watch::Sender<Sequence>,
    progress: Mutex<(Progress, Option<Duration>)>,
    set_aside_max: usize,
    metrics: ListsMetrics,
    closing: CancellationToken,
}

/// How far the runner has come.
#[derive(Clone, Debug, Default)]
struct Progress {
    generation: i64,
    position: Sequence,
    building: Option<(i64, Sequence)>,
    is_outdated: bool,
    failure: Option<String>,
}

/// How the lists stand.
#[derive(Clone, Debug)]
pub struct Status {
    /// How many times they have been built, with those that serve.
    pub generation: i64,
    /// Everything up to here has had its effect.
    pub position: Sequence,
    /// The log's end.
    pub head: Sequence,
    /// How long ago the first event was recorded that has had none.
    pub lag: Duration,
    /// What is being built beside what serves, and how far that has come.
    pub building: Option<(i64, Sequence)>,
    /// Whether they are of other entities than there are now, and stand still until what is being built takes their place.
    pub is_outdated: bool,
    /// What keeps them from going on, if anything does.
    pub failure: Option<String>,
    /// The events that are set aside: the first of them.
    pub set_aside: Vec<SetAsideEvent>,
    /// How many there are.
    pub set_aside_count: usize,
    /// How many there may be.
    pub set_aside_max: usize,
    /// How many found no room among them. They can't be tried again but by building anew.
    pub unlisted: u64,
}

/// An event that is set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAsideEvent {
    /// Its place.
    pub sequence: Sequence,
    /// Its stream, as far as that can be read.
    pub stream: Option<String>,
    /// Its type, as far as that can be read.
    pub kind: Option<String>,
    /// Why it can't be folded. This may tell of its data.
    pub reason: String,
    /// How often that has been tried.
    pub tries: u64,
}

impl Lists {
    /// Keeps lists of these entities, of the log that the broker is connected to, in this file. They end with the broker.
    ///
    /// # Errors
    /// [`OpenError`] where the file can't be used.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn start(
        broker: &EventBroker,
        entities: Entities,
        path: &Path,
        options: &ListsOptions,
    ) -> Result<Self, OpenError> {
        let (lists, runner) = Self::open(broker, entities, path, options)?;
        let running = tokio::spawn(runner.run(lists.shared.closing.clone()));
        Ok(Self { running: Arc::new(tokio::sync::Mutex::new(Some(running))), ..lists })
    }

    /// Opens the file, and leaves the runner to whoever runs it.
    fn open(
        broker: &EventBroker,
        entities: Entities,
        path: &Path,
        options: &ListsOptions,
    ) -> Result<(Self, Runner), OpenError> {
        let (epoch, fingerprint) = (broker.store().epoch(), fingerprint(&entities));
        let set_aside_max = options.set_aside_max;
        let subject = Subject { entities: entities.clone(), epoch, fingerprint: fingerprint.clone(), set_aside_max };
        let database = Database::open(path, subject)?;
        let shared = Arc::new(Shared {
            entities: entities.clone(),
            epoch,
            fingerprint,
            head: broker.store().head(),
            position: watch::Sender::new(Sequence::ZERO),
            progress: Mutex::default(),
            set_aside_max,
            metrics: broker.metrics().lists.clone(),
            closing: broker.closing().child_token(),
        });
        let unusable = |error| OpenError::Database { path: path.to_owned(), error };
        let runner = Runner::new(broker.clone(), entities, database, Arc::clone(&shared), options).map_err(unusable)?;
        let readers = Arc::new(Readers::new(path.to_owned()));
        Ok((Self { shared, readers, running: Arc::default() }, runner))
    }

    /// The entities that there are lists of.
    #[must_use]
    pub fn entities(&self) -> &Entities {
        &self.shared.entities
    }

    /// Everything up to here has had its effect.
    #[must_use]
    pub fn position(&self) -> Sequence {
        *self.shared.position.borrow()
    }

    /// Waits until everything up to here has had its effect.
    ///
    /// # Errors
    /// [`Closed`] where it never will have.
    pub async fn wait_for(&self, sequence: Sequence) -> Result<(), Closed> {
        let mut position = self.shared.position.subscribe();
        let reached = position.wait_for(|position| *position >= sequence);
        match self.shared.closing.run_until_cancelled(reached).await {
            Some(Ok(_)) => Ok(()),
            Some(Err(_)) | None => Err(Closed),
        }
    }

    /// Reads a page of rows.
    ///
    /// # Errors
    /// [`Unavailable`] where the database can't be read.
    pub async fn items(&self, wanted: Wanted) -> Result<Items, Unavailable> {
        let told = self.position();
        let read = self.readers.read(move |database| items::read(database, &wanted, told)).await;
        read.map_err(unavailable)
    }

    /// How they stand.
    ///
    /// # Errors
    /// [`Unavailable`] where the database can't be read.
    pub async fn status(&self) -> Result<Status, Unavailable> {
        let read = self.readers.read(|database| {
            let Some(serving) = rows::generation(database, Role::Serving)? else { return Ok((Vec::new(), 0, 0)) };
            let named = rows::all_set_aside(database, serving.id, TOLD_MAX)?;
            Ok((named, rows::set_aside_count(database, serving.id)?, rows::unlisted(database, serving.id)?))
        });
        let (named, set_aside_count, unlisted) = read.await.map_err(unavailable)?;
        let set_aside = named.into_iter().map(|(poisoned, tries)| {
            let fold::Poisoned { sequence, stream, kind, reason } = poisoned;
            SetAsideEvent { sequence, stream, kind, reason, tries }
        });
        let (progress, behind_since) = self.shared.progress().clone();
        Ok(Status {
            generation: progress.generation,
            position: progress.position,
            head: *self.shared.head.borrow(),
            lag: behind_since.map_or(Duration::ZERO, |since| now().saturating_sub(since)),
            building: progress.building,
            is_outdated: progress.is_outdated,
            failure: progress.failure,
            set_aside: set_aside.collect(),
            set_aside_count,
            set_aside_max: self.shared.set_aside_max,
            unlisted,
        })
    }

    /// Lets the runner come to the end of its step, and closes the file.
    pub async fn close(&self) {
        self.shared.closing.cancel();
        if let Some(running) = self.running.lock().await.take()
            && running.await.is_err()
        {
            tracing::error!("the lists' runner broke off");
        }
        self.readers.close().await;
    }
}

impl Shared {
    fn progress(&self) -> std::sync::MutexGuard<'_, (Progress, Option<Duration>)> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is more after this event, which is the first of a page.
    fn behind(&self, first: Option<&Stored>) {
        let age = first.and_then(|first| telemetry::age(&first.envelope));
        self.progress().1 = age.map(|age| now().saturating_sub(age));
    }

    /// Lets everyone see how far the runner has come.
    fn tell(&self, progress: Progress) {
        let (position, head) = (progress.position, *self.head.borrow());
        let is_behind = progress.failure.is_some() || position < head;
        let lag = {
            let mut told = self.progress();
            told.1 = if is_behind { told.1.or(Some(now())) } else { None };
            told.0 = progress;
            told.1.map_or(Duration::ZERO, |since| now().saturating_sub(since))
        };
        self.metrics.lag(head.get().saturating_sub(position.get()), lag);
        self.metrics.building(self.progress().0.building.is_some());
        self.position.send_if_modified(|told| {
            let is_further = position > *told;
            if is_further {
                *told = position;
            }
            is_further
        });
    }
}

/// What the rows depend on beside the log. Where it is another one, they are built anew.
fn fingerprint(entities: &Entities) -> String {
    let mut text = VERSION.to_string();
    for entity in entities.iter() {
        let _ = write!(text, ";{}={}@{}", entity.name(), entity.streams(), entity.schema());
    }
    text
}

/// The time since 1970.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn unavailable(error: Unavailable) -> Unavailable {
    Unavailable { reason: format!("the lists can't be read: {}", error.reason) }
}

/// A column holds what nobody has written there.
fn malformed(column: usize, error: impl StdError + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
}
