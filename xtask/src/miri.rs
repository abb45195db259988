//! `cargo xtask miri`: core's unit tests in Miri, an interpreter that knows what Rust leaves undefined.
//!
//! Core forbids `unsafe`, so there is nothing in its own code that Miri could convict. What it can find is in what core stands on, such as
//! `memchr` and `serde_json`, as core uses it; what depends on where memory lies, which differs from run to run; memory that is never given
//! back; and, with `--target`, what is not so where numbers are of another width or lie the other way round. It is hundreds of times slower than
//! the machine, so that property tests try few cases, and it comes with nightly toolchains alone: it is no part of `cargo xtask test`.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{process, project};

/// How many cases a property is tried on.
const CASES: &str = "4";
/// What would take it hours: thousands of cases, or megabytes. Others go the same ways with fewer.
const TOO_LONG: [&str; 14] = [
    "a_batch_is_good_as_a_whole_or_not_at_all",
    "a_large_frame_and_a_long_stream_cost_what_they_are_long",
    "a_story_is_bounded",
    "each_day_is_named_as_a_library_names_it",
    "every_command_in_every_phase",
    "every_command_in_every_state",
    "knowledge::tests::what_can_not_be_meant_is_refused",
    "limits_have_their_own_errors",
    "marks::tests::",
    "one_run_is_open_the_guard_names_it_and_the_counters_are_the_fold",
    "the_scan_finds_what_the_full_parse_finds_wherever_something_is_put_in",
    "what_is_written_is_read",
    "whatever_happens_it_waits_for_something_and_has_one_connection",
    "white_space_goes_and_nothing_else",
];
const HOW_TO_GET_IT: &str = "Miri is missing: it is a component of nightly toolchains, so run `rustup toolchain install nightly --component miri rust-src`";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The machine to be, such as s390x-unknown-linux-gnu, whose numbers lie the other way round
    #[arg(long)]
    target: Option<String>,
    /// What is in the names of the tests to run; all of them if nothing is named
    filter: Option<String>,
}

/// Runs the tests.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut miri = cargo_miri()?;
    miri.args(["test", "--package", "highwater-core", "--lib"]);
    if let Some(target) = &arguments.target {
        miri.args(["--target", target]);
    }
    miri.arg("--").args(&arguments.filter);
    // What is named is run.
    let is_named = |test: &&str| {
        arguments.filter.as_ref().is_some_and(|filter| test.contains(filter.as_str()) || filter.contains(*test))
    };
    miri.args(TOO_LONG.iter().filter(|test| !is_named(test)).flat_map(|test| ["--skip", test]));
    // Property tests look for what failed before in files, and for a seed in the system.
    miri.env("PROPTEST_CASES", CASES).env("MIRIFLAGS", "-Zmiri-disable-isolation");
    process::run(&mut miri)
}

/// The nightly toolchain's `cargo miri`.
fn cargo_miri() -> Result<Command> {
    let rustup = project::find_program("rustup").context(HOW_TO_GET_IT)?;
    let cargo = || {
        let mut cargo = process::command(&rustup, project::root());
        process::forget_own_package(&mut cargo);
        // What the cargo that runs us has set is of its own toolchain.
        for name in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "LD_LIBRARY_PATH"] {
            cargo.env_remove(name);
        }
        cargo.args(["run", "nightly", "cargo", "miri"]);
        cargo
    };
    if let Err(error) = process::read(cargo().arg("--version")) {
        bail!("{HOW_TO_GET_IT}\n{error:#}");
    }
    Ok(cargo())
}
