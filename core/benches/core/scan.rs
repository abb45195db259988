//! The scan of an event's header, beside serde_json on the same bytes: once all of it as a value, once only what the scan reads.

use std::{borrow::Cow, hint::black_box};

use criterion::{Criterion, Throughput};
use highwater_core::envelope::scan;
use serde::Deserialize;
use serde_json::Value;

use crate::traffic::{EVENTS, Sent, traffic};

/// What serde_json reads where it is told what is wanted: it passes over the rest and makes nothing of it.
#[derive(Deserialize)]
#[expect(dead_code, reason = "it is read to be measured")]
struct Header<'a> {
    #[serde(borrow)]
    subject: Cow<'a, str>,
    #[serde(borrow)]
    sequence: Cow<'a, str>,
    revision: u32,
    version: u32,
}

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scan");
    group.throughput(Throughput::Elements(EVENTS as u64));
    let traffic = traffic().events;
    group.bench_function("header", |bencher| {
        bencher.iter(|| each(&traffic, |envelope| _ = black_box(scan(envelope).expect("a header"))));
    });
    group.bench_function("serde_json_value", |bencher| {
        bencher.iter(|| {
            each(&traffic, |envelope| drop(black_box(serde_json::from_slice::<Value>(envelope).expect("JSON"))));
        });
    });
    group.bench_function("serde_json_header", |bencher| {
        bencher.iter(|| {
            each(&traffic, |envelope| drop(black_box(serde_json::from_slice::<Header<'_>>(envelope).expect("JSON"))));
        });
    });
    group.finish();
}

fn each(traffic: &[Sent], read: impl Fn(&[u8])) {
    black_box(traffic).iter().for_each(|sent| read(&sent.envelope));
}
