//! [`Held`]: what a gauge counts for as long as it is there.

use prometheus_client::metrics::gauge::Gauge;

/// An amount in a gauge, taken out again when this is dropped: however something ends, its gauge is right afterwards.
#[derive(Debug)]
pub struct Held {
    gauge: Gauge,
    amount: i64,
}

impl Held {
    /// Adds an amount.
    #[must_use]
    pub fn new(gauge: &Gauge, amount: usize) -> Self {
        let mut held = Self { gauge: gauge.clone(), amount: 0 };
        held.set(amount);
        held
    }

    /// Makes it another amount.
    pub fn set(&mut self, amount: usize) {
        let amount = i64::try_from(amount).unwrap_or(i64::MAX);
        self.gauge.inc_by(amount - self.amount);
        self.amount = amount;
    }

    /// Adds to it.
    pub fn add(&mut self, more: usize) {
        let more = i64::try_from(more).unwrap_or(i64::MAX);
        self.gauge.inc_by(more);
        self.amount = self.amount.saturating_add(more);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.gauge.dec_by(self.amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_not_counted() {
        let gauge = Gauge::default();
        let mut one = Held::new(&gauge, 3);
        let other = Held::new(&gauge, 4);
        one.set(1);
        one.add(9);
        assert_eq!(gauge.get(), 14);
        drop(one);
        assert_eq!(gauge.get(), 4);
        drop(other);
        assert_eq!(gauge.get(), 0);
    }
}
