//! `cargo xtask fuzz`: the targets in `fuzz/`, on the toolchain that compiles everything else.
//!
//! `cargo fuzz` asks for a nightly toolchain, and for itself to be installed. Both can be done without: what libFuzzer goes by is put into
//! the code by options of rustc that are stable, and libFuzzer itself comes with the crate `libfuzzer-sys`. So this needs what a build needs,
//! and a C++ compiler. (Whoever has `cargo fuzz` can use it: the folder is laid out as it expects.)
//!
//! Overflow and broken assertions are found in any case. What is not is a wrong access to memory, as nothing here is `unsafe` but the target
//! that touches the memory of WebAssembly's half as JavaScript does: `--address-sanitizer` is for that, and takes twice the time. The
//! sanitizer comes with rustc, which hands it out only to whoever sets `RUSTC_BOOTSTRAP`.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result, bail};

use crate::{process, project, setup};

/// What `cargo fuzz` compiles with: counters at each edge, and a look at what is compared.
const COVERAGE: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
];
/// One input may take so long, in an optimised build: any that does is a finding.
const INPUT_SECONDS_MAX: u32 = 20;
/// How long each target runs in `cargo xtask test`.
const TEST_SECONDS: u32 = 6;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The target; all that there are is told if none is named
    target: Option<String>,
    /// Files to hand to the target once, such as what it has found; without any it is fuzzed
    inputs: Vec<PathBuf>,
    /// Fuzz all targets, as many at a time as there are processors
    #[arg(long, conflicts_with = "target")]
    all: bool,
    /// How long to fuzz a target; for ever if it is not said
    #[arg(long)]
    seconds: Option<u32>,
    /// Look for wrong accesses to memory, too
    #[arg(long)]
    address_sanitizer: bool,
}

/// Builds the targets and fuzzes what was asked for.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let targets = targets()?;
    let Some(target) = &arguments.target else {
        if arguments.all {
            let fuzzer = Fuzzer::build(arguments.address_sanitizer)?;
            return fuzzer.fuzz_all(&targets, arguments.seconds.context("--all needs --seconds")?);
        }
        println!("{}", targets.join("\n"));
        return Ok(());
    };
    if !targets.contains(target) {
        bail!("there is no target '{target}': there are {}", targets.join(", "));
    }
    let fuzzer = Fuzzer::build(arguments.address_sanitizer)?;
    let mut command = fuzzer.command(target)?;
    if arguments.inputs.is_empty() {
        fuzzer.add_corpora(&mut command, target, arguments.seconds)?;
    } else {
        command.args(&arguments.inputs);
    }
    process::become_command(&mut command)
}

/// Fuzzes every target for a few seconds: enough to find what is broken outright. The targets themselves are looked at, too, as they belong
/// to no other workspace.
pub(crate) fn run_shortly() -> Result<()> {
    let fuzzer = Fuzzer::build(false)?;
    process::run(cargo("clippy", false)?.args(["--", "--deny", "warnings"]))?;
    fuzzer.fuzz_all(&targets()?, TEST_SECONDS)
}

/// The targets' workspace.
pub(crate) fn manifest() -> PathBuf {
    folder().join("Cargo.toml")
}

/// The targets by name: one file each.
fn targets() -> Result<Vec<String>> {
    let folder = folder().join("fuzz_targets");
    let files = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names: Vec<_> =
        files.flatten().filter_map(|file| file.path().file_stem().and_then(OsStr::to_str).map(str::to_owned)).collect();
    names.sort_unstable();
    Ok(names)
}

fn folder() -> PathBuf {
    project::root().join("fuzz")
}

/// The targets, built.
struct Fuzzer {
    /// Where their programs are.
    programs: PathBuf,
}

/// Where all is that building and fuzzing leave.
fn kept() -> PathBuf {
    project::target().join("fuzz")
}

/// Where what is built is kept.
fn built(address_sanitizer: bool) -> PathBuf {
    kept().join(if address_sanitizer { "address-sanitizer" } else { "plain" })
}

/// A command of cargo's that compiles the targets.
fn cargo(subcommand: &str, address_sanitizer: bool) -> Result<Command> {
    let mut cargo = process::cargo();
    // The target is named, so that what is compiled to run while compiling is not instrumented.
    cargo.args([subcommand, "--release", "--locked", "--target", &setup::host()?]);
    cargo.arg("--manifest-path").arg(manifest()).arg("--target-dir").arg(built(address_sanitizer));
    let mut flags = [&COVERAGE[..], &["--cfg", "fuzzing"]].concat();
    if address_sanitizer {
        flags.push("-Zsanitizer=address");
        cargo.env("RUSTC_BOOTSTRAP", "1");
    }
    // It goes before every other place where flags can be set.
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    Ok(cargo)
}

impl Fuzzer {
    fn build(address_sanitizer: bool) -> Result<Self> {
        setup::cpp_compiler()?;
        process::run(&mut cargo("build", address_sanitizer)?)?;
        Ok(Self { programs: built(address_sanitizer).join(setup::host()?).join("release") })
    }

    fn command(&self, target: &str) -> Result<Command> {
        let found = kept().join("found").join(target);
        fs::create_dir_all(&found).with_context(|| format!("cannot make {}", found.display()))?;
        let mut command = process::command(self.programs.join(target), project::root());
        command.arg(format!("-timeout={INPUT_SECONDS_MAX}")).arg(format!("-artifact_prefix={}/", found.display()));
        Ok(command)
    }

    /// What grows is written to the first folder; the seeds are only read.
    fn add_corpora(&self, command: &mut Command, target: &str, seconds: Option<u32>) -> Result<()> {
        let grown = kept().join("corpus").join(target);
        fs::create_dir_all(&grown).with_context(|| format!("cannot make {}", grown.display()))?;
        command.arg(format!("-max_total_time={}", seconds.unwrap_or(0)));
        command.arg(grown).arg(folder().join("seeds").join(target));
        Ok(())
    }

    /// Fuzzes each of them for so long. All are tried, whatever one of them finds.
    fn fuzz_all(&self, targets: &[String], seconds: u32) -> Result<()> {
        let waiting = Mutex::new(targets.iter());
        let next = || waiting.lock().ok()?.next();
        let work = || {
            let mut failures = Vec::new();
            while let Some(target) = next() {
                match self.fuzz(target, seconds) {
                    Ok(executions) => println!("{target:<10}{executions:>12} inputs"),
                    Err(error) => failures.push(format!("{target}: {error:#}")),
                }
            }
            failures
        };
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let failures: Vec<_> = thread::scope(|scope| {
            let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            workers
                .into_iter()
                .flat_map(|worker| worker.join().unwrap_or_else(|_| vec!["a worker panicked".into()]))
                .collect()
        });
        if failures.is_empty() {
            return Ok(());
        }
        bail!("{}\n\n`cargo xtask fuzz TARGET FILE` runs what was found again", failures.join("\n\n"));
    }

    /// How many inputs the target was given.
    fn fuzz(&self, target: &str, seconds: u32) -> Result<String> {
        let mut command = self.command(target)?;
        command.arg("-print_final_stats=1");
        self.add_corpora(&mut command, target, Some(seconds))?;
        let said = process::read_log(&mut command)?;
        let executions = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
        Ok(executions.context("the fuzzer does not say what it did")?.trim().to_owned())
    }
}
