//! `cargo xtask demo`: from a fresh clone to the running demo.

use std::ffi::OsString;
use std::process::Command;

use anyhow::Result;

use crate::{build_npm, process, project};

/// Everything goes to the demo, `--help` too.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    /// What `cargo xtask demo --help` names
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) demo: Vec<OsString>,
}

/// Builds what is missing, then becomes `highwater demo`: signals and the exit code are its own.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    build_npm::run()?;
    process::run(process::cargo().args(["build", "--package", "highwater-server"]))?;
    let mut demo = Command::new(project::highwater_binary("debug"));
    demo.arg("demo").args(&arguments.demo);
    process::forget_own_package(&mut demo);
    process::become_command(&mut demo)
}
