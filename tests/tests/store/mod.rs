//! The rules, by what they are about, and what their tests share.

pub(crate) mod append;
pub(crate) mod clocks;
pub(crate) mod commands;
pub(crate) mod concurrency;
pub(crate) mod identity;
pub(crate) mod model;
pub(crate) mod reads;
pub(crate) mod several_streams;
pub(crate) mod sqlite;

use highwater_core::{
    envelope::{Proposed, parse_event},
    event::{Data, Event, NewEvent},
    stream::StreamName,
    topic::Topics,
    version::{Revision, Sequence, Version},
};
use highwater_server::store::{Commit, CommitError, Committed, EventStore, Expectation, Expected, ReadLimit};

pub(crate) const NO_LIMIT: ReadLimit = ReadLimit { events: usize::MAX, bytes: usize::MAX };

/// An event without an id.
pub(crate) fn event(stream: &str, source: &str) -> NewEvent {
    NewEvent::new(name(stream), source.parse().unwrap(), "task.changed.v1".parse().unwrap())
}

/// An event with an id and data that differs by it.
pub(crate) fn named(stream: &str, source: &str, id: &str) -> NewEvent {
    let data = Data::json(&format!("{{\"id\":\"{id}\"}}")).unwrap();
    NewEvent { id: Some(id.parse().unwrap()), data, ..event(stream, source) }
}

pub(crate) fn name(stream: &str) -> StreamName {
    stream.parse().unwrap()
}

pub(crate) fn sequence(number: u64) -> Sequence {
    Sequence::new(number).unwrap()
}

pub(crate) fn revision(number: u32) -> Revision {
    Revision::new(number.into()).unwrap()
}

pub(crate) fn version(number: u32) -> Version {
    Version::new(number.into()).unwrap()
}

pub(crate) fn expecting(stream: &str, number: u32) -> Expectation {
    Expectation { stream: name(stream), expected: Expected::At(revision(number)) }
}

pub(crate) async fn append(
    store: &dyn EventStore,
    events: impl IntoIterator<Item = NewEvent>,
) -> Result<Committed, CommitError> {
    store.commit(Commit { events: events.into_iter().map(Proposed::from).collect(), ..Commit::default() }).await
}

pub(crate) async fn append_if(
    store: &dyn EventStore,
    event: NewEvent,
    expectation: Expectation,
) -> Result<Committed, CommitError> {
    store.commit(Commit { events: vec![event.into()], expectations: vec![expectation], ..Commit::default() }).await
}

/// Sequence and revision of each event of a commit.
pub(crate) fn places(committed: &Committed) -> Vec<(u64, u32)> {
    committed.events.iter().map(|placed| (placed.sequence.get(), placed.revision.get())).collect()
}

/// All events of these topics, by as many pages as it takes.
pub(crate) async fn read(store: &dyn EventStore, topics: &[&str]) -> Vec<Event> {
    let topics = Topics::new(topics.iter().copied()).unwrap();
    let (mut events, mut after) = (Vec::new(), Sequence::ZERO);
    loop {
        let page = store.read_log(&topics, after, ReadLimit { events: 100, bytes: 1 << 20 }).await.unwrap();
        for stored in page.events {
            let event = parse_event(&stored.envelope).unwrap();
            assert_eq!(event.sequence, stored.sequence);
            assert!(event.sequence > after && event.sequence <= page.next);
            events.push(event);
        }
        assert!(page.next > after || page.next == page.head, "a page goes on or is the last");
        after = page.next;
        if after == page.head {
            return events;
        }
    }
}

/// The only event with this id.
pub(crate) async fn recorded(store: &dyn EventStore, id: &str) -> Event {
    let mut found: Vec<Event> =
        read(store, &["**"]).await.into_iter().filter(|event| event.id.as_str() == id).collect();
    assert_eq!(found.len(), 1, "{id}");
    found.remove(0)
}

pub(crate) fn head(store: &dyn EventStore) -> u64 {
    store.head().borrow().get()
}
