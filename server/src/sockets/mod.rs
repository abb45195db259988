//! Sockets that were taken out of HTTP after the head of an answer, because all that they will ever do is receive.
//!
//! A connection that hyper serves costs 10 to 20 KB for as long as it lasts. A subscriber on plain HTTP/1.1 needs none of
//! that once its head is written: it is a socket, a place in a ring, and what the ring has ready. So a response may carry a
//! [`Ticket`], and a transport that can give its socket away hands both to [`Sockets::adopt`]. What the log has is sent by
//! a task ([`lead`]); then the [reactor](reactor), one thread for all sockets, sends what is published. Who falls behind
//! its ring goes back to a task for a while. Other transports ignore the ticket and stream the response's body.

mod head;
mod lead;
mod mailbox;
mod member;
mod reactor;
mod slot;
mod ticket;

use std::{any::Any, io, sync::Arc, time::Duration};

use axum::http::response::Parts;
use tokio::{net::TcpStream, runtime::Handle};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use self::{lead::Lead, mailbox::Mailbox, reactor::Reactor};
pub(crate) use self::{
    slot::{Slot, TakeSocket},
    ticket::Ticket,
};
use crate::{
    feed::{Listener, Subscription},
    telemetry::{Held, Metrics, Transport, Wire},
};

/// Ends the body of an answer (RFC 9112, section 7.1).
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
/// A subscriber has nothing to say: whoever sends more than this is none.
const INPUT_BYTES_MAX: usize = 16 * 1024;

/// What is to be kept as long as a socket is open, such as its place under a limit.
pub(crate) type Guard = Box<dyn Any + Send>;

/// Who receives on a socket.
struct Subscriber {
    subscription: Subscription,
    /// How much its client may still send.
    input_left: usize,
    _guard: Guard,
    _counted: Held,
}

/// All sockets that were taken.
#[derive(Clone)]
pub(crate) struct Sockets {
    context: Arc<Context>,
    /// Stops the reactor with the last handle.
    _running: Arc<DropGuard>,
}

/// What the reactor and the tasks beside it share.
struct Context {
    mailbox: Arc<Mailbox>,
    /// Those that send from the log, and the reactor.
    tasks: TaskTracker,
    runtime: Handle,
    stall_timeout: Duration,
    metrics: Arc<Metrics>,
}

impl Sockets {
    /// Starts the reactor, beside the runtime that is running. `shutdown` ends it and all sockets.
    ///
    /// # Errors
    /// Where the system has no file descriptor or thread left.
    pub(crate) fn start(
        stall_timeout: Duration,
        metrics: Arc<Metrics>,
        shutdown: &CancellationToken,
    ) -> io::Result<Self> {
        let (poll, mailbox) = Mailbox::new()?;
        let mailbox = Arc::new(mailbox);
        let (tasks, runtime) = (TaskTracker::new(), Handle::current());
        let context = Arc::new(Context { mailbox, tasks, runtime, stall_timeout, metrics });
        Reactor::start(poll, Arc::clone(&context))?;
        let stop = shutdown.child_token();
        tokio::spawn({
            let (stop, mailbox) = (stop.clone(), Arc::clone(&context.mailbox));
            async move {
                stop.cancelled().await;
                mailbox.stop();
            }
        });
        Ok(Self { context, _running: Arc::new(stop.drop_guard()) })
    }

    /// Whom a feed has to tell that there is something new.
    pub(crate) fn listener(&self) -> Arc<dyn Listener> {
        Arc::clone(&self.context.mailbox) as Arc<dyn Listener>
    }

    /// Sends this head, which announces a body in chunks, and then the subscription, until one side ends it.
    pub(crate) fn adopt(&self, socket: TcpStream, head: &Parts, mut subscription: Subscription, guard: Guard) {
        subscription.goes_over(Transport::SseSocket);
        let counted = self.context.metrics.http.connected(Wire::Socket);
        let subscriber = Subscriber { subscription, input_left: INPUT_BYTES_MAX, _guard: guard, _counted: counted };
        self.context.lead(Lead { socket, subscriber, opening: head::encode(head) });
    }

    /// Returns once every socket is closed, after a shutdown.
    pub(crate) async fn closed(&self) {
        self.context.tasks.close();
        self.context.tasks.wait().await;
    }
}

/// Reads and forgets what a client sends.
///
/// # Errors
/// Where it is gone, or sends too much.
fn discard(input_left: &mut usize, mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> io::Result<()> {
    let mut input = [0; 1024];
    loop {
        match read(&mut input) {
            // Half-closed is gone, as it is for hyper.
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(bytes) => {
                let too_much = || io::Error::other("a subscriber sends too much");
                *input_left = input_left.checked_sub(bytes).ok_or_else(too_much)?;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
