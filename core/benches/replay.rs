//! How long it takes to replay a stream: 10,000 events of one task, from what is stored and from what is parsed already; and what is left
//! of that where a snapshot is at hand.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use highwater_core::{
    decider::Projection,
    domain::task::Task,
    envelope::{parse_stored, write_event},
    event::{Data, Event, NewEvent, Recording},
    time::Timestamp,
    version::{Revision, Sequence, Version},
};

const STREAM: &str = "space:42:tasks:task-abc";
const EVENTS: u64 = 10_000;
/// As a server makes them, unless told otherwise.
const SNAPSHOT_EVERY: usize = 500;

/// A task whose actors go on and on: code, a correction begun, two reports, a check, a correction.
fn events() -> Vec<Event> {
    (1..=EVENTS).map(event).collect()
}

fn event(number: u64) -> Event {
    let (round, step) = ((number - 1) / 6, (number - 1) % 6);
    let code =
        r"fn sort(mut list) { for i in 0..list.len { for j in 0..i { if list[j] > list[i] { swap(i, j) } } } list }";
    let (kind, actor, data) = match step {
        0 => ("code_refined", "generator", format!(r#"{{"code":"{code}","hash":"{round:016x}"}}"#)),
        1 => ("correction_started", "corrector", "{}".to_owned()),
        2 | 3 => {
            let bug = r#"{"case":"sort([3, 1, 2])","expected":"[1, 2, 3]","got":"[3, 1, 2]"}"#;
            ("bug_report_received", "tester", format!(r#"{{"bug":{bug},"hash":"{round:016x}"}}"#))
        }
        4 => ("quality_checked", "tester", r#"{"passed":false,"cases":20,"failed":2}"#.to_owned()),
        _ => {
            let addresses = format!(r#"["{}","{}"]"#, id(number - 3), id(number - 2));
            let data = format!(r#"{{"code":"{code}","hash":"{round:016x}-2","addresses":{addresses}}}"#);
            ("correction_completed", "corrector", data)
        }
    };
    let version = 2 * round + 1 + u64::from(step == 5);
    let event = NewEvent {
        causation_id: (number > 1).then(|| id(number - 1).parse().expect("an id")),
        command_id: id(number).parse().ok(),
        data: Data::json(&data).expect("JSON"),
        ..NewEvent::new(
            STREAM.parse().expect("a stream"),
            actor.parse().expect("an actor"),
            format!("task.{kind}.v1").parse().expect("a type"),
        )
    };
    event.record(Recording {
        id: id(number).parse().expect("an id"),
        recorded_time: Timestamp::from_unix_micros(1_767_225_600_000_000 + 1_234 * number as i64).expect("a time"),
        sequence: Sequence::new(number).expect("in range"),
        revision: Revision::new(number).expect("in range"),
        version: Version::new(version).expect("in range"),
        clock: format!("corrector={number},generator={number},tester={number}").parse().expect("a clock"),
    })
}

fn id(number: u64) -> String {
    format!("019aa2f4-6a53-7c1e-9a57-{number:012x}")
}

fn stored(events: &[Event]) -> Vec<Vec<u8>> {
    let write = |event| {
        let mut envelope = Vec::new();
        write_event(event, &mut envelope);
        envelope
    };
    events.iter().map(write).collect()
}

fn replay(mut task: Projection<Task>, stored: &[Vec<u8>]) -> Projection<Task> {
    let stream = STREAM.parse().expect("a stream");
    for envelope in stored {
        task.apply(&parse_stored(envelope, &stream).expect("what was written can be read"));
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

fn benches(criterion: &mut Criterion) {
    let events = events();
    let stored = stored(&events);
    let whole = fold(&events);
    assert_eq!((whole.mark().revision.get(), whole.set_aside()), (EVENTS as u32, Default::default()));

    let mut group = criterion.benchmark_group("replay of 10,000 events of one task");
    group.bench_function("as they are stored", |bencher| {
        bencher.iter(|| replay(Projection::default(), black_box(&stored)))
    });
    group.bench_function("parsed already", |bencher| bencher.iter(|| fold(black_box(&events))));
    // The most that a snapshot leaves: all of an interval but its last event.
    let (before, tail) = stored.split_at(stored.len() - SNAPSHOT_EVERY + 1);
    let snapshot = replay(Projection::default(), before).snapshot();
    group.bench_function("from a snapshot", |bencher| {
        bencher.iter(|| replay(Projection::restore(black_box(&snapshot)).expect("it is of this schema"), tail));
    });
    group.finish();
}

criterion_group!(replays, benches);
criterion_main!(replays);
