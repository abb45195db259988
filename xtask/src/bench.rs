//! `cargo xtask bench`: what the server and the npm package are measured by, in optimised builds.

use anyhow::Result;
use clap::ValueEnum;

use crate::{build_npm, process, project, setup};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What to measure; all of the server if nothing is named
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
    /// Replaying a stream: 10,000 events, and what a snapshot leaves of that
    Replay,
    /// What the seeds ask of events and versions, over a million generated races
    Seeds,
    /// The npm package, in Node.js and in Chromium: from bytes to events
    Client,
}

/// Builds what is measured, and measures; the table goes to standard output.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    // The server embeds the package; the core knows neither.
    if !matches!(arguments.what, Some(What::Replay)) {
        build_npm::run()?;
    }
    match arguments.what {
        Some(What::Replay) => run_replay(arguments.quick),
        Some(What::Seeds) => run_seeds(arguments.quick),
        Some(What::Client) => run_client(arguments.quick),
        Some(What::Fanout) => run_server("fanout", arguments.quick),
        Some(What::Append) => run_server("append", arguments.quick),
        None => run_server("all", arguments.quick),
    }
}

fn run_server(what: &str, is_quick: bool) -> Result<()> {
    let packages = ["--package", "highwater-server", "--package", "highwater-bench"];
    process::run(process::cargo().args(["build", "--release"]).args(packages))?;
    let mut bench = process::command(project::binary("highwater-bench", "release"), project::root());
    bench.arg(what).arg("--server").arg(project::highwater_binary("release"));
    if is_quick {
        bench.args(["--scale", "quick"]);
    }
    process::forget_own_package(&mut bench);
    process::become_command(&mut bench)
}

fn run_replay(is_quick: bool) -> Result<()> {
    let mut bench = process::cargo();
    bench.args(["bench", "--package", "highwater-core", "--bench", "replay"]);
    if is_quick {
        bench.args(["--", "--quick"]);
    }
    process::become_command(&mut bench)
}

fn run_seeds(is_quick: bool) -> Result<()> {
    process::run(process::cargo().args(["build", "--release", "--package", "highwater-bench"]))?;
    let mut bench = process::command(project::binary("highwater-bench", "release"), project::root());
    bench.arg("seeds");
    if is_quick {
        bench.args(["--races", "50000"]);
    }
    process::forget_own_package(&mut bench);
    process::become_command(&mut bench)
}

fn run_client(is_quick: bool) -> Result<()> {
    let folder = project::root().join("bench/client");
    // It starts Chromium as the tests do.
    for folder in [&project::root().join("tests/js"), &folder] {
        setup::npm_packages(folder)?;
    }
    let mut bench = setup::npm_command(&folder);
    bench.args(["run", "--silent", "bench"]);
    if is_quick {
        bench.args(["--", "--scale", "quick"]);
    }
    bench.envs(setup::CHROMIUM.find_or_install()?.map(|path| (setup::CHROMIUM.variable, path)));
    process::become_command(&mut bench)
}
