//! The database: its schema, how it is opened, and what is refused.

use std::path::{Path, PathBuf};

use highwater_core::{
    mutation::{Mutation, mutated},
    version::Epoch,
};
use rusqlite::{Connection, Error, OpenFlags, Result, config::DbConfig, ffi};

use super::{
    OpenError,
    rows::{self, Damage},
};
use crate::failpoint;

const FILE_NAME: &str = "log.db";
/// Says in the file's header that it is a log of Highwater: "HWLG".
const APPLICATION_ID: i64 = 0x4857_4c47;
/// The oldest version that this code reads, which [`TABLES`] are of.
const OLDEST_VERSION: i64 = 2;
/// What makes a log of each version, from the oldest on, one of the next. A new log goes the same way, so that it has the
/// same tables as one that has come it. Any change to the tables is one more at the end.
const MIGRATIONS: &[&str] = &[COMMANDS, CHECKSUMS];
/// What this code writes.
const SCHEMA_VERSION: i64 = OLDEST_VERSION + MIGRATIONS.len() as i64;

/// Rows of `events` are never changed. Whatever else there is to know of a stream is in its last one.
///
/// `version_mark` is the stream's version once the event is in it: the highest so far. `clock` is left out where the
/// actor's own counter is all of it. `id_key` finds an event in a stream by its id, whatever its source; for ids that
/// rise with time it rises, too.
const TABLES: &str = "
    CREATE TABLE log (epoch TEXT NOT NULL) STRICT;
    CREATE TABLE streams (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE actors (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE events (
        sequence INTEGER PRIMARY KEY,
        stream_id INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        version_mark INTEGER NOT NULL,
        actor_id INTEGER NOT NULL,
        counter INTEGER NOT NULL,
        clock TEXT,
        id_key BLOB NOT NULL,
        identity BLOB NOT NULL,
        digest BLOB NOT NULL,
        envelope TEXT NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX events_by_revision ON events (stream_id, revision);
    CREATE UNIQUE INDEX events_by_counter ON events (stream_id, actor_id, counter);
    CREATE INDEX events_by_id ON events (stream_id, id_key);
    CREATE UNIQUE INDEX events_by_identity ON events (identity);
";

/// The commands that were carried out, each in the transaction of its events. `sequence` is the first event's, with the
/// others right behind it, or the log's end where a command made none. A row is about forty bytes and stays as long as the
/// log: whoever repeats a command gets its answer, however late.
const COMMANDS: &str = "
    CREATE TABLE commands (
        identity BLOB PRIMARY KEY,
        digest BLOB NOT NULL,
        sequence INTEGER NOT NULL,
        events INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// What a row's place and envelope must come to. Rows from before have none.
const CHECKSUMS: &str = "ALTER TABLE events ADD COLUMN checksum INTEGER;";
const CHECKSUMS_SINCE: i64 = 4;
/// Shows a log from before as one whose rows have none.
const WITHOUT_CHECKSUMS: &str = "CREATE TEMP VIEW events AS SELECT *, NULL AS checksum FROM main.events;";

/// Lets an event be stored twice, for a simulation that has to see it.
const NO_IDENTITIES: &str = "DROP INDEX IF EXISTS events_by_identity";

/// The journal mode that a log has.
const WRITE_AHEAD_LOG: &str = "wal";
/// The most distinct statements that a connection keeps ready: all there are.
const STATEMENTS_MAX: usize = 64;
const WRITER_CACHE_KIB: i64 = 64 * 1024;
/// How long the write-ahead log grows, in pages of 4 KiB, before it is written into the database: a page that many
/// commits changed is then written once.
const WAL_PAGES_MAX: i64 = 8 * 1024;
/// A write-ahead log that a long read kept from being reset is cut down to this.
const WAL_BYTES_KEPT: i64 = 64 * 1024 * 1024;

/// Where a folder's database lies.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join(FILE_NAME)
}

/// Where its write-ahead log lies, while there is one.
pub(super) fn write_ahead_log(folder: &Path) -> PathBuf {
    folder.join(format!("{FILE_NAME}-wal"))
}

/// Opens the database for writing, and makes it where there is none.
///
/// # Errors
/// [`OpenError`] where the file is no database, another program's, of an unknown version, can't be used, or can't have a
/// write-ahead log.
pub(super) fn open_or_create(path: &Path, new_epoch: impl FnOnce() -> Epoch) -> Result<Connection, OpenError> {
    let unusable = |error| OpenError::Database { path: path.to_owned(), error };
    let access = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut database = connect(path, access).map_err(unusable)?;
    // SQLite is content with a file that can only be read; then the first append would be the one to find out.
    if database.is_readonly(rusqlite::MAIN_DB).map_err(unusable)? {
        return Err(unusable(Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_READONLY), None)));
    }
    let kind = Kind::of(&database).map_err(unusable)?;
    kind.accept(path)?;
    let mode = prepare_for_writing(&database).map_err(unusable)?;
    if mode != WRITE_AHEAD_LOG {
        return Err(OpenError::NoWriteAheadLog { path: path.to_owned(), mode });
    }
    match kind {
        Kind::New => create(&mut database, new_epoch()).map_err(unusable)?,
        Kind::Log { version } => {
            check_streams(&database).and_then(|()| migrate(&mut database, version)).map_err(unusable)?;
        }
        Kind::Unknown { .. } | Kind::Foreign => {}
    }
    if mutated(Mutation::ForgetEvents) || mutated(Mutation::ForgetCommands) {
        database.execute_batch(NO_IDENTITIES).map_err(unusable)?;
    }
    Ok(database)
}

/// Opens a database that is there, for reading only. One of an older version stays as it is: its events can be read.
///
/// # Errors
/// As [`open_or_create`]; and where there is none.
pub(super) fn open_existing(path: &Path) -> Result<Connection, OpenError> {
    let unusable = |error| OpenError::Database { path: path.to_owned(), error };
    let opened = open_reader(path).and_then(|database| Ok((Kind::of(&database)?, database)));
    let (kind, database) = opened.map_err(unusable)?;
    if let Kind::New = kind {
        return Err(OpenError::NoLog { path: path.to_owned() });
    }
    kind.accept(path)?;
    check_streams(&database).map_err(unusable)?;
    Ok(database)
}

/// One more connection, for reading. It is opened to write, since reading may mean to recover the write-ahead log first.
pub(super) fn open_reader(path: &Path) -> Result<Connection> {
    let database = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    if let Kind::Log { version: ..CHECKSUMS_SINCE } = Kind::of(&database)? {
        database.execute_batch(WITHOUT_CHECKSUMS)?;
    }
    database.pragma_update(None, "query_only", true)?;
    Ok(database)
}

/// The log's generation, as the database has it.
pub(super) fn epoch(database: &Connection) -> Result<Epoch> {
    database.query_row("SELECT epoch FROM log", [], |row| {
        let text: String = row.get(0)?;
        text.parse().map_err(|error| rows::malformed(0, error))
    })
}

/// Gives the log another generation.
pub(super) fn set_epoch(database: &Connection, epoch: Epoch) -> Result<()> {
    database.execute("UPDATE log SET epoch = ?", [epoch.as_str()]).map(|_| ())
}

/// A connection, set up as all of them are.
pub(crate) fn connect(path: &Path, access: OpenFlags) -> Result<Connection> {
    let database = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    database.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // Without this, SQLite plans a statement anew when other values are bound to it, in case that would pay.
    database.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    database.pragma_update(None, "trusted_schema", false)?;
    Ok(database)
}

/// Returns the journal mode that the database has now: SQLite answers with the old one where the file system can't have
/// the new one.
fn prepare_for_writing(database: &Connection) -> Result<String> {
    let mode = database.pragma_update_and_check(None, "journal_mode", WRITE_AHEAD_LOG, |row| row.get(0))?;
    database.pragma_update(None, "synchronous", "FULL")?;
    database.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    database.pragma_update_and_check(None, "wal_autocheckpoint", WAL_PAGES_MAX, |_| Ok(()))?;
    database.pragma_update_and_check(None, "journal_size_limit", WAL_BYTES_KEPT, |_| Ok(()))?;
    Ok(mode)
}

fn create(database: &mut Connection, epoch: Epoch) -> Result<()> {
    let creation = database.transaction()?;
    creation.execute_batch(TABLES)?;
    for migration in MIGRATIONS {
        creation.execute_batch(migration)?;
    }
    creation.execute("INSERT INTO log VALUES (?)", [epoch.as_str()])?;
    creation.pragma_update(None, "application_id", APPLICATION_ID)?;
    creation.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    failpoint::pass("store.in_creation");
    creation.commit()
}

/// Checks that names lead to streams and streams to names, which no row tells by itself. A million streams take half a second.
fn check_streams(database: &Connection) -> Result<()> {
    let found: String = database.query_row("PRAGMA integrity_check(streams)", [], |row| row.get(0))?;
    if found == "ok" { Ok(()) } else { Err(rows::damage(Damage::Streams(found))) }
}

/// Makes a log of an older version one of this, whole or not at all.
fn migrate(database: &mut Connection, from: i64) -> Result<()> {
    let due = &MIGRATIONS[usize::try_from(from - OLDEST_VERSION).unwrap_or_default()..];
    if due.is_empty() {
        return Ok(());
    }
    let migration = database.transaction()?;
    for step in due {
        migration.execute_batch(step)?;
    }
    migration.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    failpoint::pass("store.in_migration");
    migration.commit()
}

/// What a file turned out to be.
#[derive(Clone, Copy)]
enum Kind {
    /// Nothing yet.
    New,
    /// A log that this code knows, of this version or an older one.
    Log { version: i64 },
    /// A log of another version.
    Unknown { version: i64 },
    /// Another program's database.
    Foreign,
}

impl Kind {
    fn of(database: &Connection) -> Result<Self> {
        let number = |name| database.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let (application, version) = (number("application_id")?, number("user_version")?);
        let objects: i64 = database.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok(match (application, version) {
            (APPLICATION_ID, version @ OLDEST_VERSION..=SCHEMA_VERSION) => Self::Log { version },
            (APPLICATION_ID, version) => Self::Unknown { version },
            (0, 0) if objects == 0 => Self::New,
            _ => Self::Foreign,
        })
    }

    fn accept(self, path: &Path) -> Result<(), OpenError> {
        let path = path.to_owned();
        match self {
            Self::New | Self::Log { .. } => Ok(()),
            Self::Unknown { version } => Err(OpenError::UnknownSchema { path, version, known: SCHEMA_VERSION }),
            Self::Foreign => Err(OpenError::Foreign { path }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_without_a_write_ahead_log_is_refused() {
        let refused = open_or_create(Path::new(":memory:"), || Epoch::from_bits(7)).expect_err("it has no file");
        assert!(matches!(&refused, OpenError::NoWriteAheadLog { mode, .. } if mode == "memory"), "{refused}");
    }
}
