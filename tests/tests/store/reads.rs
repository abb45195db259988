//! Pages of the log and of one stream.

use highwater_core::{topic::Topics, version::Sequence};
use highwater_server::store::{EventStore, ReadLimit};

use super::{NO_LIMIT, append, event, name, named, read, revision, sequence};

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
