//! [Schemathesis](https://schemathesis.readthedocs.io), which asks a server all that its description allows and more.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::{announce, apt};
use crate::process::run_quiet;
use crate::project;

/// Names a Schemathesis to use instead of our own, and tells the tests where it is.
pub(crate) const VARIABLE: &str = "HIGHWATER_SCHEMATHESIS";
/// It, and what makes its questions up: another version asks others, so they are changed on purpose.
const PACKAGES: [&str; 2] = ["schemathesis==4.32.5", "hypothesis==6.170.17"];

/// The program, in a Python environment of its own below cargo's target folder.
///
/// # Errors
///
/// Where there is no Python with its `venv` and none can be installed, or `pip` fails.
pub(crate) fn find_or_install() -> Result<PathBuf> {
    if let Some(given) = std::env::var_os(VARIABLE) {
        return Ok(PathBuf::from(given));
    }
    // The versions are in the folder's name, so that others are installed beside it.
    let folder = project::target().join(PACKAGES.map(|package| package.replace("==", "-")).join("-"));
    let (programs, done) = (folder.join("bin"), folder.join("installed"));
    let program = programs.join("st");
    if done.is_file() && program.is_file() {
        return Ok(program);
    }
    announce(&format!("installing {} in {}", PACKAGES.join(" "), folder.display()));
    let make = || run_quiet(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
    make()
        .or_else(|_| apt::install(&["python3-venv"]).and_then(|()| make()))
        .context("the test of the HTTP surface needs Python 3.10 or later with its `venv` module")?;
    run_quiet(Command::new(programs.join("python")).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES))?;
    std::fs::write(&done, "").with_context(|| format!("cannot write {}", done.display()))?;
    Ok(program)
}
