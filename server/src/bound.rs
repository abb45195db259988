//! [`Bound`]: room for so many of something, taken and given back, and refused when there is none left. Nobody waits.

use std::sync::Arc;

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::telemetry::Held;

/// Room for so many.
pub(crate) struct Bound {
    room: Arc<Semaphore>,
    max: u32,
    taken: Gauge,
}

/// Some of the room. Dropped, it is given back.
pub(crate) struct Room {
    permits: OwnedSemaphorePermit,
    held: Held,
}

/// There is no room left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Bound {
    /// Room for at least one. What is taken is seen in the gauge.
    pub(crate) fn new(max: usize, taken: Gauge) -> Self {
        let max = u32::try_from(max).unwrap_or(u32::MAX).clamp(1, u32::MAX >> 3);
        Self { room: Arc::new(Semaphore::new(max as usize)), max, taken }
    }

    /// The whole room.
    pub(crate) fn max(&self) -> usize {
        self.max as usize
    }

    /// Takes room for so many, none included. One that is larger than the whole room gets in when it is alone.
    ///
    /// # Errors
    /// [`Full`] where there is not enough left.
    pub(crate) fn take(&self, wanted: usize) -> Result<Room, Full> {
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX).min(self.max);
        let permits = Arc::clone(&self.room).try_acquire_many_owned(wanted).map_err(|_| Full)?;
        Ok(Room { permits, held: Held::new(&self.taken, wanted as usize) })
    }
}

impl Room {
    /// Takes more room, of the same.
    ///
    /// # Errors
    /// [`Full`] where there is not enough left; what was taken before stays.
    pub(crate) fn add(&mut self, more: usize) -> Result<(), Full> {
        let wanted = u32::try_from(more).map_err(|_| Full)?;
        let permits = Arc::clone(self.permits.semaphore()).try_acquire_many_owned(wanted).map_err(|_| Full)?;
        self.permits.merge(permits);
        self.held.add(more);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_seen_and_comes_back() {
        let gauge = Gauge::default();
        let bound = Bound::new(10, gauge.clone());
        let mut room = bound.take(0).unwrap();
        room.add(6).unwrap();
        assert_eq!(room.add(5), Err(Full));
        assert!(bound.take(5).is_err());
        let rest = bound.take(4).unwrap();
        assert_eq!(gauge.get(), 10);
        drop(room);
        assert_eq!(gauge.get(), 4);
        assert!(bound.take(1_000).is_err(), "it is not alone");
        drop(rest);
        let all = bound.take(1_000).unwrap();
        assert_eq!((gauge.get(), bound.max()), (10, 10));
        drop(all);
        assert_eq!(gauge.get(), 0);
    }
}
