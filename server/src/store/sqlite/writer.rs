//! [`Writer`]: the one thread that writes. It takes whatever waits into one transaction, so that many commits share one
//! sync of the disk, and answers when all of it is durable, witnessed and visible, in this order.

use std::{sync::Arc, thread, time::Instant};

use highwater_core::{
    event::Limits,
    mutation::{Mutation, mutated},
    time::Timestamp,
    version::Sequence,
};
use rusqlite::Connection;
use tokio::sync::{mpsc, watch};

use super::{
    append::{Failure, Tail, append},
    prepare::PreparedCommit,
    queue::{Failing, Job, Outcome},
    rows,
    witness::Witness,
};
use crate::{
    failpoint,
    host::{Host, Step},
    store::Unavailable,
    telemetry::StoreMetrics,
};

/// What one transaction takes, at most; a single commit may be larger.
const GROUP_EVENTS_MAX: usize = 4_096;
const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;
/// What a rehearsal puts into a table and into its index: together as much as a request brings at most by default.
const REHEARSAL_BYTES: usize = 512 * 1024;

/// Owns the connection that writes, the witness and the head that others see.
pub(super) struct Writer {
    pub(super) database: Connection,
    pub(super) witness: Witness,
    pub(super) head: watch::Sender<Sequence>,
    pub(super) failing: Failing,
    pub(super) tail: Tail,
    /// What of the tail has been counted.
    pub(super) counted: Tail,
    pub(super) limits: Limits,
    pub(super) metrics: StoreMetrics,
    pub(super) host: Arc<dyn Host>,
}

impl Writer {
    /// Writes until the queue is closed and empty, then leaves everything on disk.
    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(first) = jobs.recv().await {
            self.commit(gather(first, &mut jobs)).await;
        }
        self.finish();
    }

    /// Stores a group and answers each of its jobs.
    async fn commit(&mut self, group: Vec<Job>) {
        let (commits, replies): (Vec<_>, Vec<_>) = group.into_iter().map(|job| (job.commit, job.reply)).unzip();
        let began = Instant::now();
        let stored = self.store_and_publish(commits).await;
        self.failing.set(stored.is_err());
        match &stored {
            Ok(_) => self.metrics.group_stored(replies.len(), began.elapsed()),
            Err(_) => self.metrics.group_failed(),
        }
        failpoint::pass("store.before_answer");
        match stored {
            Ok(outcomes) => replies.into_iter().zip(outcomes).for_each(|(reply, outcome)| reply.send(outcome)),
            Err(unavailable) => {
                tracing::error!(commits = replies.len(), file = self.database.path(), "{unavailable}");
                replies.into_iter().for_each(|reply| reply.send(Err(unavailable.clone().into())));
            }
        }
    }

    async fn store_and_publish(&mut self, commits: Vec<PreparedCommit>) -> Result<Vec<Outcome>, Unavailable> {
        let outcomes = self.store(commits).await?;
        self.publish().await?;
        Ok(outcomes)
    }

    /// Stores the commits that hold, all durable or none.
    pub(super) async fn store(&mut self, commits: Vec<PreparedCommit>) -> Result<Vec<Outcome>, Unavailable> {
        let stored = match self.write(commits) {
            Ok((outcomes, tail)) => {
                if mutated(Mutation::ShowFirst) {
                    self.head.send_replace(tail.sequence);
                }
                self.host.passed(Step::Written).await;
                failpoint::pass("store.before_sync");
                let sealed = if mutated(Mutation::AnswerFirst) { Ok(()) } else { self.execute("COMMIT") };
                failpoint::pass("store.after_sync");
                sealed.map(|()| {
                    self.tail = tail;
                    outcomes
                })
            }
            Err(error) => Err(error),
        };
        if stored.is_err() && !self.database.is_autocommit() {
            // Should this fail too, the next group finds the transaction still open and tries again before it begins.
            let _ = self.database.execute_batch("ROLLBACK");
        }
        stored.map_err(|error| Unavailable { reason: error.to_string() })
    }

    /// Writes the commits that hold in a transaction, which is left open. Returns where the log ends then.
    fn write(&self, commits: Vec<PreparedCommit>) -> rusqlite::Result<(Vec<Outcome>, Tail)> {
        if !self.database.is_autocommit() {
            self.execute(if mutated(Mutation::AnswerFirst) { "COMMIT" } else { "ROLLBACK" })?;
        }
        self.execute("BEGIN IMMEDIATE")?;
        if commits.iter().all(PreparedCommit::is_question) {
            self.rehearse()?;
        }
        let mut tail = Tail { recorded: self.recorded_now(), ..self.tail };
        let mut outcomes = Vec::with_capacity(commits.len());
        for commit in commits {
            outcomes.push(self.attempt(commit, &mut tail)?);
        }
        Ok((outcomes, tail))
    }

    /// The machine's time, which is not before that of the last event.
    fn recorded_now(&self) -> Timestamp {
        let now = self.host.now();
        if mutated(Mutation::TimeGoesBack) { now } else { now.max(self.tail.recorded) }
    }

    /// Writes what no event needs and takes it back, to find out whether the disk takes anything.
    fn rehearse(&self) -> rusqlite::Result<()> {
        self.execute("SAVEPOINT rehearsal")?;
        rows::add_stream(&self.database, &" ".repeat(REHEARSAL_BYTES))?;
        self.database.cache_flush()?;
        self.execute("ROLLBACK TO rehearsal")?;
        self.execute("RELEASE rehearsal")
    }

    /// Appends one commit, or leaves no trace of it.
    fn attempt(&self, commit: PreparedCommit, tail: &mut Tail) -> rusqlite::Result<Outcome> {
        self.execute("SAVEPOINT attempt")?;
        let before = *tail;
        match append(&self.database, tail, commit, &self.limits) {
            Ok(committed) => self.execute("RELEASE attempt").map(|()| Ok(committed)),
            Err(Failure::Refused(error)) => {
                *tail = before;
                if !mutated(Mutation::KeepRefused) {
                    self.execute("ROLLBACK TO attempt")?;
                }
                self.execute("RELEASE attempt")?;
                Ok(Err(error))
            }
            Err(Failure::Database(error)) => Err(error),
        }
    }

    /// Lets everyone see what is durable, once the witness has it. A group whose witness failed is seen with the next.
    pub(super) async fn publish(&mut self) -> Result<(), Unavailable> {
        let shown = *self.head.borrow();
        if mutated(Mutation::ShowUnsynced) {
            self.head.send_replace(self.tail.sequence);
        }
        self.host.passed(Step::Durable).await;
        if self.tail.sequence > shown {
            let witnessed = match mutated(Mutation::NoWitness) {
                true => Ok(()),
                false => self.witness.record(self.tail.sequence),
            };
            witnessed.map_err(|error| Unavailable { reason: format!("the witness can't be written: {error}") })?;
            self.host.passed(Step::Witnessed).await;
            self.head.send_replace(self.tail.sequence);
            let events = self.tail.sequence.get() - self.counted.sequence.get();
            let bytes = self.tail.written_bytes - self.counted.written_bytes;
            self.metrics.appended(self.tail.sequence, events, bytes);
            self.counted = self.tail;
            self.host.passed(Step::Visible).await;
        }
        Ok(())
    }

    fn execute(&self, statement: &str) -> rusqlite::Result<()> {
        self.database.prepare_cached(statement)?.execute([]).map(|_| ())
    }

    /// Everything is durable already: this makes the next start quick and the files few.
    fn finish(self) {
        let checkpoint = self.database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = checkpoint {
            tracing::warn!("the write-ahead log stays for the next start: {error}");
        }
        if let Err(error) = self.witness.sync() {
            tracing::warn!("the witness may not be on disk: {error}");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if thread::panicking() {
            tracing::error!("the log's writer broke off: nothing can be appended until the server is started again");
        }
    }
}

/// The first job and what waits behind it, up to what a transaction takes.
fn gather(first: Job, jobs: &mut mpsc::Receiver<Job>) -> Vec<Job> {
    let (mut events, mut bytes) = (first.commit.events.len(), first.commit.bytes);
    let mut group = vec![first];
    while events < GROUP_EVENTS_MAX && bytes < GROUP_BYTES_MAX {
        let Ok(job) = jobs.try_recv() else { break };
        events += job.commit.events.len();
        bytes += job.commit.bytes;
        group.push(job);
    }
    group
}

#[cfg(test)]
mod tests;
