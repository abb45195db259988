//! `cargo xtask chaos`: the real server, real tabs and a bad network, for as long as is asked for.

use anyhow::Result;

use crate::{build_npm, process, project, setup};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long the incidents go on
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// The faults of an earlier run, as far as time allows
    #[arg(long)]
    seed: Option<u32>,
}

/// Builds what is missing, then becomes the run; its report is what it says last.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    build_npm::run()?;
    process::run(process::cargo().args(["build", "--package", "highwater-server"]))?;
    let folder = project::root().join("tests/js");
    setup::npm_packages(&folder)?;
    // Without the test runner's own processes: they would show the report only at the end of all.
    let mut node = process::command("node", &folder);
    node.args(["--test-reporter=spec", "chaos.test.mjs"])
        .env("CI", "true")
        .env("HIGHWATER_CHAOS_SECONDS", arguments.seconds.to_string());
    node.env(project::BINARY_VARIABLE, project::highwater_binary("debug"));
    node.envs(arguments.seed.map(|seed| ("HIGHWATER_SEED", seed.to_string())));
    node.envs(setup::CHROMIUM.find_or_install()?.map(|path| (setup::CHROMIUM.variable, path)));
    process::become_command(&mut node)
}
