//! What operators ask of the lists, and what came of it: events of one stream, like everything else that happens. What a discarded event
//! is to the lists, the log says, so that it stays so however often they are built.

use std::fmt;

use highwater_core::{
    event::{Actor, Data, Event, EventId, EventType, NewEvent},
    stream::StreamName,
    version::Position,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The stream.
pub(super) const STREAM: &str = "highwater:projections:lists";
/// Who says what came of a request.
const SERVER: &str = "highwater";

const REBUILD: &str = "projection.rebuild_requested.v1";
const RETRY: &str = "projection.retry_requested.v1";
const DISCARD: &str = "projection.discard_requested.v1";
const REBUILT: &str = "projection.rebuilt.v1";
const RETRIED: &str = "projection.event_retried.v1";
const DISCARDED: &str = "projection.event_discarded.v1";
const REFUSED: &str = "projection.request_refused.v1";

/// What an operator may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// To build the lists from nothing.
    Rebuild,
    /// To fold again what is set aside at this place.
    Retry(Position),
    /// To leave out what is set aside at this place, for good.
    Discard(Position),
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(super) enum Outcome {
    Rebuilt { generation: i64 },
    Retried { position: String, is_folded: bool },
    Discarded { position: String },
    Refused { reason: String },
}

/// What an event of the stream says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    Asked(Request),
    /// A request has its answer.
    Answered {
        request: Position,
        discarded: Option<Position>,
    },
}

#[derive(Deserialize)]
struct About {
    position: Option<String>,
    request: Option<String>,
}

impl Request {
    /// The event that asks for it.
    pub(crate) fn event(self, actor: Actor, id: Option<EventId>) -> NewEvent {
        let data = match self {
            Self::Rebuild => Data::None,
            Self::Retry(position) | Self::Discard(position) => json_data(&json!({ "position": position.to_string() })),
        };
        NewEvent { id, data, ..NewEvent::new(stream(), actor, kind(self.kind())) }
    }

    /// The type of the event that asks for it.
    fn kind(self) -> &'static str {
        match self {
            Self::Rebuild => REBUILD,
            Self::Retry(_) => RETRY,
            Self::Discard(_) => DISCARD,
        }
    }

    /// What [`Display`](fmt::Display) writes of it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.split_once(' ') {
            None if text == REBUILD => Some(Self::Rebuild),
            Some((RETRY, position)) => position.parse().ok().map(Self::Retry),
            Some((DISCARD, position)) => position.parse().ok().map(Self::Discard),
            _ => None,
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())?;
        match self {
            Self::Rebuild => Ok(()),
            Self::Retry(position) | Self::Discard(position) => write!(f, " {position}"),
        }
    }
}

impl Outcome {
    /// As it is kept until the log has it.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).expect("it is JSON")
    }

    /// The event that says so. It has the same id however often it is said.
    pub(super) fn event(&self, request: Position, request_id: &str) -> NewEvent {
        let request_text = request.to_string();
        let (name, data) = match self {
            Self::Rebuilt { generation } => (REBUILT, json!({ "request": request_text, "generation": generation })),
            Self::Retried { position, is_folded } => {
                (RETRIED, json!({ "request": request_text, "position": position, "is_folded": is_folded }))
            }
            Self::Discarded { position } => (DISCARDED, json!({ "request": request_text, "position": position })),
            Self::Refused { reason } => (REFUSED, json!({ "request": request_text, "reason": reason })),
        };
        NewEvent {
            id: EventId::new(&format!("{request}.outcome")).ok(),
            causation_id: EventId::new(request_id).ok(),
            data: json_data(&data),
            ..NewEvent::new(stream(), Actor::new(SERVER).expect("a URI reference"), kind(name))
        }
    }
}

fn json_data(data: &Value) -> Data {
    Data::json(&data.to_string()).expect("it is JSON")
}

/// Reads an event of the stream; `None` for one that is about nothing here.
pub(super) fn read(event: &Event) -> Option<Said> {
    let data = match &event.data {
        Data::Json(json) => json.get(),
        Data::None | Data::Binary(_) => "{}",
    };
    let about: Option<About> = serde_json::from_str(data).ok();
    let position = about.as_ref().and_then(|about| about.position.as_ref()?.parse().ok());
    let request = about.as_ref().and_then(|about| about.request.as_ref()?.parse().ok());
    let answered = |discarded| Some(Said::Answered { request: request?, discarded });
    match event.kind.as_str() {
        REBUILD => Some(Said::Asked(Request::Rebuild)),
        RETRY => Some(Said::Asked(Request::Retry(position?))),
        DISCARD => Some(Said::Asked(Request::Discard(position?))),
        DISCARDED => answered(position),
        REBUILT | RETRIED | REFUSED => answered(None),
        _ => None,
    }
}

pub(super) fn stream() -> StreamName {
    StreamName::new(STREAM).expect("three segments")
}

fn kind(kind: &str) -> EventType {
    EventType::new(kind).expect("it ends in its schema version")
}
