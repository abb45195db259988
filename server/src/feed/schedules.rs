//! The seam under every order of events that can be found: a log that grows and now and then can't be read, the tail that follows it, and
//! readers who come, fall behind, go and come back. Who waits for ever is found, too.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::{future::join_all, stream};
use highwater_core::{
    stream::StreamName,
    version::{Epoch, Position, Revision},
};
use shuttle::{
    future::{block_on, spawn, yield_now},
    rand::{Rng, thread_rng},
};
use tokio::sync::watch;

use super::{
    tests::{Reader, Short},
    *,
};
use crate::{
    store::{
        At, CommandIdentity, Commit, CommitError, Committed, LogPage, RecordedCommand, Stored, StreamPage, Unavailable,
    },
    sync::explore,
    telemetry::StoreMetrics,
};

const ORDERS: usize = 2_000;
/// The last event. Every reader wants it.
const LAST: u64 = 7;

fn stream_of(sequence: u64) -> &'static str {
    if sequence.is_multiple_of(3) { "s:b" } else { "s:a" }
}

/// What nobody need wait for a thread for, as the store's own reads do.
struct Log {
    events: Mutex<Vec<Stored>>,
    head: watch::Sender<Sequence>,
}

impl Log {
    fn append(&self) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let number = events.len() as u64 + 1;
        let (sequence, stream) = (Sequence::new(number).unwrap(), stream_of(number));
        let envelope =
            format!(r#"{{"subject":"{stream}","sequence":"{number:016}","revision":{number},"version":0}}"#).into();
        events.push(Stored { sequence, envelope, is_checked: true });
        self.head.send_replace(sequence);
    }

    fn page(&self, topics: &Topics, after: Sequence, limit: ReadLimit) -> LogPage {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = |event: &&Stored| event.sequence > after && topics.matches(stream_of(event.sequence.get()));
        let page: Vec<_> = events.iter().filter(wanted).take(limit.events).cloned().collect();
        let head = *self.head.borrow();
        let next = page.last().filter(|_| page.len() == limit.events).map_or(head, |last| last.sequence);
        LogPage { events: page, next, head }
    }
}

/// Reads until the last event has come. What is told must be all that there is of the topic, in order.
async fn read(feed: Feed, topic: &'static str, mut after: After) {
    let topics = Topics::new([topic]).unwrap();
    let mut cursor = if after == After::Latest { None } else { Some(0) };
    while cursor != Some(LAST) {
        let mut reader = Reader::of(feed.subscribe(topics.clone(), after, Lagging::CatchUp, None));
        while let Some(Short(kind, at, prev)) = reader.any().await {
            let at = match (&*kind, at) {
                ("error", _) => continue,
                (_, at) => at.expect("a place"),
            };
            let known = cursor.unwrap_or(at);
            let is_wanted = |number: &u64| topics.matches(stream_of(*number));
            assert_eq!((known + 1..=at).find(is_wanted), kind.is_empty().then_some(at), "{kind} after {known}");
            let before = (1..=known).rev().find(is_wanted).unwrap_or_default();
            assert!(prev.is_some_and(|prev| (before..=known).contains(&prev)), "{kind} at {at}: {prev:?}");
            cursor = Some(at);
            if cursor == Some(LAST) || thread_rng().gen_ratio(1, 8) {
                break;
            }
        }
        if let Some(cursor) = cursor {
            after = After::Position(Position::new(feed.tail.store.epoch(), Sequence::new(cursor).unwrap()));
        }
    }
}

fn feed(log: &Arc<Log>) -> Feed {
    let mut options = FeedOptions::from(&Settings::default());
    // A page of two, rings of a batch or two.
    (options.limit.events, options.ring_bytes_max, options.rings_bytes_max) = (2, 900, 1_500);
    let store = Arc::clone(log) as Arc<dyn EventStore>;
    let tail = Arc::new(Tail::new(store, options, FeedMetrics::default(), None));
    Feed { tail, shutdown: CancellationToken::new(), _running: Arc::new(CancellationToken::new().drop_guard()) }
}

#[test]
fn every_reader_gets_all_of_its_topics_once_and_in_order() {
    explore(ORDERS, || {
        block_on(async {
            let log = Arc::new(Log { events: Mutex::default(), head: watch::Sender::new(Sequence::ZERO) });
            let (feed, stop) = (feed(&log), CancellationToken::new());
            let following = spawn({
                let (tail, stop) = (Arc::clone(&feed.tail), stop.clone());
                let ticks = stream::poll_fn(|_| match thread_rng().gen_ratio(1, 4) {
                    true => std::task::Poll::Ready(Some(Duration::ZERO)),
                    false => std::task::Poll::Pending,
                });
                async move { stop.run_until_cancelled(tail.follow(ticks)).await }
            });
            let writing = spawn(async move {
                for _ in 0..LAST {
                    log.append();
                    yield_now().await;
                }
            });
            let readers = [("**", After::Earliest), ("s:a", After::Latest), ("s:*", After::Earliest)];
            join_all(readers.map(|(topic, after)| spawn(read(feed.clone(), topic, after)))).await;
            writing.await.unwrap();
            stop.cancel();
            following.await.unwrap();
            assert_eq!((feed.size(), feed.subscriptions()), ((0, 0), 0), "rings go with their readers");
        });
    });
}

#[async_trait]
impl EventStore for Log {
    fn epoch(&self) -> Epoch {
        Epoch::from_bits(1)
    }

    fn head(&self) -> watch::Receiver<Sequence> {
        self.head.subscribe()
    }

    async fn read_log(&self, topics: &Topics, after: Sequence, limit: ReadLimit) -> Result<LogPage, Unavailable> {
        yield_now().await;
        let page = self.page(topics, after, limit);
        yield_now().await;
        if thread_rng().gen_ratio(1, 8) {
            return Err(Unavailable { reason: "the test says so".into() });
        }
        Ok(page)
    }

    async fn commit(&self, _: Commit) -> Result<Committed, CommitError> {
        unreachable!("a feed only reads")
    }

    async fn read_stream(&self, _: &StreamName, _: Revision, _: ReadLimit) -> Result<Option<StreamPage>, Unavailable> {
        unreachable!("a feed reads the log")
    }

    async fn command(&self, _: CommandIdentity) -> Result<Option<RecordedCommand>, Unavailable> {
        unreachable!("a feed knows no commands")
    }

    async fn revision_at(&self, _: &StreamName, _: At) -> Result<Option<Revision>, Unavailable> {
        unreachable!("a feed knows no revisions")
    }

    fn metrics(&self) -> StoreMetrics {
        StoreMetrics::default()
    }

    async fn check_writable(&self) -> Result<(), Unavailable> {
        Ok(())
    }

    async fn close(&self) {}
}
