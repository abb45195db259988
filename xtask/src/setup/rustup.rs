//! rustup, where a machine has it: what it can add to the toolchain in use.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::announce;
use crate::process::{self, read, run_within};
use crate::project;

/// Long enough to download 20 MB over a slow line; a closed network often answers with silence.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// A part of a toolchain that may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Component {
    /// `cargo fmt`.
    Rustfmt,
    /// `cargo clippy`.
    Clippy,
}

impl Component {
    /// What rustup calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Rustfmt => "rustfmt",
            Self::Clippy => "clippy",
        }
    }

    fn cargo_command(self) -> &'static str {
        match self {
            Self::Rustfmt => "fmt",
            Self::Clippy => "clippy",
        }
    }

    /// What distributions that package Rust themselves call it.
    fn package(self) -> &'static str {
        match self {
            Self::Rustfmt => "rustfmt",
            Self::Clippy => "rust-clippy",
        }
    }

    /// Its version, once the toolchain in use has it.
    ///
    /// # Errors
    ///
    /// Where it is missing and can't be installed, with what the user can do.
    pub(crate) fn find_or_install(self) -> Result<String> {
        if let Ok(version) = self.version() {
            return Ok(version);
        }
        let added = add(find().as_deref(), &["component", "add", self.name()]).and_then(|()| self.version());
        added.with_context(|| {
            format!(
                "`cargo {}` is missing: run `rustup component add {}`, or install your system's package `{}`",
                self.cargo_command(),
                self.name(),
                self.package()
            )
        })
    }

    fn version(self) -> Result<String> {
        read(process::cargo().args([self.cargo_command(), "--version"]))
    }
}

/// Adds a target's standard library.
pub(super) fn add_target(target: &str) -> Result<()> {
    add(find().as_deref(), &["target", "add", target])
}

fn find() -> Option<PathBuf> {
    project::find_program("rustup")
}

fn add(rustup: Option<&Path>, words: &[&str]) -> Result<()> {
    let Some(rustup) = rustup else {
        bail!("there is no rustup in PATH");
    };
    announce(&format!("rustup {}", words.join(" ")));
    run_within(Command::new(rustup).args(words), TIME_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_tells_its_version() {
        for component in [Component::Rustfmt, Component::Clippy] {
            let version = component.find_or_install().unwrap();
            assert!(version.starts_with(component.name()), "{version}");
        }
    }

    #[test]
    fn without_rustup_nothing_is_added() {
        let error = add(None, &["component", "add", "rustfmt"]).unwrap_err();
        assert_eq!(error.to_string(), "there is no rustup in PATH");
    }

    #[cfg(unix)]
    #[test]
    fn rustup_is_asked_in_its_own_words_and_its_failure_is_told() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let rustup = folder.path().join("rustup");
        std::fs::write(&rustup, "#!/bin/sh\necho \"asked for: $*\" >&2\nexit 1\n").unwrap();
        std::fs::set_permissions(&rustup, std::fs::Permissions::from_mode(0o755)).unwrap();
        let error = add(Some(&rustup), &["component", "add", "clippy"]).unwrap_err();
        assert!(error.to_string().contains("asked for: component add clippy"), "{error}");
    }
}
