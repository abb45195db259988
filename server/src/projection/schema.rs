//! The database of the lists: its tables, and how it is opened. All in it is derived from the log: what can't be used is made anew.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, Result};

use super::OpenError;
use crate::store::sqlite::connect;

/// Says in the file's header that it holds lists of Highwater: "HWLS".
const APPLICATION_ID: i64 = 0x4857_4c53;
/// What this code reads and writes. A file of another version is made anew.
const SCHEMA_VERSION: i64 = 1;
const CACHE_KIB: i64 = 16 * 1024;

/// `generations.position` is committed with its effects. One generation at most is `serving`, and one `building`; `dropped` ones are taken
/// away bit by bit. `items.created` is the sequence of the stream's first event, and the order of every list: it never changes, so that
/// pages lose and repeat nothing while rows change. `requests` are what operators have asked for and the log has no answer to yet.
const TABLES: &str = "
    CREATE TABLE log (epoch TEXT NOT NULL, requests_until INTEGER NOT NULL) STRICT;
    CREATE TABLE generations (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        role TEXT NOT NULL CHECK (role IN ('serving', 'building', 'dropped')),
        fingerprint TEXT NOT NULL,
        position INTEGER NOT NULL,
        unlisted INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE items (
        key INTEGER PRIMARY KEY,
        generation INTEGER NOT NULL,
        stream TEXT NOT NULL,
        entity TEXT NOT NULL,
        space TEXT,
        status TEXT,
        revision INTEGER NOT NULL,
        version INTEGER NOT NULL,
        created INTEGER NOT NULL,
        created_us INTEGER NOT NULL,
        updated INTEGER NOT NULL,
        updated_us INTEGER NOT NULL,
        snapshot TEXT NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX items_by_stream ON items (generation, stream);
    CREATE INDEX items_of_entity ON items (generation, entity, created);
    CREATE INDEX items_of_space ON items (generation, entity, space, created);
    CREATE INDEX items_by_status ON items (generation, entity, status, created);
    CREATE INDEX items_of_space_by_status ON items (generation, entity, space, status, created);
    CREATE TABLE set_aside (
        generation INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        stream TEXT,
        kind TEXT,
        reason TEXT NOT NULL,
        tries INTEGER NOT NULL,
        PRIMARY KEY (generation, sequence)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX set_aside_by_stream ON set_aside (generation, stream);
    CREATE TABLE discarded (sequence INTEGER PRIMARY KEY) STRICT;
    CREATE TABLE requests (
        sequence INTEGER PRIMARY KEY,
        id TEXT NOT NULL,
        asked TEXT NOT NULL,
        generation INTEGER,
        outcome TEXT
    ) STRICT;
";

/// Opens the database for writing; makes it where there is none that can be used.
///
/// # Errors
/// [`OpenError`] where there is another program's database, or none can be made.
pub(super) fn open(path: &Path) -> std::result::Result<Connection, OpenError> {
    match try_open(path) {
        Ok(Some(database)) => return Ok(database),
        Ok(None) => tracing::info!("the lists are built anew: {} is of another version", path.display()),
        Err(OpenError::Database { error, .. }) if is_damaged(&error) && is_ours(path) => {
            tracing::warn!("the lists are built anew: {} can't be read: {error}", path.display());
        }
        Err(error) => return Err(error),
    }
    remove(path)?;
    let unusable = || OpenError::Foreign { path: path.to_owned() };
    try_open(path)?.ok_or_else(unusable)
}

/// Opens the database; `None` where it is one of another version.
fn try_open(path: &Path) -> std::result::Result<Option<Connection>, OpenError> {
    let unusable = |error| OpenError::Database { path: path.to_owned(), error };
    let access = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut database = connect(path, access).map_err(unusable)?;
    let number = |name| database.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) =
        number("application_id").and_then(|id| Ok((id, number("user_version")?))).map_err(unusable)?;
    let count = database.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    match (application, version, count.map_err(unusable)?) {
        (APPLICATION_ID, SCHEMA_VERSION, _) => prepare(&database).map_err(unusable)?,
        (APPLICATION_ID, _, _) => return Ok(None),
        (0, 0, 0) => prepare(&database).and_then(|()| create(&mut database)).map_err(unusable)?,
        _ => return Err(OpenError::Foreign { path: path.to_owned() }),
    }
    Ok(Some(database))
}

/// What a crash of the machine takes away is folded again: nothing needs to be synced.
fn prepare(database: &Connection) -> Result<()> {
    database.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    database.pragma_update(None, "synchronous", "NORMAL")?;
    database.pragma_update(None, "cache_size", -CACHE_KIB)
}

fn create(database: &mut Connection) -> Result<()> {
    let creation = database.transaction()?;
    creation.execute_batch(TABLES)?;
    creation.pragma_update(None, "application_id", APPLICATION_ID)?;
    creation.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    creation.commit()
}

fn is_damaged(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}

/// Whether the file's header says that it holds lists: nothing else is taken away.
fn is_ours(path: &Path) -> bool {
    let mut header = [0; 72];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header.starts_with(b"SQLite format 3") && header.ends_with(&(APPLICATION_ID as u32).to_be_bytes())
}

/// Takes the file away, and what SQLite keeps beside it.
fn remove(path: &Path) -> std::result::Result<(), OpenError> {
    for end in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(end);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(OpenError::File { path: file.into(), error });
            }
            _ => {}
        }
    }
    Ok(())
}
