//! [`Disk`]: the folders of the simulated server, what a crash leaves of one, and backups.
//!
//! SQLite works in real files. What it has synced is known from where the log's writer is: a commit that has passed is on disk, as
//! `synchronous=FULL` has it. What came after that a power cut may tear: of the write-ahead log's end some of it is left, or none, or
//! something else; of the witness, which nobody syncs, the line may be the one before, or half of each.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Result;
use tempfile::TempDir;

use crate::chance::Chance;

const DATABASE: &str = "log.db";
const WRITE_AHEAD_LOG: &str = "log.db-wal";
const WITNESS: &str = "witness";

/// See the [module](self).
pub struct Disk {
    root: TempDir,
    folders: u32,
    current: PathBuf,
    backups: Vec<PathBuf>,
    /// Whether a power cut came since a server last wrote the witness.
    has_lost_power: bool,
}

/// What of a server's files a power cut leaves alone.
#[derive(Clone, Debug, Default)]
pub struct Synced {
    /// How much of the write-ahead log.
    log_bytes: u64,
    /// What the witness said, and before that.
    witness: [Vec<u8>; 2],
}

impl Synced {
    /// Takes note of what is there: of the log, or of the witness.
    pub fn take(&mut self, folder: &Path, is_log: bool) {
        if is_log {
            self.log_bytes = fs::metadata(folder.join(WRITE_AHEAD_LOG)).map_or(0, |file| file.len());
            return;
        }
        let [now, before] = &mut self.witness;
        *before = std::mem::replace(now, fs::read(folder.join(WITNESS)).unwrap_or_default());
    }
}

/// How a server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The process is killed: what it has written, the system keeps.
    Kill,
    /// The power is cut: what is not synced may be lost.
    PowerCut,
}

/// What becomes of the witness where an older folder is put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Witness {
    /// The one that is there stays.
    Stays,
    /// It is taken out, as the documentation says.
    TakenOut,
}

impl Disk {
    /// An empty one: in memory, where the system has such files.
    ///
    /// # Errors
    /// Where no folder can be made.
    pub fn new() -> Result<Self> {
        let in_memory = Path::new("/dev/shm");
        let root = if in_memory.is_dir() { TempDir::new_in(in_memory)? } else { TempDir::new()? };
        let current = root.path().join("0");
        fs::create_dir(&current)?;
        Ok(Self { root, folders: 1, current, backups: Vec::new(), has_lost_power: false })
    }

    /// The server's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.current
    }

    /// A server has started, and has written the witness anew.
    pub fn started(&mut self) {
        self.has_lost_power = false;
    }

    /// The log's database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.current.join(DATABASE)
    }

    /// Goes on in what a crash at this moment leaves.
    ///
    /// # Errors
    /// Where files can't be copied.
    pub fn crash(&mut self, crash: Crash, synced: &Synced, chance: &mut Chance) -> Result<()> {
        let to = self.folder_for()?;
        copy(&self.current, &to)?;
        self.has_lost_power = crash == Crash::PowerCut;
        if crash == Crash::PowerCut {
            tear_log(&to.join(WRITE_AHEAD_LOG), synced.log_bytes, chance)?;
            tear_witness(&to.join(WITNESS), &synced.witness[1], chance)?;
        }
        self.current = to;
        Ok(())
    }

    /// Copies what is there, to be put back later. While a server runs it is what a copy of its files at one moment gives.
    ///
    /// # Errors
    /// Where files can't be copied.
    pub fn back_up(&mut self) -> Result<()> {
        let to = self.folder_for()?;
        copy(&self.current, &to)?;
        self.backups.push(to);
        Ok(())
    }

    /// Puts a backup in the place of what is there. `false` where there is none.
    ///
    /// # Errors
    /// Where files can't be copied.
    pub fn restore(&mut self, witness: Witness, chance: &mut Chance) -> Result<bool> {
        if self.backups.is_empty() {
            return Ok(false);
        }
        let backup = chance.pick(&self.backups).clone();
        let to = self.folder_for()?;
        copy(&backup, &to)?;
        let own = to.join(WITNESS);
        match witness {
            // What it said last may not have come to the disk: that it is taken out then is not for nothing in the documentation.
            Witness::Stays if !self.has_lost_power => {
                remove(&own)?;
                copy_if_there(&self.current.join(WITNESS), &own)?;
            }
            _ => remove(&own)?,
        }
        self.current = to;
        Ok(true)
    }

    fn folder_for(&mut self) -> Result<PathBuf> {
        let folder = self.root.path().join(self.folders.to_string());
        self.folders += 1;
        fs::create_dir(&folder)?;
        Ok(folder)
    }
}

/// Past what is synced: nothing, some of it, zeros, or something else.
fn tear_log(path: &Path, synced_bytes: u64, chance: &mut Chance) -> Result<()> {
    let Ok(mut log) = fs::read(path) else { return Ok(()) };
    let synced = (synced_bytes as usize).min(log.len());
    let torn = &mut log[synced..];
    let kept = chance.between(0, torn.len() as u64) as usize;
    match chance.below(4) {
        0 => {}
        1 => torn[kept..].fill(0),
        2 => torn[kept..].iter_mut().for_each(|byte| *byte = byte.wrapping_add(chance.bits() as u8)),
        _ => log.truncate(synced + kept),
    }
    Ok(fs::write(path, log)?)
}

/// The line, the one before it, or the beginning of the one and the end of the other.
fn tear_witness(path: &Path, before: &[u8], chance: &mut Chance) -> Result<()> {
    let Ok(mut witness) = fs::read(path) else { return Ok(()) };
    if before.len() == witness.len() {
        match chance.below(4) {
            0 => witness.copy_from_slice(before),
            1 => {
                let at = chance.below(witness.len() as u64) as usize;
                witness[at..].copy_from_slice(&before[at..]);
            }
            _ => {}
        }
    }
    Ok(fs::write(path, witness)?)
}

/// Copies what a server's folder holds, but for what only a running process needs.
fn copy(from: &Path, to: &Path) -> Result<()> {
    for name in [DATABASE, WRITE_AHEAD_LOG, WITNESS] {
        copy_if_there(&from.join(name), &to.join(name))?;
    }
    Ok(())
}

fn copy_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match fs::copy(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        copied => copied.map(drop),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
