//! [`Projection`]: what the events of one stream come to.

use std::any::Any;

use serde::{Deserialize, Serialize};

use super::{Decider, DomainEvent};
use crate::{
    event::Event,
    json::{self, FromJson, Json, Node, Raw, ToJson, Writer},
    mutation::{Mutation, mutated},
    upcast::{self, Older},
    version::{HighWater, Revision},
};

/// The state of a stream, and how far it has come.
pub struct Projection<D: Decider> {
    place: Place,
    state: D::State,
}

/// How far a projection has come.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    mark: HighWater,
    set_aside: SetAside,
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
        Self { place: Place::default(), state: D::State::default() }
    }
}

impl<D: Decider> Clone for Projection<D> {
    fn clone(&self) -> Self {
        Self { place: self.place, state: self.state.clone() }
    }
}

impl<D: Decider> Projection<D> {
    /// Goes on from a snapshot.
    ///
    /// # Errors
    /// [`InvalidSnapshot`]: then all events have to be read again.
    pub fn restore(json: &str) -> Result<Self, InvalidSnapshot> {
        let mut projection = Self { place: Place::default(), state: D::State::placeholder() };
        read_snapshot(&mut projection, json)?;
        Ok(projection)
    }

    /// All of it as JSON, for [`Self::restore`].
    #[must_use]
    pub fn snapshot(&self) -> String {
        write_snapshot(self)
    }

    /// What is so.
    #[must_use]
    pub fn state(&self) -> &D::State {
        &self.state
    }

    /// The last revision judged, and the highest version and sequence applied.
    #[must_use]
    pub fn mark(&self) -> HighWater {
        self.place.mark
    }

    /// Whether anything has happened in the stream.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.place.mark.revision > Revision::ZERO
    }

    /// How many events moved nothing.
    #[must_use]
    pub fn set_aside(&self) -> SetAside {
        self.place.set_aside
    }

    /// Takes the next event of the stream: events have to be handed in by revision, without a hole.
    pub fn apply(&mut self, event: &Event) -> Applied {
        fold(self, event)
    }

    /// Goes past an event at this place that can't be handed in, as past one whose data can't be read: the mark moves, the state does not.
    pub fn pass(&mut self, mark: HighWater, reason: &str) -> Applied {
        self.place.pass(mark, reason)
    }
}

impl Place {
    fn pass(&mut self, mark: HighWater, reason: &str) -> Applied {
        self.pass_gate(mark).unwrap_or_else(|| self.pass_unreadable(reason.to_owned()))
    }

    /// Moves the mark. What is not to move the state is told.
    fn pass_gate(&mut self, next: HighWater) -> Option<Applied> {
        let Self { mark, set_aside } = self;
        if next.revision <= mark.revision && !mutated(Mutation::AcceptJudged) {
            return Some(Applied::Duplicate);
        }
        mark.revision = next.revision;
        if next.version < mark.version && !mutated(Mutation::MoveByStale) {
            set_aside.stale = set_aside.stale.saturating_add(1);
            return Some(Applied::Stale);
        }
        (mark.version, mark.sequence) = (next.version, next.sequence);
        None
    }

    fn pass_unknown(&mut self) -> Applied {
        self.set_aside.unknown = self.set_aside.unknown.saturating_add(1);
        Applied::Unknown
    }

    fn pass_unreadable(&mut self, reason: String) -> Applied {
        self.set_aside.unreadable = self.set_aside.unreadable.saturating_add(1);
        Applied::Unreadable(reason)
    }
}

/// What is different for each entity. All else is done once for all of them: in a browser it is downloaded.
trait Parts: Any + Send + Sync {
    fn boxed(&self) -> Box<dyn Parts>;
    fn as_any(&self) -> &dyn Any;

    fn schema(&self) -> u32;
    fn place(&self) -> &Place;
    fn state(&self) -> &dyn ToJson;
    fn parts(&mut self) -> (&mut Place, &mut dyn FromJson);

    fn types(&self) -> &'static [&'static str];
    fn older(&self) -> &'static Older;

    /// Moves the state. `None` where there is no such type.
    fn evolve(&mut self, kind: &str, data: &Node<'_>, recorded: &Event) -> Option<Result<(), json::Error>>;
}

impl<D: Decider> Parts for Projection<D> {
    fn boxed(&self) -> Box<dyn Parts> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> u32 {
        D::SCHEMA
    }

    fn place(&self) -> &Place {
        &self.place
    }

    fn state(&self) -> &dyn ToJson {
        &self.state
    }

    fn parts(&mut self) -> (&mut Place, &mut dyn FromJson) {
        (&mut self.place, &mut self.state)
    }

    fn types(&self) -> &'static [&'static str] {
        D::Event::TYPES
    }

    fn older(&self) -> &'static Older {
        upcast::older::<D>()
    }

    fn evolve(&mut self, kind: &str, data: &Node<'_>, recorded: &Event) -> Option<Result<(), json::Error>> {
        let happened = match D::Event::of(kind, data)? {
            Ok(happened) => happened,
            Err(error) => return Some(Err(error)),
        };
        self.state = D::evolve(std::mem::take(&mut self.state), happened, recorded);
        Some(Ok(()))
    }
}

fn fold(projection: &mut dyn Parts, event: &Event) -> Applied {
    if let Some(unmoved) = projection.parts().0.pass_gate(HighWater::of(event)) {
        return unmoved;
    }
    let mut evolved = None;
    let (types, older) = (projection.types(), projection.older());
    let read = upcast::newest(event, types, older, &mut |kind, data| evolved = projection.evolve(kind, data, event));
    let place = projection.parts().0;
    match (read, evolved) {
        (Err(error), _) | (Ok(()), Some(Err(error))) => place.pass_unreadable(error.to_string()),
        (Ok(()), Some(Ok(()))) => Applied::Applied,
        (Ok(()), None) => place.pass_unknown(),
    }
}

fn write_snapshot(projection: &dyn Parts) -> String {
    let Place { mark, set_aside } = projection.place();
    let mut to = Writer::default();
    to.begin_object();
    to.member("schema", &projection.schema());
    to.member("mark", mark);
    to.member("set_aside", set_aside);
    to.member("state", projection.state());
    to.end_object();
    to.into_text()
}

fn read_snapshot(projection: &mut dyn Parts, json: &str) -> Result<(), InvalidSnapshot> {
    let (mut found, current) = (0, projection.schema());
    let node = Node::parse(json).map_err(unreadable)?;
    let mut members = node.members().map_err(unreadable)?;
    members.read("schema", &mut found);
    if found == current {
        let (place, state) = projection.parts();
        members.read("mark", &mut place.mark);
        members.read("set_aside", &mut place.set_aside);
        members.read("state", state);
    }
    members.finish().map_err(unreadable)?;
    if found == current { Ok(()) } else { Err(InvalidSnapshot::Schema { found, current }) }
}

fn unreadable(error: json::Error) -> InvalidSnapshot {
    InvalidSnapshot::Unreadable(error.to_string())
}

/// A [`Projection`] of any entity.
pub struct Folded(Box<dyn Parts>);

impl Folded {
    /// Becomes what a snapshot says. Where that fails, it may be anything.
    pub(super) fn restore(&mut self, json: &str) -> Result<(), InvalidSnapshot> {
        read_snapshot(&mut *self.0, json)
    }

    /// As a projection of that entity, if it is one.
    #[must_use]
    pub fn of<D: Decider>(&self) -> Option<&Projection<D>> {
        self.0.as_any().downcast_ref()
    }

    /// See [`Projection::apply`].
    pub fn apply(&mut self, event: &Event) -> Applied {
        fold(&mut *self.0, event)
    }

    /// See [`Projection::pass`].
    pub fn pass(&mut self, mark: HighWater, reason: &str) -> Applied {
        self.0.parts().0.pass(mark, reason)
    }

    /// See [`Projection::mark`].
    #[must_use]
    pub fn mark(&self) -> HighWater {
        self.0.place().mark
    }

    /// See [`Projection::set_aside`].
    #[must_use]
    pub fn set_aside(&self) -> SetAside {
        self.0.place().set_aside
    }

    /// The state alone, as JSON.
    #[must_use]
    pub fn state_json(&self) -> Raw {
        Raw::of(self.0.state())
    }

    /// All of it, as JSON, for [`Entity::restore`](super::Entity::restore).
    #[must_use]
    pub fn snapshot(&self) -> String {
        write_snapshot(&*self.0)
    }
}

impl<D: Decider> From<Projection<D>> for Folded {
    fn from(projection: Projection<D>) -> Self {
        Self(Box::new(projection))
    }
}

impl Clone for Folded {
    fn clone(&self) -> Self {
        Self(self.0.boxed())
    }
}
