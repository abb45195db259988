//! [`Locks`]: turns at streams that many commands want to write to at once. They change nothing about what may be recorded, which the
//! store decides; they only keep those who lost from losing again and again. A stream has a lock as long as somebody wants it.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use highwater_core::stream::StreamName;
use tokio::sync::{Mutex as Lock, OwnedMutexGuard};

/// The locks that somebody has or waits for.
#[derive(Default)]
pub(super) struct Locks(Mutex<HashMap<StreamName, Arc<Lock<()>>>>);

/// A turn at a stream. Dropped, it is the next one's.
pub(super) struct Turn {
    // Dropped in this order: the lock is free before it is looked whether anybody wants it.
    _guard: OwnedMutexGuard<()>,
    _wanted: Wanted,
}

impl Locks {
    /// Waits for a turn at all of these streams. They are waited for one after the other in their order, so that no two can wait for each
    /// other, and each in the order in which it was asked for.
    pub(super) async fn take(self: &Arc<Self>, streams: &BTreeSet<StreamName>) -> Vec<Turn> {
        let mut turns = Vec::with_capacity(streams.len());
        for stream in streams {
            let wanted = self.want(stream);
            let lock = wanted.lock.clone().expect("it is there until it is dropped");
            let guard = lock.lock_owned().await;
            turns.push(Turn { _guard: guard, _wanted: wanted });
        }
        turns
    }

    /// Whether somebody has or wants a turn at this stream.
    pub(super) fn has(&self, stream: &StreamName) -> bool {
        self.all().contains_key(stream)
    }

    fn want(self: &Arc<Self>, stream: &StreamName) -> Wanted {
        let lock = Arc::clone(self.all().entry(stream.clone()).or_default());
        Wanted { locks: Arc::clone(self), stream: stream.clone(), lock: Some(lock) }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<StreamName, Arc<Lock<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody wants a turn, or has it. The last one to want it no more takes the lock away.
struct Wanted {
    locks: Arc<Locks>,
    stream: StreamName,
    /// There until it is dropped.
    lock: Option<Arc<Lock<()>>>,
}

impl Drop for Wanted {
    fn drop(&mut self) {
        let mut all = self.locks.all();
        // Let go under the mutex: of two who leave at once, the second finds only the table's.
        drop(self.lock.take());
        if all.get(&self.stream).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            all.remove(&self.stream);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use futures_util::FutureExt;

    use super::*;

    fn streams(names: &[&str]) -> BTreeSet<StreamName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[tokio::test]
    async fn turns_come_in_the_order_in_which_they_were_asked_for() {
        let locks = Arc::new(Locks::default());
        let both = streams(&["a:1", "a:2"]);
        let (one, other) = (streams(&["a:1"]), streams(&["a:2"]));
        let first = locks.take(&one).await;
        let mut second = Box::pin(locks.take(&both));
        assert!((&mut second).now_or_never().is_none(), "one of two is taken");
        let mut third = Box::pin(locks.take(&one));
        assert!((&mut third).now_or_never().is_none());
        let beside = locks.take(&other).now_or_never().expect("nobody has it while the second waits for its first");
        drop((first, beside));
        let second = second.now_or_never().expect("it is next");
        assert!((&mut third).now_or_never().is_none());
        drop(second);
        assert_eq!(third.await.len(), 1);
    }

    #[tokio::test]
    async fn a_lock_is_there_as_long_as_somebody_wants_it() {
        let locks = Arc::new(Locks::default());
        let (one, name) = (streams(&["a:1"]), "a:1".parse().unwrap());
        assert!(!locks.has(&name));
        let turn = locks.take(&one).await;
        let mut waiting = Box::pin(locks.take(&one));
        assert!((&mut waiting).now_or_never().is_none());
        drop(turn);
        assert!(locks.has(&name));
        drop(waiting);
        assert!(!locks.has(&name), "who gave up leaves nothing behind");
        drop(locks.take(&one).await);
        assert!(!locks.has(&name));
    }

    /// Each of two could take the other for one who stays.
    #[test]
    fn of_two_who_leave_at_once_one_takes_the_lock_away() {
        const ROUNDS: usize = 10_000;
        let (locks, barrier) = (Arc::new(Locks::default()), Barrier::new(2));
        let name: StreamName = "a:1".parse().unwrap();
        let both_leave = || {
            for _ in 0..ROUNDS {
                let wanted = locks.want(&name);
                barrier.wait();
                drop(wanted);
                barrier.wait();
                assert!(!locks.has(&name), "nobody wants it any more");
                barrier.wait();
            }
        };
        thread::scope(|scope| {
            scope.spawn(both_leave);
            both_leave();
        });
    }
}
