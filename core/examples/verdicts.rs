//! The native side of `cargo xtask bench wasm`: for each line that it reads it judges what a busy connection brings, and says how
//! many nanoseconds an event took, how many events there are, and how many moved the state. WebAssembly's side is an example of the client's crate, of the same source.

#[path = "../benches/core/events.rs"]
mod events;
#[path = "../benches/core/traffic.rs"]
mod traffic;

use std::{
    hint::black_box,
    io::{self, Write},
    time::Instant,
};

/// How many times it judges everything for each line. The least time is told: whatever else the machine does only adds.
const PASSES: u32 = 50;

fn main() -> io::Result<()> {
    let traffic = traffic::traffic();
    for line in io::stdin().lines() {
        line?;
        let passes: Vec<_> = (0..PASSES).map(|_| pass(&traffic)).collect();
        let least_ns = passes.iter().map(|(ns, _)| *ns).fold(f64::INFINITY, f64::min);
        let (events, applied) = (traffic.events.len(), passes[0].1);
        writeln!(io::stdout(), "{} {events} {applied}", least_ns / events as f64)?;
    }
    Ok(())
}

/// How many nanoseconds it took, and how many events moved the state by then.
fn pass(traffic: &traffic::Traffic) -> (f64, u64) {
    let mut reader = traffic::Reader::of(traffic);
    let started = Instant::now();
    let counts = black_box(reader.judge(black_box(&traffic.events)));
    (started.elapsed().as_nanos() as f64, counts.applied)
}
