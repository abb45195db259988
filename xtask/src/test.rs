//! `cargo xtask test`: everything that must hold, the quickest to fail first.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::{build_npm, fuzz, process, project, setup, sim, size};

/// What every crate is compiled with, for tests and checks: all that there is.
const FEATURES: [&str; 2] = ["--features", "highwater-client/browser"];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The steps to run, in this order; all of them if none is named
    steps: Vec<Step>,
    /// Run the steps after one that failed, too
    #[arg(long)]
    keep_going: bool,
}

/// In the order in which all of them run.
#[derive(Clone, Copy, ValueEnum)]
enum Step {
    /// The code is formatted
    Format,
    /// The npm package builds: core and client compile to wasm
    Npm,
    /// No size above its limit
    Size,
    /// No warning from the compiler or clippy
    Lint,
    /// The documentation builds without a warning
    Docs,
    /// Unit, property, HTTP and process tests in Rust
    Rust,
    /// A thousand new seeds of the simulation, and every mutation
    Sim,
    /// Any bytes, for all that reads what others write
    Fuzz,
    /// The examples in the documentation
    Examples,
    /// The types of the JavaScript packages agree
    Types,
    /// The npm package in Node.js and in browsers, the crate for Rust frontends in Chromium, the page
    Js,
}

/// Runs the steps.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let steps = match arguments.steps.as_slice() {
        [] => Step::value_variants(),
        named => named,
    };
    let mut done = Vec::new();
    for step in steps {
        heading(*step);
        let started = Instant::now();
        let result = step.run();
        let failed = result.is_err();
        done.push((*step, started.elapsed(), failed));
        if let Err(error) = result {
            eprintln!("error: {error:#}");
            if !arguments.keep_going {
                break;
            }
        }
    }
    summary(&done);
    let failures = done.iter().filter(|(_, _, failed)| *failed).count();
    if failures > 0 {
        bail!("{failures} of {} steps failed", steps.len());
    }
    Ok(())
}

impl Step {
    fn run(self) -> Result<()> {
        match self {
            Self::Format => format(),
            Self::Npm => build_npm::run(),
            Self::Size => size::run(),
            Self::Lint => lint(),
            Self::Docs => docs(),
            Self::Rust => rust(),
            Self::Sim => sim::test(),
            Self::Fuzz => fuzz::run_shortly(),
            Self::Examples => process::run(process::cargo().args(["test", "--workspace", "--doc"]).args(FEATURES)),
            Self::Types => types(),
            Self::Js => js(),
        }
    }

    fn name(self) -> String {
        let value = self.to_possible_value();
        value.map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

fn format() -> Result<()> {
    setup::Component::Rustfmt.find_or_install()?;
    process::run(process::cargo().args(["fmt", "--all", "--check"]))?;
    process::run(process::cargo().args(["fmt", "--check", "--manifest-path"]).arg(fuzz::manifest()))
}

/// The server embeds the page and the package, so these come first wherever it is compiled.
fn lint() -> Result<()> {
    setup::Component::Clippy.find_or_install()?;
    build_npm::run()?;
    let mut clippy = process::cargo();
    clippy.args(["clippy", "--workspace", "--all-targets"]).args(FEATURES).args(["--", "--deny", "warnings"]);
    process::run(&mut clippy)?;
    build_npm::lint()
}

fn docs() -> Result<()> {
    build_npm::run()?;
    let mut cargo = process::cargo();
    cargo.args(["doc", "--workspace", "--no-deps"]).args(FEATURES).env("RUSTDOCFLAGS", "--deny warnings");
    process::run(&mut cargo)
}

fn rust() -> Result<()> {
    build_binary()?;
    let mut cargo = process::cargo();
    if project::find_program("cargo-nextest").is_some() {
        cargo.args(["nextest", "run", "--workspace"]);
    } else {
        cargo.args(["test", "--workspace", "--lib", "--bins", "--tests"]);
    }
    cargo.args(FEATURES).env(project::BINARY_VARIABLE, project::highwater_binary("debug"));
    process::run(cargo.env(setup::SCHEMATHESIS_VARIABLE, setup::schemathesis()?))
}

fn types() -> Result<()> {
    build_npm::run()?;
    in_npm_folders("check", &[])
}

fn js() -> Result<()> {
    build_npm::run_for_tests()?;
    build_binary()?;
    print_history()?;
    let mut variables = vec![(project::BINARY_VARIABLE, project::highwater_binary("debug"))];
    for program in &setup::BROWSER_PROGRAMS {
        variables.extend(program.find_or_install()?.map(|path| (program.variable, path)));
    }
    in_npm_folders("test", &variables)
}

/// A task's history, and what this machine's code makes of it: WebAssembly is held to the same.
fn print_history() -> Result<()> {
    let history = process::read(&mut Command::new(project::binary("examples/history", "debug")))?;
    let file = project::client().join("pkg/test/history.jsonl");
    fs::write(&file, history).with_context(|| format!("cannot write {}", file.display()))
}

/// Builds everything that the tests build too, so that nothing is compiled twice with other features.
fn build_binary() -> Result<()> {
    build_npm::run()?;
    process::run(process::cargo().args(["build", "--workspace", "--all-targets"]).args(FEATURES))
}

/// Runs the script of that name in each folder with a `package.json`; one that lacks it fails.
fn in_npm_folders(script: &str, variables: &[(&str, PathBuf)]) -> Result<()> {
    for folder in project::npm_folders() {
        setup::npm_packages(&folder)?;
        process::run(setup::npm_command(&folder).args(["run", script]).envs(variables.iter().cloned()))?;
    }
    Ok(())
}

fn heading(step: Step) {
    let value = step.to_possible_value();
    let what = value.and_then(|value| value.get_help().map(ToString::to_string)).unwrap_or_default();
    println!("\n=== {}: {what}", step.name());
}

fn summary(done: &[(Step, Duration, bool)]) {
    println!();
    for (step, took, failed) in done {
        let outcome = if *failed { "FAILED" } else { "ok" };
        println!("{:<10}{:>8.1} s  {outcome}", step.name(), took.as_secs_f64());
    }
    let total: Duration = done.iter().map(|(_, took, _)| took).sum();
    println!("{:<10}{:>8.1} s", "all", total.as_secs_f64());
}
