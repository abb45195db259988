//! [`Verdicts`]: what a subscription tells, as a stream.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::stream::{FusedStream, LocalBoxStream, Stream, StreamExt};
use highwater_core::reconcile::Missing;
use highwater_core::subscription::{Input, Transport};
use highwater_core::version::After;

use super::alarm::{Alarm, now_ms};
use super::awake::Awake;
use super::exchange::{Exchange, Progress, send, send_for_page};
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
    connection: Option<Connection>,
    /// What is being fetched for it.
    fetch: Option<(PageKind, PageExchange)>,
    alarm: Alarm,
    awake: Option<Awake>,
    is_new: bool,
    /// Whether it was the reader who had something to do since the last time.
    was_with_reader: bool,
}

enum Connection {
    Stream(Exchange),
    Poll(PageExchange),
}

type PageExchange = LocalBoxStream<'static, Result<Option<Vec<u8>>, Cause>>;

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
                        Transport::Stream => Connection::Stream(send(self.requests.events(after))),
                        Transport::Page | Transport::Poll => {
                            let waits = transport == Transport::Poll;
                            Connection::Poll(send_for_page(self.requests.poll(after, waits)).boxed_local())
                        }
                    });
                }
                Action::Disconnect => {
                    self.connection = None;
                    self.fetch = None;
                }
                Action::Fetch(missing, epoch) => {
                    let (kind, request) = match &missing {
                        Missing::Log { after } => (PageKind::Log, self.requests.page(After::Position(*after))),
                        Missing::Stream { stream, from } => {
                            (PageKind::Stream, self.requests.stream_page(stream, *from, epoch))
                        }
                    };
                    self.fetch = Some((kind, send_for_page(request).boxed_local()));
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
        if self.poll_connection(context).is_ready() || self.poll_fetch(context).is_ready() {
            return Poll::Ready(());
        }
        let timeout = self.alarm.poll(self.machine.next_timeout(), context);
        timeout.map(|()| self.machine.happened(now_ms(), Input::Timeout))
    }

    fn poll_connection(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let ended = match &mut self.connection {
            None => return Poll::Pending,
            Some(Connection::Stream(exchange)) => match std::task::ready!(exchange.poll_next_unpin(context)) {
                Some(Ok(Progress::Answered)) => return Poll::Ready(self.machine.happened(now_ms(), Input::Answered)),
                Some(Ok(Progress::Chunk(chunk))) => {
                    self.machine.received(now_ms(), chunk.byte_length() as usize, |room| chunk.copy_to(room));
                    return Poll::Ready(());
                }
                Some(Err(cause)) => Err(cause),
                None => Err(Cause::Ended),
            },
            Some(Connection::Poll(exchange)) => match std::task::ready!(exchange.poll_next_unpin(context)) {
                Some(Ok(None)) => return Poll::Ready(self.machine.happened(now_ms(), Input::Heard)),
                Some(Ok(Some(page))) => Ok(page),
                Some(Err(cause)) => Err(cause),
                None => Err(Cause::Ended),
            },
        };
        self.connection = None;
        match ended {
            Ok(page) => self.machine.fetched(now_ms(), PageKind::Poll, &page),
            Err(cause) => self.machine.ended(now_ms(), cause),
        }
        Poll::Ready(())
    }

    fn poll_fetch(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some((kind, exchange)) = &mut self.fetch else { return Poll::Pending };
        let kind = *kind;
        let ended = match std::task::ready!(exchange.poll_next_unpin(context)) {
            Some(Ok(None)) => return Poll::Ready(self.machine.happened(now_ms(), Input::Fetching)),
            Some(Ok(Some(page))) => Ok(page),
            Some(Err(cause)) => Err(cause),
            None => Err(Cause::Ended),
        };
        self.fetch = None;
        match ended {
            Ok(page) => self.machine.fetched(now_ms(), kind, &page),
            Err(cause) => self.machine.ended(now_ms(), Cause::Missing { cause: Box::new(cause) }),
        }
        Poll::Ready(())
    }
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
            std::task::ready!(self.poll_outside(context));
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
        f.debug_struct("Verdicts")
            .field("machine", &self.machine)
            .field("requests", &self.requests)
            .finish_non_exhaustive()
    }
}
