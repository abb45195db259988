//! The lock of what is synchronised by hand. Outside of tests it is the standard library's.
//!
//! A test that is explored runs again and again, each time in another order: [Shuttle](https://docs.rs/shuttle) lets another task
//! come first wherever a lock is taken and wherever somebody waits. As all its tasks share one thread, the order is all that there is to a run:
//! what a test finds comes back with the seed that it prints. Channels and the like are tokio's, which are whole steps there.

#[cfg(not(test))]
pub(crate) use std::sync::Mutex;
pub(crate) use std::sync::{MutexGuard, PoisonError};

#[cfg(test)]
pub(crate) use self::explored::{Mutex, explore};

#[cfg(test)]
mod explored {
    use std::{
        cell::Cell,
        sync::{LockResult, MutexGuard, TryLockError},
    };

    use shuttle::{scheduler::RandomScheduler, thread::yield_now};

    thread_local! {
        static IS_EXPLORED: Cell<bool> = const { Cell::new(false) };
    }

    /// Runs a test in so many orders.
    pub(crate) fn explore(orders: usize, test: impl Fn() + Send + Sync + 'static) {
        let mut config = shuttle::Config::new();
        // Builds for tests need more than it gives a task.
        config.stack_size = 1 << 20;
        IS_EXPLORED.set(true);
        shuttle::Runner::new(RandomScheduler::new(orders), config).run(test);
        IS_EXPLORED.set(false);
    }

    /// The standard library's, before which another task may come.
    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(std::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
            if IS_EXPLORED.get() {
                yield_now();
                // Whoever has it can't go on while this thread waits.
                while let Err(TryLockError::WouldBlock) = self.0.try_lock() {
                    yield_now();
                }
            }
            self.0.lock()
        }
    }
}
