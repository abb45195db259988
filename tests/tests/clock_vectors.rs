//! The vector clock against other implementations' cases and against real traces of distributed systems.

use std::collections::BTreeMap;

use highwater_core::clock::{Causality, VectorClock};
use highwater_tests::data;
use serde::Deserialize;

type Counters = BTreeMap<String, u64>;

#[derive(Deserialize)]
struct Vectors {
    relations: Vec<Relation>,
    merges: Vec<Merge>,
}

#[derive(Deserialize)]
struct Relation {
    #[serde(alias = "log")]
    src: String,
    #[serde(default)]
    name: String,
    a: Counters,
    b: Counters,
    rel: Answer,
}

#[derive(Deserialize)]
struct Merge {
    src: String,
    name: String,
    a: Counters,
    b: Counters,
    merged: Counters,
}

#[derive(Clone, Copy, Deserialize)]
enum Answer {
    Before,
    After,
    Same,
    Concurrent,
}

/// An event of a trace: where it happened and what that host had seen.
#[derive(Deserialize)]
struct TraceEvent {
    log: String,
    trace: u32,
    host: String,
    clock: Counters,
}

impl From<Answer> for Causality {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Before => Self::Before,
            Answer::After => Self::After,
            Answer::Same => Self::Equal,
            Answer::Concurrent => Self::Concurrent,
        }
    }
}

/// A counter of 0 in the data says the same as no counter.
fn clock(counters: &Counters) -> VectorClock {
    let mut clock = VectorClock::new();
    for (actor, &counter) in counters.iter().filter(|&(_, &counter)| counter > 0) {
        clock.set(actor, counter).expect("the data keeps the limits");
    }
    assert_eq!(clock.to_string().parse().as_ref(), Ok(&clock), "the text form comes back");
    clock
}

fn check(relations: &[Relation]) {
    for Relation { src, name, a, b, rel } in relations {
        let (expected, left, right) = (Causality::from(*rel), clock(a), clock(b));
        assert_eq!(left.compare(&right), expected, "{src}: {name}: {left} to {right}");
        assert_eq!(right.compare(&left), expected.inverse(), "{src}: {name}: {right} to {left}");
    }
}

#[test]
fn other_implementations_relations_and_merges() {
    let Some(Vectors { relations, merges }) = data::json("vclock-vectors.json") else { return };
    assert_eq!((relations.len(), merges.len()), (44, 9));
    check(&relations);
    for Merge { src, name, a, b, merged } in &merges {
        for (left, right) in [(a, b), (b, a)] {
            let mut both = clock(left);
            both.merge(&clock(right)).expect("the data keeps the limits");
            assert_eq!(both, clock(merged), "{src}: {name}");
        }
    }
}

#[test]
fn relations_within_real_traces() {
    let Some(relations) = data::json::<Vec<Relation>>("shiviz/relations.json") else { return };
    assert_eq!(relations.len(), 2400);
    check(&relations);
}

/// Happens-before without comparing clocks: an event is in another's past if the other knows of its host at least as
/// much as the event itself counts.
#[test]
fn every_pair_of_a_sample_of_real_traces() {
    const SAMPLE_EVENTS: usize = 300;
    let Some(events) = data::json_lines::<TraceEvent>("shiviz/events.jsonl") else { return };
    assert_eq!(events.len(), 2802);
    let mut traces = BTreeMap::<_, Vec<_>>::new();
    for event in &events {
        traces.entry((&event.log, event.trace)).or_default().push((event, clock(&event.clock)));
    }
    assert_eq!(traces.len(), 6);

    let mut seen = BTreeMap::new();
    for (trace, events) in &traces {
        let step = events.len().div_ceil(SAMPLE_EVENTS);
        let sample: Vec<_> = events.iter().step_by(step).collect();
        for (a, a_clock) in &sample {
            for (b, b_clock) in &sample {
                let known = |by: &TraceEvent, of: &TraceEvent| {
                    of.clock[&of.host] <= by.clock.get(&of.host).copied().unwrap_or(0)
                };
                let expected = match (known(b, a), known(a, b)) {
                    (true, true) => Causality::Equal,
                    (true, false) => Causality::Before,
                    (false, true) => Causality::After,
                    (false, false) => Causality::Concurrent,
                };
                assert_eq!(a_clock.compare(b_clock), expected, "{trace:?}: {a_clock} to {b_clock}");
                *seen.entry(format!("{expected:?}")).or_insert(0u32) += 1;
            }
        }
    }
    println!("{seen:?}");
    assert_eq!(seen.len(), 4, "the sample holds every answer: {seen:?}");
}
