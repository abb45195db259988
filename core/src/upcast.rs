//! Upcasting: events of an older schema are read as if they were of the current one, one step at a time. What is stored never changes.
//!
//! An [`Upcast`] takes the data of one schema version to the next. A reader knows the newest; an event of a version newer than that is
//! not for it to guess at: it is handed on untouched and counted as unknown.

use serde_json::{Map, Value};

use crate::{
    decider::{Decider, DomainEvent},
    event::{Data, Event},
    json,
};

/// One step: from one schema version of an event type to the next.
#[derive(Clone, Copy, Debug)]
pub struct Upcast {
    /// The type that it reads, such as `task.planned.v1`.
    pub from: &'static str,
    /// The type that it makes of it, such as `task.planned.v2`.
    pub to: &'static str,
    /// Makes the newer data of the older. It is pure and can't fail: what the older schema does not say has to have a default.
    pub step: fn(Map<String, Value>) -> Map<String, Value>,
}

/// What an event is to its entity.
#[derive(Debug)]
pub enum Read<E> {
    /// One of its events, of the newest schema.
    Event(E),
    /// Nothing that it knows.
    Unknown,
    /// One whose data is not what its type says, and why.
    Unreadable(String),
}

/// Reads a recorded event as one of an entity's.
pub fn read<D: Decider>(event: &Event) -> Read<D::Event> {
    let data = match &event.data {
        Data::None => "{}",
        Data::Json(json) => json.get(),
        Data::Binary(_) => return Read::Unreadable("its data is binary, and an entity's is JSON".to_owned()),
    };
    let kind = event.kind.as_str();
    if let Some(read) = D::Event::read(kind, data) {
        return read.map_or_else(unreadable, Read::Event);
    }
    let mut steps = steps::<D>(kind).peekable();
    if steps.peek().is_none() {
        return Read::Unknown;
    }
    let mut data = match json::from_str(data) {
        Ok(data) => data,
        Err(error) => return unreadable(error),
    };
    let mut newest = kind;
    for upcast in steps {
        data = (upcast.step)(data);
        newest = upcast.to;
    }
    match D::Event::read(newest, &json::to_string(&data)) {
        Some(read) => read.map_or_else(unreadable, Read::Event),
        None => Read::Unknown,
    }
}

/// The steps from a type on, as far as they go. No more than there are: a step that leads back is taken once.
fn steps<D: Decider>(kind: &str) -> impl Iterator<Item = &'static Upcast> {
    let mut newest = kind.to_owned();
    (0..D::UPCASTS.len()).map_while(move |_| {
        let upcast = D::UPCASTS.iter().find(|upcast| upcast.from == newest)?;
        newest.clear();
        newest.push_str(upcast.to);
        Some(upcast)
    })
}

fn unreadable<E>(error: json::Error) -> Read<E> {
    Read::Unreadable(error.to_string())
}

#[cfg(test)]
mod tests;
