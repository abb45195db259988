//! [`FolderLock`]: one server at a time on a data folder.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
};

use super::OpenError;

const FILE_NAME: &str = "lock";

/// The exclusive right to a data folder, from [`acquire`](Self::acquire) until it is dropped or the process ends. The
/// operating system holds it, so a killed server leaves none behind; the file itself stays and means nothing.
pub(super) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the lock of this folder, which must exist.
    ///
    /// # Errors
    /// [`OpenError::Locked`] while another server holds it, in this process or any other.
    pub(super) fn acquire(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join(FILE_NAME);
        let failed = |path: PathBuf, error| OpenError::File { path, error };
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = opened.map_err(|error| failed(path.clone(), error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked { folder: folder.to_owned() }),
            Err(TryLockError::Error(error)) => Err(failed(path, error)),
        }
    }
}
