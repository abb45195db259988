//! `cargo xtask bench`: what the server is measured by, in optimised builds.

use anyhow::Result;
use clap::ValueEnum;

use crate::{build_npm, process, project};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What to measure; both if nothing is named
    what: Option<What>,
    /// Fewer rounds, and shorter ones: to look how a change did
    #[arg(long)]
    quick: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// Streaming: CPU, bursts, memory, ten thousand subscribers
    Fanout,
    /// Appending: over HTTP, and to long streams
    Append,
}

/// Builds the server and what measures it, then measures; the table goes to standard output.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    build_npm::run()?;
    let packages = ["--package", "highwater-server", "--package", "highwater-bench"];
    process::run(process::cargo().args(["build", "--release"]).args(packages))?;
    let mut bench = process::command(project::binary("highwater-bench", "release"), project::root());
    bench.arg(match arguments.what {
        Some(What::Fanout) => "fanout",
        Some(What::Append) => "append",
        None => "all",
    });
    bench.arg("--server").arg(project::highwater_binary("release"));
    if arguments.quick {
        bench.args(["--scale", "quick"]);
    }
    process::forget_own_package(&mut bench);
    process::become_command(&mut bench)
}
