//! `POST /v1/commands/{entity}/{stream}`: asking something of an entity.

use std::borrow::Cow;

use axum::{
    body::Body,
    extract::{FromRequestParts, Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use highwater_core::{
    clock::VectorClock,
    decider::{Origin, Refusal},
    event::{Actor, EventId},
    json::Raw,
    stream::StreamName,
    time::Timestamp,
    version::Version,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{POSITION, body, precondition};
use crate::{
    app::AppState,
    auth::Access,
    commands::{Outcome, Request},
    error::Problem,
    store::RecordedEvent,
    telemetry::TraceParent,
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const ACTOR: HeaderName = HeaderName::from_static("highwater-actor");
/// Leaves room in an event's id for the event's number.
pub(crate) const KEY_BYTES_MAX: usize = 200;
/// What a principal's name can have in a URI as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// Carries out the command in the body.
pub(super) async fn give(
    State(state): State<AppState>,
    access: Access,
    CommandPath { entity, stream }: CommandPath,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let mut place = state.intake.enter()?;
    let body = body::json(&state, &headers, body, &mut place).await?;
    let given = Given::read(&body)?;
    let command = given.command()?;
    let origin = given.origin(&access, &headers)?;
    let expectations = precondition::expectations(&state, &stream, &headers).await?;
    let expected = expectations.into_iter().map(|expectation| expectation.expected).collect();
    let trace = TraceParent::of(&headers);
    let request = Request { entity, stream: stream.clone(), command, origin, expected, access, trace };
    let outcome = state.commands.run(request).await?;
    tracing::debug!(%stream, r#type = %given.r#type, position = %outcome.position, is_new = outcome.is_new, "carried out");
    Ok(answer(&state, &stream, &outcome))
}

/// A path's entity and stream, percent-decoded.
pub(super) struct CommandPath {
    entity: String,
    stream: StreamName,
}

impl<S: Send + Sync> FromRequestParts<S> for CommandPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((entity, stream)) =
            Path::<(String, String)>::from_request_parts(parts, state).await.map_err(|rejection| {
                Problem::InvalidRequest(format!("the path must name an entity and a stream: {rejection}"))
            })?;
        let stream = StreamName::new(&stream).map_err(Problem::InvalidStream)?;
        Ok(Self { entity, stream })
    }
}

/// The body: what is asked, and what is said of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    source: Option<Actor>,
    time: Option<Timestamp>,
    version: Option<Version>,
    clock: Option<VectorClock>,
    causationid: Option<EventId>,
    correlationid: Option<EventId>,
}

impl<'a> Given<'a> {
    fn read(json: &'a [u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(json).map_err(|error| invalid(format_args!("can't be read: {error}")))
    }

    /// The command alone, without white space: the same one is the same text again.
    fn command(&self) -> Result<String, Refusal> {
        #[derive(Serialize)]
        struct Command<'a> {
            r#type: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            data: Option<Raw>,
        }
        let data = self.data.map(|data| Raw::new(data.get())).transpose().map_err(invalid)?;
        serde_json::to_string(&Command { r#type: &self.r#type, data }).map_err(invalid)
    }

    fn origin(&self, access: &Access, headers: &HeaderMap) -> Result<Origin, Problem> {
        let actor = match &self.source {
            Some(source) => source.clone(),
            None => actor(access, headers, None)?,
        };
        Ok(Origin {
            time: self.time,
            version: self.version,
            clock: self.clock.clone().filter(|clock| !clock.is_empty()),
            causation_id: self.causationid.clone(),
            correlation_id: self.correlationid.clone(),
            ..Origin::new(key(headers)?, actor)
        })
    }
}

fn invalid(error: impl std::fmt::Display) -> Refusal {
    Refusal::invalid("invalid_command", format!("the command {error}"))
}

/// Who gives a command that does not say it: as the header names them, or as their token does, or else this one.
pub(super) fn actor(access: &Access, headers: &HeaderMap, otherwise: Option<&str>) -> Result<Actor, Problem> {
    let (named, who) = match (one(headers, &ACTOR)?, access.principal(), otherwise) {
        (Some(named), ..) => (Cow::Borrowed(named), "Highwater-Actor"),
        (None, Some(principal), _) => {
            (format!("user:{}", utf8_percent_encode(principal, UNRESERVED)).into(), "the actor that the token names")
        }
        (None, None, Some(otherwise)) => (otherwise.into(), "the actor"),
        (None, None, None) => {
            return Err(Problem::InvalidRequest(
                "the command must say who gives it: in its source, or in the header Highwater-Actor".into(),
            ));
        }
    };
    Actor::new(&named).map_err(|error| Problem::InvalidRequest(format!("{who} {error}")))
}

/// The command's id: as the client made it, so that it can send the command again, or a new one.
pub(super) fn key(headers: &HeaderMap) -> Result<EventId, Problem> {
    let Some(given) = one(headers, &IDEMPOTENCY_KEY)? else {
        let id = Uuid::now_v7().to_string();
        return Ok(EventId::new(&id).expect("a UUID is an id"));
    };
    // The draft of the header's standard has it as a string in quotation marks.
    let bare = given.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(given);
    let id = EventId::new(bare).ok().filter(|id| id.as_str().len() <= KEY_BYTES_MAX && !bare.contains(['"', '\\']));
    id.ok_or_else(|| {
        let rule = format!("Idempotency-Key must be 1 to {KEY_BYTES_MAX} visible characters of ASCII, such as a UUID");
        Problem::InvalidRequest(rule)
    })
}

/// The text of a header that may stand once.
pub(super) fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Problem> {
    let mut given = headers.get_all(name).iter();
    match (given.next().map(HeaderValue::to_str), given.next()) {
        (None, _) => Ok(None),
        (Some(Ok(text)), None) => Ok(Some(text)),
        _ => Err(Problem::InvalidRequest(format!("{name} must stand once, in visible characters of ASCII"))),
    }
}

/// The answer's body.
#[derive(Serialize)]
struct Answer<'a> {
    position: &'a str,
    events: Vec<Place<'a>>,
    /// Of what the command has created.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
}

#[derive(Serialize)]
struct Place<'a> {
    id: &'a EventId,
    stream: &'a StreamName,
    sequence: u64,
    revision: u32,
}

impl<'a> From<&'a RecordedEvent> for Place<'a> {
    fn from(event: &'a RecordedEvent) -> Self {
        let RecordedEvent { id, stream, sequence, revision } = event;
        Self { id, stream, sequence: sequence.get(), revision: revision.get() }
    }
}

/// The same, whether the command was carried out just now or before.
pub(super) fn answer(state: &AppState, stream: &StreamName, outcome: &Outcome) -> Response {
    let position = outcome.position.to_string();
    let events = outcome.events.iter().map(Place::from).collect();
    let id = outcome.has_created(stream).then(|| stream.segments().last()).flatten();
    let status = if id.is_some() { StatusCode::CREATED } else { StatusCode::OK };
    let body = axum::Json(Answer { position: &position, events, id });
    let etag = precondition::etag(state.store.epoch(), outcome.revision);
    (status, [(header::ETAG, etag)], [(POSITION, position.clone())], body).into_response()
}
