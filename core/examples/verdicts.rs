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
        let least_ns = (0..PASSES).map(|_| pass_ns(&traffic)).fold(f64::INFINITY, f64::min);
        let (events, applied) = (traffic.len(), traffic::judge(&traffic).applied);
        writeln!(io::stdout(), "{} {events} {applied}", least_ns / events as f64)?;
    }
    Ok(())
}

fn pass_ns(traffic: &[traffic::Sent]) -> f64 {
    let started = Instant::now();
    black_box(traffic::judge(black_box(traffic)));
    started.elapsed().as_nanos() as f64
}
