//! [`Entities`]: those that a program knows, by name and by stream.

use std::sync::Arc;

use super::{Context, Decider, DomainEvent, Folded, InvalidSnapshot, Projection, Refusal, Rejection, Streams};
use crate::{
    event::{EventId, NewEvent},
    json::{FromJson, Node},
    stream::StreamName,
    topic::{Topic, matches},
    version::{Revision, Version},
};

/// Events to record, and where all streams that they depend on have to be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// The events, with their ids, in the order that they shall have. There may be none.
    pub events: Vec<NewEvent>,
    /// What was loaded, and its last revision.
    pub expected: Vec<(StreamName, Revision)>,
}

impl Decision {
    /// These events, decided on all that is loaded.
    #[must_use]
    pub fn new(events: Vec<NewEvent>, streams: &Streams) -> Self {
        let expected = streams.iter().map(|(stream, state)| (stream.clone(), state.mark().revision)).collect();
        Self { events, expected }
    }
}

/// A [`Decider`] of any type.
#[derive(Clone, Copy)]
pub struct Entity {
    name: &'static str,
    streams: &'static str,
    schema: u32,
    types: &'static [&'static str],
    raising: &'static [&'static str],
    initial: fn() -> Folded,
    decide: fn(&str, &Context<'_>) -> Result<Vec<NewEvent>, Rejection>,
}

impl Entity {
    /// That of a decider.
    #[must_use]
    pub fn of<D: Decider>() -> Self {
        Self {
            name: D::ENTITY,
            streams: D::STREAMS,
            schema: D::SCHEMA,
            types: D::Event::TYPES,
            raising: D::RAISING,
            initial: || Projection::<D>::default().into(),
            decide: |command, context| {
                let mut read = D::Command::placeholder();
                read_command(command, &mut read)?;
                D::decide(read, context)
            },
        }
    }

    /// See [`Decider::ENTITY`].
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// See [`Decider::STREAMS`].
    #[must_use]
    pub fn streams(&self) -> &'static str {
        self.streams
    }

    /// See [`Decider::SCHEMA`].
    #[must_use]
    pub fn schema(&self) -> u32 {
        self.schema
    }

    /// See [`DomainEvent::TYPES`].
    #[must_use]
    pub fn types(&self) -> &'static [&'static str] {
        self.types
    }

    /// The state before the first event.
    #[must_use]
    pub fn initial(&self) -> Folded {
        (self.initial)()
    }

    /// See [`Projection::restore`].
    ///
    /// # Errors
    /// [`InvalidSnapshot`]: then all events have to be read again.
    pub fn restore(&self, snapshot: &str) -> Result<Folded, InvalidSnapshot> {
        let mut folded = self.initial();
        folded.restore(snapshot)?;
        Ok(folded)
    }

    /// See [`Decider::decide`]. The command is `{"type":"…","data":{…}}`.
    ///
    /// # Errors
    /// [`Rejection`] where it may not be, can't be read, or depends on what is not loaded.
    pub fn decide(&self, command: &str, context: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
        (self.decide)(command, context)
    }
}

fn read_command(json: &str, command: &mut dyn FromJson) -> Result<(), Refusal> {
    let read = Node::parse(json).and_then(|node| command.read(&node));
    read.map_err(|error| Refusal::invalid("invalid_command", format!("the command can't be read: {error}")))
}

/// The entities that a program knows, by name. Cloning is cheap.
#[derive(Clone, Default)]
pub struct Entities(Arc<Vec<Entity>>);

impl Entities {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// These, and one more.
    ///
    /// # Panics
    /// Where one of that name is there already, [`Decider::STREAMS`] is no topic or may match a stream of another, or [`Decider::RAISING`] names
    /// what is no event of it: a program's own mistake, told when it starts.
    #[must_use]
    pub fn with<D: Decider>(self) -> Self {
        self.and(Entity::of::<D>())
    }

    fn and(mut self, entity: Entity) -> Self {
        let (name, streams) = (entity.name(), entity.streams());
        if let Err(error) = Topic::new(streams) {
            panic!("{name}: {streams} {error}");
        }
        let are_events = entity.raising.iter().all(|kind| entity.types.contains(kind));
        assert!(are_events, "{name} has no such event, which may raise a version");
        for other in self.iter() {
            assert!(other.name() != name, "there are two entities of the name {name}");
            let overlap = overlap(other.streams(), streams);
            assert!(!overlap, "{name} and {} may match the same stream", other.name());
        }
        let at = self.iter().position(|other| other.name() > name).unwrap_or(self.0.len());
        Arc::make_mut(&mut self.0).insert(at, entity);
        self
    }

    /// The entity of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Entity> {
        self.iter().find(|entity| entity.name() == name)
    }

    /// The entity that a stream is of.
    #[must_use]
    pub fn of(&self, stream: &StreamName) -> Option<&Entity> {
        self.iter().find(|entity| matches(entity.streams().as_bytes(), stream.as_str().as_bytes()))
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Entity> {
        self.0.iter()
    }

    /// Decides a command for a stream of an entity, and gives its events their ids: the first has the command's own.
    ///
    /// # Errors
    /// [`Rejection`] where it may not be, can't be read, or depends on what is not loaded; also where an event would raise its stream's
    /// version though its entity does not let it.
    pub fn decide(&self, entity: &str, command: &str, context: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
        let no_such = || {
            Refusal::not_found("unknown_entity", format!("there is no entity '{entity}': there are {}", self.names()))
        };
        let entity = self.get(entity).ok_or_else(no_such)?;
        if !matches(entity.streams().as_bytes(), context.stream.as_str().as_bytes()) {
            return Err(wrong_stream(context.stream, entity.name(), entity.streams()).into());
        }
        let mut events = entity.decide(command, context)?;
        self.check_versions(&events, context)?;
        let mut is_first = true;
        for (at, event) in events.iter_mut().enumerate() {
            event.id = Some(event_id(&context.origin.command_id, at)?);
            // A counter stands on one event of its actor: what comes after it has one that the log derives.
            if event.clock.is_some() && !std::mem::take(&mut is_first) {
                event.clock = None;
            }
        }
        Ok(events)
    }

    /// A version rises by one, and by an event whose entity lets it.
    fn check_versions(&self, events: &[NewEvent], context: &Context<'_>) -> Result<(), Refusal> {
        for (at, event) in events.iter().enumerate() {
            let Some(version) = event.version else { continue };
            let mut current = context.streams.get(&event.stream).map_or(Version::ZERO, |state| state.mark().version);
            for earlier in &events[..at] {
                if earlier.stream == event.stream {
                    current = current.max(earlier.version.unwrap_or(current));
                }
            }
            let may_raise =
                || self.of(&event.stream).is_some_and(|entity| entity.raising.contains(&event.kind.as_str()));
            if version > current && (Some(version) != current.next() || !may_raise()) {
                let detail = format!("version {version} of '{}' is not there yet: it is {current}", event.stream);
                return Err(Refusal::conflict("unknown_version", detail));
            }
        }
        Ok(())
    }

    fn names(&self) -> String {
        let mut names = String::new();
        for entity in self.iter() {
            names.push_str(if names.is_empty() { "" } else { ", " });
            names.push_str(entity.name());
        }
        names
    }
}

pub(super) fn wrong_stream(stream: &StreamName, entity: &str, streams: &str) -> Refusal {
    Refusal::invalid("wrong_stream", format!("'{stream}' is no stream of the entity {entity}: those are {streams}"))
}

fn event_id(command: &EventId, at: usize) -> Result<EventId, Refusal> {
    let id = if at == 0 { return Ok(command.clone()) } else { format!("{command}.{at}") };
    EventId::new(&id)
        .map_err(|error| Refusal::invalid("invalid_command", format!("the command's id is too long: {error}")))
}

/// Whether some stream may be matched by both topics.
fn overlap(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.split(':'), other.split(':'));
    loop {
        match (one.next(), other.next()) {
            (None, None) | (Some("**"), Some(_)) | (Some(_), Some("**")) => return true,
            (Some(one), Some(other)) if one == other || one == "*" || other == "*" => {}
            _ => return false,
        }
    }
}
