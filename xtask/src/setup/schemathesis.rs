//! [Schemathesis](https://schemathesis.readthedocs.io), which asks a server all that its description allows and more.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::{announce, apt};
use crate::process::run_quiet;
use crate::project;

/// Names a Schemathesis to use instead of our own, and tells the tests where it is.
pub(crate) const VARIABLE: &str = "HIGHWATER_SCHEMATHESIS";
/// It and all that it stands on, as pip lists them: another version asks other questions, so they are changed on purpose.
const REQUIREMENTS: &str = include_str!("schemathesis.txt");

/// The program, in a Python environment of its own below cargo's target folder.
///
/// # Errors
///
/// Where there is no Python with its `venv` and none can be installed, or `pip` fails.
pub(crate) fn find_or_install() -> Result<PathBuf> {
    if let Some(given) = std::env::var_os(VARIABLE) {
        return Ok(PathBuf::from(given));
    }
    let folder = project::target().join("schemathesis");
    let (programs, done) = (folder.join("bin"), folder.join("requirements.txt"));
    let program = programs.join("st");
    if std::fs::read_to_string(&done).is_ok_and(|installed| installed == REQUIREMENTS) && program.is_file() {
        return Ok(program);
    }
    announce(&format!("installing Schemathesis in {}", folder.display()));
    let make = || run_quiet(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
    make()
        .or_else(|_| apt::install(&["python3-venv"]).and_then(|()| make()))
        .context("the test of the HTTP surface needs Python 3.10 or later with its `venv` module")?;
    let asked_for = folder.join("asked-for.txt");
    std::fs::write(&asked_for, REQUIREMENTS).with_context(|| format!("cannot write {}", asked_for.display()))?;
    let mut pip = Command::new(programs.join("python"));
    run_quiet(pip.args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(&asked_for))?;
    std::fs::rename(&asked_for, &done).with_context(|| format!("cannot write {}", done.display()))?;
    Ok(program)
}
