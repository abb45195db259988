//! A snapshot: what is restored of any bytes is written as a snapshot that is restored as the same, and can be gone on from. The first byte
//! names the entity.

use highwater_core::{
    decider::Applied,
    domain::entities,
    json::Node,
    version::{HighWater, Revision},
};

use crate::input::choice_and_text;

/// See the [module](self).
pub fn check(input: &[u8]) {
    let Some((choice, text)) = choice_and_text(input) else { return };
    let entities = entities();
    let Some(entity) = entities.iter().nth(usize::from(choice.wrapping_sub(b'0'))) else { return };
    let Ok(mut folded) = entity.restore(text) else { return };
    let snapshot = folded.snapshot();
    let again = entity.restore(&snapshot).unwrap_or_else(|error| panic!("{error}: {snapshot}"));
    assert_eq!((again.snapshot(), again.mark()), (snapshot.clone(), folded.mark()));
    assert_eq!(again.set_aside(), folded.set_aside());
    assert!(Node::parse(folded.state_json().get()).is_ok());

    let copy = folded.clone();
    let HighWater { revision, version, sequence } = folded.mark();
    let next = revision.next().unwrap_or(Revision::MAX);
    let applied = folded.pass(HighWater { revision: next, version, sequence }, "is spoilt");
    let is_end = revision == Revision::MAX;
    assert_eq!(applied, if is_end { Applied::Duplicate } else { Applied::Unreadable("is spoilt".into()) });
    assert_eq!(copy.snapshot(), snapshot, "a copy is one");
}
