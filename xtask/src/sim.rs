//! `cargo xtask sim`: servers and clients in one thread, with every fault that a seed can think of.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;

use crate::{build_npm, process, project};

const PROFILE: &str = "sim";
/// How many new seeds each test run takes.
const SEEDS: u64 = 1_000;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What the simulation takes: --seeds N, --from N, --seed N, --mutations; --help tells more
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    sim: Vec<String>,
}

/// Builds the simulation and becomes it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    build()?;
    process::become_command(
        process::command(project::binary("highwater-sim", PROFILE), project::root()).args(&arguments.sim),
    )
}

/// Runs seeds that nobody has run before, and sees that the checker notices whatever is broken.
pub(crate) fn test() -> Result<()> {
    build()?;
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let sim = || process::command(project::binary("highwater-sim", PROFILE), project::root());
    let from = since_1970.as_secs() * SEEDS;
    process::run(sim().args(["--seeds", &SEEDS.to_string(), "--from", &from.to_string()]))?;
    process::run(sim().arg("--mutations"))
}

/// The server embeds the npm package, so that comes first.
fn build() -> Result<()> {
    build_npm::run()?;
    let build = ["build", "--profile", PROFILE, "--package", "highwater-sim", "--features", "mutations"];
    process::run(process::cargo().args(build))
}
