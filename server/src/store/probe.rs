//! [`Probe`]: a log as the tests of who reads it want it. It counts what is read, and fails while it is told to.

use std::{
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use async_trait::async_trait;
use highwater_core::{
    stream::StreamName,
    topic::Topics,
    version::{Epoch, Revision, Sequence},
};
use tokio::{
    sync::{Notify, watch},
    task::yield_now,
    time::Instant,
};

use super::{
    At, CommandIdentity, Commit, CommitError, Committed, EventStore, LogPage, ReadLimit, RecordedCommand, StreamPage,
    Unavailable,
    sqlite::{SqliteStore, StoreOptions},
};
use crate::telemetry::StoreMetrics;

/// See the [module](self).
pub(crate) struct Probe {
    store: SqliteStore,
    /// How many events of streams have been read.
    pub(crate) read: AtomicUsize,
    /// Whether it says that it is another log.
    pub(crate) is_other_log: AtomicBool,
    /// Whether the log can't be read.
    pub(crate) fails: AtomicBool,
    /// How many commits are refused, as too many wait.
    pub(crate) overloaded: AtomicUsize,
    failed: Mutex<Vec<Instant>>,
    failing: Notify,
}

impl Probe {
    /// A log in this folder.
    pub(crate) fn open(folder: &Path) -> Self {
        Self {
            store: SqliteStore::open(folder, StoreOptions::default()).unwrap(),
            read: AtomicUsize::new(0),
            is_other_log: AtomicBool::new(false),
            fails: AtomicBool::new(false),
            overloaded: AtomicUsize::new(0),
            failed: Mutex::default(),
            failing: Notify::new(),
        }
    }

    /// When it could not be read, once that was so often.
    pub(crate) async fn failed(&self, times: usize) -> Vec<Instant> {
        loop {
            let failing = self.failing.notified();
            let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if failed.len() >= times {
                return failed;
            }
            failing.await;
        }
    }
}

#[async_trait]
impl EventStore for Probe {
    fn epoch(&self) -> Epoch {
        if self.is_other_log.load(Relaxed) { Epoch::from_bits(7) } else { self.store.epoch() }
    }

    fn head(&self) -> watch::Receiver<Sequence> {
        self.store.head()
    }

    async fn commit(&self, commit: Commit) -> Result<Committed, CommitError> {
        if self.overloaded.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
            return Err(CommitError::Overloaded);
        }
        self.store.commit(commit).await
    }

    async fn read_log(&self, topics: &Topics, after: Sequence, limit: ReadLimit) -> Result<LogPage, Unavailable> {
        if self.fails.load(Relaxed) {
            self.failed.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
            self.failing.notify_waiters();
            // As a disk would: who asks again and again lets others run.
            yield_now().await;
            return Err(Unavailable { reason: "the test says so".into() });
        }
        self.store.read_log(topics, after, limit).await
    }

    async fn read_stream(
        &self,
        stream: &StreamName,
        from: Revision,
        limit: ReadLimit,
    ) -> Result<Option<StreamPage>, Unavailable> {
        let page = self.store.read_stream(stream, from, limit).await?;
        self.read.fetch_add(page.as_ref().map_or(0, |page| page.events.len()), Relaxed);
        Ok(page)
    }

    async fn command(&self, identity: CommandIdentity) -> Result<Option<RecordedCommand>, Unavailable> {
        self.store.command(identity).await
    }

    async fn revision_at(&self, stream: &StreamName, at: At) -> Result<Option<Revision>, Unavailable> {
        self.store.revision_at(stream, at).await
    }

    async fn check_writable(&self) -> Result<(), Unavailable> {
        self.store.check_writable().await
    }

    fn metrics(&self) -> StoreMetrics {
        self.store.metrics()
    }

    async fn close(&self) {
        self.store.close().await;
    }
}
