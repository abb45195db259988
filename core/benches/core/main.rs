//! What the core costs: a verdict, decoding an event stream, a header scan beside serde_json, comparing clocks, folding.
//!
//! `cargo xtask bench core` runs them and makes figures of what Criterion leaves. Run as a test, each goes once.

mod clock;
mod decode;
mod events;
mod replay;
mod scan;
mod traffic;
mod verdict;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

fn configured() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .sample_size(50)
        .without_plots()
}

criterion_group! {
    name = core;
    config = configured();
    targets = verdict::benches, decode::benches, scan::benches, clock::benches, replay::benches
}
criterion_main!(core);
