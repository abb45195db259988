//! Why a log can't be opened.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::rows;

/// Why a log could not be opened. Its text holds the cause, which is therefore not told as its source again.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another server has the folder.
    #[error("another server holds the data folder {}: stop it first, or choose another folder", folder.display())]
    Locked {
        /// The data folder.
        folder: PathBuf,
    },
    /// There is nothing to read.
    #[error("there is no log at {}", path.display())]
    NoLog {
        /// Where the database would be.
        path: PathBuf,
    },
    /// The log was written by a server that keeps it in another way.
    #[error("the log {} has schema version {version}, this server knows {known}: use the server that wrote it", path.display())]
    UnknownSchema {
        /// The database.
        path: PathBuf,
        /// Its version.
        version: i64,
        /// What this server reads and writes.
        known: i64,
    },
    /// The database is not a log.
    #[error("{} is another program's database, not a log of Highwater", path.display())]
    Foreign {
        /// The database.
        path: PathBuf,
    },
    /// SQLite keeps no write-ahead log for the database, without which readers are in the writer's way.
    #[error("the log {} can't have a write-ahead log (its journal mode stays '{mode}'): put it on a local disk", path.display())]
    NoWriteAheadLog {
        /// The database.
        path: PathBuf,
        /// The journal mode that it has instead.
        mode: String,
    },
    /// The database is damaged, or can't be used.
    #[error("the log {} can't be opened: {error}{}", path.display(), advice(error))]
    Database {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        error: rusqlite::Error,
    },
    /// A file or folder can't be made, read or written.
    #[error("{} can't be used: {error}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
}

/// What to do about an error of SQLite, where its own text leaves that open.
fn advice(error: &rusqlite::Error) -> &'static str {
    use rusqlite::ErrorCode::{CannotOpen, DiskFull, PermissionDenied, ReadOnly};
    match error.sqlite_error_code() {
        _ if rows::is_damage(error) => "; it is damaged: put a copy of it into a new folder, and serve that",
        Some(CannotOpen | PermissionDenied | ReadOnly) => "; the folder and its files must be writable for this user",
        Some(DiskFull) => "; make room on its disk",
        _ => "",
    }
}

pub(super) fn file_error(path: &Path, error: io::Error) -> OpenError {
    OpenError::File { path: path.to_owned(), error }
}

pub(super) fn database_error(path: &Path, error: rusqlite::Error) -> OpenError {
    OpenError::Database { path: path.to_owned(), error }
}
