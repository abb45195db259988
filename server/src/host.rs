//! [`Host`]: what the server takes of the machine that it runs on, beside files and sockets. A simulation brings one of its own, on which
//! all happens in one thread and follows from one seed.

use std::{
    future, io,
    thread::{self, JoinHandle},
    time::{SystemTime, UNIX_EPOCH},
};

use futures_util::future::BoxFuture;
use highwater_core::time::Timestamp;
use tokio::{runtime, task::spawn_blocking};

use crate::failpoint;

/// See the [module](self).
pub trait Host: Send + Sync + 'static {
    /// The time of day.
    fn now(&self) -> Timestamp;

    /// Random bits.
    fn random(&self) -> u64;

    /// Has work done that may block, beside everything else.
    fn run(&self, work: Box<dyn FnOnce() + Send>);

    /// Has a log's writer run to its end, beside everything else. Returns the thread that it runs in, where it has one.
    ///
    /// # Errors
    /// Where there is no thread to be had.
    fn write(&self, writer: BoxFuture<'static, ()>) -> io::Result<Option<JoinHandle<()>>>;

    /// Is told how far a log's writer has come with a group of commits. Where that takes time, others see the log as it is then.
    fn passed(&self, _step: Step) -> BoxFuture<'_, ()> {
        Box::pin(future::ready(()))
    }
}

/// How far a log's writer has come with a group of commits. Between any two of these a server can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Its rows are written, and none of them is durable.
    Written,
    /// All of it is durable.
    Durable,
    /// The witness says that it is about to be served.
    Witnessed,
    /// Everybody can read it. Nobody is answered.
    Visible,
}

/// The machine itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine;

impl Host for Machine {
    /// To the microsecond; what lies outside the calendar counts as its beginning.
    fn now(&self) -> Timestamp {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let micros = i64::try_from(since_1970.as_micros()).unwrap_or_default() + failpoint::clock_skew_micros();
        Timestamp::from_unix_micros(micros).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn random(&self) -> u64 {
        rand::random()
    }

    fn run(&self, work: Box<dyn FnOnce() + Send>) {
        spawn_blocking(work);
    }

    fn write(&self, writer: BoxFuture<'static, ()>) -> io::Result<Option<JoinHandle<()>>> {
        let runtime = runtime::Builder::new_current_thread().build()?;
        thread::Builder::new().name("log-writer".to_owned()).spawn(move || runtime.block_on(writer)).map(Some)
    }
}
