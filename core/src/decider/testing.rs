//! Tests of deciders: [`Scenario`] says given, when, then; [`Log`] records in memory as a server does.

use std::{collections::BTreeMap, marker::PhantomData};

use super::{
    Context, Decider, Decision, DomainEvent, Entities, Folded, Origin, Projection, Refusal, Rejection, Streams,
};
use crate::{
    clock::VectorClock,
    event::{Actor, Event, EventId, NewEvent, Recording},
    json,
    stream::StreamName,
    time::Timestamp,
    upcast::{self, Read},
    version::{Revision, Sequence, Version},
};

/// A log in memory. It gives sequences, revisions, versions and clocks by the rules of the protocol, and folds every stream of an entity.
pub struct Log {
    entities: Entities,
    events: Vec<Event>,
    folded: BTreeMap<StreamName, Folded>,
    /// The time of recording, and what deciders are told.
    pub now: Timestamp,
}

impl Log {
    /// One that is empty, in January 2026.
    #[must_use]
    pub fn new(entities: Entities) -> Self {
        let now = Timestamp::from_unix_micros(1_767_225_600_000_000).expect("a year of four digits");
        Self { entities, events: Vec::new(), folded: BTreeMap::new(), now }
    }

    /// All events.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// What the events of a stream come to.
    ///
    /// # Panics
    /// Where the stream is of another entity.
    #[must_use]
    pub fn projection<D: Decider>(&self, stream: &StreamName) -> Projection<D> {
        let folded = self.folded.get(stream).map(|folded| folded.of::<D>());
        folded.map_or_else(Projection::default, |folded| folded.expect("the stream is of the entity").clone())
    }

    /// Records an event.
    ///
    /// # Panics
    /// Where its clock can't be derived, which takes more than 256 actors.
    pub fn record(&mut self, event: NewEvent) -> Event {
        let before = self.events.iter().rev().find(|earlier| earlier.stream == event.stream);
        let current =
            self.events.iter().filter(|earlier| earlier.stream == event.stream).map(|earlier| earlier.version).max();
        let number = self.events.len() as u64 + 1;
        let recording = Recording {
            id: EventId::new(&format!("event-{number}")).expect("visible ASCII"),
            recorded_time: self.now,
            sequence: Sequence::new(number).expect("fits in memory"),
            revision: before.map_or(Revision::ZERO, |before| before.revision).next().expect("fits in memory"),
            version: event.version.or(current).unwrap_or(Version::ZERO),
            clock: event.clock.clone().unwrap_or_else(|| self.derived_clock(&event)),
        };
        let event = event.record(recording);
        if let Some(entity) = self.entities.of(&event.stream) {
            self.folded.entry(event.stream.clone()).or_insert_with(|| entity.initial()).apply(&event);
        }
        self.events.push(event.clone());
        event
    }

    /// Decides a command, with all the states that it asks for, and records its events.
    ///
    /// # Errors
    /// [`Refusal`] where it may not be.
    pub fn command(
        &mut self,
        entity: &str,
        stream: &StreamName,
        origin: &Origin,
        command: &str,
    ) -> Result<Vec<Event>, Refusal> {
        let decision = self.decide(entity, stream, origin, command)?;
        Ok(decision.events.into_iter().map(|event| self.record(event)).collect())
    }

    /// Decides a command, with all the states that it asks for, and records nothing.
    ///
    /// # Errors
    /// [`Refusal`] where it may not be.
    pub fn decide(
        &self,
        entity: &str,
        stream: &StreamName,
        origin: &Origin,
        command: &str,
    ) -> Result<Decision, Refusal> {
        let mut streams = Streams::default();
        loop {
            let context = Context { stream, origin, now: self.now, streams: &streams };
            match self.entities.decide(entity, command, &context) {
                Ok(events) => return Ok(Decision::new(events, &streams)),
                Err(Rejection::Refused(refusal)) => return Err(refusal),
                Err(Rejection::Needs(needed)) => {
                    let state = self.load(&needed)?;
                    streams.insert(needed, state);
                }
            }
        }
    }

    fn load(&self, stream: &StreamName) -> Result<Folded, Refusal> {
        let none = || Refusal::invalid("wrong_stream", format!("'{stream}' is of no entity"));
        let known = self.folded.get(stream).cloned();
        known.or_else(|| self.entities.of(stream).map(super::Entity::initial)).ok_or_else(none)
    }

    fn derived_clock(&self, event: &NewEvent) -> VectorClock {
        let of_stream = || self.events.iter().rev().filter(|earlier| earlier.stream == event.stream);
        let latest = of_stream().find(|earlier| earlier.source == event.source);
        let cause = of_stream().find(|earlier| Some(&earlier.id) == event.causation_id.as_ref());
        let mut clock = latest.map(|latest| latest.clock.clone()).unwrap_or_default();
        if let Some(cause) = cause {
            clock.merge(&cause.clock).expect("few actors");
        }
        clock.tick(event.source.as_str()).expect("few events");
        clock
    }
}

/// What has happened to one thing, and what somebody asks of it.
pub struct Scenario<D> {
    log: Log,
    stream: StreamName,
    entity: PhantomData<D>,
}

/// A cell of the table of an entity's states and commands: the types of the events that are made, or the code of the refusal.
pub type Cell = Result<&'static [&'static str], &'static str>;

/// What came of a command.
pub struct Outcome<D> {
    scenario: Scenario<D>,
    result: Result<Vec<Event>, Refusal>,
}

impl<D: Decider> Scenario<D> {
    /// Of a stream to which nothing has happened, in a program that knows these entities.
    ///
    /// # Panics
    /// Where `stream` is no stream's name.
    #[must_use]
    pub fn new(entities: Entities, stream: &str) -> Self {
        let stream = StreamName::new(stream).expect("the name of a stream");
        Self { log: Log::new(entities), stream, entity: PhantomData }
    }

    /// An event that has happened, by this actor.
    ///
    /// # Panics
    /// Where the actor is no URI reference.
    #[must_use]
    pub fn given(self, actor: &str, event: impl Into<D::Event>) -> Self {
        let version = self.projection().mark().version.get();
        self.given_about(version, actor, event)
    }

    /// An event that has happened, about this version.
    ///
    /// # Panics
    /// Where the actor is no URI reference.
    #[must_use]
    pub fn given_about(mut self, version: u32, actor: &str, event: impl Into<D::Event>) -> Self {
        let (stream, event) = (self.stream.clone(), event.into());
        let origin = Origin { version: Version::new(version.into()).ok(), ..self.origin(actor) };
        let streams = Streams::default();
        let context = Context { stream: &stream, origin: &origin, now: self.log.now, streams: &streams };
        self.log.record(context.own_event(event.kind(), &event.data()));
        self
    }

    /// What another command has made, also in another stream and of another entity.
    ///
    /// # Panics
    /// Where it is refused.
    #[must_use]
    pub fn after<E: Decider>(mut self, stream: &str, actor: &str, command: E::Command) -> Self {
        let stream = StreamName::new(stream).expect("the name of a stream");
        let origin = self.origin(actor);
        let result = self.log.command(E::ENTITY, &stream, &origin, &json::to_string(&command));
        if let Err(refusal) = result {
            panic!("{} was refused: {refusal}", json::to_string(&command));
        }
        self
    }

    /// Time passes.
    #[must_use]
    pub fn later(mut self, ms: u32) -> Self {
        self.log.now = self.log.now.plus_ms(ms);
        self
    }

    /// A command.
    ///
    /// # Panics
    /// Where the actor is no URI reference.
    #[must_use]
    pub fn when(self, actor: &str, command: D::Command) -> Outcome<D> {
        let origin = self.origin(actor);
        self.when_from(&origin, command)
    }

    /// A command about this version.
    ///
    /// # Panics
    /// Where the actor is no URI reference.
    #[must_use]
    pub fn when_about(self, version: u32, actor: &str, command: D::Command) -> Outcome<D> {
        let origin = Origin { version: Version::new(version.into()).ok(), ..self.origin(actor) };
        self.when_from(&origin, command)
    }

    /// A command, with all that is said of where it comes from.
    ///
    /// # Panics
    /// Where the command is no JSON.
    #[must_use]
    pub fn when_from(mut self, origin: &Origin, command: D::Command) -> Outcome<D> {
        let result = self.log.command(D::ENTITY, &self.stream.clone(), origin, &json::to_string(&command));
        Outcome { scenario: self, result }
    }

    /// The log as it is, to look at other streams, or to record in them.
    pub fn log(&mut self) -> &mut Log {
        &mut self.log
    }

    /// What the stream's events come to.
    #[must_use]
    pub fn projection(&self) -> Projection<D> {
        self.log.projection(&self.stream)
    }

    /// The state of the stream.
    #[must_use]
    pub fn state(&self) -> D::State {
        self.projection().state().clone()
    }

    /// A command of this actor that nothing else is said of.
    ///
    /// # Panics
    /// Where the actor is no URI reference.
    #[must_use]
    pub fn origin(&self, actor: &str) -> Origin {
        let id = EventId::new(&format!("command-{}", self.log.events().len() + 1)).expect("visible ASCII");
        Origin::new(id, Actor::new(actor).expect("a URI reference"))
    }
}

impl<D: Decider> Outcome<D>
where
    D::Event: std::fmt::Debug + PartialEq,
{
    /// Holds that exactly these events of the entity were recorded.
    ///
    /// # Panics
    /// Where it is not so.
    #[must_use]
    pub fn then(self, expected: impl IntoIterator<Item = D::Event>) -> Scenario<D> {
        let read = |event: &Event| match upcast::read::<D>(event) {
            Read::Event(event) => event,
            other => panic!("{} was recorded, and is {other:?}", event.kind),
        };
        let events: Vec<D::Event> = self.events().iter().map(read).collect();
        assert_eq!(events, expected.into_iter().collect::<Vec<_>>());
        self.scenario
    }
}

impl<D: Decider> Outcome<D> {
    /// Holds that events of exactly these types were recorded, also of other entities.
    ///
    /// # Panics
    /// Where it is not so.
    #[must_use]
    pub fn then_types(self, expected: &[&str]) -> Scenario<D> {
        let kinds: Vec<&str> = self.events().iter().map(|event| event.kind.as_str()).collect();
        assert_eq!(kinds, expected);
        self.scenario
    }

    /// Holds that the command was refused with this code.
    ///
    /// # Panics
    /// Where it is not so.
    #[must_use]
    pub fn then_refused(self, code: &str) -> Scenario<D> {
        match &self.result {
            Ok(events) => panic!("{code} was expected, and recorded was {:?}", kinds(events)),
            Err(refusal) => assert_eq!(refusal.code(), code, "{refusal}"),
        }
        self.scenario
    }

    /// Holds a command to its cell of the table of states and commands, and that a snapshot of what it comes to is as good as that.
    ///
    /// # Panics
    /// Where it is not so. `name` says which cell it is.
    pub fn then_cell(self, name: &str, cell: Cell) {
        let found = self.result.as_ref().map(|events| kinds(events)).map_err(|refusal| refusal.code());
        assert_eq!(found, cell.map(<[_]>::to_vec), "{name}");
        let projection = self.scenario.projection();
        let restored = Projection::<D>::restore(&projection.snapshot()).expect("a snapshot can be read");
        assert_eq!(restored.snapshot(), projection.snapshot(), "{name}");
        assert!(restored.state() == projection.state(), "{name}: the snapshot is of another state");
    }

    /// What was recorded.
    ///
    /// # Panics
    /// Where the command was refused.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        match &self.result {
            Ok(events) => events,
            Err(refusal) => panic!("the command was refused: {refusal}"),
        }
    }

    /// What came of it.
    ///
    /// # Errors
    /// [`Refusal`] where it was refused.
    pub fn result(&self) -> Result<&[Event], &Refusal> {
        self.result.as_deref()
    }
}

fn kinds(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.kind.as_str()).collect()
}

/// Holds, for an entity's events, that each type begins with the entity's name and ends in a schema version.
///
/// # Panics
/// Where it is not so.
pub fn assert_types_are_named<D: Decider>() {
    for kind in D::Event::TYPES {
        assert!(kind.starts_with(&format!("{}.", D::ENTITY)), "{kind} does not begin with {}", D::ENTITY);
        assert!(crate::event::EventType::new(kind).is_ok(), "{kind} does not end in a schema version");
    }
}
