//! `cargo xtask`: the commands of the project, and the only place that knows how to set a machine up.
//!
//! Every command sets up what it needs and finds missing, so that a fresh clone needs no other step.

mod bench;
mod build;
mod build_npm;
mod chaos;
mod demo;
mod fuzz;
mod miri;
mod process;
mod project;

mod setup;
mod sim;
mod size;
mod stale;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "The commands of Highwater")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build what is missing and start the demo; arguments go to `highwater demo`
    Demo(demo::Arguments),
    /// Run everything that must hold, in order
    Test(test::Arguments),
    /// Build the npm package: wasm, its glue, and the JavaScript around them
    BuildNpm {
        /// Build what its tests load, too
        #[arg(long)]
        tests: bool,
    },
    /// Build the npm package and the optimised server binary
    Build,
    /// Measure optimised builds, and print the figures as a table in Markdown
    Bench(bench::Arguments),
    /// Kill, freeze and cut everything for a while, and say what was done and what was lost
    Chaos(chaos::Arguments),
    /// Simulate servers, clients and all that is between them; arguments go to the simulation
    Sim(sim::Arguments),
    /// Fuzz what reads what others write: name a target, or see which there are
    Fuzz(fuzz::Arguments),
    /// Run core's unit tests in Miri, where a nightly toolchain has it
    Miri(miri::Arguments),
    /// Print what a browser downloads, and fail above the limit
    Size,
    /// Install what is missing on this machine
    Setup,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::BuildNpm { tests: false } => build_npm::run(),
        Command::BuildNpm { tests: true } => build_npm::run().and_then(|()| build_npm::run_for_tests()),
        Command::Build => build::run(),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Chaos(arguments) => chaos::run(&arguments),
        Command::Sim(arguments) => sim::run(&arguments),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::Miri(arguments) => miri::run(&arguments),
        Command::Size => size::run(),
        Command::Setup => setup::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_after_demo_goes_to_the_demo() {
        let words = ["cargo xtask", "demo", "--once", "--speed", "20", "--help"];
        let Command::Demo(arguments) = Arguments::try_parse_from(words).unwrap().command else {
            panic!("another command than the one that was named");
        };
        assert_eq!(arguments.demo, words[2..]);
    }
}
