//! What JavaScript asks to have decided.

use std::collections::BTreeMap;

use highwater_core::{
    clock::VectorClock,
    decider::{Origin, Refusal, RefusalKind},
    event::{Actor, EventId},
    stream::StreamName,
    time::Timestamp,
    version::Version,
};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A command, checked.
pub(super) struct Request {
    pub(super) entity: String,
    pub(super) stream: StreamName,
    /// `{"type":"…","data":{…}}`.
    pub(super) command: Box<RawValue>,
    pub(super) origin: Origin,
    pub(super) now: Timestamp,
    /// The numbers of the states of other streams.
    pub(super) loaded: BTreeMap<StreamName, usize>,
}

/// The same as JSON; the origin's names are those of the event's attributes.
#[derive(Deserialize)]
struct Text {
    entity: String,
    stream: StreamName,
    command: Box<RawValue>,
    id: EventId,
    source: String,
    time: Option<Timestamp>,
    version: Option<Version>,
    clock: Option<String>,
    causationid: Option<EventId>,
    correlationid: Option<EventId>,
    now: Timestamp,
    #[serde(default)]
    loaded: BTreeMap<StreamName, usize>,
}

impl Request {
    pub(super) fn read(json: &str) -> Result<Self, Refusal> {
        let text: Text = serde_json::from_str(json).map_err(invalid)?;
        let clock = text.clock.map(|clock| clock.parse::<VectorClock>().map_err(invalid)).transpose()?;
        let origin = Origin {
            command_id: text.id,
            actor: Actor::new(&text.source).map_err(invalid)?,
            time: text.time,
            version: text.version,
            clock,
            causation_id: text.causationid,
            correlation_id: text.correlationid,
        };
        let Text { entity, stream, command, now, loaded, .. } = text;
        Ok(Self { entity, stream, command, origin, now, loaded })
    }
}

fn invalid(error: impl std::fmt::Display) -> Refusal {
    Refusal::invalid("invalid_command", format!("the command can't be read: {error}"))
}

/// What JavaScript calls it.
pub(super) fn name(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::Invalid => "invalid",
        RefusalKind::NotFound => "not_found",
        RefusalKind::Conflict => "conflict",
    }
}
