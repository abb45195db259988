use std::pin::pin;

use futures_util::{FutureExt, StreamExt};
use highwater_core::{
    event::{Actor, EventType, NewEvent},
    stream::StreamName,
    version::{Epoch, Position},
};

use super::*;
use crate::store::{
    Commit,
    sqlite::{SqliteStore, StoreOptions},
};

const ONE: ReadLimit = ReadLimit { events: 1, bytes: 1 };

fn sequence(number: u64) -> Sequence {
    Sequence::new(number).unwrap()
}

async fn append(store: &Arc<dyn EventStore>, streams: &[&str]) {
    let event = |stream: &&str| {
        let (actor, kind) = (Actor::new("tester").unwrap(), EventType::new("note.taken.v1").unwrap());
        NewEvent::new(StreamName::new(stream).unwrap(), actor, kind).into()
    };
    let commit = Commit { events: streams.iter().map(event).collect(), ..Commit::default() };
    store.commit(commit).await.unwrap();
}

fn open(folder: &tempfile::TempDir) -> Arc<dyn EventStore> {
    Arc::new(SqliteStore::open(folder.path(), StoreOptions::default()).unwrap())
}

/// An item in short: what comes before it and which events, or up to where all was told.
fn short(item: Option<Result<Item, Unavailable>>) -> (u64, Vec<u64>) {
    match item.unwrap().unwrap() {
        Item::Events { prev, events } => (prev.get(), events.iter().map(|event| event.sequence.get()).collect()),
        Item::Scanned(through) | Item::CaughtUp(through) => (through.get(), vec![]),
    }
}

#[tokio::test]
async fn history_and_live_are_one_log() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    append(&store, &["s:a", "s:b", "s:a"]).await;
    let topics = Topics::new(["s:a"]).unwrap();
    let mut feed = pin!(follow(Arc::clone(&store), topics, Sequence::ZERO, ONE));
    assert_eq!(short(feed.next().await), (0, vec![1]));
    append(&store, &["s:a"]).await;
    assert_eq!(short(feed.next().await), (1, vec![3]));
    assert_eq!(short(feed.next().await), (3, vec![4]));
    assert_eq!(short(feed.next().await), (4, vec![]));
    assert!(feed.next().now_or_never().is_none(), "nothing is told while the head rests");

    append(&store, &["s:b"]).await;
    assert_eq!(short(feed.next().await), (5, vec![]));
    append(&store, &["s:a"]).await;
    assert_eq!(short(feed.next().await), (4, vec![6]));
    assert_eq!(short(feed.next().await), (6, vec![]));
}

/// More foreign events than the store looks at in one go.
#[tokio::test]
async fn a_long_search_tells_how_far_it_is() {
    const FOREIGN: u64 = 12_000;
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    for _ in 0..FOREIGN / 1_000 {
        append(&store, &["s:busy"; 1_000]).await;
    }
    append(&store, &["t:a"]).await;
    let mut feed = pin!(follow(Arc::clone(&store), Topics::new(["t:*"]).unwrap(), Sequence::ZERO, ONE));
    let Item::Scanned(through) = feed.next().await.unwrap().unwrap() else { panic!("the search is not at its end") };
    assert!((1..FOREIGN).contains(&through.get()), "{through:?}");
    assert_eq!(short(feed.next().await), (0, vec![FOREIGN + 1]));
    assert_eq!(feed.next().await.unwrap().unwrap(), Item::CaughtUp(sequence(FOREIGN + 1)));

    let mut resumed = pin!(follow(Arc::clone(&store), Topics::new(["t:*"]).unwrap(), through, ONE));
    assert_eq!(short(resumed.next().await), (through.get(), vec![FOREIGN + 1]));
}

#[tokio::test]
async fn a_feed_begins_where_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    append(&store, &["s:a", "s:a"]).await;
    let mut feed = pin!(follow(Arc::clone(&store), Topics::new(["**"]).unwrap(), sequence(1), ONE));
    assert_eq!(short(feed.next().await), (1, vec![2]));
    let mut feed = pin!(follow(Arc::clone(&store), Topics::new(["**"]).unwrap(), sequence(2), ONE));
    assert_eq!(short(feed.next().await), (2, vec![]));
}

#[tokio::test]
async fn cursors_are_judged_against_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    append(&store, &["s:a", "s:a"]).await;
    let at = |epoch, number| After::Position(Position::new(epoch, sequence(number)));
    let epoch = store.epoch();
    let other = Epoch::from_bits(if epoch == Epoch::from_bits(7) { 8 } else { 7 });
    assert_eq!(locate(&*store, After::Earliest), Ok(Sequence::ZERO));
    assert_eq!(locate(&*store, After::Latest), Ok(sequence(2)));
    assert_eq!(locate(&*store, at(epoch, 2)), Ok(sequence(2)));
    let ahead = Lost { reason: ResetReason::CursorAhead, resume: sequence(2) };
    assert_eq!(locate(&*store, at(epoch, 3)), Err(ahead));
    let foreign = Lost { reason: ResetReason::EpochChanged, resume: Sequence::ZERO };
    assert_eq!(locate(&*store, at(other, 1)), Err(foreign));
}
