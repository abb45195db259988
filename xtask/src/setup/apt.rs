//! Debian's packages, where this is a Debian-like machine and we may install them.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use super::announce;
use crate::process::{read, run_quiet};
use crate::project;

/// Installs `packages` with `apt-get`; never removes one that is there.
///
/// # Errors
///
/// Says what the user should do where we can't, or may not.
pub(super) fn install(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    if project::find_program("apt-get").is_none() {
        bail!("no apt-get on this machine: install what Debian calls `{list}` by its own means");
    }
    let Some(become_root) = become_root() else {
        bail!("installing needs root: run `sudo apt-get install {list}`");
    };
    announce(&format!("installing {list} with apt-get"));
    // The first try fails where the package lists are missing or outdated; only then are they worth fetching.
    if run_quiet(&mut apt_install(become_root, packages)).is_err() {
        // One unreachable source fails the whole update, though ours may be fresh: the second try decides.
        let _ = run_quiet(apt_get(become_root).arg("update"));
        run_quiet(&mut apt_install(become_root, packages))?;
    }
    Ok(())
}

fn apt_install(become_root: &[&str], packages: &[&str]) -> Command {
    let mut command = apt_get(become_root);
    command
        .args(["install", "--yes", "--no-install-recommends", "--no-remove"])
        .args(["-o", "DPkg::Lock::Timeout=300"])
        .args(packages);
    command
}

fn apt_get(become_root: &[&str]) -> Command {
    let words = [become_root, &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"]].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}

/// The words to put before a command so that root runs it, if that needs no password.
fn become_root() -> Option<&'static [&'static str]> {
    let is_root = read(Command::new("id").arg("-u")).is_ok_and(|id| id == "0");
    if is_root {
        return Some(&[]);
    }
    let sudo = Path::new("sudo");
    let has_sudo = run_quiet(Command::new(sudo).args(["--non-interactive", "true"])).is_ok();
    has_sudo.then_some(&["sudo", "--non-interactive"])
}
