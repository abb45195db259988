//! [`Verdicts`]: what a subscription tells, as a stream.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::stream::{FusedStream, Stream, StreamExt};
use highwater_core::envelope::JsonText;
use highwater_core::reconcile::Missing;
use highwater_core::subscription::{Input, Transport};
use highwater_core::version::After;

use super::alarm::{Alarm, now_ms};
use super::awake::Awake;
use super::exchange::{self, Exchange, Step};
use super::machine::{Action, Machine, PageKind};
use super::request::Requests;
use super::{Cause, Options, Verdict};

/// What a subscription tells: a stream that ends after [`Status::Failed`](super::Status::Failed) or
/// [`Status::Closed`](super::Status::Closed), and everything of it when it is dropped.
///
/// All is done where it is polled: it connects at the first time, and while nobody polls it, it reads nothing from the network.
/// So it holds no more than what one piece of the network's brought, and what waits for something missing.
#[must_use = "nothing is followed until the stream is polled"]
pub struct Verdicts {
    machine: Machine,
    requests: Requests,
    /// The connection that is there.
    connection: Option<Exchange>,
    /// What is being fetched for it.
    fetch: Option<Exchange>,
    alarm: Alarm,
    awake: Option<Awake>,
    is_new: bool,
    /// Whether it was the reader who had something to do since the last time.
    was_with_reader: bool,
}

impl Verdicts {
    pub(super) fn new(options: &Options, requests: Requests) -> Self {
        Self {
            machine: Machine::new(options, js_sys::Math::random().to_bits()),
            requests,
            connection: None,
            fetch: None,
            alarm: Alarm::default(),
            awake: None,
            is_new: true,
            was_with_reader: false,
        }
    }

    /// Ends the connection. What has been judged until then is still told, and then that it is closed.
    pub fn close(&mut self) {
        self.machine.happened(now_ms(), Input::Close);
        self.act();
    }

    /// Begins, or takes up again what waited for the reader.
    fn take_up(&mut self) {
        let now = now_ms();
        if self.is_new {
            self.is_new = false;
            self.awake = Some(Awake::new());
            self.machine.happened(now, Input::Open);
        }
        let is_due = self.machine.next_timeout().is_some_and(|at| at <= now);
        if self.was_with_reader && is_due && (self.connection.is_some() || self.fetch.is_some()) {
            // That nothing was heard meanwhile was the reader's doing.
            self.machine.happened(now, Input::Paused);
            if self.connection.is_some() {
                self.machine.happened(now, Input::Heard);
            }
            if self.fetch.is_some() {
                self.machine.happened(now, Input::Fetching);
            }
        }
        self.was_with_reader = false;
    }

    /// Does what the machine asks for.
    fn act(&mut self) {
        while let Some(action) = self.machine.next_action() {
            match action {
                Action::Connect(transport, after) => {
                    self.fetch = None;
                    self.connection = Some(match transport {
                        Transport::Stream => exchange::events(self.requests.events(after)),
                        Transport::Page => exchange::page(self.requests.poll(after, false), PageKind::Poll),
                        Transport::Poll => exchange::page(self.requests.poll(after, true), PageKind::Poll),
                    });
                }
                Action::Disconnect => {
                    self.connection = None;
                    self.fetch = None;
                }
                Action::Fetch(missing, epoch) => {
                    self.fetch = Some(match missing {
                        Missing::Log { after } => {
                            exchange::page(self.requests.page(After::Position(after)), PageKind::Log)
                        }
                        Missing::Stream { stream, from } => {
                            let stream = JsonText::from_bytes(&stream).decode().unwrap_or_default();
                            exchange::page(self.requests.stream_page(&stream, from, epoch), PageKind::Stream)
                        }
                    });
                }
            }
        }
    }

    /// Tells the machine the next thing that has happened outside, once there is one.
    fn poll_outside(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.awake.as_ref().is_some_and(|awake| awake.poll(context).is_ready()) {
            self.machine.happened(now_ms(), Input::Awake);
            return Poll::Ready(());
        }
        // The network before the clock: what has come is no silence.
        let step = match poll_exchange(&mut self.connection, context) {
            Poll::Pending => poll_exchange(&mut self.fetch, context),
            step => step,
        };
        if let Poll::Ready(step) = step {
            self.take(step);
            return Poll::Ready(());
        }
        let timeout = self.alarm.poll(self.machine.next_timeout(), context);
        timeout.map(|()| self.machine.happened(now_ms(), Input::Timeout))
    }

    fn take(&mut self, step: Step) {
        let (machine, now) = (&mut self.machine, now_ms());
        match step {
            Step::Happened(input) => machine.happened(now, input),
            Step::Chunk(chunk) => machine.received(now, chunk.byte_length() as usize, |room| chunk.copy_to(room)),
            Step::Page(kind, page) => machine.fetched(now, kind, &page),
            Step::Ended(cause) => machine.ended(now, cause),
        }
    }
}

/// The next step of what is under way. After its last one it is no longer.
fn poll_exchange(exchange: &mut Option<Exchange>, context: &mut Context<'_>) -> Poll<Step> {
    let Some(steps) = exchange else { return Poll::Pending };
    let step = ready!(steps.poll_next_unpin(context)).unwrap_or(Step::Ended(Cause::Ended));
    if matches!(step, Step::Page(..) | Step::Ended(_)) {
        *exchange = None;
    }
    Poll::Ready(step)
}

impl Stream for Verdicts {
    type Item = Verdict;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Verdict>> {
        self.take_up();
        loop {
            self.act();
            if let Some(verdict) = self.machine.next_verdict() {
                self.was_with_reader = true;
                return Poll::Ready(Some(verdict));
            }
            if self.machine.is_over() {
                self.awake = None;
                return Poll::Ready(None);
            }
            ready!(self.poll_outside(context));
        }
    }
}

impl FusedStream for Verdicts {
    fn is_terminated(&self) -> bool {
        self.machine.is_over() && !self.machine.has_verdicts()
    }
}

impl fmt::Debug for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers may hold what is secret.
        f.debug_struct("Verdicts").field("machine", &self.machine).finish_non_exhaustive()
    }
}
