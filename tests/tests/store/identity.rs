//! `source` and `id`: each event once, however often it is sent.

use highwater_core::{
    envelope::Proposed,
    event::{Data, ExtensionName, ExtensionValue, Limits, NewEvent},
};
use highwater_server::{
    store::{Commit, CommitError, EventStore},
    telemetry::TraceParent,
};

use super::{append, append_if, event, expecting, head, named, places, read, recorded, revision, version};

pub(crate) async fn a_retry_is_answered_as_the_first_time(store: &dyn EventStore) {
    let commit = [named("a:1", "p", "1"), named("a:1", "p", "2")];
    let first = append(store, commit.clone()).await.unwrap();
    append(store, [event("a:1", "q")]).await.unwrap();
    let again = append(store, commit).await.unwrap();
    assert_eq!((&again.events, again.all_known), (&first.events, true));
    assert_eq!(head(store), 3);
    append(store, [named("a:1", "q", "1")]).await.expect("the same id of another source is another event");
    assert_eq!(head(store), 4);
}

pub(crate) async fn a_retry_comes_before_expectations(store: &dyn EventStore) {
    let first = append_if(store, named("a:1", "p", "1"), expecting("a:1", 0)).await.unwrap();
    let again = append_if(store, named("a:1", "p", "1"), expecting("a:1", 0)).await.unwrap();
    assert_eq!(again.events, first.events);
    let mut stale = named("a:1", "p", "2");
    stale.version = Some(version(0));
    let monotonic =
        |event: &NewEvent| Commit { events: vec![event.clone().into()], monotonic: true, ..Commit::default() };
    store.commit(monotonic(&stale)).await.unwrap();
    let mut newer = named("a:1", "p", "3");
    newer.version = Some(version(5));
    append(store, [newer]).await.unwrap();
    assert!(store.commit(monotonic(&stale)).await.unwrap().all_known);
}

pub(crate) async fn other_content_is_a_conflict(store: &dyn EventStore) {
    append(store, [named("a:1", "p", "1")]).await.unwrap();
    let differing: [fn(&mut NewEvent); 5] = [
        |event| event.data = Data::json("{}").unwrap(),
        |event| event.stream = "a:2".parse().unwrap(),
        |event| event.kind = "task.changed.v2".parse().unwrap(),
        |event| event.version = Some(version(1)),
        |event| event.causation_id = Some("x".parse().unwrap()),
    ];
    for (at, differ) in differing.into_iter().enumerate() {
        let mut other = named("a:1", "p", "1");
        differ(&mut other);
        let expectation = expecting("a:1", 99);
        let refused = append_if(store, other.clone(), expectation).await;
        assert!(matches!(refused, Err(CommitError::IdConflict { index: 0 })), "{at}: before expectations: {refused:?}");
        let refused = append(store, [event("a:3", "p"), other]).await;
        assert!(matches!(refused, Err(CommitError::IdConflict { index: 1 })), "{at}: {refused:?}");
    }
    assert_eq!(head(store), 1);
}

pub(crate) async fn an_event_may_stand_in_its_commit_twice(store: &dyn EventStore) {
    let twice = [named("a:1", "p", "1"), named("a:1", "p", "2"), named("a:1", "p", "1")];
    let committed = append(store, twice.clone()).await.unwrap();
    assert_eq!((places(&committed), committed.all_known), (vec![(1, 1), (2, 2), (1, 1)], false));
    assert!(append(store, twice).await.unwrap().all_known);
    let mut other = named("a:1", "p", "3");
    other.data = Data::None;
    let refused = append(store, [named("a:1", "p", "3"), other]).await;
    assert!(matches!(refused, Err(CommitError::IdConflict { index: 1 })), "{refused:?}");
    assert_eq!(head(store), 2);
}

pub(crate) async fn a_commit_known_in_part_stores_the_rest(store: &dyn EventStore) {
    append(store, [named("a:1", "p", "1")]).await.unwrap();
    let both = || [named("a:1", "p", "1"), named("a:1", "p", "2")];
    let expecting_none = Commit {
        events: both().map(Proposed::from).into(),
        expectations: vec![expecting("a:1", 0)],
        ..Commit::default()
    };
    let refused = store.commit(expecting_none).await;
    assert!(matches!(refused, Err(CommitError::RevisionConflict { .. })), "something is new: {refused:?}");
    let committed = append(store, both()).await.unwrap();
    assert_eq!((places(&committed), committed.all_known), (vec![(1, 1), (2, 2)], false));
}

pub(crate) async fn what_a_known_event_expects_does_not_count(store: &dyn EventStore) {
    let at = |event, number| Proposed { event, expected_revision: Some(revision(number)) };
    let commit = |events: &[Proposed]| Commit { events: events.to_vec(), ..Commit::default() };
    let (known, new) = (at(named("a:1", "p", "1"), 0), at(named("a:1", "p", "2"), 1));
    store.commit(commit(std::slice::from_ref(&known))).await.unwrap();
    let committed = store.commit(commit(&[known.clone(), new])).await.unwrap();
    assert_eq!((places(&committed), committed.all_known), (vec![(1, 1), (2, 2)], false));
    assert!(store.commit(commit(&[at(known.event.clone(), 9)])).await.unwrap().all_known);

    for wrong in [at(named("a:1", "p", "3"), 1), at(named("b:1", "p", "4"), 1)] {
        let stream = wrong.event.stream.clone();
        let refused = store.commit(commit(&[known.clone(), wrong])).await;
        assert!(
            matches!(&refused, Err(CommitError::RevisionConflict { stream: told, .. }) if *told == stream),
            "{refused:?}"
        );
    }
    let twice = [at(named("b:1", "p", "5"), 0), at(named("b:1", "p", "5"), 1)];
    let refused = store.commit(commit(&twice)).await;
    assert!(matches!(refused, Err(CommitError::RevisionConflict { .. })), "not known before: {refused:?}");
    assert_eq!(head(store), 2);
}

pub(crate) async fn an_exported_event_is_known(store: &dyn EventStore) {
    append(store, [named("a:1", "p", "1"), named("a:1", "p", "2")]).await.unwrap();
    let exported = read(store, &["**"]).await.into_iter().map(NewEvent::from);
    assert!(append(store, exported).await.unwrap().all_known);
    assert_eq!(head(store), 2);
}

pub(crate) async fn a_trace_is_recorded_and_is_no_content(store: &dyn EventStore) {
    let trace = |number: u8| {
        TraceParent::parse(format!("00-4bf92f3577b34da6a3ce929d0e0e47{number:02x}-00f067aa0ba902b7-01").as_bytes())
    };
    let attribute = |name: &str| ExtensionName::new(name).unwrap();
    let text = |text: &str| ExtensionValue::String(text.into());
    let mut own = named("a:1", "p", "own");
    own.extensions.insert(attribute("traceparent"), text("mine"));
    let mut full = named("a:1", "p", "full");
    for number in 0..Limits::default().extensions_max {
        full.extensions.insert(attribute(&format!("x{number}")), text("y"));
    }
    let events = [named("a:1", "p", "plain"), own, full];
    let commit =
        |trace| Commit { events: events.iter().cloned().map(Proposed::from).collect(), trace, ..Commit::default() };
    let first = store.commit(commit(trace(1))).await.unwrap();
    for retry in [trace(1), trace(2), None] {
        let again = store.commit(commit(retry)).await.unwrap();
        assert_eq!((again.all_known, &again.events), (true, &first.events));
    }
    let expected = trace(1).unwrap();
    for (id, value) in [("plain", Some(expected.as_str())), ("own", Some("mine")), ("full", None)] {
        let recorded = recorded(store, id).await;
        assert_eq!(recorded.extensions.get("traceparent"), value.map(text).as_ref(), "{id}");
        let imported = Commit { events: vec![NewEvent::from(recorded).into()], trace: trace(3), ..Commit::default() };
        assert!(store.commit(imported).await.unwrap().all_known, "{id}: what was exported is what was recorded");
    }
}
