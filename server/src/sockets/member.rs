//! A socket that is live, in two halves. What every delivery touches is its [`Seat`], side by side with the others of its
//! ring, so that a round goes through memory from front to back; the rest is its [`Member`], which a delivery looks at only
//! where the socket does not take all.

use std::{
    io::{self, IoSlice, Read, Write},
    net::TcpStream as StdStream,
    sync::Arc,
    time::{Duration, Instant},
};

use mio::{Interest, Registry, Token, net::TcpStream};

use super::{LAST_CHUNK, Subscriber, discard};
use crate::{
    feed::{Batch, BatchNumber, Due, Ending, Reached, Ring, chunk_of},
    telemetry::{FeedMetrics, Source},
};

/// How many batches are written in one go.
const BATCHES_AT_A_TIME: usize = 32;

/// See the [module](self).
pub(super) struct Seat {
    socket: TcpStream,
    /// The batch that it takes next.
    next: BatchNumber,
    /// How far it has come by the batches that it has taken, if any.
    pub(super) reached: Option<Reached>,
    /// Whether the socket takes nothing for now. Its member knows since when.
    pub(super) is_blocked: bool,
    /// Its member.
    pub(super) key: usize,
}

/// See the [module](self).
pub(super) struct Member {
    subscriber: Subscriber,
    blocked: Option<Blocked>,
    /// Where its seat is in its ring.
    pub(super) place: usize,
}

struct Blocked {
    since: Instant,
    unsent: Option<Unsent>,
}

/// A batch of which the socket has taken only so many bytes.
#[derive(Clone)]
struct Unsent {
    batch: Arc<Batch>,
    written: usize,
}

/// How a member stands after a delivery.
pub(super) enum Standing {
    /// It stays.
    Stays,
    /// It has to read the log.
    Behind,
    /// It is told why, and closed.
    Ends(Ending),
    /// It takes nothing for too long.
    Stalled,
    /// The client is gone.
    Gone,
}

/// What a ring has, for whoever takes some of it now, and what was sent of it.
pub(super) struct Round<'a> {
    due: DueNow<'a>,
    sent: Sent,
}

/// What a ring has from some batch on, asked once for all who are there.
struct DueNow<'a> {
    ring: &'a Ring,
    from: Option<(BatchNumber, Due)>,
}

#[derive(Default)]
struct Sent {
    events: u64,
    bytes: u64,
}

impl<'a> Round<'a> {
    pub(super) fn new(ring: &'a Ring) -> Self {
        Self { due: DueNow { ring, from: None }, sent: Sent::default() }
    }

    /// Counts what was sent, and answers the newest batch that was due, if it has events.
    pub(super) fn finish(self, metrics: &FeedMetrics) -> Option<Arc<Batch>> {
        if self.sent.events > 0 {
            metrics.sent(Source::Live, self.sent.events, self.sent.bytes);
        }
        match self.due.from {
            Some((_, Due::Batches(mut batches))) => batches.pop().filter(|newest| newest.events() > 0),
            _ => None,
        }
    }
}

impl DueNow<'_> {
    fn from(&mut self, next: BatchNumber) -> &Due {
        if self.from.as_ref().is_none_or(|(from, _)| *from != next) {
            self.from = None;
        }
        &self.from.get_or_insert_with(|| (next, self.ring.due(next, BATCHES_AT_A_TIME))).1
    }
}

impl Sent {
    fn add(&mut self, batch: &Batch) {
        if batch.events() > 0 {
            self.events += batch.events() as u64;
            self.bytes += batch.chunk().len() as u64;
        }
    }
}

impl Seat {
    pub(super) fn new(socket: StdStream, next: BatchNumber) -> Self {
        Self { socket: TcpStream::from_std(socket), next, reached: None, is_blocked: false, key: 0 }
    }

    pub(super) fn into_socket(self) -> StdStream {
        self.socket.into()
    }

    /// Has the registry tell what happens to the socket.
    pub(super) fn watch(&mut self, registry: &Registry) -> io::Result<()> {
        registry.register(&mut self.socket, Token(self.key), Interest::READABLE | Interest::WRITABLE)
    }

    pub(super) fn unwatch(&mut self, registry: &Registry) -> io::Result<()> {
        registry.deregister(&mut self.socket)
    }

    /// Writes all that is due, or as much as the socket takes.
    pub(super) fn deliver(&mut self, member: &mut Member, round: &mut Round<'_>, now: Instant) -> Standing {
        let Round { due, sent } = round;
        loop {
            let unsent = if self.is_blocked { member.unsent() } else { None };
            let batches: &[Arc<Batch>] = match due.from(self.next) {
                Due::Batches(batches) => batches,
                // What the socket is in the middle of comes first.
                _ if unsent.is_some() => &[],
                Due::Overrun => return Standing::Behind,
                Due::Ended(why) => return Standing::Ends(Ending::Unavailable(why.clone())),
            };
            let due_bytes = unsent_bytes(&unsent) + batches.iter().map(|batch| batch.chunk().len()).sum::<usize>();
            if due_bytes == 0 {
                self.unblock(member);
                return Standing::Stays;
            }
            let written = match self.write(&unsent, batches) {
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Standing::Gone,
            };
            let unsent = self.advance(written, unsent, batches, sent);
            // A socket that took less than all of it is full, and says when it is not.
            if written < due_bytes {
                self.block(member, unsent, written > 0, now);
                return Standing::Stays;
            }
            self.unblock(member);
            // What was published since is told by a mail of its own.
            if (1..BATCHES_AT_A_TIME).contains(&batches.len()) {
                return Standing::Stays;
            }
        }
    }

    /// Writes the unsent rest and these batches.
    fn write(&mut self, unsent: &Option<Unsent>, batches: &[Arc<Batch>]) -> io::Result<usize> {
        match (unsent, batches) {
            // Nearly always. The kernel is quicker with one slice than with a list of one.
            (None, [batch]) => self.socket.write(batch.chunk()),
            (unsent, batches) => {
                let rest = unsent.iter().map(|unsent| &unsent.batch.chunk()[unsent.written..]);
                let chunks = batches.iter().map(|batch| &batch.chunk()[..]);
                let chunks: Vec<_> = rest.chain(chunks).map(IoSlice::new).collect();
                self.socket.write_vectored(&chunks)
            }
        }
    }

    /// Takes note of what has been written, of the unsent rest and then of these batches; answers what is unsent now.
    fn advance(
        &mut self,
        mut written: usize,
        unsent: Option<Unsent>,
        batches: &[Arc<Batch>],
        sent: &mut Sent,
    ) -> Option<Unsent> {
        let rest = unsent_bytes(&unsent);
        if let Some(unsent) = unsent {
            if written < rest {
                return Some(Unsent { written: unsent.written + written, ..unsent });
            }
            written -= rest;
            self.reached = Some(unsent.batch.reached);
            sent.add(&unsent.batch);
        }
        for batch in batches {
            if written == 0 {
                break;
            }
            self.next += 1;
            if written < batch.chunk().len() {
                return Some(Unsent { batch: Arc::clone(batch), written });
            }
            written -= batch.chunk().len();
            self.reached = Some(batch.reached);
            sent.add(batch);
        }
        None
    }

    fn block(&mut self, member: &mut Member, unsent: Option<Unsent>, took_some: bool, now: Instant) {
        let since = member.blocked.as_ref().filter(|_| !took_some).map_or(now, |blocked| blocked.since);
        member.blocked = Some(Blocked { since, unsent });
        member.arrive(self.reached);
        self.is_blocked = true;
    }

    fn unblock(&mut self, member: &mut Member) {
        if self.is_blocked {
            member.blocked = None;
            self.is_blocked = false;
        }
    }

    /// Reads and forgets what its client sends.
    pub(super) fn discard_input(&mut self, member: &mut Member) -> io::Result<()> {
        discard(&mut member.subscriber.input_left, |input| self.socket.read(input))
    }

    /// Says why it ends, unless the socket is in the middle of something, and closes.
    pub(super) fn close(mut self, mut member: Member, ending: Ending) {
        let last_words = chunk_of(&member.subscriber.subscription.last_words(ending));
        let is_between_batches = member.unsent().is_none();
        // It is over before its client hears of it, who may come back at once.
        drop(member.subscriber.subscription);
        if is_between_batches {
            // Who doesn't take it now hears nothing: the socket is closed all the same.
            let _ = self.socket.write_vectored(&[IoSlice::new(&last_words), IoSlice::new(LAST_CHUNK)]);
        }
        let _ = self.socket.shutdown(std::net::Shutdown::Write);
    }
}

impl Member {
    pub(super) fn new(subscriber: Subscriber) -> Self {
        Self { subscriber, blocked: None, place: 0 }
    }

    pub(super) fn ring(&self) -> &Arc<Ring> {
        self.subscriber.subscription.ring()
    }

    pub(super) fn into_subscriber(self) -> Subscriber {
        self.subscriber
    }

    /// Its subscription is over, because its socket takes nothing for too long.
    pub(super) fn ends_stalled(&mut self) {
        self.subscriber.subscription.ends(&Ending::TooSlow);
    }

    fn unsent(&self) -> Option<Unsent> {
        self.blocked.as_ref()?.unsent.clone()
    }

    /// How it stands by the clock.
    pub(super) fn judge(&self, now: Instant, stall_timeout: Duration) -> Standing {
        let stalled = self.blocked.as_ref().is_some_and(|blocked| now.duration_since(blocked.since) >= stall_timeout);
        let over = self.subscriber.subscription.ends_at().is_some_and(|ends_at| now >= ends_at.into_std());
        match (stalled, over) {
            (true, _) => Standing::Stalled,
            (false, true) => Standing::Ends(Ending::Over),
            (false, false) => Standing::Stays,
        }
    }

    /// By how many events and since when it is behind, if its socket takes nothing.
    pub(super) fn behind(&self, now: Instant) -> Option<(u64, Duration)> {
        let blocked = self.blocked.as_ref()?;
        Some((self.subscriber.subscription.behind(), now.duration_since(blocked.since)))
    }

    /// Its subscription has come so far by the ring.
    pub(super) fn arrive(&mut self, reached: Option<Reached>) {
        if let Some(reached) = reached {
            self.subscriber.subscription.arrive(reached);
        }
    }
}

fn unsent_bytes(unsent: &Option<Unsent>) -> usize {
    unsent.as_ref().map_or(0, |unsent| unsent.batch.chunk().len() - unsent.written)
}
