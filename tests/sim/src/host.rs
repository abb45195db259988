//! [`SimHost`]: the machine that a simulated server runs on. Its clock is the run's, its random bits are the seed's, and its log's writer
//! takes its time between steps, so that the server can be seen, and can end, in the middle of a commit.

use std::{
    future, io,
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use futures_util::future::BoxFuture;
use highwater_core::time::Timestamp;
use highwater_server::host::{Host, Step};
use tokio::{sync::Notify, task::AbortHandle, time::Instant};

use crate::{chance::Chance, disk::Synced};

/// When runs begin, in milliseconds since 1970: in November 2026.
pub const BEGINNING_MS: u64 = 1_795_000_000_000;

/// See the [module](self).
pub struct SimHost {
    began: Instant,
    seed: u64,
    /// What its clock is ahead of the run's, in milliseconds.
    skew_ms: AtomicI64,
    folder: PathBuf,
    state: Mutex<State>,
    /// Told when the writer has come to the step at which the server is to end.
    pub struck: Notify,
}

struct State {
    chance: Chance,
    random: Chance,
    synced: Synced,
    /// Where the server is to end.
    end_at: Option<Step>,
    is_struck: bool,
    writer: Option<AbortHandle>,
}

impl SimHost {
    /// A machine in a run that began then.
    #[must_use]
    pub fn new(began: Instant, skew_ms: i64, folder: PathBuf, mut chance: Chance) -> Self {
        let (seed, random) = (chance.bits(), Chance::new(chance.bits()));
        let state = State { chance, random, synced: Synced::default(), end_at: None, is_struck: false, writer: None };
        Self { began, seed, skew_ms: AtomicI64::new(skew_ms), folder, state: Mutex::new(state), struck: Notify::new() }
    }

    /// Takes note of what is in its folder as synced.
    pub fn sync(&self) {
        self.lock().synced.take(&self.folder, true);
    }

    /// Sets its clock.
    pub fn skew(&self, skew_ms: i64) {
        self.skew_ms.store(skew_ms, Ordering::Relaxed);
    }

    /// Has the server end when its writer comes to this step.
    pub fn end_at(&self, step: Step) {
        self.lock().end_at = Some(step);
    }

    /// Lets it go on.
    pub fn end_nowhere(&self) {
        self.lock().end_at = None;
    }

    /// Whether it has come there.
    pub fn is_struck(&self) -> bool {
        self.lock().is_struck
    }

    /// What of its files a power cut leaves alone.
    pub fn synced(&self) -> Synced {
        self.lock().synced.clone()
    }

    /// Ends the writer where it is.
    pub fn kill(&self) {
        if let Some(writer) = self.lock().writer.take() {
            writer.abort();
        }
    }

    /// Whether the writer has come to its end.
    pub fn has_written(&self) -> bool {
        self.lock().writer.as_ref().is_none_or(AbortHandle::is_finished)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host for SimHost {
    fn now(&self) -> Timestamp {
        let ms = BEGINNING_MS + self.began.elapsed().as_millis() as u64;
        let ms = ms.saturating_add_signed(self.skew_ms.load(Ordering::Relaxed));
        Timestamp::from_unix_micros(ms as i64 * 1_000).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn random(&self) -> u64 {
        self.lock().random.bits()
    }

    /// Takes a while: what is read is the log as it was when that was asked for.
    fn run(&self, work: Box<dyn FnOnce() + Send>) {
        // Who reads at one moment may do so in any order.
        let mut chance = Chance::of(self.seed, self.began.elapsed().as_millis() as u64);
        let pause_ms = if chance.percent(40) { 0 } else { chance.between(1, 60) };
        if pause_ms == 0 {
            return work();
        }
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            work();
        });
    }

    fn write(&self, writer: BoxFuture<'static, ()>) -> io::Result<Option<JoinHandle<()>>> {
        self.lock().writer = Some(tokio::spawn(writer).abort_handle());
        Ok(None)
    }

    fn passed(&self, step: Step) -> BoxFuture<'_, ()> {
        let (is_struck, pause_ms) = {
            let mut state = self.lock();
            state.is_struck |= state.end_at == Some(step);
            let pause_ms = if state.chance.percent(60) { 0 } else { state.chance.between(1, 30) };
            (state.is_struck, pause_ms)
        };
        Box::pin(async move {
            if is_struck {
                self.struck.notify_one();
                return future::pending().await;
            }
            if pause_ms > 0 {
                tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            }
            // Until here the power may have been cut in the middle of it.
            match step {
                Step::Durable => self.lock().synced.take(&self.folder, true),
                Step::Witnessed => self.lock().synced.take(&self.folder, false),
                Step::Written | Step::Visible => {}
            }
        })
    }
}
