//! One commit over several streams.

use highwater_core::envelope::Proposed;
use highwater_server::store::{Commit, CommitError, EventStore};

use super::{append, event, expecting, head, name, places};

pub(crate) async fn all_or_nothing(store: &dyn EventStore) {
    append(store, [event("a:1", "p")]).await.unwrap();
    let commit = |expected| Commit {
        events: [event("a:1", "p"), event("b:1", "p"), event("a:1", "p")].map(Proposed::from).into(),
        expectations: vec![expecting("b:1", 0), expecting("a:1", expected)],
        ..Commit::default()
    };
    let refused = store.commit(commit(0)).await;
    assert!(
        matches!(&refused, Err(CommitError::RevisionConflict { stream, .. }) if *stream == name("a:1")),
        "{refused:?}"
    );
    assert_eq!(head(store), 1);
    assert_eq!(places(&store.commit(commit(1)).await.unwrap()), [(2, 2), (3, 1), (4, 3)]);
}

pub(crate) async fn expectations_hold_for_streams_without_events(store: &dyn EventStore) {
    append(store, [event("guard:1", "p")]).await.unwrap();
    let guarded = |revision| Commit {
        events: vec![event("a:1", "p").into()],
        expectations: vec![expecting("guard:1", revision), expecting("guard:2", 0)],
        ..Commit::default()
    };
    assert!(matches!(store.commit(guarded(0)).await, Err(CommitError::RevisionConflict { .. })));
    store.commit(guarded(1)).await.unwrap();
}

pub(crate) async fn positions_rise_through_the_commit(store: &dyn EventStore) {
    let events = (0..1_000).map(|at| event(&format!("a:{}", at % 7), "p"));
    let committed = append(store, events).await.unwrap();
    let expected: Vec<_> = (0..1_000).map(|at| (at + 1, (at / 7 + 1) as u32)).collect();
    assert_eq!(places(&committed), expected);
    assert_eq!(committed.sequence().get(), 1_000);
}
