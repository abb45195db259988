//! [`SqliteStore`]: the log in one SQLite database, for one server on one machine.
//!
//! The data folder holds `log.db` (with SQLite's own files beside it), `witness` and `lock`. One thread writes: it takes
//! all commits that wait into one transaction, syncs once, notes the new head in the witness, and only then lets anyone
//! see it. Readers have connections of their own and are never in the writer's way.
//!
//! # Epochs
//! The witness says which generation of the log was served, and up to where. At opening the log gets a new epoch where the
//! witness is missing, can't be read, is of another epoch, or has served more than the log holds. What it can't tell: a
//! whole folder put back by hand, witness and all, looks like the log it was. Restore with a new folder or without the
//! witness.

mod append;
mod error;
mod lock;
mod prepare;
mod queue;
mod read;
mod reader;
mod rows;
mod schema;
mod witness;
mod writer;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, Write},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use async_trait::async_trait;
use highwater_core::{
    envelope::parse_event,
    event::Limits,
    mutation::{Mutation, mutated},
    stream::StreamName,
    topic::Topics,
    version::{Epoch, Revision, Sequence},
};
use rusqlite::Connection;
use tokio::{sync::watch, task::spawn_blocking};

pub use self::error::OpenError;
use self::{
    append::Tail,
    error::{database_error, file_error},
    lock::FolderLock,
    queue::{Failing, Queue},
    witness::{Testimony, Witness},
    writer::Writer,
};
pub(crate) use self::{reader::Readers, schema::connect};
use super::{
    At, CommandIdentity, Commit, CommitError, Committed, EventStore, LogPage, ReadLimit, RecordedCommand, StreamPage,
    Unavailable,
};
use crate::{
    host::{Host, Machine},
    telemetry::StoreMetrics,
};

/// How a [`SqliteStore`] is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// How large what is appended may be.
    pub limits: Limits,
    /// The most events that may be on their way to the disk; with more, commits are [`CommitError::Overloaded`].
    pub queue_events_max: usize,
    /// The most bytes that may be on their way to the disk.
    pub queue_bytes_max: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { limits: Limits::default(), queue_events_max: 65_536, queue_bytes_max: 64 * 1024 * 1024 }
    }
}

/// The log in one SQLite database. Dropped without [`close`](EventStore::close), it blocks until what was accepted is
/// stored.
pub struct SqliteStore {
    epoch: Epoch,
    limits: Limits,
    head: watch::Sender<Sequence>,
    queue: Queue,
    readers: Arc<Readers>,
    /// The thread that the writer runs in, until it is waited for; `None` where it has none.
    writer: Option<Arc<Mutex<Option<JoinHandle<()>>>>>,
    lock: Mutex<Option<FolderLock>>,
}

impl SqliteStore {
    /// Opens the log in this folder. Makes the folder and the log where there is none.
    ///
    /// # Errors
    /// [`OpenError`] says which file is in the way, and how.
    pub fn open(folder: &Path, options: StoreOptions) -> Result<Self, OpenError> {
        Self::open_on(Arc::new(Machine), folder, options)
    }

    /// The same on another host than this machine.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_on(host: Arc<dyn Host>, folder: &Path, options: StoreOptions) -> Result<Self, OpenError> {
        let new_epoch = || Epoch::from_bits(host.random());
        fs::create_dir_all(folder).map_err(|error| file_error(folder, error))?;
        let lock = FolderLock::acquire(folder)?;
        let path = schema::path(folder);
        bring_to_disk(&schema::write_ahead_log(folder))?;
        let database = schema::open_or_create(&path, new_epoch)?;
        let tail = tail(&database, &path)?;
        let epoch = settle_epoch(folder, &database, tail.sequence, new_epoch)?;
        let witness = Witness::establish(folder, Testimony { epoch, served: tail.sequence })?;
        sync_folder(folder)?;

        let failing = Failing::default();
        let metrics = StoreMetrics::default();
        let bounds = (options.queue_events_max, options.queue_bytes_max);
        let (queue, jobs) = Queue::new(bounds, failing.clone(), metrics.clone());
        let head = watch::Sender::new(tail.sequence);
        let writer = Writer {
            database,
            witness,
            head: head.clone(),
            failing,
            tail,
            counted: tail,
            limits: options.limits.clone(),
            metrics,
            host: Arc::clone(&host),
        };
        let thread = host.write(Box::pin(writer.run(jobs))).map_err(|error| file_error(folder, error))?;
        Ok(Self::new(Readers::new(path, host), epoch, options, head, queue, thread, lock))
    }

    /// Opens a log that is there, to read it with no server running. Commits are refused; the epoch stays as it is, with a
    /// warning where a server would renew it. The folder must be writable: the lock is there, and reading may mean to
    /// recover what a crash left.
    ///
    /// # Errors
    /// [`OpenError`] says which file is in the way, and how; [`OpenError::NoLog`] where there is none.
    pub fn open_read_only(folder: &Path, options: StoreOptions) -> Result<Self, OpenError> {
        let path = schema::path(folder);
        if !path.is_file() {
            return Err(OpenError::NoLog { path });
        }
        let lock = FolderLock::acquire(folder)?;
        let database = schema::open_existing(&path)?;
        let epoch = schema::epoch(&database).map_err(|error| database_error(&path, error))?;
        let head = tail(&database, &path)?.sequence;
        if let Some(reason) = distrust(folder, epoch, head)? {
            tracing::warn!("a server will not serve this log as {epoch} any more: {reason}");
        }
        let readers = Readers::new(path, Arc::new(Machine));
        Ok(Self::new(readers, epoch, options, watch::Sender::new(head), Queue::closed(), None, lock))
    }

    fn new(
        readers: Readers,
        epoch: Epoch,
        options: StoreOptions,
        head: watch::Sender<Sequence>,
        queue: Queue,
        writer: Option<JoinHandle<()>>,
        lock: FolderLock,
    ) -> Self {
        queue.metrics().head(*head.borrow());
        Self {
            epoch,
            limits: options.limits,
            head,
            queue,
            readers: Arc::new(readers),
            writer: writer.map(|thread| Arc::new(Mutex::new(Some(thread)))),
            lock: Mutex::new(Some(lock)),
        }
    }

    fn visible_head(&self) -> Sequence {
        *self.head.borrow()
    }
}

#[async_trait]
impl EventStore for SqliteStore {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn head(&self) -> watch::Receiver<Sequence> {
        self.head.subscribe()
    }

    async fn commit(&self, commit: Commit) -> Result<Committed, CommitError> {
        self.queue.submit(prepare::prepare(commit, &self.limits)?).await
    }

    async fn read_log(&self, topics: &Topics, after: Sequence, limit: ReadLimit) -> Result<LogPage, Unavailable> {
        let (topics, head) = (topics.clone(), self.visible_head());
        self.readers.read(move |database| read::log(database, &topics, after, head, limit)).await
    }

    async fn read_stream(
        &self,
        stream: &StreamName,
        from: Revision,
        limit: ReadLimit,
    ) -> Result<Option<StreamPage>, Unavailable> {
        let (stream, head) = (stream.clone(), self.visible_head());
        self.readers.read(move |database| read::stream(database, &stream, from, head, limit)).await
    }

    async fn command(&self, identity: CommandIdentity) -> Result<Option<RecordedCommand>, Unavailable> {
        let head = self.visible_head();
        self.readers.read(move |database| read::command(database, identity, head)).await
    }

    async fn revision_at(&self, stream: &StreamName, at: At) -> Result<Option<Revision>, Unavailable> {
        let (stream, head) = (stream.clone(), self.visible_head());
        self.readers.read(move |database| read::revision_at(database, &stream, at, head)).await
    }

    async fn check_writable(&self) -> Result<(), Unavailable> {
        self.queue.check().await
    }

    fn metrics(&self) -> StoreMetrics {
        self.queue.metrics().clone()
    }

    async fn close(&self) {
        self.queue.close();
        if let Some(writer) = self.writer.clone()
            && spawn_blocking(move || join(&writer)).await.is_err()
        {
            tracing::error!("nobody could wait for the writer");
        }
        self.readers.close().await;
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(writer) = &self.writer {
            join(writer);
        }
    }
}

/// Waits for the writer's end; so does everyone else who asks meanwhile.
fn join(writer: &Mutex<Option<JoinHandle<()>>>) {
    let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(thread) = writer.take()
        && thread.join().is_err()
    {
        tracing::error!("the writer broke off");
    }
}

/// The end of the log that a database holds.
fn tail(database: &Connection, path: &Path) -> Result<Tail, OpenError> {
    let last = rows::last_event(database).and_then(|last| {
        let Some((sequence, envelope)) = last else {
            return Ok(Tail::default());
        };
        let event = parse_event(envelope.as_bytes()).map_err(|error| rows::malformed(1, error))?;
        Ok(Tail { sequence, recorded: event.recorded_time, written_bytes: 0 })
    });
    last.map_err(|error| database_error(path, error))
}

/// The epoch under which a log is served from now on: the one it has, if the witness agrees, or else a new one.
fn settle_epoch(
    folder: &Path,
    database: &Connection,
    head: Sequence,
    new_epoch: impl FnOnce() -> Epoch,
) -> Result<Epoch, OpenError> {
    let failed = |error| database_error(&schema::path(folder), error);
    let epoch = schema::epoch(database).map_err(failed)?;
    let Some(reason) = distrust(folder, epoch, head)? else { return Ok(epoch) };
    let renewed = new_epoch();
    // Nobody has seen anything of a log that was just made. An empty one may also be what a backup was made of.
    if head > Sequence::ZERO {
        tracing::warn!("the log gets the epoch {renewed} in place of {epoch}: {reason}");
    }
    schema::set_epoch(database, renewed).map_err(failed)?;
    Ok(renewed)
}

/// Why a log can't be what was served under its epoch, if it can't: the witness disagrees.
fn distrust(folder: &Path, epoch: Epoch, head: Sequence) -> Result<Option<&'static str>, OpenError> {
    Ok(match Witness::testimony(folder)? {
        _ if mutated(Mutation::TrustAnyLog) => None,
        Some(testimony) if testimony.epoch != epoch => Some("the witness is of another log"),
        Some(testimony) if testimony.served > head => Some("more was served than the log holds"),
        Some(_) => None,
        None => Some("there is no witness that can be read"),
    })
}

/// Brings to disk what a process has written, and was killed before it had synced that: from now on it counts. It is written once more, for
/// where a sync has failed, the system takes for synced what it has lost.
fn bring_to_disk(path: &Path) -> Result<(), OpenError> {
    let written_again = || {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        let mut bytes = vec![0; 64 * 1024];
        loop {
            let count = file.read(&mut bytes)?;
            if count == 0 {
                return file.sync_all();
            }
            file.seek_relative(-(count as i64))?;
            file.write_all(&bytes[..count])?;
        }
    };
    match written_again() {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file_error(path, error)),
        _ => Ok(()),
    }
}

/// Brings the names of the files in a folder to disk, where the system knows of such a thing.
fn sync_folder(folder: &Path) -> Result<(), OpenError> {
    if cfg!(unix) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| file_error(folder, error))?;
    }
    Ok(())
}
