//! [`Disk`]: what is written, what of that is synced, and what fails.

use std::{
    collections::HashMap,
    env,
    ffi::c_int,
    fs::{self, File, OpenOptions},
    io, iter,
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
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
        let root = PathBuf::from(env::var_os("HIGHWATER_DISK")?).canonicalize().expect("HIGHWATER_DISK names a folder");
        Some(Self {
            folder: root.join("data"),
            synced: root.join("synced"),
            full: root.join("full"),
            fault: Fault::new(root.join("fault")),
            // What an earlier process wrote, the system has still to bring to disk.
            unsynced: Mutex::new(
                files(&root.join("data")).map(|(name, length)| (name, iter::once(0..length).collect())).collect(),
            ),
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
        if fails || kept().is_err() {
            return refuse(EIO);
        }
        0
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

/// The files of a folder and their lengths.
fn files(folder: &Path) -> impl Iterator<Item = (String, u64)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.metadata().ok()?.len())))
}
