//! [`Backoff`]: how long to wait before the next try.

use std::time::Duration;

const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Waits that double up to a bound, the second half of each left to chance, so that many clients do not come back at
/// once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// How often it has been asked since all was well.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The next wait.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let full = FIRST_WAIT.saturating_mul(1 << self.attempts.min(16)).min(LONGEST_WAIT);
        self.attempts = self.attempts.saturating_add(1);
        full.mul_f64(rand::random_range(0.5..=1.0))
    }

    /// All is well again.
    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
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
        backoff.reset();
        assert!(backoff.next_wait() <= FIRST_WAIT);
    }
}
