//! What is sent before the reactor takes over: the head, then the log up to the subscriber's place in its ring.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    io::{AsyncWriteExt, Interest},
    net::TcpStream,
    time::{Instant, timeout_at},
};

use super::{
    Context, LAST_CHUNK, Subscriber, discard,
    member::{Member, Seat},
};
use crate::feed::{Ending, Next, chunk_of};

/// A socket that is not with the reactor.
pub(super) struct Lead {
    pub(super) socket: TcpStream,
    pub(super) subscriber: Subscriber,
    /// To be sent first.
    pub(super) opening: Bytes,
}

impl Context {
    /// Has a task send what comes before the reactor.
    pub(super) fn lead(self: &Arc<Self>, lead: Lead) {
        let context = Arc::clone(self);
        self.tasks.spawn_on(
            async move {
                if let Err(error) = lead.run(&context).await {
                    tracing::debug!("a subscriber is gone: {error}");
                }
            },
            &self.runtime,
        );
    }
}

impl Lead {
    async fn run(mut self, context: &Context) -> io::Result<()> {
        let opening = std::mem::take(&mut self.opening);
        self.send(&opening, context.stall_timeout).await?;
        let ending = loop {
            match self.subscriber.subscription.next().await {
                Ok(Next::Frames(frames)) => self.send(&chunk_of(&frames), context.stall_timeout).await?,
                Ok(Next::Live(next)) => {
                    let seat = Seat::new(self.socket.into_std()?, next);
                    match context.mailbox.add(seat, Box::new(Member::new(self.subscriber))) {
                        Ok(()) => return Ok(()),
                        Err((seat, member)) => {
                            let (socket, subscriber) = (seat.into_socket(), member.into_subscriber());
                            self = Self { socket: TcpStream::from_std(socket)?, subscriber, opening: Bytes::new() };
                            break Ending::ShuttingDown;
                        }
                    }
                }
                Err(ending) => break ending,
            }
        };
        let last_words = self.subscriber.subscription.last_words(ending);
        self.send(&[&chunk_of(&last_words), LAST_CHUNK].concat(), context.stall_timeout).await?;
        self.socket.shutdown().await
    }

    /// Sends all of it, unless the client takes nothing for too long.
    async fn send(&mut self, bytes: &[u8], stall_timeout: Duration) -> io::Result<()> {
        let mut rest = bytes;
        let mut stalled_at = Instant::now() + stall_timeout;
        while !rest.is_empty() {
            let ready = self.socket.ready(Interest::READABLE | Interest::WRITABLE);
            let ready = timeout_at(stalled_at, ready).await.map_err(|_| io::ErrorKind::TimedOut)??;
            if ready.is_readable() {
                discard(&mut self.subscriber.input_left, |input| self.socket.try_read(input))?;
            }
            match self.socket.try_write(rest) {
                Ok(bytes) => {
                    rest = &rest[bytes..];
                    stalled_at = Instant::now() + stall_timeout;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
