//! [`Faults`]: how bad the network is.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The longest delay.
const DELAY_MS_MAX: u64 = 10_000;
/// The shortest and the longest time between cuts.
const CUT_MS_MIN: u64 = 100;
const CUT_MS_MAX: u64 = 3_600_000;
/// How long a frame waits for later ones, unless told otherwise.
const PATIENCE_MS: u64 = 3_000;

/// What is done to the frames of event streams.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::demo) struct Faults {
    /// How long each frame is held back: at least, and at most. The frames keep their order.
    pub(in crate::demo) delay_ms: [u64; 2],
    /// How probably a frame is sent twice.
    pub(in crate::demo) repeat: f64,
    /// How probably later frames go before a frame.
    pub(in crate::demo) reorder: f64,
    /// How long a connection lives; for ever if not given. Each carries at least one whole frame.
    #[serde(default)]
    pub(in crate::demo) cut_every_ms: Option<u64>,
    /// What chance is drawn from, from the next connection on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::demo) seed: Option<u64>,
    /// How long a frame that is reordered or repeated waits for later ones at most. The page has no say in it.
    #[serde(skip, default = "patience_ms")]
    pub(in crate::demo) patience_ms: u64,
}

/// Faults that can't be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::demo) enum InvalidFaults {
    #[error("delay_ms must be [min, max] with 0 <= min <= max <= {DELAY_MS_MAX}")]
    Delay,
    #[error("{0} must be a probability from 0 to 1")]
    Probability(&'static str),
    #[error("cut_every_ms must be null or {CUT_MS_MIN} to {CUT_MS_MAX}")]
    Cut,
}

impl Faults {
    /// A network without faults.
    pub(in crate::demo) const NONE: Self =
        Self { delay_ms: [0, 0], repeat: 0.0, reorder: 0.0, cut_every_ms: None, seed: None, patience_ms: PATIENCE_MS };

    /// What the page begins with, and calls bad: something is to be seen within seconds.
    pub(in crate::demo) const BAD: Self =
        Self { delay_ms: [100, 500], repeat: 0.25, reorder: 0.35, cut_every_ms: Some(8_000), ..Self::NONE };

    /// The same faults where everything takes so many times as long, as far as a network may be slow or hasty.
    pub(in crate::demo) fn stretched(self, factor: f64) -> Self {
        Self {
            delay_ms: self.delay_ms.map(|delay| stretch_ms(delay, factor).min(DELAY_MS_MAX)),
            cut_every_ms: self.cut_every_ms.map(|cut| stretch_ms(cut, factor).clamp(CUT_MS_MIN, CUT_MS_MAX)),
            patience_ms: stretch_ms(self.patience_ms, factor),
            ..self
        }
    }

    pub(in crate::demo) fn check(&self) -> Result<(), InvalidFaults> {
        let [min, max] = self.delay_ms;
        if min > max || max > DELAY_MS_MAX {
            return Err(InvalidFaults::Delay);
        }
        for (name, probability) in [("repeat", self.repeat), ("reorder", self.reorder)] {
            if !(0.0..=1.0).contains(&probability) {
                return Err(InvalidFaults::Probability(name));
            }
        }
        match self.cut_every_ms {
            Some(cut) if !(CUT_MS_MIN..=CUT_MS_MAX).contains(&cut) => Err(InvalidFaults::Cut),
            _ => Ok(()),
        }
    }

    /// Whether frames pass as they come.
    pub(in crate::demo) fn spare_frames(&self) -> bool {
        self.delay_ms == [0, 0] && self.repeat == 0.0 && self.reorder == 0.0
    }
}

/// So many milliseconds, so many times as long.
pub(in crate::demo) fn stretch_ms(time_ms: u64, factor: f64) -> u64 {
    u64::try_from(Duration::from_millis(time_ms).mul_f64(factor).as_millis()).unwrap_or(u64::MAX)
}

fn patience_ms() -> u64 {
    PATIENCE_MS
}
