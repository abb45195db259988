//! Clocks that the log derives, and those that are given to it.

use highwater_core::{
    clock::{Causality, VectorClock},
    event::NewEvent,
};
use highwater_server::store::{CommitError, EventStore};

use super::{append, head, named, recorded};

fn with_clock(stream: &str, source: &str, id: &str, clock: &str) -> NewEvent {
    NewEvent { clock: Some(clock.parse().unwrap()), ..named(stream, source, id) }
}

fn caused(stream: &str, source: &str, id: &str, cause: &str) -> NewEvent {
    NewEvent { causation_id: Some(cause.parse().unwrap()), ..named(stream, source, id) }
}

async fn clock(store: &dyn EventStore, event: NewEvent) -> String {
    let id = event.id.clone().unwrap();
    append(store, [event]).await.unwrap();
    recorded(store, id.as_str()).await.clock.to_string()
}

pub(crate) async fn an_actor_counts_its_own_events(store: &dyn EventStore) {
    assert_eq!(clock(store, named("a:1", "p", "1")).await, "p=1");
    assert_eq!(clock(store, named("a:1", "p", "2")).await, "p=2");
    assert_eq!(clock(store, named("a:1", "q", "3")).await, "q=1");
    assert_eq!(clock(store, named("a:2", "p", "4")).await, "p=1", "clocks are of one stream");
    append(store, [named("a:1", "p", "5"), named("a:1", "p", "6")]).await.unwrap();
    assert_eq!(recorded(store, "6").await.clock.to_string(), "p=4", "within a commit too");
}

pub(crate) async fn a_cause_is_known_to_its_effect(store: &dyn EventStore) {
    assert_eq!(clock(store, named("a:1", "generator", "code")).await, "generator=1");
    assert_eq!(clock(store, caused("a:1", "tester", "failed", "code")).await, "generator=1,tester=1");
    assert_eq!(clock(store, caused("a:1", "corrector", "fixed", "failed")).await, "corrector=1,generator=1,tester=1");
    assert_eq!(clock(store, named("a:1", "tester", "later")).await, "generator=1,tester=2", "what it knew it keeps");
    assert_eq!(clock(store, caused("a:1", "tester", "x", "nowhere")).await, "generator=1,tester=3");
    append(store, [caused("a:1", "new", "y", "fixed"), caused("a:1", "newer", "z", "y")]).await.unwrap();
    let within = recorded(store, "z").await.clock;
    assert_eq!(within.to_string(), "corrector=1,generator=1,new=1,newer=1,tester=1", "a cause in the same commit");
}

pub(crate) async fn a_cause_elsewhere_is_not(store: &dyn EventStore) {
    append(store, [named("a:1", "p", "cause")]).await.unwrap();
    assert_eq!(clock(store, caused("a:2", "q", "effect", "cause")).await, "q=1");
}

pub(crate) async fn the_last_cause_of_an_id_counts(store: &dyn EventStore) {
    append(store, [named("a:1", "p", "same"), named("a:1", "q", "same"), named("a:2", "r", "same")]).await.unwrap();
    assert_eq!(clock(store, caused("a:1", "s", "effect", "same")).await, "q=1,s=1");
}

pub(crate) async fn an_effect_comes_after_a_cause_that_knew_more(store: &dyn EventStore) {
    append(store, [named("a:1", "p", "1")]).await.unwrap();
    append(store, [with_clock("a:1", "q", "2", "p=9,q=1")]).await.unwrap();
    append(store, [caused("a:1", "p", "3", "2")]).await.unwrap();
    let effect = recorded(store, "3").await.clock;
    assert_eq!(effect.to_string(), "p=10,q=1");
    assert_eq!(recorded(store, "2").await.clock.compare(&effect), Causality::Before);
}

pub(crate) async fn late_reports_are_facts(store: &dyn EventStore) {
    append(store, [with_clock("a:1", "p", "1", "p=5,q=2")]).await.unwrap();
    assert_eq!(clock(store, with_clock("a:1", "p", "2", "p=3")).await, "p=3");
    assert_eq!(clock(store, named("a:1", "p", "3")).await, "p=6,q=2", "the latest is the highest, not the last");
}

pub(crate) async fn a_counter_is_used_once(store: &dyn EventStore) {
    append(store, [with_clock("a:1", "p", "1", "p=2")]).await.unwrap();
    append(store, [named("a:1", "p", "2")]).await.unwrap();
    for (counter, used) in [(2, true), (3, true), (4, false)] {
        let result = append(store, [with_clock("a:1", "p", &format!("c{counter}"), &format!("p={counter},q=9"))]).await;
        let reused = matches!(result, Err(CommitError::ClockReused { index: 0, counter: told }) if told == counter);
        assert_eq!((reused, result.is_ok()), (used, !used), "{counter}: {result:?}");
    }
    append(store, [with_clock("a:1", "q", "3", "p=4,q=4")]).await.expect("another actor's counters are its own");
    append(store, [with_clock("a:2", "p", "4", "p=2")]).await.expect("another stream's too");
    let twice = [with_clock("a:1", "p", "5", "p=7"), with_clock("a:1", "p", "6", "p=7")];
    assert!(matches!(append(store, twice).await, Err(CommitError::ClockReused { index: 1, counter: 7 })));
}

pub(crate) async fn a_clock_has_an_end(store: &dyn EventStore) {
    let mut full = VectorClock::new();
    (1..=256).for_each(|actor| full.set(&format!("actor-{actor}"), 1).unwrap());
    append(store, [NewEvent { clock: Some(full), ..named("a:1", "actor-1", "full") }]).await.unwrap();
    append(store, [caused("a:1", "actor-2", "known", "full")]).await.unwrap();
    let refused = append(store, [caused("a:1", "one-more", "no", "full")]).await;
    assert!(matches!(refused, Err(CommitError::ClockFull { index: 0 })), "{refused:?}");
    append(store, [with_clock("a:2", "p", "last", "p=9007199254740991")]).await.unwrap();
    let refused = append(store, [named("a:2", "p", "beyond")]).await;
    assert!(matches!(refused, Err(CommitError::CounterSpent { index: 0 })), "{refused:?}");
    assert_eq!(head(store), 3);
}
