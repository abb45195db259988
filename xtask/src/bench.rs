//! `cargo xtask bench`: what core, the server and the npm package are measured by, in optimised builds. Each benchmark is a process that prints
//! figures, or leaves them as Criterion does; one table is made of all.

mod criterion;
mod machine;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use highwater_report::{Figure, Rounds, Table};

use self::criterion::{Benchmark, CORE};
use self::machine::Machine;
use crate::{build_npm, process, project, setup};

/// Where the figures of everything go.
const FILE: &str = "BENCHMARKS.md";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What to measure; everything if nothing is named, and then the table goes to BENCHMARKS.md
    what: Option<What>,
    /// Fewer rounds, and shorter ones, to look how a change did: the table goes to standard output
    #[arg(long)]
    quick: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Core: verdicts, decoding, the header scan, clocks, folding
    Core,
    /// A verdict in WebAssembly, beside the same natively
    Wasm,
    /// The npm package, in Node.js and in Chromium: from bytes to events
    Client,
    /// Streaming: CPU, bursts, memory, ten thousand subscribers
    Fanout,
    /// Appending: over HTTP, by the disk's own rate, and to long streams
    Append,
    /// What the seeds ask of events and versions, over a million generated races
    Seeds,
    /// Replaying a stream, of core's: 10,000 events, and what a snapshot leaves of that
    Replay,
}

/// In the order in which they are measured. Core's have the replay with them.
const EVERYTHING: [What; 6] = [What::Core, What::Wasm, What::Client, What::Fanout, What::Append, What::Seeds];

/// Builds what is measured, measures, and makes the table. Fails where a figure is not measured, or not as it must be.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let named = arguments.what.map(|what| [what]);
    let parts = named.as_ref().map_or(&EVERYTHING[..], |what| what);
    let figures: Vec<_> = parts.iter().flat_map(|what| what.figures(arguments.quick)).collect();
    if named.is_none() && !arguments.quick {
        let file = project::root().join(FILE);
        fs::write(&file, document(&Machine::here(), &figures)).with_context(|| format!("cannot write {FILE}"))?;
        eprintln!("{FILE} is written");
    } else {
        print!("{}", Table(&figures));
    }
    for Figure { name, rounds, .. } in &figures {
        if let Rounds::Failed(reason) = rounds {
            eprintln!("not measured: {name}: {reason}");
        }
    }
    let failures = figures.iter().filter(|figure| !figure.passes()).count();
    ensure!(failures == 0, "{failures} of {} figures are not as they must be", figures.len());
    Ok(())
}

/// What goes into the file.
fn document(machine: &Machine, figures: &[Figure]) -> String {
    format!(
        "# Benchmarks\n\nMade by `cargo xtask bench`: {machine}.\n\n\
         A figure is the median of its rounds, with the least and the most; where a `÷` is named, it was divided by what that took or did in the \
         same minutes.\nWhat each is and is not: [docs/benchmarks.md](docs/benchmarks.md).\n\n{}",
        Table(figures)
    )
}

impl What {
    /// Its figures. Where it could not even begin, that is one.
    fn figures(self, is_quick: bool) -> Vec<Figure> {
        let name = self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        eprintln!("\n=== {name}");
        self.measure(is_quick).unwrap_or_else(|error| {
            vec![Figure {
                name: format!("all of {name}"),
                rounds: Rounds::Failed(format!("{error:#}")),
                ..Figure::default()
            }]
        })
    }

    fn measure(self, is_quick: bool) -> Result<Vec<Figure>> {
        match self {
            Self::Core => core("", is_quick),
            Self::Replay => core("fold/", is_quick),
            Self::Wasm => wasm(is_quick),
            Self::Client => client(is_quick),
            Self::Fanout => server("fanout", is_quick),
            Self::Append => server("append", is_quick),
            Self::Seeds => seeds(is_quick),
        }
    }
}

/// Those of core's benchmarks whose names begin so.
fn core(prefix: &str, is_quick: bool) -> Result<Vec<Figure>> {
    let folder = project::target().join("criterion");
    let asked: Vec<_> =
        CORE.iter().filter(|benchmark| benchmark.ids().any(|id| id.starts_with(prefix))).collect::<Vec<&Benchmark>>();
    criterion::clear(&folder, &asked)?;
    let mut bench = process::cargo();
    bench.args(["bench", "--package", "highwater-core", "--bench", "core", "--", prefix]);
    if is_quick {
        bench.args(["--warm-up-time", "0.2", "--measurement-time", "0.5", "--sample-size", "10"]);
    }
    process::run(bench.env("CRITERION_HOME", &folder).stdout(io::stderr()))?;
    Ok(asked.into_iter().map(|benchmark| benchmark.figure(&folder)).collect())
}

fn wasm(is_quick: bool) -> Result<Vec<Figure>> {
    let folder = bench_client()?;
    let wasm = build_npm::verdicts()?;
    build(&["--package", "highwater-core", "--example", "verdicts"])?;
    let mut bench = process::command("node", &folder);
    bench.arg("wasm.mjs").arg("--native").arg(project::binary("examples/verdicts", "release")).arg("--wasm").arg(wasm);
    printed(bench.args(["--scale", scale(is_quick)]))
}

fn client(is_quick: bool) -> Result<Vec<Figure>> {
    build_npm::run()?;
    let mut bench = setup::npm_command(&bench_client()?);
    bench.args(["run", "--silent", "bench", "--", "--scale", scale(is_quick)]);
    printed(bench.envs(setup::CHROMIUM.find_or_install()?.map(|path| (setup::CHROMIUM.variable, path))))
}

/// The folder of what is measured with npm packages, and with those there. It starts Chromium as the tests do.
fn bench_client() -> Result<PathBuf> {
    let folder = project::root().join("bench/client");
    for folder in [&project::client(), &project::root().join("tests/js"), &folder] {
        setup::npm_packages(folder)?;
    }
    Ok(folder)
}

fn server(what: &str, is_quick: bool) -> Result<Vec<Figure>> {
    let mut bench = bench_program()?;
    printed(
        bench.arg(what).arg("--server").arg(project::highwater_binary("release")).args(["--scale", scale(is_quick)]),
    )
}

fn seeds(is_quick: bool) -> Result<Vec<Figure>> {
    let mut bench = bench_program()?;
    printed(bench.arg("seeds").args(if is_quick { &["--races", "50000"][..] } else { &[] }))
}

/// The program that measures the server, and the server, which embeds the npm package.
fn bench_program() -> Result<Command> {
    build_npm::run()?;
    build(&["--package", "highwater-server", "--package", "highwater-bench"])?;
    let mut bench = process::command(project::binary("highwater-bench", "release"), project::root());
    process::forget_own_package(&mut bench);
    Ok(bench)
}

fn build(selection: &[&str]) -> Result<()> {
    process::run(process::cargo().args(["build", "--release"]).args(selection))
}

fn scale(is_quick: bool) -> &'static str {
    if is_quick { "quick" } else { "full" }
}

/// The figures that a program prints.
fn printed(bench: &mut Command) -> Result<Vec<Figure>> {
    let lines = process::read_answer(bench)?;
    Figure::read_all(&lines).with_context(|| format!("not all of this are figures: {lines}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_fails_is_not_measured() {
        let mut failing = Command::new("false");
        assert!(printed(&mut failing).is_err());
        assert!(printed(Command::new("echo").arg("no figure")).is_err());
        let line = serde_json::to_string(&Figure::default()).unwrap();
        assert_eq!(printed(Command::new("echo").arg(line)).unwrap(), [Figure::default()]);
    }

    #[test]
    fn the_file_says_where_it_was_measured_and_has_every_figure() {
        let figures = ["one", "another"].map(|name| Figure { name: name.to_owned(), ..Figure::default() });
        let text = document(&Machine::here(), &figures);
        assert!(text.contains(" cores, ") && text.contains("rustc "), "{text}");
        assert_eq!(
            text.lines().filter(|line| line.starts_with("| one |") || line.starts_with("| another |")).count(),
            2
        );
    }
}
