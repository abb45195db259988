//! What JavaScript is answered.

use highwater_core::{
    decider::{Refusal, RefusalKind},
    event::{Data, EventId, EventType, NewEvent},
    json::{Json, Raw},
    stream::StreamName,
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

/// An event that would be recorded, as far as a page can know.
#[derive(Json)]
pub(super) struct Proposed {
    id: Option<EventId>,
    subject: StreamName,
    #[json(rename = "type")]
    kind: EventType,
    version: Option<Version>,
    #[json(skip_none)]
    data: Option<Raw>,
}

impl From<NewEvent> for Proposed {
    fn from(event: NewEvent) -> Self {
        let data = if let Data::Json(data) = event.data { Some(data) } else { None };
        Self { id: event.id, subject: event.stream, kind: event.kind, version: event.version, data }
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
        let kind = match refusal.kind {
            RefusalKind::Invalid => "invalid",
            RefusalKind::NotFound => "not_found",
            RefusalKind::Conflict => "conflict",
        };
        Self { kind: kind.into(), code: refusal.code.into(), detail: refusal.detail }
    }
}
