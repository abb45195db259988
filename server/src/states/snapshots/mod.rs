//! [`Snapshots`]: states of long streams, stored so that nobody has to read these from their beginning. They are written by a thread of
//! their own, and no reader waits for the disk but where too much is on its way there.

mod file;

use std::{
    num::NonZeroU32,
    ops::RangeInclusive,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use highwater_core::{
    decider::{Entities, Entity, Folded},
    stream::StreamName,
    version::{Epoch, Revision, Sequence},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    task::spawn_blocking,
};

use self::file::File;
use super::cache::Reached;

/// The most bytes of snapshots that may be on their way to the disk; one always may.
const QUEUE_BYTES_MAX: u32 = 32 * 1024 * 1024;
/// What each counts at least.
const SNAPSHOT_BYTES_MIN: u32 = 4 * 1024;
/// The most snapshots that are written at once.
const BATCH_MAX: usize = 64;

/// A state to store.
pub(super) struct Snapshot {
    entity: &'static str,
    schema: u32,
    stream: StreamName,
    revision: Revision,
    /// The place in the log of its last event.
    last: Sequence,
    json: String,
}

impl Snapshot {
    pub(super) fn of(entity: &Entity, stream: &StreamName, state: &Folded, last: Sequence) -> Self {
        Self {
            entity: entity.name(),
            schema: entity.schema(),
            stream: stream.clone(),
            revision: state.mark().revision,
            last,
            json: state.snapshot(),
        }
    }
}

/// The snapshots of a log. Once all of these are dropped, what is on its way to the disk has come there.
pub(super) struct Snapshots {
    every: NonZeroU32,
    file: Arc<Mutex<File>>,
    room: Arc<Semaphore>,
    jobs: Option<mpsc::UnboundedSender<Job>>,
    writer: Option<JoinHandle<()>>,
}

/// A snapshot on its way to the disk.
struct Job {
    snapshot: Snapshot,
    /// Who waits for it, and is told whether it is written.
    written: Option<oneshot::Sender<bool>>,
    _room: OwnedSemaphorePermit,
}

impl Snapshots {
    /// Opens the file, or begins it anew where it is of no use. Without one, nothing is kept and nothing fails.
    pub(super) fn open(path: &Path, every: NonZeroU32, log: (Epoch, Sequence), entities: &Entities) -> Self {
        let file = Arc::new(Mutex::new(File::open(path, log, entities)));
        let (jobs, waiting) = mpsc::unbounded_channel();
        let writer = thread::Builder::new().name("snapshots".to_owned()).spawn({
            let file = Arc::clone(&file);
            move || write_all(&file, waiting)
        });
        let told = |error| tracing::warn!("no snapshots are written, for there is no thread for them: {error}");
        let writer = writer.map_err(told).ok();
        Self { every, file, room: Arc::new(Semaphore::new(QUEUE_BYTES_MAX as usize)), jobs: Some(jobs), writer }
    }

    /// Whether one is to be made of a stream at this revision.
    pub(super) fn is_due(&self, revision: Revision) -> bool {
        revision > Revision::ZERO && revision.get().is_multiple_of(self.every.get())
    }

    /// Whether one is to be made of a stream at one of these revisions.
    pub(super) fn is_due_within(&self, revisions: &RangeInclusive<Revision>) -> bool {
        let (first, last) = (revisions.start().get(), revisions.end().get());
        last / self.every > first.saturating_sub(1) / self.every
    }

    /// Stores a snapshot some time soon.
    pub(super) async fn keep(&self, snapshot: Snapshot) {
        self.queue(snapshot, None).await;
    }

    /// Stores a snapshot. Returns whether that worked.
    pub(super) async fn write(&self, snapshot: Snapshot) -> bool {
        let (written, is_written) = oneshot::channel();
        self.queue(snapshot, Some(written)).await;
        is_written.await.unwrap_or(false)
    }

    async fn queue(&self, snapshot: Snapshot, written: Option<oneshot::Sender<bool>>) {
        let bytes = u32::try_from(snapshot.json.len()).unwrap_or(u32::MAX).clamp(SNAPSHOT_BYTES_MIN, QUEUE_BYTES_MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(bytes).await;
        if let (Some(jobs), Ok(room)) = (&self.jobs, room) {
            // Without a writer it is dropped, and its room is free again.
            drop(jobs.send(Job { snapshot, written, _room: room }));
        }
    }

    /// The latest state of a stream that is stored, up to a revision.
    pub(super) async fn latest(&self, entity: &Entity, stream: &StreamName, to: Revision) -> Option<Reached> {
        loop {
            let (file, name) = (Arc::clone(&self.file), stream.clone());
            let kind = (entity.name(), entity.schema());
            let found = spawn_blocking(move || lock(&file).latest(kind, &name, to)).await.ok()??;
            match entity.restore(&found.json) {
                Ok(state) if state.mark().revision == found.revision => {
                    return Some(Reached::new(state, found.last, found.json.len()));
                }
                Ok(_) => tracing::warn!(%stream, "a snapshot is not of the revision that it says"),
                Err(error) => tracing::warn!(%stream, "a snapshot {error}"),
            }
            let (file, name) = (Arc::clone(&self.file), stream.clone());
            let is_gone = spawn_blocking(move || lock(&file).forget(kind, &name, found.revision)).await;
            if !matches!(is_gone, Ok(true)) {
                return None;
            }
        }
    }
}

impl Drop for Snapshots {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the writer of snapshots broke off");
        }
    }
}

/// Writes what waits, all of it in one transaction, until nobody is left who could bring more.
fn write_all(file: &Mutex<File>, mut jobs: mpsc::UnboundedReceiver<Job>) {
    while let Some(first) = jobs.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH_MAX
            && let Ok(job) = jobs.try_recv()
        {
            batch.push(job);
        }
        let is_written = lock(file).insert(batch.iter().map(|job| &job.snapshot));
        for written in batch.into_iter().filter_map(|job| job.written) {
            // Who asked may have gone.
            let _ = written.send(is_written);
        }
    }
}

fn lock(file: &Mutex<File>) -> MutexGuard<'_, File> {
    file.lock().unwrap_or_else(PoisonError::into_inner)
}
