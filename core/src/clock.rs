//! Vector clocks: which of two events could have known of the other.
//!
//! The algorithm is that of Fidge ("Timestamps in Message-Passing Systems That Preserve the Partial Ordering", 1988) and
//! Mattern ("Virtual Time and Global States of Distributed Systems", 1989). A clock maps each actor to how many of its
//! events are known; an actor that is absent counts as 0. Clocks compare only within one stream.

mod text;

use std::cmp::Ordering;

use crate::sorted::SortedMap;

/// The actors that one clock may name.
pub const ACTORS_MAX: usize = 256;
/// The bytes that an actor's name may have.
pub const ACTOR_BYTES_MAX: usize = 255;
/// The highest counter: 2^53 − 1, the last whole number that JavaScript counts without loss.
pub const COUNTER_MAX: u64 = (1 << 53) - 1;

/// Actor → counter, ordered by actor. Counters are 1 to [`COUNTER_MAX`]; never more than [`ACTORS_MAX`] actors.
///
/// Its text form, also what serde reads and writes, is `actor=counter,actor=counter`: see [`FromStr`](#impl-FromStr-for-VectorClock).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct VectorClock {
    counters: SortedMap<Box<str>, u64>,
}

/// How one clock stands to another: four answers, since two equal clocks are not two that know nothing of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Causality {
    /// The other has seen all of this one, and more.
    Before,
    /// This one has seen all of the other, and more.
    After,
    /// Both have seen the same.
    Equal,
    /// Each has seen what the other has not.
    Concurrent,
}

/// Why a clock could not be read or moved, as what is said of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClockError {
    /// An actor has no name.
    #[error("names an actor that is empty")]
    ActorEmpty,
    /// An actor's name is above [`ACTOR_BYTES_MAX`].
    #[error("names an actor of {bytes} bytes, more than the {ACTOR_BYTES_MAX} allowed")]
    ActorTooLong {
        /// The bytes that it has.
        bytes: usize,
    },
    /// A counter is 0 or above [`COUNTER_MAX`].
    #[error("must have a counter of 1 to {COUNTER_MAX} for '{actor}'")]
    CounterOutOfRange {
        /// Whose counter it is.
        actor: Box<str>,
    },
    /// The clock would name more than [`ACTORS_MAX`] actors.
    #[error("names more than {ACTORS_MAX} actors")]
    Full,
    /// The same actor stands in a text twice.
    #[error("names '{actor}' twice")]
    ActorTwice {
        /// The actor.
        actor: Box<str>,
    },
    /// A text is not `actor=counter,actor=counter`.
    #[error("is wrong at byte {at}: {reason}")]
    Text {
        /// Where in the text, in bytes, the part begins that is wrong.
        at: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl VectorClock {
    /// A clock that has seen nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { counters: SortedMap::new() }
    }

    /// The counter of `actor`, 0 if it is not named.
    #[must_use]
    pub fn get(&self, actor: &str) -> u64 {
        self.counters.get(actor).copied().unwrap_or(0)
    }

    /// Puts the counter of `actor` to `counter`, also below what it was.
    ///
    /// # Errors
    ///
    /// If the actor or the counter is outside its limits, or the clock is full. The clock is then unchanged.
    pub fn set(&mut self, actor: &str, counter: u64) -> Result<(), ClockError> {
        check_actor(actor)?;
        if counter == 0 || counter > COUNTER_MAX {
            return Err(ClockError::CounterOutOfRange { actor: actor.into() });
        }
        if let Some(current) = self.counters.get_mut(actor) {
            *current = counter;
            return Ok(());
        }
        if self.len() >= ACTORS_MAX {
            return Err(ClockError::Full);
        }
        self.counters.insert(actor.into(), counter);
        Ok(())
    }

    /// As [`Self::set`], of an actor that is not there yet.
    fn add(&mut self, actor: &str, counter: u64) -> Result<(), ClockError> {
        check_actor(actor)?;
        if self.len() >= ACTORS_MAX && self.get(actor) == 0 {
            return Err(ClockError::Full);
        }
        let before = self.counters.insert(actor.into(), counter);
        if before.is_some() { Err(ClockError::ActorTwice { actor: actor.into() }) } else { Ok(()) }
    }

    /// Counts one event of `actor` and returns its counter.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set): a counter at [`COUNTER_MAX`] does not move.
    pub fn tick(&mut self, actor: &str) -> Result<u64, ClockError> {
        let counter = self.get(actor) + 1;
        self.set(actor, counter)?;
        Ok(counter)
    }

    /// Raises every counter to the higher one of both clocks: the least clock that has seen what either has.
    ///
    /// # Errors
    ///
    /// [`ClockError::Full`] if both together name too many actors. The clock is then unchanged.
    pub fn merge(&mut self, other: &Self) -> Result<(), ClockError> {
        let unknown = other.iter().filter(|(actor, _)| self.get(actor) == 0).count();
        if self.len() + unknown > ACTORS_MAX {
            return Err(ClockError::Full);
        }
        for (actor, counter) in other.iter() {
            match self.counters.get_mut(actor) {
                Some(current) => *current = counter.max(*current),
                None => drop(self.counters.insert(actor.into(), counter)),
            }
        }
        Ok(())
    }

    /// What `own_actor` does when it receives a message: merge the sender's clock, then tick. Returns its new counter.
    ///
    /// # Errors
    ///
    /// As [`merge`](Self::merge) and [`tick`](Self::tick). The clock is then unchanged.
    pub fn observe(&mut self, other: &Self, own_actor: &str) -> Result<u64, ClockError> {
        let mut observed = self.clone();
        observed.merge(other)?;
        let counter = observed.tick(own_actor)?;
        *self = observed;
        Ok(counter)
    }

    /// How this clock stands to `other`.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Causality {
        let (mut lower, mut higher) = (false, false);
        let (mut left, mut right) = (self.iter().peekable(), other.iter().peekable());
        while !(lower && higher) {
            let side = match (left.peek(), right.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((actor, _)), Some((other_actor, _))) => actor.cmp(other_actor),
            };
            // Both iterate by actor, so the smaller name is the one that the other clock lacks.
            let ours = if side.is_le() { left.next() } else { None };
            let theirs = if side.is_ge() { right.next() } else { None };
            match ours.map_or(0, |(_, counter)| counter).cmp(&theirs.map_or(0, |(_, counter)| counter)) {
                Ordering::Less => lower = true,
                Ordering::Equal => {}
                Ordering::Greater => higher = true,
            }
        }
        match (lower, higher) {
            (true, false) => Causality::Before,
            (false, true) => Causality::After,
            (false, false) => Causality::Equal,
            (true, true) => Causality::Concurrent,
        }
    }

    /// The actors with their counters, in byte order of the actors.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counters.iter().map(|(actor, &counter)| (&**actor, counter))
    }

    /// How many actors it names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counters.len()
    }

    /// Whether it has seen nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counters.is_empty()
    }
}

/// The partial order of [`VectorClock::compare`]; concurrent clocks have none.
impl PartialOrd for VectorClock {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match self.compare(other) {
            Causality::Before => Some(Ordering::Less),
            Causality::After => Some(Ordering::Greater),
            Causality::Equal => Some(Ordering::Equal),
            Causality::Concurrent => None,
        }
    }
}

impl Causality {
    /// The same answer seen from the other clock.
    #[must_use]
    pub const fn inverse(self) -> Self {
        match self {
            Self::Before => Self::After,
            Self::After => Self::Before,
            Self::Equal => Self::Equal,
            Self::Concurrent => Self::Concurrent,
        }
    }
}

fn check_actor(actor: &str) -> Result<(), ClockError> {
    match actor.len() {
        0 => Err(ClockError::ActorEmpty),
        1..=ACTOR_BYTES_MAX => Ok(()),
        bytes => Err(ClockError::ActorTooLong { bytes }),
    }
}

#[cfg(test)]
mod tests;
