//! Events: [`NewEvent`] as a producer proposes it, [`Event`] as the log recorded it. Both own what they hold and are
//! valid by construction; what depends on settings is checked by [`NewEvent::check`].

mod attribute;
mod uri;

pub use attribute::{Actor, EventId, EventType, ExtensionName, ExtensionValue, InvalidAttribute, TEXT_BYTES_MAX};

use crate::{
    clock::{ACTORS_MAX, VectorClock},
    json::Raw,
    sorted::SortedMap,
    stream::StreamName,
    time::Timestamp,
    version::{Revision, Sequence, Version},
};

/// How large what a producer sends may be. Each is a setting of the server; [`Limits::default`] is the protocol's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most data of one event, in bytes of JSON without white space, or of what base64 stands for.
    pub data_bytes_max: usize,
    /// The most one request may carry, in bytes.
    pub batch_bytes_max: usize,
    /// The most events of one request.
    pub batch_events_max: usize,
    /// The most extension attributes of one event.
    pub extensions_max: usize,
    /// How far above a stream's version an event's version may lie.
    pub version_jump_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            data_bytes_max: 256 * 1024,
            batch_bytes_max: 1024 * 1024,
            batch_events_max: 1_000,
            extensions_max: 32,
            version_jump_max: 1_000,
        }
    }
}

/// How deep arrays and objects of JSON data may lie in each other. A page of events adds three levels (itself, its array,
/// the event), and some parsers read no more than 64 unless they are told to, such as .NET's; one is left over.
pub const DATA_DEPTH_MAX: usize = 60;

/// What an event says, beside its attributes.
#[derive(Clone, Debug, Default)]
pub enum Data {
    /// Nothing.
    #[default]
    None,
    /// JSON, kept as it was written but for white space: numbers keep all their digits, objects their order.
    Json(Raw),
    /// Anything else, as bytes; in JSON it travels as `data_base64`.
    Binary(Vec<u8>),
}

impl Data {
    /// Takes JSON, without its white space.
    ///
    /// # Errors
    /// [`InvalidEvent`] where the text is not JSON or deeper than [`DATA_DEPTH_MAX`].
    pub fn json(text: &str) -> Result<Self, InvalidEvent> {
        Raw::new(text).map(Self::Json).map_err(|error| InvalidEvent::attribute("data", error.reason()))
    }

    /// How many bytes it has, as [`Limits::data_bytes_max`] counts them.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Json(json) => json.get().len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Json(one), Self::Json(other)) => one == other,
            (Self::Binary(one), Self::Binary(other)) => one == other,
            _ => false,
        }
    }
}

/// A fact that a producer proposes. The log decides whether it is taken and what its place is.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// Unique together with `source`. Left out, the server makes a UUIDv7.
    pub id: Option<EventId>,
    /// Who says so.
    pub source: Actor,
    /// What happened, with its schema version.
    pub kind: EventType,
    /// Whom it happened to; CloudEvents calls it `subject`.
    pub stream: StreamName,
    /// When, by the producer's clock. Left out, it is the time of recording.
    pub time: Option<Timestamp>,
    /// The entity's version that it is about. Left out, it is the stream's current one.
    pub version: Option<Version>,
    /// What its actor knew. Left out, the log derives it.
    pub clock: Option<VectorClock>,
    /// The event that caused this one.
    pub causation_id: Option<EventId>,
    /// What larger undertaking it belongs to.
    pub correlation_id: Option<EventId>,
    /// The command that made it.
    pub command_id: Option<EventId>,
    /// The media type of `data`; for JSON data left out it is `application/json`.
    pub data_content_type: Option<Box<str>>,
    /// Where the schema of `data` is described.
    pub data_schema: Option<Box<str>>,
    /// Attributes that the protocol does not know, in the order of their names.
    pub extensions: SortedMap<ExtensionName, ExtensionValue>,
    /// What it says.
    pub data: Data,
}

impl NewEvent {
    /// An event with what every event must have and nothing else.
    #[must_use]
    pub fn new(stream: StreamName, source: Actor, kind: EventType) -> Self {
        Self {
            id: None,
            source,
            kind,
            stream,
            time: None,
            version: None,
            clock: None,
            causation_id: None,
            correlation_id: None,
            command_id: None,
            data_content_type: None,
            data_schema: None,
            extensions: SortedMap::new(),
            data: Data::None,
        }
    }

    /// Holds the event against what a server is set to take.
    ///
    /// # Errors
    /// [`InvalidEvent`] says which limit it breaks.
    pub fn check(&self, limits: &Limits) -> Result<(), InvalidEvent> {
        if self.data.len() > limits.data_bytes_max {
            return Err(InvalidEvent::DataTooLarge { bytes: self.data.len(), max: limits.data_bytes_max });
        }
        if self.extensions.len() > limits.extensions_max {
            return Err(InvalidEvent::TooManyExtensions { max: limits.extensions_max });
        }
        match &self.clock {
            Some(clock) if clock.get(self.source.as_str()) == 0 => {
                Err(InvalidEvent::attribute("clock", "must hold the event's own source"))
            }
            _ => Ok(()),
        }
    }
}

/// A fact that the log holds. It never changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Unique together with `source`.
    pub id: EventId,
    /// Who says so.
    pub source: Actor,
    /// What happened, with its schema version.
    pub kind: EventType,
    /// Whom it happened to; CloudEvents calls it `subject`.
    pub stream: StreamName,
    /// When, by the producer's clock.
    pub time: Timestamp,
    /// When the log took it, by the server's clock; never decreasing with `sequence`.
    pub recorded_time: Timestamp,
    /// Its place in the log.
    pub sequence: Sequence,
    /// Its place in its stream.
    pub revision: Revision,
    /// The entity's version that it is about.
    pub version: Version,
    /// What its actor knew.
    pub clock: VectorClock,
    /// The event that caused this one.
    pub causation_id: Option<EventId>,
    /// What larger undertaking it belongs to.
    pub correlation_id: Option<EventId>,
    /// The command that made it.
    pub command_id: Option<EventId>,
    /// The media type of `data`.
    pub data_content_type: Option<Box<str>>,
    /// Where the schema of `data` is described.
    pub data_schema: Option<Box<str>>,
    /// Attributes that the protocol does not know, in the order of their names.
    pub extensions: SortedMap<ExtensionName, ExtensionValue>,
    /// What it says.
    pub data: Data,
}

/// What the log adds to a [`NewEvent`] when it takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// The id, for an event that brought none.
    pub id: EventId,
    /// When the log took it.
    pub recorded_time: Timestamp,
    /// Its place in the log.
    pub sequence: Sequence,
    /// Its place in its stream.
    pub revision: Revision,
    /// Its version, given or derived.
    pub version: Version,
    /// Its clock, given or derived.
    pub clock: VectorClock,
}

impl NewEvent {
    /// Makes the recorded event. An id that the producer gave stays.
    #[must_use]
    pub fn record(self, recording: Recording) -> Event {
        Event {
            id: self.id.unwrap_or(recording.id),
            source: self.source,
            kind: self.kind,
            stream: self.stream,
            time: self.time.unwrap_or(recording.recorded_time),
            recorded_time: recording.recorded_time,
            sequence: recording.sequence,
            revision: recording.revision,
            version: recording.version,
            clock: recording.clock,
            causation_id: self.causation_id,
            correlation_id: self.correlation_id,
            command_id: self.command_id,
            data_content_type: self.data_content_type,
            data_schema: self.data_schema,
            extensions: self.extensions,
            data: self.data,
        }
    }
}

impl From<Event> for NewEvent {
    /// The event as its producer could have proposed it, to be recorded in another log.
    fn from(event: Event) -> Self {
        Self {
            id: Some(event.id),
            source: event.source,
            kind: event.kind,
            stream: event.stream,
            time: Some(event.time),
            version: Some(event.version),
            clock: Some(event.clock),
            causation_id: event.causation_id,
            correlation_id: event.correlation_id,
            command_id: event.command_id,
            data_content_type: event.data_content_type,
            data_schema: event.data_schema,
            extensions: event.extensions,
            data: event.data,
        }
    }
}

/// Why something is no event that the log can take, as what is said of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEvent {
    /// It is not JSON, or not a JSON object.
    #[error("is not a CloudEvent in JSON: {0}")]
    Json(String),
    /// An attribute is missing or not what it must be.
    #[error("is wrong in attribute '{name}': it {reason}")]
    Attribute {
        /// The attribute's name on the wire.
        name: String,
        /// What must be different.
        reason: String,
    },
    /// More data than [`Limits::data_bytes_max`].
    #[error("has {bytes} bytes of data, more than the {max} allowed: store large data elsewhere and link to it")]
    DataTooLarge {
        /// What it has.
        bytes: usize,
        /// What it may have.
        max: usize,
    },
    /// A clock of more than [`ACTORS_MAX`] actors.
    #[error("has a clock that names more than {ACTORS_MAX} actors")]
    ClockFull,
    /// More extension attributes than [`Limits::extensions_max`].
    #[error("has more than {max} extension attributes")]
    TooManyExtensions {
        /// What it may have.
        max: usize,
    },
}

impl InvalidEvent {
    /// An attribute that is not what it must be.
    pub fn attribute(name: impl Into<String>, reason: impl ToString) -> Self {
        Self::Attribute { name: name.into(), reason: reason.to_string() }
    }
}
