//! `highwater-bench`: how fast and how small the server is, as ratios to what else ran on the same machine in the same
//! minutes.
//!
//! `fanout`, `append` and `seeds` measure and print figures as lines of JSON; the other commands are the processes that they start.

mod append;
mod contender;
mod event;
mod fanout;
mod load;
mod process;
mod scale;
mod seeds;
mod server;

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use highwater_report::Figure;

use self::scale::Scale;

#[derive(Parser)]
#[command(name = "highwater-bench", version, about = "Measures Highwater's server, beside others in the same run")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure streaming: CPU, bursts, memory, ten thousand subscribers
    Fanout(Measure),
    /// Measure appending: over HTTP, and to long streams
    Append(Measure),
    /// Count what the first seed asks of events and versions, over generated races
    Seeds(seeds::Arguments),
    /// Serve as a bare loop that writes each frame to each socket
    #[command(hide = true)]
    Floor,
    /// Serve as axum's `Sse` over a broadcast channel
    #[command(hide = true)]
    PlainAxum,
    /// Subscribe and post as ordered on standard input
    #[command(hide = true)]
    Load(load::Arguments),
    /// Append to a store in this process as ordered by the arguments
    #[command(hide = true)]
    Store(append::store::Arguments),
}

#[derive(clap::Args)]
struct Measure {
    /// The server's binary, an optimised build
    #[arg(long, env = "HIGHWATER_BIN", value_name = "FILE")]
    server: PathBuf,
    /// How much to measure
    #[arg(long, value_enum, default_value_t = Scale::Full)]
    scale: Scale,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Fanout(measure) => measured(fanout::figures, &measure),
        Command::Append(measure) => measured(append::figures, &measure),
        Command::Seeds(arguments) => seeds::run(&arguments),
        Command::Floor => contender::run_floor(),
        Command::PlainAxum => parallel(contender::run_plain_axum()),
        Command::Load(arguments) => load::run(&arguments),
        Command::Store(arguments) => parallel(append::store::run(arguments)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, and prints the figures.
fn measured(figures: impl AsyncFnOnce(&Path, Scale) -> Vec<Figure>, measure: &Measure) -> Result<()> {
    // What is started from here inherits it.
    rlimit::increase_nofile_limit(u64::MAX).context("cannot raise the limit of open files")?;
    let figures = parallel(async {
        tokio::select! {
            figures = figures(&measure.server, measure.scale) => Ok(figures),
            stopped = stop_signal() => {
                stopped?;
                bail!("stopped by a signal")
            }
        }
    })?;
    Ok(highwater_report::print(&figures)?)
}

fn parallel<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

/// Waits for a signal to end. Then what runs is dropped, and its processes with it.
async fn stop_signal() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};

        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
