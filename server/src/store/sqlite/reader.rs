//! [`Readers`]: a few connections for reading, each used by one read at a time on a thread that may block.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{Connection, Transaction};
use tokio::sync::{Semaphore, oneshot};

use super::{rows, schema};
use crate::{host::Host, store::Unavailable};

/// How many reads run at once; more wait their turn.
const READERS_MAX: u32 = 4;

/// The pool.
pub(crate) struct Readers {
    database: PathBuf,
    idle: Mutex<Vec<Connection>>,
    turns: Arc<Semaphore>,
    host: Arc<dyn Host>,
}

impl Readers {
    /// A pool for this database; connections are opened when they are needed.
    pub(crate) fn new(database: PathBuf, host: Arc<dyn Host>) -> Self {
        Self { database, idle: Mutex::default(), turns: Arc::new(Semaphore::new(READERS_MAX as usize)), host }
    }

    /// Runs a read that sees the log as it is at one moment.
    ///
    /// # Errors
    /// [`Unavailable`] where the read fails or the pool is closed.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| unavailable("it is closed"))?;
        let pool = self.clone();
        let (sender, result) = oneshot::channel();
        self.host.run(Box::new(move || {
            let result = pool.run(read);
            drop(turn);
            // Nobody may be waiting any more.
            let _ = sender.send(result);
        }));
        result.await.map_err(|_| unavailable("the read broke off"))?.map_err(unavailable)
    }

    fn run<T>(&self, read: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let idle = self.idle().pop();
        let mut database = idle.map_or_else(|| schema::open_reader(&self.database), Ok)?;
        let result = read(&database.transaction()?);
        match &result {
            Ok(_) => self.idle().push(database),
            // A connection that failed is not used again.
            Err(error) if rows::is_damage(error) => {
                tracing::error!("{} is damaged, and what is damaged is not served: {error}", self.database.display());
            }
            Err(_) => {}
        }
        result
    }

    /// Waits for the reads under way, refuses later ones and closes every connection.
    pub(crate) async fn close(&self) {
        let all = self.turns.acquire_many(READERS_MAX).await;
        self.turns.close();
        drop(all);
        self.idle().clear();
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unavailable(reason: impl ToString) -> Unavailable {
    Unavailable { reason: reason.to_string() }
}
