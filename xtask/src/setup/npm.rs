//! Node.js and the npm packages of a folder.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::announce;
use crate::process::{self, read, run_quiet};
use crate::project;
use crate::stale;

const NODE_MAJOR_MIN: u32 = 20;

/// `npm` in `folder`, silent about anything but errors.
pub(crate) fn command(folder: &Path) -> Command {
    let mut command = process::command("npm", folder);
    command.env("npm_config_loglevel", "error");
    process::forget_own_package(&mut command);
    command
}

/// Installs the packages that `folder`'s lock file names, unless that was done since it last changed.
///
/// # Errors
///
/// Where Node.js is missing or too old, the lock file is missing or names a host, or npm fails.
pub(crate) fn install(folder: &Path) -> Result<()> {
    let lock = folder.join("package-lock.json");
    // npm writes this file last.
    let installed = folder.join("node_modules/.package-lock.json");
    if !stale::is_older(&installed, &lock).with_context(|| format!("cannot look at {}", lock.display()))? {
        return Ok(());
    }
    node_version()?;
    check_lock_file(&lock)?;
    let shown = folder.strip_prefix(project::root()).unwrap_or(folder);
    announce(&format!("installing the npm packages of {}", shown.display()));
    run_quiet(command(folder).arg("ci"))
}

/// The version of Node.js.
///
/// # Errors
///
/// Where it is missing or too old, with how to get it.
pub(super) fn node_version() -> Result<String> {
    let version = read(Command::new("node").arg("--version"));
    match version {
        Ok(version) if node_suffices(&version) => Ok(version),
        Ok(version) => {
            bail!("node is {version}, but {NODE_MAJOR_MIN} or later is needed: {HOW_TO_GET_NODE}")
        }
        Err(_) => {
            bail!("node {NODE_MAJOR_MIN} or later is needed, and there is none: {HOW_TO_GET_NODE}")
        }
    }
}

const HOW_TO_GET_NODE: &str =
    "install `nodejs` and `npm` with your system's package manager (Debian 13 or later has it), or from nodejs.org";

fn node_suffices(version: &str) -> bool {
    let major = version.trim_start_matches('v').split('.').next();
    major.and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major >= NODE_MAJOR_MIN)
}

/// Refuses a lock file that ties everyone to the registry its author used.
fn check_lock_file(lock: &Path) -> Result<()> {
    let text = fs::read(lock).with_context(|| format!("cannot read {}", lock.display()))?;
    let content: Value = serde_json::from_slice(&text).with_context(|| format!("{} is broken", lock.display()))?;
    if let Some(package) = first_with_host(&content) {
        bail!(
            "{} names a registry's host for {package}: remake it with \
             `npm install --package-lock-only --omit-lockfile-registry-resolved`",
            lock.display()
        );
    }
    Ok(())
}

/// The first package of a lock file whose `resolved` is a URL of some host.
fn first_with_host(lock: &Value) -> Option<&str> {
    let packages = lock.get("packages")?.as_object()?;
    packages
        .iter()
        .find(|(_, package)| {
            let resolved = package.get("resolved").and_then(Value::as_str);
            resolved.is_some_and(|resolved| resolved.contains("://"))
        })
        .map(|(name, _)| name.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_lock_file_may_name_folders_but_no_hosts() {
        let mut lock = json!({ "packages": {
            "": { "name": "highwater" },
            "../../client-wasm": { "version": "0.1.0" },
            "node_modules/highwater": { "resolved": "../../client-wasm", "link": true },
            "node_modules/typescript": { "version": "7.0.2", "integrity": "sha512-" },
        }});
        assert_eq!(first_with_host(&lock), None);
        lock["packages"]["node_modules/typescript"]["resolved"] = json!("https://registry.example/typescript.tgz");
        assert_eq!(first_with_host(&lock), Some("node_modules/typescript"));
    }

    #[test]
    fn node_must_be_recent() {
        assert!(node_suffices("v20.0.0"));
        assert!(node_suffices("v24.11.1"));
        assert!(!node_suffices("v18.20.4"));
        assert!(!node_suffices("no version"));
    }

    #[test]
    fn our_own_lock_files_name_no_host() {
        for folder in project::npm_folders() {
            check_lock_file(&folder.join("package-lock.json")).unwrap();
        }
    }
}
