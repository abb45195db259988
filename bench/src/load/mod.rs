//! The load generator, in a process of its own: one thread, one epoll, as little work as possible for each delivery.
//!
//! It opens its subscribers, then does what each line of its input orders, and answers each with a line of JSON. Of
//! every subscriber it asks every event, once and in order; anything else fails the order.

mod answer;
mod append;
mod fanout;
mod poster;
mod subscriber;
mod transport;

use std::{
    io::{self, BufRead, Write},
    net::SocketAddr,
    path::PathBuf,
    process,
    time::Duration,
};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use self::{fanout::Fanout, transport::Target};
use crate::process::cpu_time;

/// Without anything from the server for so long, a run has failed.
const SILENCE_MAX: Duration = Duration::from_secs(20);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The server's address
    address: SocketAddr,
    /// How many subscribers to open
    #[arg(long, default_value_t = 0)]
    subscribers: usize,
    /// The server's certificate, in PEM: it is spoken to in TLS
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
}

/// What to do.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Post events, and wait until all subscribers have all of them. Without a pace they go all at once.
    Publish { events: u32, per_second: Option<u32> },
    /// Append over this many connections, one event a request and the next one when it is answered.
    Append { connections: usize, appends: u32 },
}

/// What came of it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// Frames that arrived, or appends that were answered.
    pub(crate) count: u64,
    /// From the first post to the last of these.
    pub(crate) elapsed_s: f64,
    /// How long half of them, and all but a hundredth, took from being sent.
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    /// What the generator itself needed of the CPU.
    pub(crate) own_cpu_s: f64,
}

/// A line of output: the subscribers are open, or an order is done, or what went wrong.
pub(crate) type Line = Result<Option<Outcome>, String>;

/// Opens the subscribers and does as ordered until the input ends.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let target = Target::new(arguments.address, arguments.certificate.as_deref())?;
    let mut fanout = match Fanout::open(target.clone(), arguments.subscribers, SILENCE_MAX) {
        Ok(fanout) => fanout,
        Err(error) => return answer(&Err(format!("{error:#}"))),
    };
    answer(&Ok(None))?;
    for line in io::stdin().lock().lines() {
        let outcome = match serde_json::from_str(&line?)? {
            Order::Publish { events, per_second } => fanout.publish(events, per_second),
            Order::Append { connections, appends } => append::run(&target, connections, appends, SILENCE_MAX),
        };
        answer(&outcome.map(Some).map_err(|error| format!("{error:#}")))?;
    }
    Ok(())
}

fn answer(line: &Line) -> Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, line)?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// How long the deliveries or answers of an order took.
struct Latencies {
    all_us: Vec<u32>,
    cpu_before: Duration,
}

impl Latencies {
    /// Begins an order.
    fn expecting(count: usize) -> Result<Self> {
        Ok(Self { all_us: Vec::with_capacity(count), cpu_before: cpu_time(process::id())? })
    }

    fn add(&mut self, took_us: u64) {
        self.all_us.push(took_us.try_into().unwrap_or(u32::MAX));
    }

    fn count(&self) -> usize {
        self.all_us.len()
    }

    fn outcome(mut self, elapsed: Duration) -> Result<Outcome> {
        let own_cpu = cpu_time(process::id())? - self.cpu_before;
        self.all_us.sort_unstable();
        let at = |percent: usize| self.all_us.get(self.all_us.len() * percent / 100).copied().unwrap_or_default();
        Ok(Outcome {
            count: self.all_us.len() as u64,
            elapsed_s: elapsed.as_secs_f64(),
            p50_us: at(50).into(),
            p99_us: at(99).into(),
            own_cpu_s: own_cpu.as_secs_f64(),
        })
    }
}

#[cfg(test)]
mod tests;
