//! From an event that was decoded to its verdict: the scan of its header, the verdict, the marks moved, nothing left to poll.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput};

use crate::traffic::{EVENTS, Reader, traffic};

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("verdict");
    group.throughput(Throughput::Elements(EVENTS as u64));
    group.bench_function("event", |bencher| {
        let traffic = traffic();
        let reader = || Reader::of(&traffic);
        let (before, after) = (reader().judge(&[]), reader().judge(&traffic.events));
        let (applied, stale) = (after.applied - before.applied, after.stale - before.stale);
        let duplicate = after.duplicate - before.duplicate;
        assert!(applied > 1_000 && stale > 200 && duplicate > 200, "a mix: {before:?}, {after:?}");
        assert_eq!((applied + stale + duplicate) as usize, EVENTS, "{before:?}, {after:?}");
        bencher.iter_batched_ref(reader, |reader| reader.judge(black_box(&traffic.events)), BatchSize::PerIteration);
    });
    group.finish();
}
