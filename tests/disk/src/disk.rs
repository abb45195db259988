//! [`Disk`]: what is written, what of that is synced, and what fails.

use std::{
    collections::HashMap,
    env,
    ffi::c_int,
    fs::{self, DirEntry, File, OpenOptions},
    io::{self, Write},
    iter,
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process,
    sync::{Mutex, OnceLock, PoisonError},
};

use libc::{EIO, ENOSPC, size_t, ssize_t};

use crate::fault::{Call, Fault};

/// See the [module](self).
pub(crate) struct Disk {
    folder: PathBuf,
    synced: PathBuf,
    full: PathBuf,
    fault: Fault,
    /// Whose sync failed is named here, with what was lost.
    lost: PathBuf,
    /// What was written of each file since it was last synced.
    unsynced: Mutex<HashMap<String, Vec<Range<u64>>>>,
}

/// A file of the disk, or its folder.
pub(crate) struct Place {
    disk: &'static Disk,
    /// Empty for the folder.
    name: String,
}

impl Disk {
    /// `None` where no folder is named.
    fn of_environment() -> Option<Self> {
        // As the system tells the paths of open files.
        let root = PathBuf::from(env::var_os("HIGHWATER_DISK")?).canonicalize().unwrap_or_else(|_| process::abort());
        Some(Self {
            folder: root.join("data"),
            synced: root.join("synced"),
            full: root.join("full"),
            fault: Fault::new(root.join("fault")),
            // What an earlier process wrote and did not lose, the system has still to bring to disk.
            unsynced: Mutex::new(left(&root)),
            lost: root.join("lost"),
        })
    }

    /// `None` where an open file is none of the disk's.
    pub(crate) fn place(fd: c_int) -> Option<Place> {
        static DISK: OnceLock<Option<Disk>> = OnceLock::new();
        let disk = DISK.get_or_init(Self::of_environment).as_ref()?;
        let path = fs::read_link(format!("/proc/self/fd/{fd}")).ok()?;
        let name = path.strip_prefix(&disk.folder).ok()?.to_str()?.to_owned();
        Some(Place { disk, name })
    }

    /// The folder is synced: what was removed stays so.
    fn keep_names(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.synced)? {
            let entry = entry?;
            if !self.folder.join(entry.file_name()).exists() {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

impl Place {
    pub(crate) fn write(&self, at: u64, count: size_t, write: impl FnOnce() -> ssize_t) -> ssize_t {
        if self.fails(Call::Write) {
            return refuse(EIO) as ssize_t;
        }
        if self.disk.full.exists() && at + count as u64 > self.length() {
            return refuse(ENOSPC) as ssize_t;
        }
        let written = write();
        if let Ok(bytes @ 1..) = u64::try_from(written) {
            self.unsynced(|all| all.entry(self.name.clone()).or_default().push(at..at + bytes));
        }
        written
    }

    /// Nothing has to come to the disk of this machine.
    pub(crate) fn sync(&self) -> c_int {
        let fails = self.fails(Call::Sync);
        let written = self.unsynced(|all| all.remove(&self.name)).unwrap_or_default();
        let kept = || if self.name.is_empty() { self.disk.keep_names() } else { self.keep(&written) };
        if fails {
            self.lose(&written).expect("there is room for what is lost");
        }
        if fails || kept().is_err() {
            return refuse(EIO);
        }
        0
    }

    fn lose(&self, written: &[Range<u64>]) -> io::Result<()> {
        let mut lost = OpenOptions::new().append(true).create(true).open(&self.disk.lost)?;
        written.iter().try_for_each(|range| writeln!(lost, "{} {} {}", self.name, range.start, range.end))
    }

    fn keep(&self, written: &[Range<u64>]) -> io::Result<()> {
        let file = match File::open(self.disk.folder.join(&self.name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            file => file?,
        };
        let synced = self.disk.synced.join(&self.name);
        let synced = OpenOptions::new().write(true).create(true).truncate(false).open(synced)?;
        let length = file.metadata()?.len();
        synced.set_len(length)?;
        for range in written {
            let mut bytes = vec![0; (range.end.min(length).saturating_sub(range.start)) as usize];
            file.read_exact_at(&mut bytes, range.start)?;
            synced.write_all_at(&bytes, range.start)?;
        }
        Ok(())
    }

    fn length(&self) -> u64 {
        fs::metadata(self.disk.folder.join(&self.name)).map_or(0, |file| file.len())
    }

    fn fails(&self, call: Call) -> bool {
        self.disk.fault.strikes(call, &self.name)
    }

    fn unsynced<T>(&self, look: impl FnOnce(&mut HashMap<String, Vec<Range<u64>>>) -> T) -> T {
        look(&mut self.disk.unsynced.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a call gives that fails, after setting the C library's number of the error.
fn refuse(error: c_int) -> c_int {
    // SAFETY: it is where this thread's number is.
    unsafe { *libc::__errno_location() = error };
    -1
}

/// What is in each file, but for what was lost.
fn left(root: &Path) -> HashMap<String, Vec<Range<u64>>> {
    let lost = fs::read_to_string(root.join("lost")).unwrap_or_default();
    let entries = fs::read_dir(root.join("data")).into_iter().flatten().flatten();
    let left = |entry: DirEntry| {
        let (name, length) = (entry.file_name().into_string().ok()?, entry.metadata().ok()?.len());
        let mut left: Vec<_> = iter::once(0..length).collect();
        for line in lost.lines() {
            let [of, start, end] = line.split(' ').collect::<Vec<_>>()[..] else { continue };
            let (start, end): (u64, u64) = (start.parse().ok()?, end.parse().ok()?);
            if of == name {
                left = left
                    .iter()
                    .flat_map(|range| [range.start..range.end.min(start), range.start.max(end)..range.end])
                    .collect();
                left.retain(|range| range.start < range.end);
            }
        }
        Some((name, left))
    };
    entries.filter_map(left).collect()
}
