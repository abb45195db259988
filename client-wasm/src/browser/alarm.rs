//! A timer whose time changes often.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use gloo_timers::future::TimeoutFuture;

/// The longest delay that timers know, in milliseconds.
const TIMER_MS_MAX: u64 = i32::MAX as u64;
/// A timer that goes off so much later than it should was waiting for something else, in milliseconds.
const LATE_MS: u64 = 1_000;

/// Goes off at a time, or somewhat later.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    /// When the timer goes off, and the timer. One that is too early stays: to set a timer for every chunk would cost more
    /// than the chunk.
    timer: Option<(u64, TimeoutFuture)>,
    is_last_call: bool,
}

impl Alarm {
    /// Ready at `at`, which is `None` for never.
    pub(super) fn poll(&mut self, at: Option<u64>, context: &mut Context<'_>) -> Poll<()> {
        let Some(at) = at else {
            *self = Self::default();
            return Poll::Pending;
        };
        loop {
            let now = now_ms();
            let (due, timer) = match &mut self.timer {
                Some((due, timer)) if *due <= at => (*due, timer),
                _ => {
                    self.is_last_call = false;
                    let (due, timer) = self.timer.insert((at, timer(now, at)));
                    (*due, timer)
                }
            };
            if Pin::new(timer).poll(context).is_pending() {
                return Poll::Pending;
            }
            self.timer = None;
            let is_late = now.saturating_sub(due) > LATE_MS && !self.is_last_call;
            if at > now {
                self.is_last_call = false;
            } else if is_late {
                // In a page that was busy, what came meanwhile is heard first.
                self.is_last_call = true;
                self.timer = Some((at, TimeoutFuture::new(0)));
            } else {
                self.is_last_call = false;
                return Poll::Ready(());
            }
        }
    }
}

/// Milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    js_sys::Date::now() as u64
}

fn timer(now: u64, at: u64) -> TimeoutFuture {
    TimeoutFuture::new(at.saturating_sub(now).min(TIMER_MS_MAX) as u32)
}
