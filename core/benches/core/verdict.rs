//! From an event that was decoded to its verdict: the scan of its header, the verdict, the marks moved, nothing left to poll.

use std::hint::black_box;

use criterion::{Criterion, Throughput};

use crate::traffic::{EVENTS, judge, traffic};

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("verdict");
    group.throughput(Throughput::Elements(EVENTS as u64));
    group.bench_function("event", |bencher| {
        let traffic = traffic();
        let counts = judge(&traffic);
        assert!(counts.applied > 2_000 && counts.stale > 400 && counts.duplicate > 400, "a mix: {counts:?}");
        assert_eq!((counts.applied + counts.stale + counts.duplicate) as usize, EVENTS, "{counts:?}");
        bencher.iter(|| judge(black_box(&traffic)));
    });
    group.finish();
}
