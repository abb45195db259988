//! [`Context`]: all that a decision may depend on.

use super::{Decider, EventData, Folded, Projection, Refusal, Rejection, entities::wrong_stream};
use crate::{
    clock::VectorClock,
    event::{Actor, Data, EventId, EventType, NewEvent},
    json::{Raw, ToJson},
    stream::{InvalidName, StreamName, is_segment},
    time::Timestamp,
    version::Version,
};

/// Where a command comes from, and what its events are to say of that.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// The command's own id, made where somebody acted: the same through all retries.
    pub command_id: EventId,
    /// Who gives it.
    pub actor: Actor,
    /// When, by that actor's clock.
    pub time: Option<Timestamp>,
    /// The entity's version that it is about. Left out, it is the current one.
    pub version: Option<Version>,
    /// What the actor knew. Left out, the log derives it.
    pub clock: Option<VectorClock>,
    /// The event that caused it.
    pub causation_id: Option<EventId>,
    /// What larger undertaking it belongs to.
    pub correlation_id: Option<EventId>,
}

impl Origin {
    /// A command that says nothing but who gives it.
    #[must_use]
    pub fn new(command_id: EventId, actor: Actor) -> Self {
        Self { command_id, actor, time: None, version: None, clock: None, causation_id: None, correlation_id: None }
    }
}

/// The states that are loaded, in the order of their streams. They are few.
#[derive(Default)]
pub struct Streams(Vec<(StreamName, Folded)>);

impl Streams {
    /// Adds a state.
    pub fn insert(&mut self, stream: StreamName, state: Folded) {
        match self.find(&stream) {
            Ok(at) => self.0[at].1 = state,
            Err(at) => self.0.insert(at, (stream, state)),
        }
    }

    /// The state of a stream, if it is loaded.
    #[must_use]
    pub fn get(&self, stream: &StreamName) -> Option<&Folded> {
        self.find(stream).ok().map(|at| &self.0[at].1)
    }

    /// All of them, in the order of their streams.
    pub fn iter(&self) -> impl Iterator<Item = (&StreamName, &Folded)> {
        self.0.iter().map(|(stream, state)| (stream, state))
    }

    fn find(&self, stream: &StreamName) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.cmp(stream))
    }
}

/// All that a decision may depend on.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The stream that the command is for.
    pub stream: &'a StreamName,
    /// Where the command comes from.
    pub origin: &'a Origin,
    /// The time, by the clock of whoever runs the decider.
    pub now: Timestamp,
    /// What is loaded.
    pub streams: &'a Streams,
}

impl<'a> Context<'a> {
    /// The state of the command's own stream, and its marks.
    ///
    /// # Errors
    /// [`Rejection::Needs`] where it is not loaded.
    pub fn own<D: Decider>(&self) -> Result<&'a Projection<D>, Rejection> {
        self.of(self.stream)
    }

    /// The state of a stream, and its marks.
    ///
    /// # Errors
    /// [`Rejection::Needs`] where it is not loaded, [`Rejection::Refused`] where it is no stream of that entity.
    pub fn of<D: Decider>(&self, stream: &StreamName) -> Result<&'a Projection<D>, Rejection> {
        let folded = self.streams.get(stream).ok_or_else(|| Rejection::Needs(stream.clone()))?;
        folded.of::<D>().ok_or_else(|| wrong_stream(stream, D::ENTITY, D::STREAMS).into())
    }

    /// The whole decision of most commands: one event in the command's own stream, as [`Self::event`] makes it.
    ///
    /// # Errors
    /// Never: it is what [`Decider::decide`] answers.
    pub fn only<E: EventData>(&self, data: &E) -> Result<Vec<NewEvent>, Rejection> {
        Ok(self.only_event(E::KIND, data))
    }

    fn only_event(&self, kind: &str, data: &dyn ToJson) -> Vec<NewEvent> {
        vec![self.own_event(kind, data)]
    }

    /// An event in the command's own stream. It is about the version that the command is about.
    #[must_use]
    pub fn event<E: EventData>(&self, data: &E) -> NewEvent {
        self.own_event(E::KIND, data)
    }

    /// An event in any stream. It is about the stream's current version.
    #[must_use]
    pub fn event_in<E: EventData>(&self, stream: &StreamName, data: &E) -> NewEvent {
        self.proposed(stream, E::KIND, data)
    }

    pub(super) fn own_event(&self, kind: &str, data: &dyn ToJson) -> NewEvent {
        let mut event = self.proposed(self.stream, kind, data);
        event.version = self.origin.version;
        event.clock.clone_from(&self.origin.clock);
        event
    }

    fn proposed(&self, stream: &StreamName, kind: &str, data: &dyn ToJson) -> NewEvent {
        let kind = EventType::new(kind).unwrap_or_else(|error| panic!("an event's type {error}: {kind}"));
        let origin = self.origin;
        NewEvent {
            time: origin.time,
            causation_id: origin.causation_id.clone(),
            correlation_id: origin.correlation_id.clone(),
            command_id: Some(origin.command_id.clone()),
            data: Data::Json(Raw::of(data)),
            ..NewEvent::new(stream.clone(), origin.actor.clone(), kind)
        }
    }

    /// A stream beside the command's own: the same name with another kind of thing and id in its last two segments, such as
    /// `space:1:proposals:p7` beside `space:1:analysis_runs:r1`.
    ///
    /// # Errors
    /// [`Rejection::Refused`] where `id` can't be a segment of a stream's name.
    pub fn beside(&self, kind: &str, id: &str) -> Result<StreamName, Rejection> {
        let invalid = |error| Refusal::invalid("invalid_id", format!("the id '{id}' {error}"));
        if !is_segment(id) {
            return Err(invalid(InvalidName::Segment).into());
        }
        let space = self.stream.segments().count().saturating_sub(2);
        let mut name = String::new();
        for segment in self.stream.segments().take(space).chain([kind]) {
            name.push_str(segment);
            name.push(':');
        }
        name.push_str(id);
        StreamName::new(&name).map_err(|error| invalid(error).into())
    }

    /// The id of the thing that the command is for: the last segment of its stream's name.
    #[must_use]
    pub fn id(&self) -> &'a str {
        self.stream.segments().last().unwrap_or_default()
    }
}
