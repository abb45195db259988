//! [`Subscription`]: a reader's connection as a machine: when to connect and how, when a connection is dead, when to give up.
//!
//! It does no I/O. Hand it what happens with [`Subscription::handle`], and do what it answers; and hand it [`Input::Timeout`]
//! at [`Subscription::next_timeout`]. There is at most one connection: what a former one still says is for the caller to drop.
//!
//! `now` is in milliseconds, of a clock that goes on while the device sleeps, such as the wall clock. Where that is set back
//! it is taken to stand still; where it is set forward, a connection may be given up that was alive.

mod input;
mod output;
mod time;

use std::mem;

pub use input::{Cause, Input};
pub use output::{Failure, Outputs, Status, Transport};

use self::time::{Clock, Jitter, Timer, Timers};
use crate::mutation::{Mutation, mutated};

/// How long the answer to a poll may be held back by the server, in milliseconds.
pub const POLL_WAIT_MS: u32 = 25_000;
/// How many heartbeats' time without a sign means that the connection is dead, in halves.
const SILENT_HALF_HEARTBEATS_MAX: u64 = 5;
/// An answer that has begun and then says nothing for so long is kept back by something in between.
const FIRST_BYTES_MS: u64 = 5_000;
/// A connection that has been of use for this long makes up for the failures before it. Sooner than that, a server that
/// says it is ready and then drops everyone would be asked again and again at once; later, whoever is behind a proxy that
/// allows a connection some seconds would be away for longer than it is there.
const SETTLED_MS: u64 = 5_000;
/// How long to poll before a stream is tried again.
const POLLING_MS: u64 = 300_000;
/// A poll that brought nothing is not repeated sooner after its beginning.
const POLL_INTERVAL_MS: u64 = 1_000;
/// So many connections in a row that break the protocol without bringing anything are the end.
const UNFIT_MAX: u32 = 10;
/// How many connections in a row may begin with a reset.
const RESETS_MAX: u32 = 5;

/// How long to wait for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long a connection may be silent until it is live, and a page of what is missing, in milliseconds.
    pub connect_timeout_ms: u32,
    /// The first delay before a reconnect is at most this, each further one at most twice the one before, in milliseconds.
    pub backoff_base_ms: u32,
    /// The longest delay before a reconnect, unless the server asks for more, in milliseconds.
    pub backoff_max_ms: u32,
}

impl Options {
    /// What suits a browser.
    pub const DEFAULT: Self = Self { connect_timeout_ms: 20_000, backoff_base_ms: 250, backoff_max_ms: 30_000 };
}

impl Default for Options {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// See the [module](self).
#[derive(Debug)]
pub struct Subscription {
    options: Options,
    clock: Clock,
    timers: Timers,
    jitter: Jitter,
    /// `None` until it is opened.
    status: Option<Status>,
    /// Whether something else than time may end the delay before the next connection.
    at_will: bool,
    transport: Transport,
    outputs: Outputs,
    /// When the present connection began.
    connected_at: u64,
    heard_at: u64,
    /// How much silence is too much.
    patience_ms: u64,
    /// Since when and how often a live stream has to say something.
    live_at: u64,
    heartbeat_ms: u64,
    /// Until when to poll, since polling was seen to work.
    polling_until: Option<u64>,
    /// Whether the present connection has brought something new.
    has_moved: bool,
    /// Whether it began with a reset.
    was_reset: bool,
    /// Whether the last refusal was for want of a good token.
    unauthorized: bool,
    /// In a row.
    failures: u32,
    unfit: u32,
    resets: u32,
    /// How much speaks for something in between that keeps a stream back.
    silences: u32,
}

impl Subscription {
    /// A subscription that waits for [`Input::Open`]. Of the seed come the delays before reconnects.
    #[must_use]
    pub const fn new(options: Options, seed: u64) -> Self {
        Self {
            options,
            clock: Clock::new(),
            timers: Timers::new(),
            jitter: Jitter::new(seed),
            status: None,
            at_will: false,
            transport: Transport::Stream,
            outputs: Outputs::NONE,
            connected_at: 0,
            heard_at: 0,
            patience_ms: 0,
            live_at: 0,
            heartbeat_ms: 0,
            polling_until: None,
            has_moved: false,
            was_reset: false,
            unauthorized: false,
            failures: 0,
            unfit: 0,
            resets: 0,
            silences: 0,
        }
    }

    /// Takes what has happened, and answers what is to be done.
    pub fn handle(&mut self, now: u64, input: Input) -> Outputs {
        let now = self.clock.read(now);
        match (input, self.status) {
            (_, Some(Status::Closed | Status::Failed(_))) => {}
            (Input::Close, _) => self.finish(Status::Closed),
            (Input::Open, None) => self.connect(now),
            // One at a time: where another is due too, the next timeout is now.
            (Input::Timeout, _) => {
                if let Some(timer) = self.timers.expired(now) {
                    self.expire(timer, now);
                }
            }
            (Input::Awake, Some(Status::BackingOff { .. })) if self.at_will => self.connect(now),
            (_, None | Some(Status::BackingOff { .. })) => {}
            (input, _) => self.connected(now, input),
        }
        mem::take(&mut self.outputs)
    }

    /// Whether it is over: closed, or failed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.status, Some(Status::Closed | Status::Failed(_)))
    }

    /// When to hand in [`Input::Timeout`], by the clock that `now` is of; `None` while nothing is waited for.
    #[must_use]
    pub fn next_timeout(&self) -> Option<u64> {
        self.timers.next().map(|at| self.clock.outside(at))
    }

    /// Takes what happens on the connection that is there.
    fn connected(&mut self, now: u64, input: Input) {
        match input {
            Input::Answered => {
                if self.transport == Transport::Stream {
                    self.patience_ms = FIRST_BYTES_MS.min(self.options.connect_timeout_ms.into());
                    self.enter(Status::Replaying);
                }
                self.hear(now);
            }
            Input::Heard => {
                if self.status == Some(Status::Replaying) && self.transport == Transport::Stream {
                    self.patience_ms = self.options.connect_timeout_ms.into();
                }
                if self.status == Some(Status::Live) && now - self.live_at > self.heartbeat_ms {
                    self.silences = 0;
                }
                self.hear(now);
            }
            Input::Paused => {
                self.timers.clear(Timer::Silence);
                self.timers.clear(Timer::Fetch);
            }
            Input::Moved => {
                self.has_moved = true;
                self.unfit = 0;
                self.be_of_use(now);
            }
            Input::Reset => {
                self.was_reset = true;
                self.resets += 1;
                if self.resets > RESETS_MAX {
                    self.finish(Status::Failed(Failure::ResetLoop));
                }
            }
            Input::Ready { heartbeat_ms } => {
                self.live_at = now;
                self.heartbeat_ms = heartbeat_ms.into();
                self.patience_ms = match heartbeat_ms {
                    0 => self.options.connect_timeout_ms.into(),
                    _ => self.heartbeat_ms * SILENT_HALF_HEARTBEATS_MAX / 2,
                };
                self.be_of_use(now);
                self.hear(now);
                self.enter(Status::Live);
            }
            Input::Polled { is_live } => self.polled(now, is_live),
            Input::Fetching => self.timers.set(Timer::Fetch, now + u64::from(self.options.connect_timeout_ms)),
            Input::Fetched => {
                self.timers.clear(Timer::Fetch);
                if self.timers.is_set(Timer::Connect) {
                    self.connect(now);
                }
            }
            Input::Ended(cause) => self.end(now, cause),
            Input::Restart => {
                self.disconnect(0);
                self.enter(Status::Connecting);
                self.connect(now);
            }
            // Timers run late in a page that nobody looks at, and not at all in a device that sleeps.
            Input::Awake => {
                let silent_ms = now - self.heard_at;
                if self.timers.is_set(Timer::Silence) && silent_ms > self.patience_ms / 2 {
                    self.end_after(now, Cause::Lost, silent_ms);
                }
            }
            Input::Open | Input::Timeout | Input::Close => {}
        }
    }

    fn expire(&mut self, timer: Timer, now: u64) {
        match timer {
            Timer::Silence => self.be_silent(now),
            Timer::Fetch => self.end_after(now, Cause::Lost, self.options.connect_timeout_ms.into()),
            Timer::Settle => {
                self.failures = 0;
                self.unfit = 0;
                self.unauthorized = false;
                if !self.was_reset {
                    self.resets = 0;
                }
            }
            // A poll that begins ends what is being fetched for the one before.
            Timer::Connect if self.timers.is_set(Timer::Fetch) => {
                self.timers.set(Timer::Connect, now + POLL_INTERVAL_MS);
            }
            Timer::Connect => self.connect(now),
        }
    }

    fn connect(&mut self, now: u64) {
        for timer in [Timer::Connect, Timer::Fetch, Timer::Settle] {
            self.timers.clear(timer);
        }
        if self.polling_until.is_some_and(|until| now >= until) {
            self.polling_until = None;
            self.transport = Transport::Stream;
        }
        let goes_on =
            self.transport == Transport::Poll && matches!(self.status, Some(Status::Replaying | Status::Live));
        if !goes_on {
            self.enter(Status::Connecting);
        }
        self.connected_at = now;
        self.has_moved = false;
        self.was_reset = false;
        self.patience_ms = self.options.connect_timeout_ms.into();
        let transport = match self.transport {
            // Whether that helps is to be known soon.
            Transport::Poll if self.polling_until.is_none() => Transport::Page,
            transport => transport,
        };
        if transport == Transport::Poll {
            self.patience_ms += u64::from(POLL_WAIT_MS);
        }
        self.hear(now);
        self.outputs.connect = Some(transport);
    }

    fn polled(&mut self, now: u64, is_live: bool) {
        self.unauthorized = false;
        if !self.was_reset {
            self.resets = 0;
        }
        self.polling_until.get_or_insert(now + POLLING_MS);
        self.failures = 0;
        match is_live {
            true => self.enter(Status::Live),
            false => self.enter(Status::Replaying),
        }
        let soonest = self.connected_at + POLL_INTERVAL_MS;
        if !self.timers.is_set(Timer::Fetch) && (self.has_moved || now >= soonest) {
            self.connect(now);
        } else {
            self.timers.clear(Timer::Silence);
            self.timers.set(Timer::Connect, soonest.max(now));
        }
    }

    /// Nothing was heard for too long. A stream that is kept back looks like one that is dead, so that after it a poll is tried.
    fn be_silent(&mut self, now: u64) {
        self.silences += if self.status == Some(Status::Live) { 1 } else { 2 };
        if self.transport == Transport::Stream && self.silences >= 2 && !mutated(Mutation::NeverPoll) {
            self.disconnect(self.patience_ms);
            self.transport = Transport::Poll;
            self.enter(Status::Connecting);
            self.connect(now);
        } else {
            self.end_after(now, Cause::Lost, self.patience_ms);
        }
    }

    fn end(&mut self, now: u64, cause: Cause) {
        self.end_after(now, cause, 0);
    }

    fn end_after(&mut self, now: u64, cause: Cause, silent_ms: u64) {
        let wait_ms = match cause {
            Cause::Lost => 0,
            Cause::Goodbye { retry_ms } => retry_ms,
            Cause::Refused { status: 401, .. } if !self.unauthorized => {
                self.unauthorized = true;
                self.disconnect(silent_ms);
                return self.connect(now);
            }
            Cause::Refused { status, retry_after_ms } if may_pass(status) => retry_after_ms,
            Cause::Refused { .. } => return self.finish(Status::Failed(Failure::Refused)),
            Cause::Unfit => {
                self.unfit += 1;
                if self.unfit >= UNFIT_MAX {
                    return self.finish(Status::Failed(Failure::Unfit));
                }
                0
            }
        };
        // Polling helps only against what keeps streams back. Where it never brought anything, that was not it.
        if self.transport == Transport::Poll && self.polling_until.is_none() {
            self.transport = Transport::Stream;
            self.silences = 0;
        }
        let ceiling_ms = self.options.backoff_base_ms.saturating_mul(1 << self.failures.min(30));
        let delay_ms = match mutated(Mutation::AskAtOnce) {
            true => 0,
            false => wait_ms.saturating_add(self.jitter.below(ceiling_ms.min(self.options.backoff_max_ms))),
        };
        self.failures = self.failures.saturating_add(1);
        for timer in [Timer::Silence, Timer::Fetch, Timer::Settle] {
            self.timers.clear(timer);
        }
        if !mutated(Mutation::NeverAgain) {
            self.timers.set(Timer::Connect, now + u64::from(delay_ms));
        }
        self.disconnect(silent_ms);
        // What the server asks for holds also where the network comes back.
        self.at_will = wait_ms == 0;
        self.enter(Status::BackingOff { delay_ms });
    }

    fn finish(&mut self, status: Status) {
        self.timers = Timers::new();
        self.disconnect(0);
        self.enter(status);
    }

    /// What was asked for before concerned the connection that ends.
    fn disconnect(&mut self, silent_ms: u64) {
        self.outputs = Outputs { disconnect: Some(silent_ms), ..Outputs::NONE };
    }

    fn enter(&mut self, status: Status) {
        if self.status != Some(status) {
            self.status = Some(status);
            self.outputs.status = self.status;
        }
    }

    /// Live, or with something new.
    fn be_of_use(&mut self, now: u64) {
        if !self.timers.is_set(Timer::Settle) {
            self.timers.set(Timer::Settle, now + SETTLED_MS);
        }
    }

    fn hear(&mut self, now: u64) {
        self.heard_at = now;
        if !mutated(Mutation::WaitForever) {
            self.timers.set(Timer::Silence, now + self.patience_ms);
        }
    }
}

/// Whether the same request may succeed later.
fn may_pass(status: u16) -> bool {
    !(400..500).contains(&status) || matches!(status, 408 | 425 | 429)
}

#[cfg(test)]
mod tests;
