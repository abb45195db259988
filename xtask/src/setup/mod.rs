//! Setting a machine up: what is missing is installed where that can be done, or else the user is told what to do.

mod apt;
mod browsers;
mod cpp;
mod npm;
mod rustup;
mod schemathesis;
mod wasm;

use anyhow::Result;

use crate::project;

pub(crate) use browsers::{CHROMIUM, PROGRAMS as BROWSER_PROGRAMS};
pub(crate) use cpp::find_or_install as cpp_compiler;
pub(crate) use npm::{command as npm_command, install as npm_packages};
pub(crate) use rustup::Component;
pub(crate) use schemathesis::{VARIABLE as SCHEMATHESIS_VARIABLE, find_or_install as schemathesis};
pub(crate) use wasm::{TARGET as WASM_TARGET, Toolchain as WasmToolchain, host};

/// `cargo xtask setup`: all that any command needs.
pub(crate) fn run() -> Result<()> {
    println!("rustfmt   {}", Component::Rustfmt.find_or_install()?);
    println!("clippy    {}", Component::Clippy.find_or_install()?);
    let wasm = WasmToolchain::find_or_install()?;
    println!("wasm      {}", wasm.describe());
    println!("node      {}", npm::node_version()?);
    for folder in project::npm_folders() {
        npm_packages(&folder)?;
        let folder = folder.strip_prefix(project::root()).unwrap_or(&folder);
        println!("packages  {}/node_modules", folder.display());
    }
    for program in &BROWSER_PROGRAMS {
        let found = program.find_or_install()?;
        println!("{:<10}{}", program.label, found.map_or("none".into(), |path| path.display().to_string()));
    }
    println!("fuzzer    {}", schemathesis()?.display());
    Ok(())
}

/// Says what is about to take a while.
fn announce(what: &str) {
    eprintln!("setup: {what}");
}
