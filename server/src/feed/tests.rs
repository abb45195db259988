use std::{collections::BTreeSet, pin::Pin, sync::atomic::Ordering};

use bytes::Bytes;
use futures_util::{FutureExt, Stream, StreamExt};
use highwater_core::{
    event::{Actor, EventType, NewEvent},
    reconcile::Message,
    sse::Decoder,
    stream::StreamName,
    version::{Epoch, Position},
};

use super::*;
use crate::store::{Commit, probe::Probe};

const ALL: &str = "**";

/// A log in a folder of its own, and a feed of it.
struct Setup {
    store: Arc<Probe>,
    feed: Feed,
    shutdown: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Setup {
    fn new(change: impl FnOnce(&mut FeedOptions)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Probe::open(folder.path()));
        let shutdown = CancellationToken::new();
        let mut options = FeedOptions::from(&Settings::default());
        change(&mut options);
        let feed = Feed::start(
            Arc::clone(&store) as Arc<dyn EventStore>,
            options,
            FeedMetrics::default(),
            None,
            shutdown.clone(),
        );
        Self { store, feed, shutdown, _folder: folder }
    }

    async fn append(&self, streams: &[&str]) {
        let event = |stream: &&str| {
            let (actor, kind) = (Actor::new("tester").unwrap(), EventType::new("note.taken.v1").unwrap());
            NewEvent::new(StreamName::new(stream).unwrap(), actor, kind).into()
        };
        let commit = Commit { events: streams.iter().map(event).collect(), ..Commit::default() };
        self.store.commit(commit).await.unwrap();
    }

    fn at(&self, number: u64) -> After {
        After::Position(Position::new(self.store.epoch(), sequence(number)))
    }

    fn read(&self, topic: &str, after: After) -> Reader {
        self.read_lagging(topic, after, Lagging::CatchUp)
    }

    fn read_lagging(&self, topic: &str, after: After, lagging: Lagging) -> Reader {
        let subscription = self.feed.subscribe(Topics::new([topic]).unwrap(), after, lagging, None);
        Reader::of(subscription)
    }
}

/// A subscriber that reads the frames that it is given.
pub(super) struct Reader {
    frames: Pin<Box<dyn Stream<Item = Bytes> + Send>>,
    decoder: Decoder,
}

/// A frame in short: its kind (an event has none), its sequence and what comes before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Short(pub(super) String, pub(super) Option<u64>, pub(super) Option<u64>);

fn event(number: u64, prev: u64) -> Option<Short> {
    Some(Short(String::new(), Some(number), Some(prev)))
}

fn control(kind: &str, number: u64, prev: u64) -> Option<Short> {
    Some(Short(kind.to_owned(), Some(number), Some(prev)))
}

impl Reader {
    pub(super) fn of(subscription: Subscription) -> Self {
        Self { frames: Box::pin(subscription.frames()), decoder: Decoder::new() }
    }

    /// The next frame but heartbeats; `None` at the end.
    async fn next(&mut self) -> Option<Short> {
        loop {
            let frame = self.any().await?;
            if frame.0 != "heartbeat" {
                return Some(frame);
            }
        }
    }

    pub(super) async fn any(&mut self) -> Option<Short> {
        loop {
            if let Some(frame) = self.decoder.next_frame().unwrap() {
                let kind = match Message::read(&frame) {
                    Message::Event(_) => String::new(),
                    _ => serde_json::from_slice::<serde_json::Value>(frame.data).unwrap()["kind"]
                        .as_str()
                        .unwrap()
                        .into(),
                };
                let position = frame.id.map(|id| Position::read(id).unwrap().sequence.get());
                return Some(Short(kind, position, frame.prev));
            }
            self.decoder.push(&self.frames.next().await?);
        }
    }

    /// The sequences of the next events, each of which must name the one before it.
    async fn events(&mut self, count: usize) -> Vec<u64> {
        let mut events: Vec<u64> = Vec::new();
        while events.len() < count {
            let Some(Short(kind, position, prev)) = self.next().await else { panic!("it ends after {events:?}") };
            if kind.is_empty() {
                assert!(events.last().is_none_or(|last| prev == Some(*last)), "{prev:?} after {events:?}");
                events.extend(position);
            }
        }
        events
    }
}

fn sequence(number: u64) -> Sequence {
    Sequence::new(number).unwrap()
}

#[tokio::test]
async fn history_and_live_are_joined_without_a_seam() {
    let setup = Setup::new(|options| options.limit.events = 1);
    setup.append(&["s:a", "s:b", "s:a"]).await;
    let mut reader = setup.read("s:a", After::Earliest);
    assert_eq!(reader.next().await, event(1, 0));
    setup.append(&["s:a"]).await;
    assert_eq!(reader.next().await, event(3, 1));
    assert_eq!(reader.next().await, control("ready", 3, 3));
    assert_eq!(reader.next().await, event(4, 3));
    setup.append(&["s:b", "s:a"]).await;
    assert_eq!(reader.events(1).await, [6]);
}

/// The head may rise between the moment a reader's place is found and its first read.
#[tokio::test]
async fn a_reader_without_history_is_told_its_place_before_anything_else() {
    let setup = Setup::new(|options| options.ring_bytes_max = 0);
    setup.append(&["s:a"]).await;
    let mut reader = setup.read(ALL, After::Latest);
    setup.append(&["s:a", "s:a"]).await;
    assert_eq!(reader.next().await, control("ready", 1, 1));
    assert_eq!(reader.next().await, event(2, 1));
    assert_eq!(reader.next().await, event(3, 2));
}

#[tokio::test]
async fn a_batch_is_entered_where_the_reader_is() {
    let setup = Setup::new(|_| {});
    let mut first = setup.read(ALL, After::Latest);
    assert_eq!(first.next().await, control("ready", 0, 0));
    setup.append(&["s:a", "s:b", "s:c"]).await;
    assert_eq!(first.events(3).await, [1, 2, 3]);
    for known in 0..3 {
        let mut second = setup.read(ALL, setup.at(known));
        let rest = second.events(3 - known as usize).await;
        assert_eq!(rest, (known + 1..=3).collect::<Vec<_>>());
        assert_eq!(second.next().await, control("ready", 3, 3));
    }
}

/// A ring that keeps nothing, something or everything: it makes no difference to what is read.
#[tokio::test]
async fn a_reader_is_told_where_its_ring_began_before_an_event_names_that() {
    let setup = Setup::new(|options| options.limit.events = 1);
    setup.append(&["a:1", "b:1"]).await;
    let mut first = setup.read("a:*", setup.at(2));
    assert_eq!(first.next().await, control("ready", 2, 2));
    setup.append(&["a:1"]).await;
    assert_eq!(first.next().await, event(3, 2));
    let mut second = setup.read("a:*", After::Earliest);
    assert_eq!(second.any().await, event(1, 0));
    assert_eq!(second.any().await, control("heartbeat", 2, 1));
    assert_eq!(second.any().await, event(3, 2));
}

#[tokio::test]
async fn every_subscriber_gets_everything_in_order_whatever_a_ring_keeps() {
    const EVENTS: usize = 300;
    for ring_bytes_max in [0, 2_000, usize::MAX] {
        let setup = Setup::new(|options| {
            options.ring_bytes_max = ring_bytes_max;
            options.limit.events = 7;
        });
        let begins: [usize; 4] = [0, 0, 40, 90];
        let readers = begins.map(|begin| {
            let mut reader = setup.read("s:*", setup.at(0));
            async move {
                let mut events = reader.events(begin.max(1)).await;
                tokio::task::yield_now().await;
                events.extend(reader.events(EVENTS - events.len()).await);
                events
            }
        });
        let appending = async {
            for _ in 0..EVENTS / 3 {
                setup.append(&["s:a", "s:b", "s:c"]).await;
            }
        };
        let (read, ()) = tokio::join!(futures_util::future::join_all(readers), appending);
        for events in read {
            assert_eq!(events, (1..=EVENTS as u64).collect::<Vec<_>>(), "a ring of {ring_bytes_max} bytes");
        }
    }
}

#[tokio::test]
async fn a_ring_goes_with_its_last_subscriber() {
    let setup = Setup::new(|_| {});
    let (mut one, mut two, other) =
        (setup.read("s:a", After::Latest), setup.read("s:a", After::Latest), setup.read("s:*", After::Latest));
    assert_eq!(setup.feed.size().0, 2);
    setup.append(&["s:a"]).await;
    assert_eq!((one.events(1).await, two.events(1).await), (vec![1], vec![1]));
    assert!(setup.feed.size().1 > 0);
    drop((one, other));
    assert_eq!(setup.feed.size().0, 1);
    drop(two);
    assert_eq!(setup.feed.size(), (0, 0));
}

#[tokio::test]
async fn all_rings_together_keep_within_their_budget() {
    const BUDGET: usize = 20_000;
    let setup = Setup::new(|options| options.rings_bytes_max = BUDGET);
    let streams: Vec<String> = (0..50).map(|number| format!("s:{number}")).collect();
    let mut readers: Vec<_> = streams.iter().map(|stream| setup.read(stream, After::Latest)).collect();
    for _ in 0..10 {
        setup.append(&streams.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    for reader in &mut readers {
        assert_eq!(reader.events(10).await.len(), 10);
        assert!(setup.feed.size().1 <= BUDGET, "{:?}", setup.feed.size());
    }
}

#[tokio::test]
async fn heartbeats_are_within_the_budget_too() {
    const BUDGET: usize = 20_000;
    let setup = Setup::new(|options| {
        options.rings_bytes_max = BUDGET;
        options.heartbeat = Duration::from_millis(2);
        options.head_heartbeat = Duration::from_millis(1);
    });
    let mut readers: Vec<_> = (0..50).map(|number| setup.read(&format!("s:{number}"), After::Latest)).collect();
    for _ in 0..20 {
        assert!(readers[0].any().await.is_some());
        assert!(setup.feed.size().1 <= BUDGET, "{:?}", setup.feed.size());
    }
}

#[tokio::test]
async fn who_prefers_the_latest_is_told_what_it_missed() {
    let setup = Setup::new(|options| options.ring_bytes_max = 0);
    let mut reader = setup.read_lagging(ALL, After::Latest, Lagging::Latest);
    assert_eq!(reader.next().await, control("ready", 0, 0));
    assert!(reader.next().now_or_never().is_none(), "it is live");
    setup.append(&["s:a", "s:a"]).await;
    let Some(Short(kind, Some(to), Some(0))) = reader.next().await else { panic!("nothing was skipped") };
    assert_eq!(kind, "skipped");
    assert!((1..=2).contains(&to), "{to}");
}

#[tokio::test]
async fn who_prefers_to_leave_is_sent_away() {
    let setup = Setup::new(|options| options.ring_bytes_max = 0);
    let mut reader = setup.read_lagging(ALL, After::Latest, Lagging::Disconnect);
    assert_eq!(reader.next().await, control("ready", 0, 0));
    assert!(reader.next().now_or_never().is_none(), "it is live");
    setup.append(&["s:a"]).await;
    assert_eq!(reader.next().await, Some(Short("goodbye".to_owned(), None, None)));
    assert_eq!(reader.next().await, None);
}

#[tokio::test]
async fn a_quiet_ring_hears_that_the_log_has_grown_and_that_the_server_lives() {
    let setup = Setup::new(|options| {
        options.heartbeat = Duration::from_millis(20);
        options.head_heartbeat = Duration::from_millis(5);
    });
    let mut reader = setup.read("s:quiet", After::Latest);
    assert_eq!(reader.next().await, control("ready", 0, 0));
    setup.append(&["s:a", "s:a"]).await;
    let mut told = BTreeSet::new();
    while !told.contains(&2) {
        let Some(Short(kind, Some(position), Some(0))) = reader.any().await else { panic!("no heartbeat") };
        assert_eq!(kind, "heartbeat");
        told.insert(position);
    }
    assert_eq!(reader.any().await, control("heartbeat", 2, 0), "it is told again when nothing happens");
}

/// More foreign events than the store looks at in one go.
#[tokio::test]
async fn a_long_search_tells_how_far_it_is() {
    const FOREIGN: u64 = 25_000;
    let setup = Setup::new(|options| options.head_heartbeat = Duration::ZERO);
    for _ in 0..FOREIGN / 1_000 {
        setup.append(&["s:busy"; 1_000]).await;
    }
    setup.append(&["t:a"]).await;
    let mut reader = setup.read("t:*", After::Earliest);
    let Some(Short(kind, Some(through), Some(0))) = reader.any().await else { panic!("nothing is told") };
    assert_eq!(kind, "heartbeat");
    assert!((1..FOREIGN).contains(&through), "{through}");
    assert_eq!(reader.next().await, event(FOREIGN + 1, 0));
    assert_eq!(reader.next().await, control("ready", FOREIGN + 1, FOREIGN + 1));
    assert_eq!(setup.read("t:*", setup.at(through)).next().await, event(FOREIGN + 1, through));
}

#[tokio::test]
async fn a_log_that_cannot_be_read_ends_a_subscription_and_not_the_feed() {
    let setup = Setup::new(|_| {});
    let mut live = setup.read(ALL, After::Latest);
    assert_eq!(live.next().await, control("ready", 0, 0));
    setup.store.fails.store(true, Ordering::Relaxed);
    setup.append(&["s:a"]).await;
    assert_eq!(live.next().await, Some(Short("error".to_owned(), None, None)));
    assert_eq!(live.next().await, None);
    let mut history = setup.read(ALL, After::Earliest);
    assert_eq!(history.next().await, Some(Short("error".to_owned(), None, None)));

    setup.store.fails.store(false, Ordering::Relaxed);
    let mut next = setup.read(ALL, After::Earliest);
    assert_eq!(next.next().await, event(1, 0));
    setup.append(&["s:a"]).await;
    assert_eq!(next.events(1).await, [2]);
    assert_eq!(setup.feed.size().0, 1, "nothing is kept of the rings that ended");
}

#[tokio::test]
async fn a_subscription_ends_with_the_server_and_with_its_time() {
    let setup = Setup::new(|_| {});
    let topics = Topics::everything();
    let ends_at = Some(Instant::now());
    let over = setup.feed.subscribe(topics, After::Latest, Lagging::CatchUp, ends_at);
    let mut over = Reader::of(over);
    let goodbye = Some(Short("goodbye".to_owned(), None, None));
    assert_eq!((over.next().await, over.next().await), (goodbye.clone(), None));

    let mut live = setup.read(ALL, After::Latest);
    assert_eq!(live.next().await, control("ready", 0, 0));
    setup.shutdown.cancel();
    assert_eq!((live.next().await, live.next().await), (goodbye, None));
}

#[tokio::test]
async fn cursors_are_judged_against_the_log() {
    let setup = Setup::new(|_| {});
    setup.append(&["s:a", "s:a"]).await;
    let (store, epoch) = (&*setup.store, setup.store.epoch());
    let other = Epoch::from_bits(if epoch == Epoch::from_bits(7) { 8 } else { 7 });
    assert_eq!(locate(store, After::Earliest), Ok(Sequence::ZERO));
    assert_eq!(locate(store, After::Latest), Ok(sequence(2)));
    assert_eq!(locate(store, setup.at(2)), Ok(sequence(2)));
    let ahead = Lost { reason: ResetReason::CursorAhead, resume: sequence(2) };
    assert_eq!(locate(store, setup.at(3)), Err(ahead));
    let foreign = Lost { reason: ResetReason::EpochChanged, resume: Sequence::ZERO };
    assert_eq!(locate(store, After::Position(Position::new(other, sequence(1)))), Err(foreign));
}
