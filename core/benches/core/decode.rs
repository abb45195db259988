//! Decoding an event stream, beside finding the end of every line in the same bytes: no decoder can be quicker than that.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use highwater_core::sse::{Decoder, encode_event};
use memchr::memchr_iter;

use crate::traffic::{EVENTS, traffic};

/// What one read of a socket brings at most.
const CHUNK_BYTES: usize = 64 * 1024;

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    let stream = stream();
    group.throughput(Throughput::Bytes(stream.len() as u64));
    group.bench_function("frames", |bencher| {
        assert_eq!(frames(&stream), EVENTS);
        bencher.iter(|| frames(black_box(&stream)));
    });
    group.bench_function("newlines", |bencher| {
        bencher.iter(|| {
            let chunks = black_box(&stream).chunks(CHUNK_BYTES);
            chunks.map(|chunk| memchr_iter(b'\n', chunk).fold(0, |sum, at| sum ^ at)).fold(0, |sum, part| sum ^ part)
        });
    });
    group.finish();
}

/// The connection's bytes.
fn stream() -> Vec<u8> {
    let mut bytes = Vec::new();
    for sent in traffic().events {
        encode_event(&mut bytes, sent.position, sent.prev.get(), &sent.envelope);
    }
    bytes
}

/// How many frames a decoder finds, which gets the bytes as a client does: written in place.
fn frames(stream: &[u8]) -> usize {
    let mut decoder = Decoder::new();
    let mut frames = 0;
    for chunk in stream.chunks(CHUNK_BYTES) {
        decoder.push(chunk);
        while let Some(frame) = decoder.next_frame().expect("no frame is too large") {
            black_box(frame);
            frames += 1;
        }
    }
    frames
}
