//! Timers, the clock they go by, and chance.

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// Nothing is heard.
    Silence,
    /// Nothing is heard of what is missing.
    Fetch,
    /// The connection has been of use for long enough.
    Settle,
    /// The next connection is due.
    Connect,
}

const TIMERS: [Timer; 4] = [Timer::Silence, Timer::Fetch, Timer::Settle, Timer::Connect];

/// No timer is ever due then.
const NEVER: u64 = u64::MAX;

/// When each is due.
#[derive(Debug)]
pub(super) struct Timers([u64; TIMERS.len()]);

impl Timers {
    pub(super) const fn new() -> Self {
        Self([NEVER; TIMERS.len()])
    }

    pub(super) fn set(&mut self, timer: Timer, at: u64) {
        self.0[timer as usize] = at;
    }

    pub(super) fn clear(&mut self, timer: Timer) {
        self.set(timer, NEVER);
    }

    pub(super) fn is_set(&self, timer: Timer) -> bool {
        self.0[timer as usize] != NEVER
    }

    pub(super) fn next(&self) -> Option<u64> {
        self.0.iter().min().copied().filter(|at| *at != NEVER)
    }

    /// Takes one that is due.
    pub(super) fn expired(&mut self, now: u64) -> Option<Timer> {
        let timer = TIMERS.into_iter().find(|timer| self.0[*timer as usize] <= now)?;
        self.clear(timer);
        Some(timer)
    }
}

/// The caller's clock, made to never go back.
#[derive(Debug)]
pub(super) struct Clock {
    /// What it is ahead of the caller's.
    ahead: u64,
    last: u64,
}

impl Clock {
    pub(super) const fn new() -> Self {
        Self { ahead: 0, last: 0 }
    }

    pub(super) fn read(&mut self, now: u64) -> u64 {
        let read = now.saturating_add(self.ahead);
        self.ahead += self.last.saturating_sub(read);
        self.last = self.last.max(read);
        self.last
    }

    /// A time of this clock by the caller's.
    pub(super) fn outside(&self, at: u64) -> u64 {
        at.saturating_sub(self.ahead)
    }
}

/// Numbers that clients cut off together do not share: SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from 0 to below `ceiling`, or 0.
    pub(super) fn below(&mut self, ceiling: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        (((mixed >> 32) * u64::from(ceiling)) >> 32) as u32
    }
}
