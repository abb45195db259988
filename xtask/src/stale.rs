//! Whether a step must run again: by the time stamps of its inputs against a stamp file's, written when it last succeeded.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};

/// Folders of generated files: never an input that a person changes.
const GENERATED: [&str; 4] = ["dist", "node_modules", "pkg", "target"];

/// A step that is skipped while none of its inputs is newer than its last success.
pub(crate) struct Step<'a> {
    /// The file that records the last success; it belongs beside what the step writes, so that both vanish together.
    pub(crate) stamp: PathBuf,
    /// Files, or folders with all in them but generated ones.
    pub(crate) inputs: &'a [PathBuf],
    /// What the step leaves behind.
    pub(crate) outputs: &'a [PathBuf],
}

impl Step<'_> {
    /// Does `work` unless that is already done.
    pub(crate) fn run(&self, work: impl FnOnce() -> Result<()>) -> Result<()> {
        if self.is_fresh()? {
            return Ok(());
        }
        // Its time is that of the start: what changes while the work is under way makes it stale again. Only the file
        // system's own clock compares with the inputs' times; the process's runs some milliseconds before it.
        let started = self.stamp.with_extension("started");
        if let Some(folder) = started.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        fs::write(&started, "").with_context(|| format!("cannot write {}", started.display()))?;
        work()?;
        fs::rename(&started, &self.stamp).with_context(|| format!("cannot write {}", self.stamp.display()))
    }

    fn is_fresh(&self) -> Result<bool> {
        if !self.stamp.is_file() || !self.outputs.iter().all(|output| output.exists()) {
            return Ok(false);
        }
        let done = newest(&self.stamp).with_context(|| format!("cannot look at {}", self.stamp.display()))?;
        for input in self.inputs {
            let changed = newest(input).with_context(|| format!("cannot look at {}", input.display()))?;
            if changed > done {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether `file` is missing, or older than `source`.
pub(crate) fn is_older(file: &Path, source: &Path) -> io::Result<bool> {
    Ok(!file.is_file() || newest(file)? < newest(source)?)
}

/// When `path`, or the newest file or folder inside it, last changed. A folder changes when an entry comes or goes.
///
/// The time of `path` itself counts only if it is a file: generated folders come and go in it.
fn newest(path: &Path) -> io::Result<SystemTime> {
    if !path.is_dir() {
        return fs::metadata(path)?.modified();
    }
    let mut latest = SystemTime::UNIX_EPOCH;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if GENERATED.iter().any(|generated| entry.file_name() == *generated) {
            continue;
        }
        let metadata = entry.metadata()?;
        latest = latest.max(metadata.modified()?);
        if metadata.is_dir() {
            latest = latest.max(newest(&entry.path())?);
        }
    }
    Ok(latest)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// A step from `source/` to `out` that was done a minute ago, in a folder of its own.
    fn with_step(test: impl FnOnce(&Path, &Step<'_>)) {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source");
        let step = Step {
            stamp: folder.path().join("stamp"),
            inputs: std::slice::from_ref(&source),
            outputs: &[folder.path().join("out")],
        };
        fs::create_dir_all(source.join("inner")).unwrap();
        for path in ["inner/a.ts", "inner"] {
            set_age(&source.join(path), 2 * MINUTE);
        }
        assert!(runs(&step), "the first time, there is everything to do");
        set_age(&step.stamp, MINUTE);
        write(&step.outputs[0]);
        assert!(!runs(&step), "then there is nothing to do");
        test(&source, &step);
    }

    fn write(path: &Path) {
        fs::write(path, "").unwrap();
    }

    fn set_age(path: &Path, age: Duration) {
        if !path.exists() {
            write(path);
        }
        File::open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
    }

    fn runs(step: &Step<'_>) -> bool {
        let mut ran = false;
        step.run(|| {
            ran = true;
            Ok(())
        })
        .unwrap();
        ran
    }

    #[test]
    fn a_changed_input_makes_it_stale() {
        with_step(|source, step| {
            write(&source.join("inner/a.ts"));
            assert!(runs(step));
            assert!(!runs(step));
        });
    }

    #[test]
    fn a_new_input_makes_it_stale_however_old_the_file() {
        with_step(|source, step| {
            set_age(&source.join("inner/b.ts"), 2 * MINUTE);
            assert!(runs(step));
        });
    }

    #[test]
    fn a_removed_input_makes_it_stale() {
        with_step(|source, step| {
            fs::remove_file(source.join("inner/a.ts")).unwrap();
            assert!(runs(step));
        });
    }

    #[test]
    fn generated_folders_are_no_inputs() {
        with_step(|source, step| {
            for generated in GENERATED {
                fs::create_dir(source.join(generated)).unwrap();
                write(&source.join(generated).join("a.js"));
            }
            assert!(!runs(step));
        });
    }

    #[test]
    fn a_missing_output_makes_it_stale() {
        with_step(|_, step| {
            fs::remove_file(&step.outputs[0]).unwrap();
            assert!(runs(step));
        });
    }

    #[test]
    fn a_failure_leaves_it_stale() {
        with_step(|source, step| {
            write(&source.join("inner/a.ts"));
            step.run(|| anyhow::bail!("no")).unwrap_err();
            assert!(runs(step));
        });
    }

    #[test]
    fn a_change_during_the_work_makes_it_stale_again() {
        with_step(|source, step| {
            write(&source.join("inner/a.ts"));
            step.run(|| {
                let changed = File::create(source.join("inner/a.ts"))?;
                Ok(changed.set_modified(SystemTime::now() + MINUTE)?)
            })
            .unwrap();
            assert!(runs(step));
        });
    }
}
