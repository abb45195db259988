//! Upcasting: events of an older schema are read as if they were of the current one, one step at a time. What is stored never changes.
//!
//! An [`Upcast`] takes the data of one schema version to the next. A reader knows the newest; an event of a version newer than that is
//! not for it to guess at: it is handed on untouched and counted as unknown.

use serde_json::{Map, Value};

use crate::{
    decider::{Decider, DomainEvent},
    event::{Data, Event},
    json::{self, Error, Node},
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
    let mut happened = None;
    let read = newest(event, D::Event::TYPES, older::<D>(), &mut |kind, data| happened = D::Event::of(kind, data));
    match (read, happened) {
        (Err(error), _) | (Ok(()), Some(Err(error))) => Read::Unreadable(error.to_string()),
        (Ok(()), Some(Ok(happened))) => Read::Event(happened),
        (Ok(()), None) => Read::Unknown,
    }
}

/// Makes a newer type and its data of an older one. `None` where it knows no such type.
pub(crate) type Older = dyn Fn(&str, &str) -> Option<Result<(&'static str, String), Error>>;

/// Who has no older schemas has none of the code for them: in a browser it would be downloaded.
pub(crate) fn older<D: Decider>() -> &'static Older {
    if D::UPCASTS.is_empty() { &|_, _| None } else { &|kind, data| upcast(kind, data, D::UPCASTS) }
}

/// Hands on an event's type and data, as they are or as the newest that they are upcast to. A type that nobody knows is not handed on.
pub(crate) fn newest(
    event: &Event,
    types: &[&str],
    older: &Older,
    take: &mut dyn FnMut(&str, &Node<'_>),
) -> Result<(), Error> {
    let data = match &event.data {
        Data::None => "{}",
        Data::Json(json) => json.get(),
        Data::Binary(_) => return Err(Error::new(&"is binary, and an entity's data is JSON")),
    };
    let kind = event.kind.as_str();
    if types.contains(&kind) {
        take(kind, &Node::parse(data)?);
    } else if let Some(newest) = older(kind, data) {
        let (kind, data) = newest?;
        take(kind, &Node::parse(&data)?);
    }
    Ok(())
}

/// Takes the steps from a type on, as far as they go. No more than there are: a step that leads back is taken once.
fn upcast(kind: &str, data: &str, upcasts: &[Upcast]) -> Option<Result<(&'static str, String), Error>> {
    let step_from = |kind: &str| upcasts.iter().find(|upcast| upcast.from == kind);
    let mut step = step_from(kind)?;
    let mut data: Map<String, Value> = match json::from_str(data) {
        Ok(data) => data,
        Err(error) => return Some(Err(error)),
    };
    for _ in upcasts {
        data = (step.step)(data);
        let Some(next) = step_from(step.to) else { break };
        step = next;
    }
    Some(Ok((step.to, json::to_string(&data))))
}

#[cfg(test)]
mod tests;
