//! A Rust toolchain that can compile for wasm32: the one that runs us with rustup's standard library for it, or,
//! where rustup can't reach its server, the system's own toolchain and the source of its standard library.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{apt, rustup};
use crate::process::{self, read};
use crate::project;

/// The target that browsers and Node.js run.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's newest Rust, kept current for its browsers, with the source of the standard library.
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

const SYSTEM_CARGO: &str = "/usr/bin/cargo";
const SYSTEM_RUSTC: &str = "/usr/bin/rustc";

/// How to compile for [`TARGET`].
pub(crate) enum Toolchain {
    /// The toolchain that runs us has the target's standard library.
    Current,
    /// The system's toolchain compiles the standard library too.
    System {
        /// The system's toolchain comes without a linker for wasm.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// The fastest way that this machine has, or can get.
    ///
    /// # Errors
    ///
    /// Where there is none, with what was tried and what the user can do.
    pub(crate) fn find_or_install() -> Result<Self> {
        if current_has_target()? {
            return Ok(Self::Current);
        }
        if system_suffices() {
            return Self::system();
        }
        let from_rustup = match rustup::add_target(TARGET) {
            Ok(()) if current_has_target()? => return Ok(Self::Current),
            Ok(()) => "rustup added the target to another toolchain than the one in use".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        apt::install(&DEBIAN_PACKAGES).with_context(|| {
            format!("compiling to wasm needs `rustup target add {TARGET}`\n{from_rustup}\nand instead of it")
        })?;
        if !system_suffices() {
            bail!("Debian's packages are installed, but {SYSTEM_RUSTC} is too old or lacks the source of its library");
        }
        Self::system()
    }

    fn system() -> Result<Self> {
        let linker = find_linker().context("no linker for wasm: install `lld` with your system's package manager")?;
        Ok(Self::System { linker })
    }

    /// What it is, for people.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Current => format!("{TARGET} of the toolchain in use"),
            Self::System { .. } => format!("{SYSTEM_RUSTC} and the source of its standard library"),
        }
    }

    /// Whether clippy can look at code for [`TARGET`]: the system's toolchain comes without one that fits it.
    pub(crate) fn has_clippy(&self) -> bool {
        matches!(self, Self::Current)
    }

    /// `cargo build`, or another of cargo's commands that compile, for [`TARGET`], at the workspace's root.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        match self {
            Self::Current => {
                let mut command = process::cargo();
                command.args([subcommand, "--target", TARGET]);
                command
            }
            Self::System { linker } => {
                let mut command = process::command(SYSTEM_CARGO, project::root());
                process::forget_own_package(&mut command);
                // What a parent cargo or rustup sets for its own toolchain would mislead this one.
                for name in
                    ["CARGO", "RUSTUP_TOOLCHAIN", "RUSTC_WRAPPER", "LD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"]
                {
                    command.env_remove(name);
                }
                command
                    .env("RUSTC", SYSTEM_RUSTC)
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
                    .args([subcommand, "-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size"])
                    .args(["--target", TARGET]);
                command
            }
        }
    }
}

/// The rustc that goes with the cargo that runs us.
fn current_rustc() -> Command {
    Command::new(env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc")))
}

/// The target that this machine is.
pub(crate) fn host() -> Result<String> {
    let about = read(current_rustc().arg("-vV"))?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc does not say what it runs on")
}

fn current_has_target() -> Result<bool> {
    let folder = read(current_rustc().args(["--print", "target-libdir", "--target", TARGET]))?;
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(false);
    };
    Ok(entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-")))
}

/// Whether the system's toolchain is recent enough for the workspace, and has the source of its standard library.
fn system_suffices() -> bool {
    let ask = |question: &[&str]| read(Command::new(SYSTEM_RUSTC).args(question).env_remove("LD_LIBRARY_PATH"));
    let (Ok(version), Ok(sysroot)) = (ask(&["--version"]), ask(&["--print", "sysroot"])) else {
        return false;
    };
    Path::new(SYSTEM_CARGO).is_file()
        && Path::new(&sysroot).join("lib/rustlib/src/rust/library/Cargo.lock").is_file()
        && minor_version(&version) >= minor_version(concat!("rustc ", env!("CARGO_PKG_RUST_VERSION")))
}

/// The 89 of `rustc 1.89.0 (…)`.
fn minor_version(version: &str) -> Option<u32> {
    let number = version.strip_prefix("rustc 1.")?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The linker that rustup's toolchains carry, or LLVM's own.
fn find_linker() -> Option<PathBuf> {
    carried_linker().or_else(|| project::find_program("wasm-ld"))
}

fn carried_linker() -> Option<PathBuf> {
    let sysroot = read(current_rustc().args(["--print", "sysroot"])).ok()?;
    let linker = Path::new(&sysroot).join("lib/rustlib").join(host().ok()?).join("bin/rust-lld");
    linker.is_file().then_some(linker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_their_minor_number() {
        let minor = minor_version("rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)");
        assert_eq!(minor, Some(96));
        assert_eq!(minor_version("rustc 1.89"), Some(89));
        assert!(minor_version("no version") < minor_version("rustc 1.63.0"));
    }
}
