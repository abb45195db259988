//! [`Disk`]: a disk that fails and loses power, under the built binary. Linux.

use std::{collections::BTreeSet, env, fs, path::PathBuf, process};

use rand::{RngExt, rngs::StdRng};
use tempfile::TempDir;

use crate::server::{binary, command};

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// A server's folder, and what is certain to be on disk of it. See `tests/disk`.
pub struct Disk {
    root: TempDir,
}

impl Disk {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let disk = Self { root: tempfile::tempdir().expect("a folder") };
        for folder in [disk.folder(), disk.synced()] {
            fs::create_dir(folder).expect("another in it");
        }
        disk
    }

    /// The folder that is on it.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.root.path().join("data")
    }

    fn synced(&self) -> PathBuf {
        self.root.path().join("synced")
    }

    /// A command of the binary to which it is the disk.
    #[must_use]
    pub fn command(&self) -> process::Command {
        let library = format!("{}highwater_disk{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
        let mut command = command();
        command.env("LD_PRELOAD", binary().with_file_name(library)).env("HIGHWATER_DISK", self.root.path());
        command
    }

    /// From now on no file on it grows.
    pub fn fill(&self) {
        fs::write(self.root.path().join("full"), "").expect("this one does");
    }

    /// There is room again.
    pub fn free(&self) {
        fs::remove_file(self.root.path().join("full")).expect("it was full");
    }

    /// From now on one call does not come to its end: `ACTION:CALL:FILE:N`.
    pub fn fail(&self, fault: &str) {
        let beside = self.root.path().join("fault.new");
        fs::write(&beside, fault).expect("the folder can be written");
        fs::rename(beside, self.root.path().join("fault")).expect("it is whole at once");
    }

    /// And from now on all do.
    pub fn mend(&self) {
        fs::remove_file(self.root.path().join("fault")).expect("it failed");
    }

    /// Makes of the folder, whose server has been killed, what is on disk after the power was cut: what was synced, and of what was
    /// written since then nothing, or whichever sectors the disk came to.
    pub fn cut_power(&self, rng: &mut StdRng) {
        let names = |folder: PathBuf| {
            fs::read_dir(folder).expect("it is there").map(|entry| entry.expect("and can be read").file_name())
        };
        let all: BTreeSet<_> = names(self.folder()).chain(names(self.synced())).collect();
        for name in all {
            let (file, synced) = (self.folder().join(&name), self.synced().join(&name));
            if name.to_string_lossy().ends_with("-shm") {
                // Shared memory is none of the disk's.
                fs::remove_file(file).expect("it is there");
                continue;
            }
            let left = torn(&fs::read(&synced).unwrap_or_default(), &fs::read(&file).unwrap_or_default(), rng);
            for path in [file, synced] {
                fs::write(path, &left).expect("it can be written");
            }
        }
    }
}

impl Default for Disk {
    fn default() -> Self {
        Self::new()
    }
}

/// A file of which one state was synced and another one written since.
fn torn(synced: &[u8], written: &[u8], rng: &mut StdRng) -> Vec<u8> {
    if rng.random_ratio(1, 3) {
        return synced.to_owned();
    }
    let length = if rng.random() { synced.len() } else { written.len() };
    let sector = |from: &[u8], at: usize| {
        let mut sector = from.get(at..from.len().min(at + SECTOR)).unwrap_or_default().to_owned();
        sector.resize(SECTOR.min(length - at), 0);
        sector
    };
    (0..length).step_by(SECTOR).flat_map(|at| sector(if rng.random() { synced } else { written }, at)).collect()
}
