//! [`Reactor`]: one thread that writes what is published to every socket that is live.
//!
//! A batch is the same bytes for all subscribers of a ring, so a delivery is one `write` of shared memory. A socket that
//! takes no more keeps the rest of the batch it is in, and nothing else; when it takes bytes again, it goes on in its ring,
//! or, should the ring have let go of what it needs, leaves for the log.

use std::{
    collections::HashMap,
    io::{self, IoSlice, Read, Write},
    net::TcpStream as StdStream,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use mio::{Events, Interest, Poll, Token, event::Event, net::TcpStream};
use slab::Slab;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::{
    Context, LAST_CHUNK, Subscriber, discard,
    lead::Lead,
    mailbox::{MAIL, Mail},
};
use crate::{
    feed::{Batch, BatchNumber, Due, Ending, RingId, chunk_of},
    telemetry::Source,
};

/// How many batches are written in one go.
const BATCHES_AT_A_TIME: usize = 32;
const EVENTS_AT_A_TIME: usize = 1024;
/// How often deadlines are looked at.
const SWEEP: Duration = Duration::from_secs(1);

/// A socket that is live.
pub(super) struct Member {
    socket: TcpStream,
    subscriber: Subscriber,
    /// The batch that it takes next.
    next: BatchNumber,
    /// A batch of which the socket has taken only so many bytes.
    unsent: Option<(Arc<Batch>, usize)>,
    /// Since when the socket takes nothing.
    blocked_since: Option<Instant>,
    /// Where it is among the members of its ring.
    place: usize,
}

/// How a member stands after a delivery.
enum Standing {
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

/// See the [module](self).
pub(super) struct Reactor {
    poll: Poll,
    context: Arc<Context>,
    /// Boxed, so that making room for more does not copy those that are there.
    members: Slab<Box<Member>>,
    rings: HashMap<RingId, Vec<usize>>,
}

impl Member {
    pub(super) fn new(socket: StdStream, next: BatchNumber, subscriber: Subscriber) -> Box<Self> {
        let socket = TcpStream::from_std(socket);
        Box::new(Self { socket, subscriber, next, unsent: None, blocked_since: None, place: 0 })
    }

    pub(super) fn leave(self) -> (StdStream, Subscriber) {
        (self.socket.into(), self.subscriber)
    }

    fn ring(&self) -> RingId {
        self.subscriber.subscription.ring().id
    }

    /// Writes all that is due, or as much as the socket takes.
    fn deliver(&mut self, due: &mut DueNow, now: Instant) -> Standing {
        loop {
            let batches: &[Arc<Batch>] = match due.from(self.next, &self.subscriber) {
                Due::Batches(batches) => batches,
                // What the socket is in the middle of comes first.
                _ if self.unsent.is_some() => &[],
                Due::Overrun => return Standing::Behind,
                Due::Ended(why) => return Standing::Ends(Ending::Unavailable(why.clone())),
            };
            let due_bytes = self.unsent_bytes() + batches.iter().map(|batch| batch.chunk().len()).sum::<usize>();
            if due_bytes == 0 {
                self.blocked_since = None;
                return Standing::Stays;
            }
            let written = match self.write(batches) {
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Standing::Gone,
            };
            self.advance(written, batches);
            if written > 0 {
                self.blocked_since = None;
            }
            // A socket that took less than all of it is full, and says when it is not.
            if written < due_bytes {
                self.blocked_since.get_or_insert(now);
                return Standing::Stays;
            }
            // What was published since is told by a mail of its own.
            if (1..BATCHES_AT_A_TIME).contains(&batches.len()) {
                return Standing::Stays;
            }
        }
    }

    fn unsent_bytes(&self) -> usize {
        self.unsent.as_ref().map_or(0, |(batch, written)| batch.chunk().len() - written)
    }

    /// Writes the unsent rest and these batches.
    fn write(&mut self, batches: &[Arc<Batch>]) -> io::Result<usize> {
        match (&self.unsent, batches) {
            // Nearly always. The kernel is quicker with one slice than with a list of one.
            (None, [batch]) => self.socket.write(batch.chunk()),
            (unsent, batches) => {
                let rest = unsent.iter().map(|(batch, written)| &batch.chunk()[*written..]);
                let chunks = batches.iter().map(|batch| &batch.chunk()[..]);
                let chunks: Vec<_> = rest.chain(chunks).map(IoSlice::new).collect();
                self.socket.write_vectored(&chunks)
            }
        }
    }

    /// Takes note of what has been written, of the unsent rest and then of these batches.
    fn advance(&mut self, mut written: usize, batches: &[Arc<Batch>]) {
        if let Some((batch, already)) = &mut self.unsent {
            let rest = batch.chunk().len() - *already;
            if written < rest {
                *already += written;
                return;
            }
            written -= rest;
            self.subscriber.subscription.sent(batch);
            self.unsent = None;
        }
        for batch in batches {
            if written == 0 {
                return;
            }
            self.next += 1;
            if written < batch.chunk().len() {
                self.unsent = Some((Arc::clone(batch), written));
                return;
            }
            written -= batch.chunk().len();
            self.subscriber.subscription.sent(batch);
        }
    }

    /// Says why it ends, unless the socket is in the middle of something, and closes.
    fn close(mut self, ending: Ending) {
        let last_words = chunk_of(&self.subscriber.subscription.last_words(ending));
        // It is over before its client hears of it, who may come back at once.
        drop(self.subscriber.subscription);
        if self.unsent.is_none() {
            // Who doesn't take it now hears nothing: the socket is closed all the same.
            let _ = self.socket.write_vectored(&[IoSlice::new(&last_words), IoSlice::new(LAST_CHUNK)]);
        }
        let _ = self.socket.shutdown(std::net::Shutdown::Write);
    }

    fn discard_input(&mut self) -> io::Result<()> {
        discard(&mut self.subscriber.input_left, |input| self.socket.read(input))
    }
}

/// What a ring has from some batch on, asked once for all members that are there.
#[derive(Default)]
struct DueNow(Option<(BatchNumber, Due)>);

impl DueNow {
    fn from(&mut self, next: BatchNumber, subscriber: &Subscriber) -> &Due {
        if self.0.as_ref().is_none_or(|(from, _)| *from != next) {
            self.0 = None;
        }
        &self.0.get_or_insert_with(|| (next, subscriber.subscription.ring().due(next, BATCHES_AT_A_TIME))).1
    }
}

impl Reactor {
    /// Runs a reactor on a thread of its own, until its mailbox is told to stop.
    pub(super) fn start(poll: Poll, context: Arc<Context>) -> io::Result<()> {
        let running = context.tasks.token();
        let reactor = Self { poll, context, members: Slab::new(), rings: HashMap::new() };
        thread::Builder::new().name("reactor".to_owned()).spawn(move || reactor.run(running))?;
        Ok(())
    }

    /// Works until it is told to stop.
    fn run(mut self, _running: TaskTrackerToken) {
        let mut events = Events::with_capacity(EVENTS_AT_A_TIME);
        let mut swept = Instant::now();
        loop {
            let patience = (!self.members.is_empty()).then_some(SWEEP);
            match self.poll.poll(&mut events, patience) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    tracing::error!("the reactor can't wait for its sockets: {error}");
                    thread::sleep(SWEEP);
                }
                _ => {}
            }
            let now = Instant::now();
            for event in events.iter().filter(|event| event.token() != MAIL) {
                self.wake(event.token().0, event, now);
            }
            let Mail { members, mut rings, stopped } = self.context.mailbox.take();
            rings.sort_unstable();
            rings.dedup();
            rings.into_iter().for_each(|ring| self.publish(ring, now));
            members.into_iter().for_each(|member| self.add(member, now));
            if stopped {
                return self.close_all();
            }
            if now.duration_since(swept) >= SWEEP {
                swept = now;
                self.sweep(now);
            }
        }
    }
}

impl Reactor {
    fn add(&mut self, mut member: Box<Member>, now: Instant) {
        let entry = self.members.vacant_entry();
        let (key, both) = (entry.key(), Interest::READABLE | Interest::WRITABLE);
        if let Err(error) = self.poll.registry().register(&mut member.socket, Token(key), both) {
            tracing::warn!("a subscriber's socket can't be watched: {error}");
            return self.context.mailbox.left();
        }
        let ring = self.rings.entry(member.ring()).or_default();
        member.place = ring.len();
        ring.push(key);
        entry.insert(member);
        self.deliver(key, &mut DueNow::default(), now);
    }

    /// Takes a member out; its socket is no longer watched.
    fn remove(&mut self, key: usize) -> Option<Box<Member>> {
        let mut member = self.members.try_remove(key)?;
        let ring = member.ring();
        if let Some(keys) = self.rings.get_mut(&ring) {
            keys.swap_remove(member.place);
            match keys.get(member.place) {
                Some(moved) => self.members[*moved].place = member.place,
                None if keys.is_empty() => drop(self.rings.remove(&ring)),
                None => {}
            }
        }
        if let Err(error) = self.poll.registry().deregister(&mut member.socket) {
            tracing::debug!("a subscriber's socket was not watched: {error}");
        }
        self.context.mailbox.left();
        Some(member)
    }

    /// Something has happened to a socket.
    fn wake(&mut self, key: usize, event: &Event, now: Instant) {
        // An event may be about the socket that had the key before: then there is nothing to read or to write.
        let Some(member) = self.members.get_mut(key) else { return };
        if event.is_readable() && member.discard_input().is_err() || event.is_error() {
            return self.settle(key, Standing::Gone);
        }
        if event.is_writable() {
            self.deliver(key, &mut DueNow::default(), now);
        }
    }

    /// There is something new in a ring.
    fn publish(&mut self, ring: RingId, now: Instant) {
        let mut due = DueNow::default();
        // From behind, because who leaves is replaced by the last.
        for place in (0..self.rings.get(&ring).map_or(0, Vec::len)).rev() {
            let key = self.rings.get(&ring).and_then(|keys| keys.get(place).copied());
            if let Some(key) = key.filter(|key| self.members[*key].blocked_since.is_none()) {
                self.deliver(key, &mut due, now);
            }
        }
        // Once for all who were written to.
        if let Some(Due::Batches(batches)) = due.0.map(|(_, due)| due)
            && let Some(newest) = batches.last().filter(|batch| batch.events() > 0)
        {
            self.context.metrics.feed.lag(Source::Live, 0, newest.made.elapsed());
        }
    }

    fn deliver(&mut self, key: usize, due: &mut DueNow, now: Instant) {
        let standing = self.members[key].deliver(due, now);
        self.settle(key, standing);
    }

    fn settle(&mut self, key: usize, standing: Standing) {
        if let Standing::Stays = standing {
            return;
        }
        let Some(mut member) = self.remove(key) else { return };
        match standing {
            Standing::Stays | Standing::Gone => {}
            Standing::Stalled => member.subscriber.subscription.ends(&Ending::TooSlow),
            Standing::Ends(ending) => member.close(ending),
            Standing::Behind => {
                let (socket, mut subscriber) = member.leave();
                subscriber.subscription.fell_behind();
                let _runtime = self.context.runtime.enter();
                match tokio::net::TcpStream::from_std(socket) {
                    Ok(socket) => self.context.lead(Lead { socket, subscriber, opening: Bytes::new() }),
                    Err(error) => tracing::warn!("a slow subscriber is given up: {error}"),
                }
            }
        }
    }

    /// Ends what has lasted long enough, and gives up who takes nothing.
    fn sweep(&mut self, now: Instant) {
        let stall_timeout = self.context.stall_timeout;
        let judge = |member: &Member| {
            let stalled = member.blocked_since.is_some_and(|since| now.duration_since(since) >= stall_timeout);
            let over = member.subscriber.subscription.ends_at().is_some_and(|ends_at| now >= ends_at.into_std());
            match (stalled, over) {
                (true, _) => Some(Standing::Stalled),
                (false, true) => Some(Standing::Ends(Ending::Over)),
                (false, false) => None,
            }
        };
        let behind = self.members.iter().filter_map(|(_, member)| {
            let since = member.blocked_since?;
            Some((member.subscriber.subscription.behind(), now.duration_since(since)))
        });
        let slowest = behind.max().unwrap_or_default();
        self.context.metrics.feed.slowest(slowest.0, slowest.1);
        let ending: Vec<_> = self.members.iter().filter_map(|(key, member)| Some((key, judge(member)?))).collect();
        ending.into_iter().for_each(|(key, standing)| self.settle(key, standing));
    }

    fn close_all(&mut self) {
        let keys: Vec<_> = self.members.iter().map(|(key, _)| key).collect();
        keys.into_iter().for_each(|key| self.settle(key, Standing::Ends(Ending::ShuttingDown)));
    }
}
