//! [`Pace`]: seed 1's latencies, behind a factor that may be changed while the demo runs.

use std::{
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rand::{Rng, RngExt};

/// How fast the demo may run: from half the seed's speed to as fast as the machine can.
pub const SPEED_RANGE: RangeInclusive<f64> = 0.5..=1_000.0;
/// What a language model takes to think.
const THINKING_S: RangeInclusive<f64> = 2.0..=10.0;
/// What a message takes on its way.
const WIRE_S: RangeInclusive<f64> = 0.1..=0.5;
/// What work may take at the highest speed: servers, disks and a busy machine don't hurry with it.
const LONGEST_MIN: Duration = Duration::from_secs(60);

/// How fast the actors are. Clones are one and the same.
#[derive(Clone, Debug)]
pub(super) struct Pace(Arc<AtomicU64>);

impl Pace {
    /// A pace this many times the seed's, brought within [`SPEED_RANGE`].
    pub(super) fn new(speed: f64) -> Self {
        Self(Arc::new(AtomicU64::new(within(speed).to_bits())))
    }

    pub(super) fn speed(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    pub(super) fn set_speed(&self, speed: f64) {
        self.0.store(within(speed).to_bits(), Ordering::Relaxed);
    }

    pub(super) fn thinking(&self, rng: &mut impl Rng) -> Duration {
        Duration::from_secs_f64(rng.random_range(THINKING_S) / self.speed())
    }

    /// How long so many thoughts take at most. However fast the demo, what it runs on takes its time too.
    pub(super) fn longest(&self, thoughts: u32) -> Duration {
        Duration::from_secs_f64(f64::from(thoughts) * THINKING_S.end() / self.speed()).max(LONGEST_MIN)
    }

    pub(super) fn wire(&self, rng: &mut impl Rng) -> Duration {
        Duration::from_secs_f64(rng.random_range(WIRE_S) / self.speed())
    }
}

fn within(speed: f64) -> f64 {
    if speed.is_nan() { 1.0 } else { speed.clamp(*SPEED_RANGE.start(), *SPEED_RANGE.end()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_has_its_time_at_any_speed() {
        assert_eq!(Pace::new(1.0).longest(200), Duration::from_secs(2_000));
        assert_eq!(Pace::new(1_000.0).longest(200), LONGEST_MIN);
    }
}
