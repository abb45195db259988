//! [`Projection`]: what the events of one stream come to.

use std::any::Any;

use serde::{Deserialize, Serialize};

use super::Decider;
use crate::{
    event::Event,
    json::{self, Json, Node, Raw, Writer},
    upcast::{self, Read},
    version::{HighWater, Revision},
};

/// The state of a stream, and how far it has come.
pub struct Projection<D: Decider> {
    mark: HighWater,
    set_aside: SetAside,
    state: D::State,
}

/// Events that are in a stream and moved no state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Json, Serialize, Deserialize)]
pub struct SetAside {
    /// About an earlier version.
    pub stale: u32,
    /// Of a type, or of a schema version, that the reader does not know.
    pub unknown: u32,
    /// With data that is not what the type says.
    pub unreadable: u32,
}

/// What became of an event that was handed to a projection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The state has moved.
    Applied,
    /// It was there already: nothing has moved.
    Duplicate,
    /// It is about an earlier version: it is counted, and the state is as it was.
    Stale,
    /// The reader knows no such type, or none of so high a schema version: it is counted, and the state is as it was.
    Unknown,
    /// Its data is not what its type says: it is counted, and the state is as it was.
    Unreadable(String),
}

/// A snapshot is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSnapshot {
    /// It was made by another schema of its entity.
    #[error("is of schema {found}, and the entity's is {current}")]
    Schema {
        /// The snapshot's.
        found: u32,
        /// The entity's.
        current: u32,
    },
    /// It is not JSON of a projection.
    #[error("can't be read: {0}")]
    Unreadable(String),
}

impl<D: Decider> Default for Projection<D> {
    fn default() -> Self {
        Self { mark: HighWater::default(), set_aside: SetAside::default(), state: D::State::default() }
    }
}

impl<D: Decider> Clone for Projection<D> {
    fn clone(&self) -> Self {
        Self { state: self.state.clone(), ..*self }
    }
}

impl<D: Decider> Projection<D> {
    /// Goes on from a snapshot.
    ///
    /// # Errors
    /// [`InvalidSnapshot`]: then all events have to be read again.
    pub fn restore(json: &str) -> Result<Self, InvalidSnapshot> {
        let mut projection = Self { state: D::State::placeholder(), ..Self::default() };
        let Self { mark, set_aside, state } = &mut projection;
        read_snapshot(json, D::SCHEMA, mark, set_aside, state)?;
        Ok(projection)
    }

    /// All of it as JSON, for [`Self::restore`].
    #[must_use]
    pub fn snapshot(&self) -> String {
        write_snapshot(D::SCHEMA, self.mark, self.set_aside, &self.state)
    }

    /// What is so.
    #[must_use]
    pub fn state(&self) -> &D::State {
        &self.state
    }

    /// The last revision judged, and the highest version and sequence applied.
    #[must_use]
    pub fn mark(&self) -> HighWater {
        self.mark
    }

    /// Whether anything has happened in the stream.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.mark.revision > Revision::ZERO
    }

    /// How many events moved nothing.
    #[must_use]
    pub fn set_aside(&self) -> SetAside {
        self.set_aside
    }

    /// Takes the next event of the stream: events have to be handed in by revision, without a hole.
    pub fn apply(&mut self, event: &Event) -> Applied {
        let place = HighWater { revision: event.revision, version: event.version, sequence: event.sequence };
        if let Some(unmoved) = self.gate(place) {
            return unmoved;
        }
        let set_aside = &mut self.set_aside;
        match upcast::read::<D>(event) {
            Read::Event(happened) => {
                self.state = D::evolve(std::mem::take(&mut self.state), happened, event);
                Applied::Applied
            }
            Read::Unknown => {
                set_aside.unknown = set_aside.unknown.saturating_add(1);
                Applied::Unknown
            }
            Read::Unreadable(reason) => {
                set_aside.unreadable = set_aside.unreadable.saturating_add(1);
                Applied::Unreadable(reason)
            }
        }
    }

    /// Goes past an event at this place that can't be handed in, as past one whose data can't be read: the mark moves, the state does not.
    pub fn pass(&mut self, place: HighWater, reason: &str) -> Applied {
        self.gate(place).unwrap_or_else(|| {
            self.set_aside.unreadable = self.set_aside.unreadable.saturating_add(1);
            Applied::Unreadable(reason.to_owned())
        })
    }

    /// Moves the mark. What is not to move the state is told.
    fn gate(&mut self, place: HighWater) -> Option<Applied> {
        let (mark, set_aside) = (&mut self.mark, &mut self.set_aside);
        if place.revision <= mark.revision {
            return Some(Applied::Duplicate);
        }
        mark.revision = place.revision;
        if place.version < mark.version {
            set_aside.stale = set_aside.stale.saturating_add(1);
            return Some(Applied::Stale);
        }
        (mark.version, mark.sequence) = (place.version, place.sequence);
        None
    }
}

fn write_snapshot(schema: u32, mark: HighWater, set_aside: SetAside, state: &dyn Json) -> String {
    let mut to = Writer::default();
    to.begin_object();
    to.member("schema", &schema);
    to.member("mark", &mark);
    to.member("set_aside", &set_aside);
    to.member("state", state);
    to.end_object();
    to.into_text()
}

fn read_snapshot(
    json: &str,
    current: u32,
    mark: &mut HighWater,
    set_aside: &mut SetAside,
    state: &mut dyn Json,
) -> Result<(), InvalidSnapshot> {
    let node = Node::parse(json).map_err(unreadable)?;
    let mut found = 0;
    let mut members = node.members().map_err(unreadable)?;
    members.read("schema", &mut found);
    if found != current {
        members.finish().map_err(unreadable)?;
        return Err(InvalidSnapshot::Schema { found, current });
    }
    members.read("mark", mark);
    members.read("set_aside", set_aside);
    members.read("state", state);
    members.finish().map_err(unreadable)
}

fn unreadable(error: json::Error) -> InvalidSnapshot {
    InvalidSnapshot::Unreadable(error.to_string())
}

/// A [`Projection`] of any entity.
pub trait Folded: Any + Send + Sync {
    /// See [`Projection::apply`].
    fn apply(&mut self, event: &Event) -> Applied;

    /// See [`Projection::pass`].
    fn pass(&mut self, place: HighWater, reason: &str) -> Applied;

    /// See [`Projection::mark`].
    fn mark(&self) -> HighWater;

    /// See [`Projection::set_aside`].
    fn set_aside(&self) -> SetAside;

    /// The state alone, as JSON.
    fn state_json(&self) -> Raw;

    /// All of it, as JSON, for [`Entity::restore`](super::Entity::restore).
    fn snapshot(&self) -> String;

    /// A copy.
    fn boxed(&self) -> Box<dyn Folded>;

    /// For [`Context::of`](super::Context::of).
    fn as_any(&self) -> &dyn Any;
}

impl<D: Decider> Folded for Projection<D> {
    fn apply(&mut self, event: &Event) -> Applied {
        self.apply(event)
    }

    fn pass(&mut self, place: HighWater, reason: &str) -> Applied {
        self.pass(place, reason)
    }

    fn mark(&self) -> HighWater {
        self.mark
    }

    fn set_aside(&self) -> SetAside {
        self.set_aside
    }

    fn state_json(&self) -> Raw {
        Raw::of(&self.state)
    }

    fn snapshot(&self) -> String {
        self.snapshot()
    }

    fn boxed(&self) -> Box<dyn Folded> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
