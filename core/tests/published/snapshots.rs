//! Snapshots of every entity, on streams of all that was ever published, and of what is not to be read.

use highwater_core::{
    decider::{Applied, Entity},
    domain,
    event::{Event, NewEvent, Recording},
    time::Timestamp,
    version::{Revision, Sequence, Version},
};
use proptest::{prelude::*, sample::Index};
use serde_json::json;

use super::{Sample, recorded, samples};

/// A stream of an entity: its published events, a few spoilt ones among them, at versions that rise and are late.
fn stream(of_entity: &[Sample], chosen: &[(Index, u8, u8)]) -> Vec<Event> {
    let mut current = 0_u32;
    let make = |(number, (index, spoilt, below)): (usize, &(Index, u8, u8))| {
        let mut sample = index.get(of_entity).clone();
        match spoilt {
            0 => sample.data = json!(7),
            1 => sample.kind = format!("{}99", sample.kind),
            _ => {}
        }
        current += u32::from(*below == 3);
        let event = recorded(&sample);
        let number = number as u64 + 1;
        let recording = Recording {
            id: format!("event-{number}").parse().unwrap(),
            recorded_time: Timestamp::UNIX_EPOCH,
            sequence: Sequence::new(number * 3).unwrap(),
            revision: Revision::new(number).unwrap(),
            version: Version::new(current.saturating_sub(u32::from(*below == 0)).into()).unwrap(),
            clock: event.clock,
        };
        NewEvent { data: event.data, ..NewEvent::new(event.stream, event.source, event.kind) }.record(recording)
    };
    chosen.iter().enumerate().map(make).collect()
}

fn fold(entity: &Entity, events: &[Event]) -> String {
    let mut state = entity.initial();
    events.iter().for_each(|event| drop(state.apply(event)));
    state.snapshot()
}

proptest! {
    #[test]
    fn a_snapshot_and_the_tail_come_to_what_all_events_come_to(
        chosen in prop::collection::vec((any::<Index>(), 0..12_u8, 0..4_u8), 1..80),
        cut in any::<Index>(),
    ) {
        for entity in domain::entities().iter() {
            let prefix = format!("{}.", entity.name());
            let own = samples().into_iter().map(|(_, sample)| sample).filter(|sample| sample.kind.starts_with(&prefix));
            let own: Vec<_> = own.collect();
            prop_assert!(!own.is_empty(), "nothing of {} is published", entity.name());
            let events = stream(&own, &chosen);
            let (before, after) = events.split_at(cut.index(events.len() + 1));
            let mut state = entity.restore(&fold(entity, before)).unwrap();
            for event in before.last().into_iter() {
                prop_assert_eq!(state.apply(event), Applied::Duplicate);
            }
            after.iter().for_each(|event| drop(state.apply(event)));
            prop_assert_eq!(state.snapshot(), fold(entity, &events));
            let set_aside = state.set_aside();
            let unknown = events.iter().filter(|event| event.kind.as_str().ends_with("99")).count();
            prop_assert!(set_aside.unknown as usize <= unknown);
        }
    }
}
