//! [`Reactor`]: one thread that writes what is published to every socket that is live.
//!
//! A batch is the same bytes for all subscribers of a ring, so a delivery is one `write` of shared memory. A socket that
//! takes no more keeps the rest of the batch it is in, and nothing else; when it takes bytes again, it goes on in its ring,
//! or, should the ring have let go of what it needs, leaves for the log.

use std::{
    collections::HashMap,
    io,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use mio::{Events, Poll, event::Event};
use slab::Slab;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::{
    Context,
    lead::Lead,
    mailbox::{MAIL, Mail},
    member::{Member, Round, Seat, Standing},
};
use crate::{
    feed::{Ending, RingId},
    telemetry::Source,
};

const EVENTS_AT_A_TIME: usize = 1024;
/// How often deadlines are looked at.
const SWEEP: Duration = Duration::from_secs(1);

/// See the [module](self).
pub(super) struct Reactor {
    poll: Poll,
    context: Arc<Context>,
    /// Boxed, so that making room for more does not copy those that are there.
    members: Slab<Box<Member>>,
    /// None is empty.
    rings: HashMap<RingId, Vec<Seat>>,
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
            members.into_iter().for_each(|(seat, member)| self.add(seat, member, now));
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
    fn add(&mut self, mut seat: Seat, mut member: Box<Member>, now: Instant) {
        let entry = self.members.vacant_entry();
        let key = entry.key();
        seat.key = key;
        if let Err(error) = seat.watch(self.poll.registry()) {
            tracing::warn!("a subscriber's socket can't be watched: {error}");
            return self.context.mailbox.left();
        }
        let seats = self.rings.entry(member.ring().id).or_default();
        member.place = seats.len();
        seats.push(seat);
        entry.insert(member);
        self.deliver(key, now);
    }

    /// Takes a member out; its socket is no longer watched.
    fn remove(&mut self, key: usize) -> Option<(Seat, Box<Member>)> {
        let mut member = self.members.try_remove(key)?;
        let (ring, place) = (member.ring().id, member.place);
        let seats = self.rings.get_mut(&ring)?;
        let mut seat = seats.swap_remove(place);
        match seats.get(place) {
            Some(moved) => self.members[moved.key].place = place,
            None if seats.is_empty() => drop(self.rings.remove(&ring)),
            None => {}
        }
        if let Err(error) = seat.unwatch(self.poll.registry()) {
            tracing::debug!("a subscriber's socket was not watched: {error}");
        }
        member.arrive(seat.reached);
        self.context.mailbox.left();
        Some((seat, member))
    }

    /// Something has happened to a socket.
    fn wake(&mut self, key: usize, event: &Event, now: Instant) {
        // An event may be about the socket that had the key before: then there is nothing to read or to write.
        let Some((seat, member)) = seated(&mut self.members, &mut self.rings, key) else { return };
        if event.is_readable() && seat.discard_input(member).is_err() || event.is_error() {
            return self.settle(key, Standing::Gone);
        }
        if event.is_writable() {
            self.deliver(key, now);
        }
    }

    /// There is something new in a ring.
    fn publish(&mut self, ring: RingId, now: Instant) {
        let Some(seats) = self.rings.get_mut(&ring) else { return };
        let Some(shared) = seats.first().map(|seat| Arc::clone(self.members[seat.key].ring())) else { return };
        let mut round = Round::new(&shared);
        let mut leaving = Vec::new();
        for seat in seats.iter_mut().filter(|seat| !seat.is_blocked) {
            match seat.deliver(&mut self.members[seat.key], &mut round, now) {
                Standing::Stays => {}
                standing => leaving.push((seat.key, standing)),
            }
        }
        // Once for all who were written to.
        if let Some(newest) = round.finish(&self.context.metrics.feed) {
            self.context.metrics.feed.lag(Source::Live, 0, newest.made.elapsed());
        }
        leaving.into_iter().for_each(|(key, standing)| self.settle(key, standing));
    }

    /// Gives one member what is due.
    fn deliver(&mut self, key: usize, now: Instant) {
        let Some((seat, member)) = seated(&mut self.members, &mut self.rings, key) else { return };
        let ring = Arc::clone(member.ring());
        let mut round = Round::new(&ring);
        let standing = seat.deliver(member, &mut round, now);
        round.finish(&self.context.metrics.feed);
        self.settle(key, standing);
    }

    fn settle(&mut self, key: usize, standing: Standing) {
        if let Standing::Stays = standing {
            return;
        }
        let Some((seat, mut member)) = self.remove(key) else { return };
        match standing {
            Standing::Stays | Standing::Gone => {}
            Standing::Stalled => member.ends_stalled(),
            Standing::Ends(ending) => seat.close(*member, ending),
            Standing::Behind => {
                let mut subscriber = member.into_subscriber();
                subscriber.subscription.fell_behind();
                let _runtime = self.context.runtime.enter();
                match tokio::net::TcpStream::from_std(seat.into_socket()) {
                    Ok(socket) => self.context.lead(Lead { socket, subscriber, opening: Bytes::new() }),
                    Err(error) => tracing::warn!("a slow subscriber is given up: {error}"),
                }
            }
        }
    }

    /// Ends what has lasted long enough, and gives up who takes nothing.
    fn sweep(&mut self, now: Instant) {
        let slowest = self.members.iter().filter_map(|(_, member)| member.behind(now)).max().unwrap_or_default();
        self.context.metrics.feed.slowest(slowest.0, slowest.1);
        let stall_timeout = self.context.stall_timeout;
        let judged = self.members.iter().map(|(key, member)| (key, member.judge(now, stall_timeout)));
        let ending: Vec<_> = judged.filter(|(_, standing)| !matches!(standing, Standing::Stays)).collect();
        ending.into_iter().for_each(|(key, standing)| self.settle(key, standing));
    }

    fn close_all(&mut self) {
        let keys: Vec<_> = self.members.iter().map(|(key, _)| key).collect();
        keys.into_iter().for_each(|key| self.settle(key, Standing::Ends(Ending::ShuttingDown)));
    }
}

/// A member and its seat.
fn seated<'a>(
    members: &'a mut Slab<Box<Member>>,
    rings: &'a mut HashMap<RingId, Vec<Seat>>,
    key: usize,
) -> Option<(&'a mut Seat, &'a mut Member)> {
    let member = members.get_mut(key)?;
    let seat = rings.get_mut(&member.ring().id)?.get_mut(member.place)?;
    Some((seat, member))
}
