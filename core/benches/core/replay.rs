//! How long it takes to replay a stream: 10,000 events of one task, from what is stored and from what is parsed already; and what is left
//! of that where a snapshot is at hand.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use highwater_core::{decider::Projection, domain::task::Task, envelope::parse_stored, event::Event};

use crate::events::{Place, envelope, task_event};

const STREAM: &str = "space:42:tasks:task-abc";
const EVENTS: u64 = 10_000;
/// As a server makes them, unless told otherwise.
const SNAPSHOT_EVERY: usize = 500;

pub(crate) fn benches(criterion: &mut Criterion) {
    let events: Vec<_> = (1..=EVENTS).map(event).collect();
    let stored: Vec<_> = events.iter().map(envelope).collect();
    let whole = fold(&events);
    assert_eq!((whole.mark().revision.get(), whole.set_aside()), (EVENTS as u32, Default::default()));

    let mut group = criterion.benchmark_group("fold");
    group.throughput(Throughput::Elements(EVENTS));
    group.bench_function("stored", |bencher| bencher.iter(|| replay(Projection::default(), black_box(&stored))));
    group.bench_function("parsed", |bencher| bencher.iter(|| fold(black_box(&events))));
    // The most that a snapshot leaves: all of an interval but its last event.
    let (before, tail) = stored.split_at(stored.len() - SNAPSHOT_EVERY + 1);
    let snapshot = replay(Projection::default(), before).snapshot();
    group.bench_function("from_snapshot", |bencher| {
        bencher.iter(|| replay(Projection::restore(black_box(&snapshot)).expect("it is of this schema"), tail));
    });
    group.finish();
}

fn event(number: u64) -> Event {
    let (round, step) = ((number - 1) / 6, (number - 1) % 6);
    let version = 2 * round + 1 + u64::from(step == 5);
    task_event(Place { stream: STREAM, sequence: number, revision: number, version })
}

fn replay(mut task: Projection<Task>, stored: &[Vec<u8>]) -> Projection<Task> {
    let stream = STREAM.parse().expect("a stream");
    for envelope in stored {
        task.apply(&parse_stored(envelope, Some(&stream)).expect("what was written can be read"));
    }
    task
}

fn fold(events: &[Event]) -> Projection<Task> {
    let mut task = Projection::default();
    for event in events {
        task.apply(event);
    }
    task
}
