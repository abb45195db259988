//! [`Tail`]: reads the end of the log once for everybody, and publishes it in the rings of those who want it.

use std::{
    collections::{BTreeMap, HashMap},
    mem,
    sync::Arc,
    time::Duration,
};

use futures_util::{Stream, StreamExt};
use highwater_core::{
    envelope::scan,
    mutation::{Mutation, mutated},
    topic::Topics,
    version::{Epoch, Sequence},
};
use tokio::{
    sync::{Notify, watch},
    task::yield_now,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_stream::wrappers::IntervalStream;
use tokio_util::sync::CancellationToken;

use super::{
    FeedOptions,
    batch::Batch,
    index::Index,
    ring::{Budget, Ring, RingId},
};
use crate::{
    store::{EventStore, LogPage, Stored, Unavailable},
    sync::{Mutex, MutexGuard, PoisonError},
    telemetry::FeedMetrics,
};

/// After so many rings the tail lets others run.
const RINGS_AT_A_TIME: usize = 64;

/// Is told that there is something new in these rings.
pub(crate) trait Listener: Send + Sync + 'static {
    /// Takes note, without waiting.
    fn published(&self, rings: &[RingId]);
}

/// See the [module](self).
pub(super) struct Tail {
    pub(super) store: Arc<dyn EventStore>,
    pub(super) options: FeedOptions,
    pub(super) metrics: FeedMetrics,
    state: Mutex<State>,
    /// Up to here all rings have what they want.
    reached: watch::Sender<Sequence>,
    budget: Arc<Budget>,
    /// There is a ring again.
    needed: Notify,
    listener: Option<Arc<dyn Listener>>,
}

struct State {
    /// In an order, so that whoever is told is told in the same one each time.
    rings: BTreeMap<Topics, Entry>,
    index: Index,
    /// Up to here the log has been read. A new ring begins here.
    read: Sequence,
    next_id: u64,
}

struct Entry {
    ring: Arc<Ring>,
    members: usize,
}

/// A subscriber's hold on its ring: the ring goes with the last of them.
pub(super) struct Membership {
    tail: Arc<Tail>,
    pub(super) ring: Arc<Ring>,
}

impl Tail {
    /// A tail without rings. [`Self::run`] is to be driven beside it.
    pub(super) fn new(
        store: Arc<dyn EventStore>,
        options: FeedOptions,
        metrics: FeedMetrics,
        listener: Option<Arc<dyn Listener>>,
    ) -> Self {
        let read = *store.head().borrow();
        Self {
            budget: Arc::new(Budget::new(options.rings_bytes_max, options.ring_bytes_max)),
            state: Mutex::new(State { rings: BTreeMap::new(), index: Index::default(), read, next_id: 0 }),
            reached: watch::Sender::new(read),
            needed: Notify::new(),
            store,
            options,
            metrics,
            listener,
        }
    }

    /// Joins the ring of these topics, which is made if there is none.
    pub(super) fn join(self: &Arc<Self>, topics: Topics) -> Membership {
        let mut state = self.lock();
        if state.rings.is_empty() {
            // Nobody wanted what came meanwhile.
            state.read = state.read.max(*self.store.head().borrow());
            self.raise(state.read);
        }
        let state = &mut *state;
        let entry = state.rings.entry(topics).or_insert_with_key(|topics| {
            let id = RingId(state.next_id);
            state.next_id += 1;
            let ring =
                Arc::new(Ring::new(id, topics.clone(), state.read, Arc::clone(&self.budget), self.metrics.ring()));
            state.index.insert(&ring);
            Entry { ring, members: 0 }
        });
        entry.members += 1;
        self.needed.notify_one();
        Membership { tail: Arc::clone(self), ring: Arc::clone(&entry.ring) }
    }

    /// Up to here all rings have what they want. Changes, too, when rings end.
    pub(super) fn reached(&self) -> watch::Receiver<Sequence> {
        self.reached.subscribe()
    }

    fn raise(&self, to: Sequence) {
        self.reached.send_if_modified(|reached| mem::replace(reached, to.max(*reached)) < to);
    }

    /// Reads a page of history.
    pub(super) async fn read(&self, topics: &Topics, after: Sequence) -> Result<LogPage, Unavailable> {
        self.store.read_log(topics, after, self.options.limit).await
    }

    /// The log's generation.
    pub(super) fn epoch(&self) -> Epoch {
        self.store.epoch()
    }

    /// How many subscribers all rings have.
    pub(super) fn members(&self) -> usize {
        self.lock().rings.values().map(|entry| entry.members).sum()
    }

    /// How many rings there are, and how many bytes they hold.
    pub(super) fn size(&self) -> (usize, usize) {
        self.budget.size()
    }

    /// Follows the log while there are rings, until `stop`.
    pub(super) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let tick = self.options.heartbeat.min(self.options.head_heartbeat);
        let mut ticks = interval(tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let ticks = IntervalStream::new(ticks).map(|_| tick);
        stop.run_until_cancelled(self.follow(ticks)).await;
    }

    /// Each tick says how long it is until the next.
    pub(super) async fn follow(&self, mut ticks: impl Stream<Item = Duration> + Unpin) {
        let everything = Topics::everything();
        let mut head = self.store.head();
        loop {
            let Some(read) = self.next_read() else {
                self.needed.notified().await;
                continue;
            };
            tokio::select! {
                biased;
                Some(tick) = ticks.next() => self.beat(tick).await,
                grown = grown(&mut head, read) => {
                    let page = match grown {
                        true => self.store.read_log(&everything, read, self.options.limit).await,
                        false => Err(Unavailable { reason: "it is not written any more".into() }),
                    };
                    match page {
                        Ok(page) => self.publish(read, page).await,
                        Err(why) => self.end(&why),
                    }
                }
            }
        }
    }

    /// Where to read on; `None` while nobody wants to know.
    fn next_read(&self) -> Option<Sequence> {
        let state = self.lock();
        (!state.rings.is_empty()).then_some(state.read)
    }

    /// Puts a page that begins after `read` into the rings that want it.
    async fn publish(&self, read: Sequence, page: LogPage) {
        let Some(wanted) = self.sort(read, &page) else { return };
        let epoch = self.store.epoch();
        let mut published = Vec::with_capacity(wanted.len());
        for (ring, events) in wanted {
            self.put(&ring, |last| Batch::of_events(epoch, last, events.iter().copied()));
            published.push(ring.id);
            if published.len() % RINGS_AT_A_TIME == 0 {
                yield_now().await;
            }
        }
        self.raise(page.next);
        self.tell(&published);
    }

    /// Which rings want which events of a page. From now on new rings begin behind it. `None` if the page is about a part
    /// of the log that nobody wanted.
    fn sort<'a>(&self, read: Sequence, page: &'a LogPage) -> Option<Vec<(Arc<Ring>, Vec<&'a Stored>)>> {
        let mut state = self.lock();
        if state.read != read {
            return None;
        }
        state.read = page.next;
        let mut places: HashMap<RingId, usize> = HashMap::new();
        let mut wanted: Vec<(Arc<Ring>, Vec<&Stored>)> = Vec::new();
        for event in &page.events {
            let Some(stream) = stream_of(event) else {
                tracing::error!(sequence = event.sequence.get(), "an event of the log has no readable header");
                continue;
            };
            state.index.find(&stream, &mut |ring| {
                let place = *places.entry(ring.id).or_insert_with(|| {
                    wanted.push((Arc::clone(ring), Vec::new()));
                    wanted.len() - 1
                });
                let events = &mut wanted[place].1;
                // Several topics of one set may want it.
                if events.last().is_none_or(|last| last.sequence < event.sequence) {
                    events.push(event);
                }
            });
        }
        Some(wanted)
    }

    /// Puts a batch into a ring, and makes room for it where all hold too much: first in that ring, then in all.
    fn put(&self, ring: &Ring, make: impl FnOnce(Sequence) -> Batch) {
        ring.publish(make);
        if self.budget.is_exceeded() {
            let share = self.budget.share();
            ring.shrink(share);
            if self.budget.is_exceeded() {
                self.lock().rings.values().for_each(|entry| entry.ring.shrink(share));
            }
        }
    }

    /// Tells rings where nothing came that the log has grown, or at least that the server lives.
    async fn beat(&self, tick: Duration) {
        let silence = self.options.heartbeat.saturating_sub(tick);
        let told = if mutated(Mutation::TellHead) { self.store.head() } else { self.reached() };
        let (now, reached, epoch) = (Instant::now(), *told.borrow(), self.store.epoch());
        let rings: Vec<_> = self.lock().rings.values().map(|entry| Arc::clone(&entry.ring)).collect();
        let mut published = Vec::new();
        for (at, ring) in rings.iter().enumerate() {
            let (told, since) = ring.told();
            if told < reached || now.saturating_duration_since(since) >= silence {
                self.put(ring, |last| Batch::of_heartbeat(epoch, last, told.max(reached)));
                published.push(ring.id);
            }
            if (at + 1) % RINGS_AT_A_TIME == 0 {
                yield_now().await;
            }
        }
        self.tell(&published);
    }

    /// The log can't be read: who waits for it is told, and whoever comes next makes us try again.
    fn end(&self, why: &Unavailable) {
        let rings = {
            let mut state = self.lock();
            state.index = Index::default();
            // At once: who joins next raises what is reached above what these have, and their readers would believe it.
            state.rings.values().for_each(|entry| entry.ring.end(why.clone()));
            mem::take(&mut state.rings)
        };
        self.reached.send_modify(|_| {});
        self.tell(&rings.values().map(|entry| entry.ring.id).collect::<Vec<_>>());
    }

    fn tell(&self, rings: &[RingId]) {
        if let (Some(listener), false) = (&self.listener, rings.is_empty()) {
            listener.published(rings);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Membership {
    pub(super) fn tail(&self) -> &Arc<Tail> {
        &self.tail
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut state = self.tail.lock();
        let State { rings, index, .. } = &mut *state;
        // Another ring may have the topics by now, if this one ended.
        let Some(entry) = rings.get_mut(&self.ring.topics).filter(|entry| entry.ring.id == self.ring.id) else {
            return;
        };
        entry.members -= 1;
        if entry.members == 0 {
            index.remove(&self.ring.topics, self.ring.id);
            rings.remove(&self.ring.topics);
        }
    }
}

/// Waits until the head is above; `false` if the log is closed.
async fn grown(head: &mut watch::Receiver<Sequence>, read: Sequence) -> bool {
    head.wait_for(|head| *head > read).await.is_ok()
}

/// The name of an event's stream.
fn stream_of(event: &Stored) -> Option<String> {
    scan(&event.envelope).ok()?.stream.decode()
}
