//! Places, expectations, versions and times.

use highwater_core::event::{Data, ExtensionValue, InvalidEvent};
use highwater_server::store::{Commit, CommitError, EventStore, Expected};

use super::{append, append_if, event, expecting, head, name, named, places, read, recorded, revision, version};

pub(crate) async fn places_rise_from_one(store: &dyn EventStore) {
    assert_eq!(head(store), 0);
    let first = append(store, [event("a:1", "p"), event("a:1", "p"), event("a:1", "q")]).await.unwrap();
    assert_eq!((places(&first), first.all_known), (vec![(1, 1), (2, 2), (3, 3)], false));
    let second = append(store, [event("a:2", "p")]).await.unwrap();
    assert_eq!(places(&second), [(4, 1)]);
    assert_eq!(head(store), 4, "what is answered is visible");
}

pub(crate) async fn a_left_out_id_is_made(store: &dyn EventStore) {
    let one = append(store, [event("a:1", "p")]).await.unwrap();
    let other = append(store, [event("a:1", "p")]).await.unwrap();
    let (one, other) = (&one.events[0].id, &other.events[0].id);
    assert_ne!(one, other);
    assert_eq!((one.as_str().len(), &one.as_str()[14..15]), (36, "7"), "a UUIDv7: {one}");
    assert_eq!(&recorded(store, one.as_str()).await.id, one);
}

pub(crate) async fn what_is_recorded_is_what_was_given(store: &dyn EventStore) {
    let mut given = named("a:1", "p", "all");
    given.time = Some("2015-09-12T00:46:58.771Z".parse().unwrap());
    given.version = Some(version(3));
    given.clock = Some("p=7,q=2".parse().unwrap());
    given.causation_id = Some("cause".parse().unwrap());
    given.correlation_id = Some("correlation".parse().unwrap());
    given.command_id = Some("command".parse().unwrap());
    given.data_schema = Some("https://example.com/schema".into());
    given.extensions.insert("traceparent".parse().unwrap(), ExtensionValue::Integer(7));
    given.data = Data::json(r#"{ "big": 123456789012345678901234567890, "æ": "\u0000" }"#).unwrap();
    append(store, [given.clone()]).await.unwrap();
    given.data_content_type = Some("application/json".into());
    assert_eq!(highwater_core::event::NewEvent::from(recorded(store, "all").await), given);
}

pub(crate) async fn nothing_of_a_refused_commit_is_stored(store: &dyn EventStore) {
    append(store, [event("a:1", "p")]).await.unwrap();
    let mut far = event("a:2", "new-actor");
    far.version = Some(version(5_000));
    let refused = append(store, [event("a:1", "p"), event("a:2", "p"), far]).await;
    assert!(matches!(refused, Err(CommitError::VersionJump { index: 2, .. })), "{refused:?}");
    assert_eq!(head(store), 1);
    assert_eq!(store.read_stream(&name("a:2"), revision(1), super::NO_LIMIT).await.unwrap(), None);
    assert_eq!(places(&append(store, [event("a:1", "p")]).await.unwrap()), [(2, 2)]);
}

pub(crate) async fn limits_are_kept(store: &dyn EventStore) {
    let mut large = event("a:1", "p");
    large.data = Data::Binary(vec![0; 300 * 1024]);
    let refused = append(store, [event("a:1", "p"), large]).await;
    let too_large = InvalidEvent::DataTooLarge { bytes: 300 * 1024, max: 256 * 1024 };
    assert!(matches!(refused, Err(CommitError::Invalid { index: 1, error }) if error == too_large));
    let mut strange = event("a:1", "p");
    strange.clock = Some("q=1".parse().unwrap());
    assert!(matches!(append(store, [strange]).await, Err(CommitError::Invalid { index: 0, .. })));
    assert_eq!(head(store), 0);
}

pub(crate) async fn expectations_are_of_the_last_revision(store: &dyn EventStore) {
    append_if(store, event("a:1", "p"), expecting("a:1", 0)).await.unwrap();
    for wrong in [0, 2] {
        let refused = append_if(store, event("a:1", "p"), expecting("a:1", wrong)).await;
        let Err(CommitError::RevisionConflict { stream, expected, current }) = refused else { panic!("{refused:?}") };
        assert_eq!((stream, expected, current), (name("a:1"), Expected::At(revision(wrong)), revision(1)));
    }
    append_if(store, event("a:1", "p"), expecting("a:1", 1)).await.unwrap();
    assert_eq!(head(store), 2);
}

pub(crate) async fn versions_are_derived_and_only_rise(store: &dyn EventStore) {
    for (given, recorded) in [(None, 0), (Some(2), 2), (None, 2), (Some(1), 1), (None, 2), (Some(3), 3)] {
        let mut event = event("a:1", "p");
        event.version = given.map(version);
        append(store, [event]).await.unwrap();
        assert_eq!(read(store, &["a:1"]).await.pop().unwrap().version, version(recorded));
    }
    let page = store.read_stream(&name("a:1"), revision(1), super::NO_LIMIT).await.unwrap().unwrap();
    assert_eq!((page.version, page.revision), (version(3), revision(6)));
}

pub(crate) async fn versions_do_not_jump(store: &dyn EventStore) {
    let at = |number| {
        let mut event = event("a:1", "p");
        event.version = Some(version(number));
        event
    };
    append(store, [at(1_000)]).await.unwrap();
    let Err(CommitError::VersionJump { index, version: given, current, max_jump }) = append(store, [at(2_001)]).await
    else {
        panic!("2001 is too far")
    };
    assert_eq!((index, given, current, max_jump), (0, version(2_001), version(1_000), 1_000));
    append(store, [at(2_000), at(3_000)]).await.expect("each is measured from the one before");
}

pub(crate) async fn monotonic_refuses_what_is_stale(store: &dyn EventStore) {
    let at = |number| {
        let mut event = event("a:1", "p");
        event.version = Some(version(number));
        Commit { events: vec![event.into()], monotonic: true, ..Commit::default() }
    };
    store.commit(at(2)).await.unwrap();
    store.commit(at(2)).await.expect("an equal version is not stale");
    let refused = store.commit(at(1)).await;
    let Err(CommitError::StaleVersion { index, version: given, current }) = refused else { panic!("{refused:?}") };
    assert_eq!((index, given, current), (0, version(1), version(2)));
}

pub(crate) async fn recorded_time_never_decreases(store: &dyn EventStore) {
    for at in 0..50 {
        append(store, [event(&format!("a:{}", at % 3), "p"), event("b:1", "q")]).await.unwrap();
    }
    let events = read(store, &["**"]).await;
    assert_eq!(events.len(), 100);
    assert!(events.is_sorted_by_key(|event| event.recorded_time));
    assert!(events.iter().all(|event| event.time == event.recorded_time), "a time left out is that of recording");
}
