//! Commands: each carried out once, however often it is given.

use highwater_core::envelope::Proposed;
use highwater_server::store::{CommandKey, Commit, CommitError, EventStore, Expectation};

use super::{append, event, expecting, head, name, named, places, sequence};

/// What `p` asks for under this id.
fn key(id: &str, asked: &str) -> CommandKey {
    CommandKey::new(&"p".parse().unwrap(), &id.parse().unwrap(), [asked])
}

/// A commit of a command that makes an event in each of these streams.
fn commit(key: CommandKey, streams: &[&str], expectations: Vec<Expectation>) -> Commit {
    let events = streams.iter().map(|stream| Proposed::from(event(stream, "p"))).collect();
    Commit { events, expectations, command: Some(key), ..Commit::default() }
}

pub(crate) async fn a_command_is_answered_as_the_first_time(store: &dyn EventStore) {
    let (one, streams) = (key("1", "this"), ["a:1", "b:1", "a:1"]);
    assert_eq!(store.command(one.identity).await.unwrap(), None);
    append(store, [event("a:1", "q")]).await.unwrap();
    let first = store.commit(commit(one, &streams, vec![expecting("a:1", 1)])).await.unwrap();
    assert_eq!((places(&first), first.all_known), (vec![(2, 2), (3, 1), (4, 3)], false));
    append(store, [event("a:1", "q")]).await.unwrap();

    let again = store.commit(commit(one, &[], vec![expecting("a:1", 1)])).await.unwrap();
    assert_eq!((&again.events, again.all_known, again.sequence()), (&first.events, true, sequence(4)));
    let recorded = store.command(one.identity).await.unwrap().unwrap();
    assert_eq!((recorded.digest, recorded.sequence), (one.digest, sequence(4)));
    let recorded: Vec<_> = recorded.events.into_iter().map(|event| (event.stream, event.id, event.sequence)).collect();
    let expected =
        first.events.into_iter().zip(streams).map(|(placed, stream)| (name(stream), placed.id, placed.sequence));
    assert_eq!(recorded, expected.collect::<Vec<_>>());
    assert_eq!(head(store), 5);
}

pub(crate) async fn a_command_without_events_is_known(store: &dyn EventStore) {
    append(store, [event("a:1", "q")]).await.unwrap();
    let nothing = key("1", "nothing");
    let first = store.commit(commit(nothing, &[], vec![expecting("a:1", 1)])).await.unwrap();
    assert_eq!((first.events.len(), first.all_known, first.sequence()), (0, false, sequence(1)));
    append(store, [event("a:1", "q")]).await.unwrap();
    let again = store.commit(commit(nothing, &["a:1"], Vec::new())).await.unwrap();
    assert_eq!((again.events.len(), again.all_known, again.sequence()), (0, true, sequence(1)));
    assert_eq!(store.command(nothing.identity).await.unwrap().unwrap().sequence, sequence(1));
    assert_eq!(head(store), 2);
}

pub(crate) async fn another_command_under_the_same_id_is_a_conflict(store: &dyn EventStore) {
    store.commit(commit(key("1", "this"), &["a:1"], Vec::new())).await.unwrap();
    let other = store.commit(commit(key("1", "that"), &["a:1"], vec![expecting("a:1", 7)])).await;
    assert!(matches!(other, Err(CommitError::CommandConflict)), "{other:?}");
    store.commit(commit(key("2", "that"), &["a:1"], Vec::new())).await.unwrap();
    assert_eq!(head(store), 2);
}

pub(crate) async fn a_refused_command_is_not_known(store: &dyn EventStore) {
    let one = key("1", "this");
    let refused = store.commit(commit(one, &["a:1"], vec![expecting("a:1", 1)])).await;
    assert!(matches!(refused, Err(CommitError::RevisionConflict { .. })), "{refused:?}");
    assert_eq!(store.command(one.identity).await.unwrap(), None);
    assert!(!store.commit(commit(one, &["a:1"], vec![expecting("a:1", 0)])).await.unwrap().all_known);
}

pub(crate) async fn events_of_a_command_are_new(store: &dyn EventStore) {
    append(store, [named("a:1", "p", "1.1")]).await.unwrap();
    let events = ["1", "1.1"].map(|id| Proposed::from(named("a:1", "p", id)));
    let command = Some(key("1", "this"));
    let refused = store.commit(Commit { events: events.into(), command, ..Commit::default() }).await;
    assert!(matches!(refused, Err(CommitError::IdConflict { index: 1 })), "{refused:?}");
    assert_eq!(head(store), 1);
}
