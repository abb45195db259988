//! `highwater demo`: the race of generator, tester and corrector, with a page to watch it.

use std::path::PathBuf;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::serve::cancel_on_signal;
use crate::demo::{self, Options};

/// Runs until Ctrl-C, or with `--once` until the scenario is over.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Address and port of the page; port 0 takes a free one [default: 127.0.0.1:4849, or a free port]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// How many times faster than the latencies of language models and networks, 0.5 to 1000 [default: 4; with --once 60]
    #[arg(long, value_name = "FACTOR", value_parser = parse_speed)]
    speed: Option<f64>,
    /// Draw chance from this number
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Keep the log in this folder; left out, it is removed in the end
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Run a bounded scenario without a page, print what a naive client got wrong, and fail if a verdict was wrong
    #[arg(long)]
    once: bool,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let shutdown = CancellationToken::new();
    cancel_on_signal(shutdown.clone()).context("cannot wait for signals")?;
    let Arguments { listen, speed, seed, data, once } = arguments;
    demo::run(Options { listen, speed, seed, data, once }, shutdown).await
}

fn parse_speed(text: &str) -> Result<f64, String> {
    let range = demo::SPEED_RANGE;
    let within = text.parse().ok().filter(|speed| range.contains(speed));
    within.ok_or_else(|| format!("must be {} to {}", range.start(), range.end()))
}
