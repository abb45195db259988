//! Every question that is asked of the tables, typed. No rule of the lists is in here.

use highwater_core::{
    time::Timestamp,
    version::{Epoch, Revision, Sequence, Version},
};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::fold::{Place, Poisoned};

/// One building of the lists from nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GenerationId(pub(super) i64);

/// What a generation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Serving,
    Building,
    Dropped,
}

impl Role {
    fn text(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Building => "building",
            Self::Dropped => "dropped",
        }
    }
}

/// A generation as it stands.
#[derive(Clone, Debug)]
pub(super) struct Generation {
    pub(super) id: GenerationId,
    /// What the entities were whose states it holds.
    pub(super) fingerprint: String,
    /// Everything up to here has had its effect.
    pub(super) position: Sequence,
}

/// A stream's row, to be written.
pub(super) struct NewItem<'a> {
    pub(super) stream: &'a str,
    pub(super) entity: &'a str,
    pub(super) space: Option<&'a str>,
    pub(super) status: Option<&'a str>,
    pub(super) revision: Revision,
    pub(super) version: Version,
    pub(super) created: Place,
    pub(super) updated: Place,
    pub(super) snapshot: &'a str,
}

/// A request that the log has no answer to yet.
pub(super) struct Pending {
    pub(super) sequence: Sequence,
    pub(super) id: String,
    /// As JSON.
    pub(super) asked: String,
    /// The generation that is being built for it.
    pub(super) generation: Option<GenerationId>,
    /// What came of it, as JSON.
    pub(super) outcome: Option<String>,
}

/// A sequence as the database takes it.
pub(super) fn sql(sequence: Sequence) -> i64 {
    sequence.get().cast_signed()
}

pub(super) fn sequence(row: &Row<'_>, column: usize) -> Result<Sequence> {
    number(row, column, Sequence::new)
}

fn number<T>(
    row: &Row<'_>,
    column: usize,
    make: impl FnOnce(u64) -> std::result::Result<T, highwater_core::version::OutOfRange>,
) -> Result<T> {
    make(row.get::<_, i64>(column)?.cast_unsigned()).map_err(|error| super::malformed(column, error))
}

fn timestamp(row: &Row<'_>, column: usize) -> Result<Timestamp> {
    Timestamp::from_unix_micros(row.get(column)?).map_err(|error| super::malformed(column, error))
}

/// A place of a row, in two columns.
pub(super) fn place(row: &Row<'_>, column: usize) -> Result<Place> {
    Ok(Place { sequence: sequence(row, column)?, recorded: timestamp(row, column + 1)? })
}

pub(super) fn revision(row: &Row<'_>, column: usize) -> Result<Revision> {
    number(row, column, Revision::new)
}

pub(super) fn version(row: &Row<'_>, column: usize) -> Result<Version> {
    number(row, column, Version::new)
}

/// The log that everything is of, and up to where its requests have been taken down.
pub(super) fn log(database: &Connection) -> Result<Option<(String, Sequence)>> {
    let mut find = database.prepare_cached("SELECT epoch, requests_until FROM log")?;
    find.query_row([], |row| Ok((row.get(0)?, sequence(row, 1)?))).optional()
}

/// Begins anew, with another log.
pub(super) fn set_log(database: &Connection, epoch: Epoch) -> Result<()> {
    database.execute_batch("DELETE FROM log; DELETE FROM discarded; DELETE FROM requests")?;
    database.execute("UPDATE generations SET role = 'dropped'", [])?;
    database.execute("INSERT INTO log VALUES (?, 0)", [epoch.as_str()]).map(|_| ())
}

pub(super) fn generation(database: &Connection, role: Role) -> Result<Option<Generation>> {
    let mut find = database.prepare_cached("SELECT id, fingerprint, position FROM generations WHERE role = ?")?;
    let generation = |row: &Row<'_>| {
        Ok(Generation { id: GenerationId(row.get(0)?), fingerprint: row.get(1)?, position: sequence(row, 2)? })
    };
    find.query_row([role.text()], generation).optional()
}

pub(super) fn add_generation(database: &Connection, role: Role, fingerprint: &str) -> Result<GenerationId> {
    let mut add = database
        .prepare_cached("INSERT INTO generations (role, fingerprint, position, unlisted) VALUES (?, ?, 0, 0)")?;
    add.insert((role.text(), fingerprint)).map(GenerationId)
}

pub(super) fn set_role(database: &Connection, generation: GenerationId, role: Role) -> Result<()> {
    database
        .prepare_cached("UPDATE generations SET role = ? WHERE id = ?")?
        .execute((role.text(), generation.0))
        .map(|_| ())
}

pub(super) fn set_position(database: &Connection, generation: GenerationId, position: Sequence) -> Result<()> {
    database
        .prepare_cached("UPDATE generations SET position = ? WHERE id = ?")?
        .execute((sql(position), generation.0))
        .map(|_| ())
}

/// Takes away some of what dropped generations have left. Says whether there is more.
pub(super) fn clear_dropped(database: &Connection, rows_max: u32) -> Result<bool> {
    let Some(Generation { id, .. }) = generation(database, Role::Dropped)? else { return Ok(false) };
    let mut items = database
        .prepare_cached("DELETE FROM items WHERE key IN (SELECT key FROM items WHERE generation = ? LIMIT ?)")?;
    if items.execute((id.0, rows_max))? == 0 {
        database.execute("DELETE FROM set_aside WHERE generation = ?", [id.0])?;
        database.execute("DELETE FROM generations WHERE id = ?", [id.0])?;
    }
    Ok(true)
}

/// What was written of a stream, and its first event.
pub(super) fn item(database: &Connection, generation: GenerationId, stream: &str) -> Result<Option<(String, Place)>> {
    let mut find = database
        .prepare_cached("SELECT snapshot, created, created_us FROM items WHERE generation = ? AND stream = ?")?;
    find.query_row((generation.0, stream), |row| Ok((row.get(0)?, place(row, 1)?))).optional()
}

pub(super) fn put_item(database: &Connection, generation: GenerationId, item: &NewItem<'_>) -> Result<()> {
    let mut put = database.prepare_cached(
        "INSERT INTO items (generation, stream, entity, space, status, revision, version, created, created_us, updated,
             updated_us, snapshot)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (generation, stream) DO UPDATE SET status = excluded.status, revision = excluded.revision,
             version = excluded.version, created = excluded.created, created_us = excluded.created_us,
             updated = excluded.updated, updated_us = excluded.updated_us, snapshot = excluded.snapshot",
    )?;
    put.execute(params![
        generation.0,
        item.stream,
        item.entity,
        item.space,
        item.status,
        item.revision.get(),
        item.version.get(),
        sql(item.created.sequence),
        item.created.recorded.unix_micros(),
        sql(item.updated.sequence),
        item.updated.recorded.unix_micros(),
        item.snapshot,
    ])?;
    Ok(())
}

pub(super) fn set_aside_count(database: &Connection, generation: GenerationId) -> Result<usize> {
    let mut count = database.prepare_cached("SELECT count(*) FROM set_aside WHERE generation = ?")?;
    let count: i64 = count.query_row([generation.0], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// How many events were set aside without a name, as there was no room.
pub(super) fn unlisted(database: &Connection, generation: GenerationId) -> Result<u64> {
    let mut find = database.prepare_cached("SELECT unlisted FROM generations WHERE id = ?")?;
    find.query_row([generation.0], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
}

pub(super) fn add_unlisted(database: &Connection, generation: GenerationId) -> Result<()> {
    let mut add = database.prepare_cached("UPDATE generations SET unlisted = unlisted + 1 WHERE id = ?")?;
    add.execute([generation.0]).map(|_| ())
}

/// Names an event that is set aside. One that is named already has been tried once more.
pub(super) fn set_aside(database: &Connection, generation: GenerationId, poisoned: &Poisoned) -> Result<()> {
    let mut put = database.prepare_cached(
        "INSERT INTO set_aside VALUES (?, ?, ?, ?, ?, 1)
         ON CONFLICT DO UPDATE SET reason = excluded.reason, tries = tries + 1",
    )?;
    let Poisoned { sequence, stream, kind, reason } = poisoned;
    put.execute((generation.0, sql(*sequence), stream, kind, reason)).map(|_| ())
}

pub(super) fn is_set_aside(database: &Connection, generation: GenerationId, sequence: Sequence) -> Result<bool> {
    let mut find = database.prepare_cached("SELECT 1 FROM set_aside WHERE generation = ? AND sequence = ?")?;
    find.exists((generation.0, sql(sequence)))
}

pub(super) fn take_back(database: &Connection, generation: GenerationId, sequence: Sequence) -> Result<()> {
    let mut delete = database.prepare_cached("DELETE FROM set_aside WHERE generation = ? AND sequence = ?")?;
    delete.execute((generation.0, sql(sequence))).map(|_| ())
}

/// The sequences of a stream's events that are set aside.
pub(super) fn set_aside_of(database: &Connection, generation: GenerationId, stream: &str) -> Result<Vec<Sequence>> {
    let mut find = database.prepare_cached("SELECT sequence FROM set_aside WHERE generation = ? AND stream = ?")?;
    find.query_map((generation.0, stream), |row| sequence(row, 0))?.collect()
}

/// The first events that are set aside, each with how often it was tried.
pub(super) fn all_set_aside(
    database: &Connection,
    generation: GenerationId,
    max: usize,
) -> Result<Vec<(Poisoned, u64)>> {
    let mut find = database.prepare_cached(
        "SELECT sequence, stream, kind, reason, tries FROM set_aside WHERE generation = ? ORDER BY sequence LIMIT ?",
    )?;
    let named = |row: &Row<'_>| {
        let poisoned =
            Poisoned { sequence: sequence(row, 0)?, stream: row.get(1)?, kind: row.get(2)?, reason: row.get(3)? };
        Ok((poisoned, row.get::<_, i64>(4)?.cast_unsigned()))
    };
    find.query_map((generation.0, i64::try_from(max).unwrap_or(i64::MAX)), named)?.collect()
}

pub(super) fn discard(database: &Connection, sequence: Sequence) -> Result<()> {
    let mut put = database.prepare_cached("INSERT INTO discarded VALUES (?) ON CONFLICT DO NOTHING")?;
    put.execute([sql(sequence)]).map(|_| ())
}

pub(super) fn is_discarded(database: &Connection, sequence: Sequence) -> Result<bool> {
    database.prepare_cached("SELECT 1 FROM discarded WHERE sequence = ?")?.exists([sql(sequence)])
}

/// Takes a request down, once.
pub(super) fn add_request(database: &Connection, sequence: Sequence, id: &str, asked: &str) -> Result<()> {
    let mut taken = database.prepare_cached("UPDATE log SET requests_until = ?1 WHERE requests_until < ?1")?;
    if taken.execute([sql(sequence)])? > 0 {
        let mut add = database.prepare_cached("INSERT INTO requests (sequence, id, asked) VALUES (?, ?, ?)")?;
        add.execute((sql(sequence), id, asked))?;
    }
    Ok(())
}

/// The requests, the first ones first.
pub(super) fn requests(database: &Connection, max: u32) -> Result<Vec<Pending>> {
    let mut find = database
        .prepare_cached("SELECT sequence, id, asked, generation, outcome FROM requests ORDER BY sequence LIMIT ?")?;
    let pending = |row: &Row<'_>| {
        Ok(Pending {
            sequence: sequence(row, 0)?,
            id: row.get(1)?,
            asked: row.get(2)?,
            generation: row.get::<_, Option<i64>>(3)?.map(GenerationId),
            outcome: row.get(4)?,
        })
    };
    find.query_map([max], pending)?.collect()
}

/// A generation is being built for a request.
pub(super) fn set_request_generation(database: &Connection, request: Sequence, generation: GenerationId) -> Result<()> {
    let mut set = database.prepare_cached("UPDATE requests SET generation = ? WHERE sequence = ?")?;
    set.execute((generation.0, sql(request))).map(|_| ())
}

/// A generation is not being built any more: whoever asked for it has to be heard again.
pub(super) fn forget_generation(database: &Connection, generation: GenerationId) -> Result<()> {
    let mut forget = database.prepare_cached("UPDATE requests SET generation = NULL WHERE generation = ?")?;
    forget.execute([generation.0]).map(|_| ())
}

pub(super) fn set_outcome(database: &Connection, request: Sequence, outcome: &str) -> Result<()> {
    let mut set = database.prepare_cached("UPDATE requests SET outcome = ? WHERE sequence = ?")?;
    set.execute((outcome, sql(request))).map(|_| ())
}

/// The log has the answer.
pub(super) fn remove_request(database: &Connection, request: Sequence) -> Result<()> {
    database.prepare_cached("DELETE FROM requests WHERE sequence = ?")?.execute([sql(request)]).map(|_| ())
}
