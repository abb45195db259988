//! [`File`]: the snapshots in one SQLite database. All of it can be made again from the log, so whatever is wrong with it is mended by
//! beginning anew, and told in the server's log.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use highwater_core::{
    decider::Entities,
    stream::StreamName,
    version::{Epoch, Revision, Sequence},
};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Result};
use sha2::{Digest, Sha256};

use super::Snapshot;

/// Says in the file's header that it holds snapshots of Highwater: "HWSN".
const APPLICATION_ID: i64 = 0x4857_534e;
/// Any change to the tables below, or to what a snapshot is beside its entity's schema, is another version.
const SCHEMA_VERSION: i64 = 1;

/// How long another program that looks into the file is waited for.
const PATIENCE: Duration = Duration::from_millis(250);

/// `newest` is the highest place in the log that a snapshot has seen.
const TABLES: &str = "
    CREATE TABLE log (epoch TEXT NOT NULL, newest INTEGER NOT NULL) STRICT;
    CREATE TABLE snapshots (
        entity TEXT NOT NULL,
        schema INTEGER NOT NULL,
        stream TEXT NOT NULL,
        revision INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        digest BLOB NOT NULL,
        snapshot TEXT NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX snapshots_by_revision ON snapshots (entity, schema, stream, revision);
";

/// The database, while it is of use.
pub(super) struct File {
    path: PathBuf,
    log: (Epoch, Sequence),
    database: Option<Connection>,
}

/// A snapshot as it was stored.
pub(super) struct Found {
    pub(super) revision: Revision,
    /// The place in the log of its last event.
    pub(super) last: Sequence,
    pub(super) json: String,
}

/// What a file turned out to be.
enum Kind {
    /// Nothing yet.
    New,
    /// Snapshots of the log that is served.
    Ours,
    /// Snapshots that are of no use, and why.
    Outdated(&'static str),
    /// Something else.
    Foreign,
}

impl File {
    /// Opens the snapshots of this log, which is of that epoch and ends there. Those of entities' other schemas are dropped.
    pub(super) fn open(path: &Path, log: (Epoch, Sequence), entities: &Entities) -> Self {
        let mut file = Self { path: path.to_owned(), log, database: None };
        match connect(path).and_then(|database| Ok((Kind::of(&database, log)?, database))) {
            Ok((Kind::New, database)) => file.create(database),
            Ok((Kind::Ours, database)) => file.database = Some(database),
            Ok((Kind::Outdated(reason), database)) => {
                tracing::info!(file = %path.display(), "the snapshots are begun anew: {reason}");
                drop(database);
                file.begin_anew(|path| fs::remove_file(path));
            }
            Ok((Kind::Foreign, database)) => {
                drop(database);
                file.set_aside("it is not a file of snapshots");
            }
            Err(error) => file.mend(&error),
        }
        file.attempt(|database| drop_other_schemas(database, entities));
        file
    }

    /// The latest snapshot of a stream up to a revision.
    pub(super) fn latest(
        &mut self,
        (entity, schema): (&str, u32),
        stream: &StreamName,
        to: Revision,
    ) -> Option<Found> {
        self.attempt(|database| {
            let mut find = database.prepare_cached(
                "SELECT revision, sequence, digest, snapshot FROM snapshots
                 WHERE entity = ? AND schema = ? AND stream = ? AND revision <= ? ORDER BY revision DESC LIMIT 1",
            )?;
            let found = find.query_row((entity, schema, stream.as_str(), to.get()), |row| {
                let json: String = row.get(3)?;
                let is_whole = row.get::<_, [u8; 32]>(2)? == digest(&json);
                let number = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
                // What is damaged, or no snapshot, is told by whoever tries to restore it.
                let json = if is_whole { json } else { String::new() };
                let revision = Revision::new(number(0)?).unwrap_or_default();
                Ok(Found { revision, last: Sequence::new(number(1)?).unwrap_or_default(), json })
            });
            found.optional()
        })?
    }

    /// Stores snapshots. Returns whether that worked.
    pub(super) fn insert<'a>(&mut self, snapshots: impl Iterator<Item = &'a Snapshot>) -> bool {
        let inserted = self.attempt(|database| {
            let transaction = database.unchecked_transaction()?;
            let mut newest = 0;
            for snapshot in snapshots {
                let last = snapshot.last.get().cast_signed();
                newest = last.max(newest);
                transaction.prepare_cached("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?, ?, ?)")?.execute((
                    snapshot.entity,
                    snapshot.schema,
                    snapshot.stream.as_str(),
                    snapshot.revision.get(),
                    last,
                    digest(&snapshot.json),
                    &snapshot.json,
                ))?;
            }
            transaction.execute("UPDATE log SET newest = max(newest, ?)", [newest])?;
            transaction.commit()
        });
        inserted.is_some()
    }

    /// Drops a snapshot that is of no use. Returns whether that worked.
    pub(super) fn forget(&mut self, (entity, schema): (&str, u32), stream: &StreamName, revision: Revision) -> bool {
        let forgotten = self.attempt(|database| {
            let delete = "DELETE FROM snapshots WHERE entity = ? AND schema = ? AND stream = ? AND revision = ?";
            database.execute(delete, (entity, schema, stream.as_str(), revision.get()))
        });
        forgotten == Some(1)
    }

    /// Does something with the database, if there is one, and mends that where it fails.
    fn attempt<T>(&mut self, work: impl FnOnce(&Connection) -> Result<T>) -> Option<T> {
        match work(self.database.as_ref()?) {
            Ok(done) => Some(done),
            Err(error) => {
                self.mend(&error);
                None
            }
        }
    }

    /// Begins anew where the file is damaged. Whatever else is wrong, such as a full disk, may be over by the next time.
    fn mend(&mut self, error: &rusqlite::Error) {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                self.database = None;
                self.set_aside(&format!("it is damaged: {error}"));
            }
            _ => tracing::warn!(file = %self.path.display(), "snapshots can't be used: {error}"),
        }
    }

    /// Leaves what is there under another name, and begins anew.
    fn set_aside(&mut self, reason: &str) {
        let aside = with_suffix(&self.path, ".damaged");
        let (from, to) = (self.path.display(), aside.display());
        tracing::warn!("{from} is put aside as {to}, and begun anew: {reason}");
        self.begin_anew(|path| fs::rename(path, &aside));
    }

    fn begin_anew(&mut self, clear: impl FnOnce(&Path) -> io::Result<()>) {
        let beside = ["-wal", "-shm"].map(|suffix| with_suffix(&self.path, suffix));
        let gone = clear(&self.path).and_then(|()| beside.iter().try_for_each(|path| remove_if_there(path)));
        match gone {
            Ok(()) => match connect(&self.path) {
                Ok(database) => self.create(database),
                Err(error) => tracing::warn!(file = %self.path.display(), "no snapshots are kept: {error}"),
            },
            Err(error) => tracing::warn!(file = %self.path.display(), "no snapshots are kept: {error}"),
        }
    }

    fn create(&mut self, mut database: Connection) {
        match create(&mut database, self.log.0) {
            Ok(()) => self.database = Some(database),
            Err(error) => tracing::warn!(file = %self.path.display(), "no snapshots are kept: {error}"),
        }
    }
}

impl Kind {
    fn of(database: &Connection, (epoch, head): (Epoch, Sequence)) -> Result<Self> {
        let number = |name| database.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let objects: i64 = database.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        match (number("application_id")?, number("user_version")?) {
            (0, 0) if objects == 0 => return Ok(Self::New),
            (APPLICATION_ID, SCHEMA_VERSION) => {}
            (APPLICATION_ID, _) => return Ok(Self::Outdated("they are of another version")),
            _ => return Ok(Self::Foreign),
        }
        let (of, newest): (String, i64) =
            database.query_row("SELECT epoch, newest FROM log", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(match () {
            () if of != epoch.as_str() => Self::Outdated("they are of another log"),
            () if newest.cast_unsigned() > head.get() => Self::Outdated("they are ahead of the log"),
            () => Self::Ours,
        })
    }
}

fn connect(path: &Path) -> Result<Connection> {
    let database = Connection::open(path)?;
    database.busy_timeout(PATIENCE)?;
    database.pragma_update(None, "trusted_schema", false)?;
    database.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    database.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(database)
}

fn create(database: &mut Connection, epoch: Epoch) -> Result<()> {
    let creation = database.transaction()?;
    creation.execute_batch(TABLES)?;
    creation.execute("INSERT INTO log VALUES (?, 0)", [epoch.as_str()])?;
    creation.pragma_update(None, "application_id", APPLICATION_ID)?;
    creation.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    creation.commit()
}

fn drop_other_schemas(database: &Connection, entities: &Entities) -> Result<()> {
    for entity in entities.iter() {
        let dropped = ["<", ">"].into_iter().try_fold(0, |dropped, other| {
            let delete = format!("DELETE FROM snapshots WHERE entity = ? AND schema {other} ?");
            database.execute(&delete, (entity.name(), entity.schema())).map(|more| dropped + more)
        })?;
        if dropped > 0 {
            tracing::info!(entity = entity.name(), dropped, "snapshots of another schema are dropped");
        }
    }
    Ok(())
}

fn digest(json: &str) -> [u8; 32] {
    Sha256::digest(json).into()
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
