//! How one vector clock stands to another.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use highwater_core::clock::{Causality, VectorClock};

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("clock");
    group.throughput(Throughput::Elements(1));
    for (name, actors) in [("3_actors", 3), ("256_actors", 256)] {
        group.bench_function(name, |bencher| {
            // They differ in the last actor alone, so that every one is looked at.
            let before = clock(actors, 7);
            let after = clock(actors, 8);
            assert_eq!(before.compare(&after), Causality::Before);
            bencher.iter(|| black_box(&before).compare(black_box(&after)));
        });
    }
    group.finish();
}

fn clock(actors: u64, last: u64) -> VectorClock {
    let mut clock = VectorClock::new();
    for actor in 1..=actors {
        let counter = if actor == actors { last } else { actor };
        clock.set(&format!("agent-{actor:03}"), counter).expect("in range");
    }
    clock
}
