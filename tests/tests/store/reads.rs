//! Pages of the log and of one stream.

use highwater_core::{
    event::NewEvent,
    time::Timestamp,
    topic::Topics,
    version::{Revision, Sequence},
};
use highwater_server::store::{At, EventStore, ReadLimit};

use super::{NO_LIMIT, append, event, name, named, read, revision, sequence, version};

/// 30 events on three streams in turn.
async fn thirty(store: &dyn EventStore) {
    let events = (0..30).map(|at| named(&format!("{}:x", ["a", "b", "c"][at % 3]), "p", &at.to_string()));
    append(store, events).await.unwrap();
}

pub(crate) async fn a_page_keeps_its_bounds(store: &dyn EventStore) {
    thirty(store).await;
    for topics in [vec!["**"], vec!["a:x", "b:x", "c:x"]] {
        let topics = Topics::new(topics).unwrap();
        let read = async |after, limit| store.read_log(&topics, sequence(after), limit).await.unwrap();
        let page = read(3, ReadLimit { events: 4, bytes: usize::MAX }).await;
        let sequences: Vec<u64> = page.events.iter().map(|stored| stored.sequence.get()).collect();
        assert_eq!((sequences, page.next.get(), page.head.get()), (vec![4, 5, 6, 7], 7, 30), "{topics}");

        let two = page.events[0].envelope.len() + page.events[1].envelope.len();
        let page = read(3, ReadLimit { events: 100, bytes: two }).await;
        assert_eq!((page.events.len(), page.next.get()), (2, 5), "{topics}");
        for least in [ReadLimit { events: 100, bytes: 0 }, ReadLimit { events: 0, bytes: 100 }] {
            let page = read(3, least).await;
            assert_eq!((page.events.len(), page.next.get()), (1, 4), "{topics}: at least one");
        }
        let page = read(28, NO_LIMIT).await;
        assert_eq!((page.events.len(), page.next.get()), (2, 30), "{topics}");
        let page = read(30, NO_LIMIT).await;
        assert_eq!((page.events.len(), page.next.get()), (0, 30), "{topics}");
    }
}

pub(crate) async fn patterns_and_exact_topics_bring_the_same(store: &dyn EventStore) {
    thirty(store).await;
    append(store, [event("a:y", "p"), event("a:x:deep", "p"), event("b:x", "p")]).await.unwrap();
    for (topics, count) in [
        (vec!["a:x"], 10),
        (vec!["a:x", "b:x"], 21),
        (vec!["b:x", "nothing:here"], 11),
        (vec!["nothing:here"], 0),
        (vec!["a:*"], 11),
        (vec!["a:**"], 12),
        (vec!["*:x"], 31),
        (vec!["a:x", "*:y"], 11),
        (vec!["**"], 33),
        (vec!["zzz:**"], 0),
    ] {
        let events = read(store, &topics).await;
        let set = Topics::new(topics.iter().copied()).unwrap();
        assert_eq!(events.len(), count, "{set}");
        assert!(events.iter().all(|event| set.matches(event.stream.as_str())), "{set}");
        assert!(events.is_sorted_by(|one, other| one.sequence < other.sequence), "{set}");
    }
}

pub(crate) async fn a_page_may_be_empty_and_go_on(store: &dyn EventStore) {
    append(store, [event("rare:1", "p")]).await.unwrap();
    for _ in 0..25 {
        append(store, (0..1_000).map(|_| event("a:1", "p"))).await.unwrap();
    }
    append(store, [event("rare:1", "p")]).await.unwrap();
    assert_eq!(read(store, &["rare:*"]).await.len(), 2);
    assert_eq!(read(store, &["rare:1"]).await.len(), 2);
    let rare = Topics::new(["rare:1"]).unwrap();
    let page = store.read_log(&rare, sequence(1), NO_LIMIT).await.unwrap();
    assert_eq!((page.events.len(), page.next.get()), (1, 25_002), "an exact topic goes there by its index");
}

pub(crate) async fn a_stream_is_read_by_revision(store: &dyn EventStore) {
    thirty(store).await;
    let stream = name("b:x");
    let page =
        store.read_stream(&stream, revision(4), ReadLimit { events: 3, bytes: usize::MAX }).await.unwrap().unwrap();
    let sequences: Vec<u64> = page.events.iter().map(|stored| stored.sequence.get()).collect();
    assert_eq!(sequences, [11, 14, 17]);
    assert_eq!((page.first_revision, page.revision, page.head.get()), (revision(1), revision(10), 30));
    let whole = store.read_stream(&stream, revision(0), NO_LIMIT).await.unwrap().unwrap();
    assert_eq!(whole.events.len(), 10);
    let beyond = store.read_stream(&stream, revision(11), NO_LIMIT).await.unwrap().unwrap();
    assert_eq!((beyond.events.len(), beyond.revision), (0, revision(10)));
    assert_eq!(store.read_stream(&name("b:y"), revision(1), NO_LIMIT).await.unwrap(), None);
}

pub(crate) async fn a_cursor_above_the_head_brings_nothing(store: &dyn EventStore) {
    thirty(store).await;
    for topics in [["**"], ["a:x"]] {
        for after in [31, Sequence::MAX.get()] {
            let topics = Topics::new(topics).unwrap();
            let page = store.read_log(&topics, sequence(after), NO_LIMIT).await.unwrap();
            assert_eq!((page.events.len(), page.next.get(), page.head.get()), (0, after, 30));
        }
    }
}

pub(crate) async fn a_stream_is_found_at_any_moment(store: &dyn EventStore) {
    // Versions 1, 3, 2 (late), 3, 6 in a stream, and others before, between and after.
    for about in [1, 3, 2, 3, 6] {
        append(store, [event("b:x", "p")]).await.unwrap();
        append(store, [NewEvent { version: Some(version(about)), ..event("a:x", "p") }]).await.unwrap();
    }
    append(store, [event("b:x", "p")]).await.unwrap();
    let found = async |at: At| store.revision_at(&name("a:x"), at).await.unwrap().map(Revision::get);

    assert_eq!(found(At::Now).await, Some(5));
    for (at, revision) in [(0, None), (1, None), (2, Some(1)), (3, Some(1)), (4, Some(2)), (10, Some(5)), (99, Some(5))] {
        assert_eq!(found(At::Sequence(sequence(at))).await, revision, "at sequence {at}");
    }
    for (at, revision) in [(0, None), (1, Some(1)), (2, Some(1)), (3, Some(4)), (5, Some(4)), (6, Some(5)), (7, Some(5))] {
        assert_eq!(found(At::Version(version(at))).await, revision, "at version {at}");
    }
    let events = read(store, &["a:x"]).await;
    for event in &events {
        let by_then = events.iter().filter(|other| other.recorded_time <= event.recorded_time).count();
        assert_eq!(found(At::Time(event.recorded_time)).await, Some(by_then as u32));
    }
    let just_before = Timestamp::from_unix_micros(events[0].recorded_time.unix_micros() - 1).unwrap();
    assert_eq!(found(At::Time(just_before)).await, None);
    assert_eq!(store.revision_at(&name("b:y"), At::Now).await.unwrap(), None);
}
