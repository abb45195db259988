//! What JavaScript is answered.

use highwater_core::{
    clock::VectorClock,
    decider::{Refusal, RefusalKind},
    event::{Actor, Data, EventId, EventType, NewEvent},
    json::{Json, Raw},
    stream::StreamName,
    time::Timestamp,
    version::Version,
};

/// An entity.
#[derive(Json)]
pub(super) struct Description {
    pub(super) name: String,
    pub(super) streams: String,
    pub(super) schema: u32,
    pub(super) types: Vec<String>,
}

/// What became of a command.
#[derive(Json)]
pub(super) enum Decided {
    /// These events would be recorded.
    Events(Vec<Proposed>),
    /// It depends on this stream, which has to be among the loaded ones.
    Needs(StreamName),
    Refused(Refused),
}

/// An event that would be recorded, by its attributes' names on the wire.
#[derive(Json)]
pub(super) struct Proposed {
    #[json(skip_none)]
    id: Option<EventId>,
    source: Actor,
    #[json(rename = "type")]
    kind: EventType,
    subject: StreamName,
    #[json(skip_none)]
    time: Option<Timestamp>,
    #[json(skip_none)]
    version: Option<Version>,
    #[json(skip_none)]
    clock: Option<VectorClock>,
    #[json(skip_none)]
    causationid: Option<EventId>,
    #[json(skip_none)]
    correlationid: Option<EventId>,
    #[json(skip_none)]
    commandid: Option<EventId>,
    #[json(skip_none)]
    data: Option<Raw>,
}

impl From<NewEvent> for Proposed {
    fn from(event: NewEvent) -> Self {
        Self {
            id: event.id,
            source: event.source,
            kind: event.kind,
            subject: event.stream,
            time: event.time,
            version: event.version,
            clock: event.clock,
            causationid: event.causation_id,
            correlationid: event.correlation_id,
            commandid: event.command_id,
            data: if let Data::Json(data) = event.data { Some(data) } else { None },
        }
    }
}

#[derive(Json)]
pub(super) struct Refused {
    kind: String,
    code: String,
    detail: String,
}

/// What became of events.
#[derive(Json)]
pub(super) struct Folds {
    /// The highest version that is applied.
    pub(super) version: Version,
    /// Those that could not be read, by their place, and why.
    pub(super) unreadable: Vec<(u32, String)>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal.kind() {
            RefusalKind::Invalid => "invalid",
            RefusalKind::NotFound => "not_found",
            RefusalKind::Conflict => "conflict",
        };
        Self { kind: kind.into(), code: refusal.code().into(), detail: refusal.detail().into() }
    }
}
