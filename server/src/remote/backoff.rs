//! [`Backoff`]: how long to wait before the next try.

use std::time::Duration;

const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// A connection that has been of use for this long makes up for the failures before it. Sooner than that, a server that
/// says it is ready and then drops everyone would be asked again and again at once.
const SETTLED: Duration = Duration::from_secs(5);

/// Waits that double up to a bound, the second half of each left to chance, so that many clients do not come back at
/// once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// How often it has been asked since a connection was worth having.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The next wait.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let full = FIRST_WAIT.saturating_mul(1 << self.attempts.min(16)).min(LONGEST_WAIT);
        self.attempts = self.attempts.saturating_add(1);
        full.mul_f64(rand::random_range(0.5..=1.0))
    }

    /// A connection was of use for so long, and is over.
    pub(crate) fn served(&mut self, useful: Duration) {
        if useful >= SETTLED {
            self.attempts = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut backoff = Backoff::default();
        for full_ms in [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000] {
            let full = Duration::from_millis(full_ms);
            let wait = backoff.next_wait();
            assert!(full / 2 <= wait && wait <= full, "{wait:?} of {full:?}");
        }
        backoff.served(SETTLED - Duration::from_millis(1));
        assert!(backoff.next_wait() >= LONGEST_WAIT / 2);
        backoff.served(SETTLED);
        assert!(backoff.next_wait() <= FIRST_WAIT);
    }
}
