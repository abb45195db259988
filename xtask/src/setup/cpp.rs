//! A C++ compiler, for libFuzzer.

use std::env;

use anyhow::{Context, Result};

use super::apt;
use crate::project;

/// Holds that there is one, as the crate `cc` looks for it.
///
/// # Errors
///
/// Where there is none and none can be installed, with what the user can do.
pub(crate) fn find_or_install() -> Result<()> {
    let is_there = || env::var_os("CXX").is_some() || project::find_program("c++").is_some();
    if is_there() {
        return Ok(());
    }
    apt::install(&["g++"]).context("fuzzing needs a C++ compiler, to compile libFuzzer")
}
