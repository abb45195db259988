//! Running other programs: told apart by what becomes of their output, alike in naming the command that failed.

use std::env;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::project;

/// A command that runs in `folder`.
pub(crate) fn command(program: impl AsRef<OsStr>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    command
}

/// The cargo that runs us, at the workspace's root.
pub(crate) fn cargo() -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = command(program, project::root());
    forget_own_package(&mut command);
    command
}

/// Runs `command`, its output shown as it comes.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| cannot_start(command))?;
    if !status.success() {
        bail!("`{}` failed: {status}", shown(command));
    }
    Ok(())
}

/// Runs `command`, its output shown only if it fails.
pub(crate) fn run_quiet(command: &mut Command) -> Result<()> {
    capture(command).map(drop)
}

/// Runs `command` and returns what it wrote to standard output, trimmed.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let output = capture(command)?;
    Ok(String::from_utf8_lossy(&output).trim().to_owned())
}

/// Runs `command` and returns what it wrote to standard error.
pub(crate) fn read_log(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| cannot_start(command))?;
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        bail!("`{}` failed: {}\n{}", shown(command), output.status, log.trim_end());
    }
    Ok(log)
}

/// Runs `command`, what it says of its progress and its failure shown as it comes, and returns its standard output.
pub(crate) fn read_answer(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output().with_context(|| cannot_start(command))?;
    if !output.status.success() {
        bail!("`{}` failed: {}", shown(command), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs `command` quietly, and stops it when `time_limit` has passed.
pub(crate) fn run_within(command: &mut Command, time_limit: Duration) -> Result<()> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| cannot_start(command))?;
    let mut stderr = child.stderr.take().expect("it is piped, two lines above");
    let (sender, receiver) = mpsc::channel();
    // Standard error closes when the child ends, whichever way it does.
    thread::spawn(move || {
        let mut text = Vec::new();
        let _ = std::io::Read::read_to_end(&mut stderr, &mut text);
        let _ = sender.send(text);
    });
    let Ok(text) = receiver.recv_timeout(time_limit) else {
        child.kill()?;
        child.wait()?;
        bail!("`{}` was stopped after {time_limit:?}", shown(command));
    };
    let status = child.wait()?;
    if !status.success() {
        let text = String::from_utf8_lossy(&text);
        bail!("`{}` failed: {status}\n{}", shown(command), text.trim());
    }
    Ok(())
}

/// Becomes `command` where the system can; otherwise runs it and ends with its exit code.
///
/// Returns only if it cannot be started.
pub(crate) fn become_command(command: &mut Command) -> Result<()> {
    #[cfg(unix)]
    let error = std::os::unix::process::CommandExt::exec(command);
    #[cfg(not(unix))]
    let error = match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(error) => error,
    };
    Err(error).with_context(|| cannot_start(command))
}

/// `cargo run` tells its program which package it belongs to; that must not reach the packages built or started from here.
pub(crate) fn forget_own_package(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let is_ours = name.to_str().is_some_and(|name| {
            ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|prefix| name.starts_with(prefix))
        });
        if is_ours {
            command.env_remove(name);
        }
    }
}

fn capture(command: &mut Command) -> Result<Vec<u8>> {
    let Output { status, stdout, stderr } =
        command.stdin(Stdio::null()).output().with_context(|| cannot_start(command))?;
    if !status.success() {
        let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        bail!("`{}` failed: {status}\n{}{}", shown(command), stdout, stderr.trim_end());
    }
    Ok(stdout)
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start `{}`", shown(command))
}

/// The command as one would type it, its program without the folder.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or(program.as_os_str());
    let words: Vec<_> = std::iter::once(program).chain(command.get_args()).map(OsStr::to_string_lossy).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command_and_shows_its_output() {
        let error = run_quiet(Command::new("cargo").arg("no-such-command")).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("`cargo no-such-command` failed"), "{message}");
        assert!(message.contains("no such command"), "{message}");
    }

    #[cfg(unix)]
    #[test]
    fn a_command_that_outlives_its_time_is_stopped() {
        let error = run_within(Command::new("sleep").arg("600"), Duration::from_millis(20)).unwrap_err();
        assert!(error.to_string().contains("`sleep 600` was stopped"), "{error}");
    }
}
