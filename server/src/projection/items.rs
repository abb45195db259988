//! What the lists show: [`Wanted`], and the [`Items`] that answer it.

use std::str::FromStr;

use highwater_core::{
    decider::SetAside,
    stream::StreamName,
    time::Timestamp,
    version::{Revision, Sequence, Version},
};
use rusqlite::{Connection, Result, Row, ToSql};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::rows::{self, Role, sql};
use crate::store::ReadLimit;

/// How many rows one page looks at, at most; the page then says how far it came.
const SCANNED_ROWS_MAX: usize = 10_000;

/// Which rows are wanted.
pub struct Wanted {
    /// Of this entity.
    pub entity: String,
    /// In this space; in all of them, and in none, where left out.
    pub space: Option<String>,
    /// Whose state says so; of any where left out.
    pub status: Option<String>,
    /// Which come first.
    pub order: Order,
    /// Those that come, in this order, after the one whose stream began here; all of them where left out.
    pub cursor: Option<Sequence>,
    /// How many.
    pub limit: ReadLimit,
    /// Of these streams only, whoever is asked about them.
    pub is_shown: Box<dyn Fn(&StreamName) -> bool + Send>,
}

/// Which of the streams come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Those that began first.
    #[default]
    Oldest,
    /// Those that began last. What begins while pages are read is in none of them.
    Newest,
}

/// The text is no order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be oldest or newest")]
pub struct InvalidOrder;

impl FromStr for Order {
    type Err = InvalidOrder;

    fn from_str(text: &str) -> std::result::Result<Self, InvalidOrder> {
        match text {
            "oldest" => Ok(Self::Oldest),
            "newest" => Ok(Self::Newest),
            _ => Err(InvalidOrder),
        }
    }
}

/// A page of rows, in the order that was wanted.
#[derive(Debug)]
pub struct Items {
    /// The rows.
    pub items: Vec<Item>,
    /// Everything up to here has had its effect on them, and nothing after.
    pub position: Sequence,
    /// Where to go on, as [`Wanted::cursor`]. There may be more even where a page is empty: it looks at a bounded number of rows.
    pub next: Option<Sequence>,
}

/// What the events of a stream have come to.
#[derive(Debug)]
pub struct Item {
    /// The stream.
    pub stream: StreamName,
    /// Its space: what follows in its name where that begins with `space`.
    pub space: Option<String>,
    /// What its state says of how it stands: `phase` or `status`.
    pub status: Option<String>,
    /// The last revision judged.
    pub revision: Revision,
    /// The stream's version.
    pub version: Version,
    /// The first event's place, and when it was recorded.
    pub created: (Sequence, Timestamp),
    /// The last event's place, and when it was recorded.
    pub updated: (Sequence, Timestamp),
    /// How many of its events moved no state.
    pub set_aside: SetAside,
    /// The state.
    pub state: Box<RawValue>,
}

impl Item {
    /// The last segment of its stream's name.
    #[must_use]
    pub fn id(&self) -> &str {
        self.stream.segments().last().unwrap_or_default()
    }
}

/// Reads a page. `told` is how far the lists were said to have come before this read began.
pub(super) fn read(database: &Connection, wanted: &Wanted, told: Sequence) -> Result<Items> {
    let Some(serving) = rows::generation(database, Role::Serving)? else {
        return Ok(Items { items: Vec::new(), position: Sequence::ZERO, next: None });
    };
    let (filter, index) = match (&wanted.space, &wanted.status) {
        (None, None) => ("", "items_of_entity"),
        (Some(_), None) => ("AND space = ?", "items_of_space"),
        (None, Some(_)) => ("AND status = ?", "items_by_status"),
        (Some(_), Some(_)) => ("AND space = ? AND status = ?", "items_of_space_by_status"),
    };
    let (order, begin) = match wanted.order {
        Order::Oldest => ("created > ? ORDER BY created", Sequence::ZERO),
        Order::Newest => ("created < ? ORDER BY created DESC", Sequence::MAX),
    };
    let mut find = database.prepare_cached(&format!(
        "SELECT stream, space, status, revision, version, created, created_us, updated, updated_us, snapshot
         FROM items INDEXED BY {index} WHERE generation = ? AND entity = ? {filter} AND {order}"
    ))?;
    let mut last = wanted.cursor.unwrap_or(begin);
    let cursor = sql(last);
    let mut values: Vec<&dyn ToSql> = vec![&serving.id.0, &wanted.entity];
    values.extend([&wanted.space, &wanted.status].into_iter().flatten().map(|text| text as &dyn ToSql));
    values.push(&cursor);
    let mut found = find.query(&*values)?;

    // What lies between the committed position and the one told had no effect, or it would have been committed.
    let position = serving.position.max(told);
    let mut page = Items { items: Vec::new(), position, next: None };
    let (mut bytes, mut scanned) = (0, 0);
    while let Some(row) = found.next()? {
        let is_full = page.items.len() >= wanted.limit.events || scanned >= SCANNED_ROWS_MAX;
        let item = if is_full { None } else { item(row, &*wanted.is_shown)? };
        let item_bytes = item.as_ref().map_or(0, |item| item.state.get().len());
        if is_full || (bytes + item_bytes > wanted.limit.bytes && !page.items.is_empty()) {
            page.next = Some(last);
            break;
        }
        (bytes, scanned, last) = (bytes + item_bytes, scanned + 1, rows::sequence(row, 5)?);
        page.items.extend(item);
    }
    Ok(page)
}

/// Reads a row, unless it is not to be shown.
fn item(row: &Row<'_>, is_shown: &dyn Fn(&StreamName) -> bool) -> Result<Option<Item>> {
    #[derive(Deserialize)]
    struct Snapshot {
        set_aside: SetAside,
        state: Box<RawValue>,
    }
    let name = row.get_ref(0)?.as_str()?;
    let stream = StreamName::new(name).map_err(|error| super::malformed(0, error))?;
    if !is_shown(&stream) {
        return Ok(None);
    }
    let snapshot = serde_json::from_str(row.get_ref(9)?.as_str()?);
    let Snapshot { set_aside, state } = snapshot.map_err(|error| super::malformed(9, error))?;
    let place = |column| rows::place(row, column).map(|place| (place.sequence, place.recorded));
    Ok(Some(Item {
        stream,
        space: row.get(1)?,
        status: row.get(2)?,
        revision: rows::revision(row, 3)?,
        version: rows::version(row, 4)?,
        created: place(5)?,
        updated: place(7)?,
        set_aside,
        state,
    }))
}
