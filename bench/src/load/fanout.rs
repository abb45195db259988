//! Many subscribers and one poster.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mio::{Events, Poll, Token};

use super::{Latencies, Outcome, poster::Poster, subscriber::Subscriber, transport::Target};
use crate::event::{BATCH, BATCH_EVENTS_MAX, Stamp, batch};

/// How many subscribers may wait for the beginning of their answers at a time.
const OPENING_MAX: usize = 128;
/// Once nothing has come for so long, what opening the subscribers set off is over.
const QUIET: Duration = Duration::from_millis(500);
const READ_BYTES: usize = 256 * 1024;

/// The subscribers of one server, all with the same topics.
pub(super) struct Fanout {
    poll: Poll,
    ready: Events,
    buffer: Vec<u8>,
    subscribers: Vec<Subscriber>,
    poster: Poster,
    clock: Instant,
    /// The number of the next event to post.
    next: u32,
    silence_max: Duration,
}

impl Fanout {
    /// Opens the subscribers, and waits until all are served and nothing more comes.
    pub(super) fn open(target: Target, subscribers: usize, silence_max: Duration) -> Result<Self> {
        let poll = Poll::new()?;
        let poster = Poster::open(&target, poll.registry(), Token(subscribers))?;
        let mut fanout = Self {
            poll,
            ready: Events::with_capacity(1_024),
            buffer: vec![0; READ_BYTES],
            subscribers: Vec::with_capacity(subscribers),
            poster,
            clock: Instant::now(),
            next: 0,
            silence_max,
        };
        let mut begun = 0;
        while begun < subscribers {
            while fanout.subscribers.len() < subscribers.min(begun + OPENING_MAX) {
                let token = Token(fanout.subscribers.len());
                let subscriber = Subscriber::open(&target, fanout.poll.registry(), token)
                    .with_context(|| format!("subscriber {} of {subscribers}", token.0))?;
                fanout.subscribers.push(subscriber);
            }
            ensure!(fanout.go_on(silence_max, |_| {})?, "{} subscribers get no answer", subscribers - begun);
            begun = fanout.subscribers.iter().filter(|subscriber| subscriber.has_begun()).count();
        }
        while fanout.go_on(QUIET, |_| {})? {}
        Ok(fanout)
    }

    /// Posts events, at a pace or all at once, and waits until every subscriber has each of them.
    pub(super) fn publish(&mut self, events: u32, per_second: Option<u32>) -> Result<Outcome> {
        let deliveries = events as usize * self.subscribers.len();
        let mut latencies = Latencies::expecting(deliveries)?;
        let (first, clock, started) = (self.next, self.clock, Instant::now());
        let due_at = |event: u32| per_second.map_or(started, |rate| started + Duration::from_secs(1) * event / rate);
        let (mut progress, mut progress_at, mut last_delivery) = ((0, 0, 0), started, started);
        loop {
            let posted = self.next - first;
            let now = Instant::now();
            let due = (posted..events).take_while(|event| due_at(*event) <= now).count().try_into()?;
            self.post(due)?;
            let posted = posted + due;
            if posted == events && latencies.count() == deliveries && self.poster.unanswered() == 0 {
                return latencies.outcome(last_delivery - started);
            }
            // Heartbeats are none.
            let now_done = (posted, latencies.count(), self.poster.unanswered());
            if std::mem::replace(&mut progress, now_done) != now_done {
                progress_at = now;
            }
            let silence_left = self.silence_max.saturating_sub(now - progress_at);
            ensure!(
                posted < events || !silence_left.is_zero(),
                "{} of {deliveries} deliveries are missing",
                deliveries - latencies.count()
            );
            let patience = if posted < events { due_at(posted).saturating_duration_since(now) } else { silence_left };
            self.go_on(patience, |stamp| {
                last_delivery = Instant::now();
                latencies.add(((last_delivery - clock).as_micros() as u64).saturating_sub(stamp.sent_us));
            })?;
        }
    }

    fn post(&mut self, events: u32) -> Result<()> {
        let (from, through) = (self.next, self.next.checked_add(events).context("too many events")?);
        self.next = through;
        for first in (from..through).step_by(BATCH_EVENTS_MAX as usize) {
            let numbers = first..through.min(first + BATCH_EVENTS_MAX);
            let sent_us = self.clock.elapsed().as_micros() as u64;
            self.poster.post(BATCH, &batch(numbers.map(|number| Stamp { number, sent_us })))?;
        }
        Ok(())
    }

    /// Waits for what comes, and takes it; `false` if nothing came in time.
    fn go_on(&mut self, patience: Duration, mut took: impl FnMut(Stamp)) -> Result<bool> {
        let Self { poll, ready, buffer, subscribers, poster, .. } = self;
        poll.poll(ready, Some(patience))?;
        for event in ready.iter() {
            let Token(at) = event.token();
            match subscribers.get_mut(at) {
                Some(subscriber) => {
                    subscriber.go_on(buffer, &mut took).with_context(|| format!("subscriber {at}"))?;
                }
                None => drop(poster.go_on(buffer)?),
            }
        }
        Ok(!ready.is_empty())
    }
}
