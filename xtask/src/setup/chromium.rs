//! A Chromium for the browser tests.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::apt;
use crate::project;

/// Names a Chromium to use instead of the machine's own.
pub(crate) const VARIABLE: &str = "HIGHWATER_CHROMIUM";

const PROGRAMS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// The program of a Chromium-like browser.
///
/// # Errors
///
/// Where there is none and none can be installed, with what the user can do.
pub(crate) fn find_or_install() -> Result<PathBuf> {
    if let Some(given) = env::var_os(VARIABLE) {
        let given = PathBuf::from(given);
        if !given.is_file() {
            bail!("{VARIABLE} names {}, which is no file", given.display());
        }
        return Ok(given);
    }
    if let Some(program) = find() {
        return Ok(program);
    }
    apt::install(&["chromium"])
        .and_then(|()| find().context("apt-get installed `chromium`, but there is no such program in PATH"))
        .with_context(|| format!("the browser tests need Chromium or Chrome, in PATH or named by {VARIABLE}"))
}

fn find() -> Option<PathBuf> {
    PROGRAMS.iter().find_map(|program| project::find_program(program))
}
