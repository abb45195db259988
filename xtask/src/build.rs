//! `cargo xtask build`: what is deployed, one binary with the page and the npm package inside.

use anyhow::Result;

use crate::{build_npm, process, project};

/// Builds the optimised binary.
pub(crate) fn run() -> Result<()> {
    build_npm::run()?;
    process::run(process::cargo().args(["build", "--release", "--package", "highwater-server"]))?;
    let binary = project::highwater_binary("release");
    println!("{}", binary.display());
    Ok(())
}
