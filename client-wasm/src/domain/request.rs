//! What JavaScript asks to have decided.

use highwater_core::{
    clock::VectorClock,
    decider::{Origin, Refusal},
    event::{Actor, EventId},
    json::{self, Json},
    stream::StreamName,
    time::Timestamp,
    version::Version,
};

/// A command, checked.
pub(super) struct Request {
    pub(super) entity: String,
    pub(super) stream: StreamName,
    /// `{"type":"…","data":{…}}`.
    pub(super) command: String,
    pub(super) origin: Origin,
    pub(super) now: Timestamp,
    /// The numbers of the states of other streams.
    pub(super) loaded: Vec<(StreamName, usize)>,
}

/// The same as JSON; the origin's names are those of the event's attributes.
#[derive(Json)]
struct Text {
    entity: String,
    stream: StreamName,
    /// As a text of its own.
    command: String,
    id: EventId,
    source: Actor,
    time: Option<Timestamp>,
    version: Option<Version>,
    clock: Option<VectorClock>,
    causationid: Option<EventId>,
    correlationid: Option<EventId>,
    now: Timestamp,
    #[json(default)]
    loaded: Vec<(StreamName, usize)>,
}

impl Request {
    pub(super) fn read(json: &str) -> Result<Self, Refusal> {
        let text: Text = json::from_str(json).map_err(invalid)?;
        let Text { entity, stream, command, id, source, time, version, clock, causationid, correlationid, now, loaded } =
            text;
        let origin = Origin {
            command_id: id,
            actor: source,
            time,
            version,
            clock,
            causation_id: causationid,
            correlation_id: correlationid,
        };
        Ok(Self { entity, stream, command, origin, now, loaded })
    }
}

fn invalid(error: impl std::fmt::Display) -> Refusal {
    Refusal::invalid("invalid_command", format!("the command can't be read: {error}"))
}
