//! Reading envelopes in full: proposed events from producers, recorded events from a log.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};

use super::fields::Fields;
#[cfg(not(target_family = "wasm"))]
use super::own::read_own;
use crate::{
    clock::{ClockError, VectorClock},
    event::{Data, Event, InvalidEvent, Limits, NewEvent},
    json,
    stream::StreamName,
    version::{Revision, Sequence},
};

const SPEC_VERSION: &str = "1.0";

/// What a producer asks for: an event, and what must hold of its stream before the request.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposed {
    /// The event.
    pub event: NewEvent,
    /// The revision that the stream must be at; 0 for a stream that must be new. It is not stored.
    pub expected_revision: Option<Revision>,
}

impl From<NewEvent> for Proposed {
    /// Expects nothing of the stream.
    fn from(event: NewEvent) -> Self {
        Self { event, expected_revision: None }
    }
}

/// Why a batch is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBatch {
    /// It is not JSON, or not an array.
    #[error("is not a JSON array of CloudEvents: {0}")]
    Json(String),
    /// There is nothing in it.
    #[error("has no event")]
    Empty,
    /// More events than [`Limits::batch_events_max`].
    #[error("has {events} events, more than the {max} allowed: send several batches")]
    TooManyEvents {
        /// What it has.
        events: usize,
        /// What it may have.
        max: usize,
    },
    /// One of its events is not good, so none is taken.
    #[error("holds event {index}, which {error}")]
    Event {
        /// Which one, from 0.
        index: usize,
        /// What is wrong with it.
        error: InvalidEvent,
    },
}

/// Reads one proposed event. `stream` is where it is sent, if that is known without it: it may then leave out `subject`.
///
/// # Errors
/// [`InvalidEvent`] says what to mend.
pub fn parse_proposed(json: &[u8], stream: Option<&StreamName>, limits: &Limits) -> Result<Proposed, InvalidEvent> {
    let mut fields = Fields::from_json(json)?;
    let data = parse_data(&mut fields)?;
    proposed(fields, data, stream, limits)
}

/// Reads a JSON array of proposed events. A good batch has at least one event, and only good ones.
///
/// # Errors
/// [`InvalidBatch`] says what to mend.
pub fn parse_proposed_batch(
    batch: &[u8],
    stream: Option<&StreamName>,
    limits: &Limits,
) -> Result<Vec<Proposed>, InvalidBatch> {
    let text = str::from_utf8(batch).map_err(|error| InvalidBatch::Json(error.to_string()))?;
    let events = json::items(text).map_err(|error| InvalidBatch::Json(error.to_string()))?;
    if events.is_empty() {
        return Err(InvalidBatch::Empty);
    }
    if events.len() > limits.batch_events_max {
        return Err(InvalidBatch::TooManyEvents { events: events.len(), max: limits.batch_events_max });
    }
    let parse = |(index, event): (usize, &&str)| {
        parse_proposed(event.as_bytes(), stream, limits).map_err(|error| InvalidBatch::Event { index, error })
    };
    events.iter().enumerate().map(parse).collect()
}

/// Makes a proposed event of attributes that are text, as HTTP's binary mode carries them, and its data.
///
/// # Errors
/// [`InvalidEvent`] says what to mend.
pub fn proposed_from_text<'a>(
    attributes: impl IntoIterator<Item = (&'a str, &'a str)>,
    data: Data,
    stream: Option<&StreamName>,
    limits: &Limits,
) -> Result<Proposed, InvalidEvent> {
    let mut fields = Fields::default();
    for (name, text) in attributes {
        fields.insert_text(name, text)?;
    }
    proposed(fields, data, stream, limits)
}

/// Reads one recorded event.
///
/// # Errors
/// [`InvalidEvent`] where it is none.
pub fn parse_event(json: &[u8]) -> Result<Event, InvalidEvent> {
    // What is quicker is more to download.
    #[cfg(not(target_family = "wasm"))]
    return parse_stored(json, None);
    #[cfg(target_family = "wasm")]
    parse_any(json)
}

/// As [`parse_event`], of an event that a log may vouch for: as one of that stream, and as what [`write_event`](super::write_event) has written,
/// which a checksum tells. Then what was checked when it was made is not checked again. What was written otherwise is read as any event.
///
/// # Errors
/// [`InvalidEvent`] where it is none.
#[cfg(not(target_family = "wasm"))]
pub fn parse_stored(json: &[u8], vouched: Option<&StreamName>) -> Result<Event, InvalidEvent> {
    read_own(json, vouched).map_or_else(|| parse_any(json), Ok)
}

/// Reads a recorded event, whoever wrote it.
pub(super) fn parse_any(json: &[u8]) -> Result<Event, InvalidEvent> {
    let mut fields = Fields::from_json(json)?;
    check_spec_version(&mut fields)?;
    let missing = |name: &'static str| move || InvalidEvent::attribute(name, "is missing");
    Ok(Event {
        id: fields.required("id")?,
        source: fields.required("source")?,
        kind: fields.required("type")?,
        stream: fields.required("subject")?,
        time: fields.required("time")?,
        recorded_time: fields.required("recordedtime")?,
        sequence: parse_sequence(&mut fields)?,
        revision: fields.number("revision")?.ok_or_else(missing("revision"))?,
        version: fields.number("version")?.ok_or_else(missing("version"))?,
        clock: fields.required("clock")?,
        causation_id: fields.parsed("causationid")?,
        correlation_id: fields.parsed("correlationid")?,
        command_id: fields.parsed("commandid")?,
        data_content_type: fields.short_text("datacontenttype")?,
        data_schema: fields.short_text("dataschema")?,
        data: parse_data(&mut fields)?,
        extensions: fields.extensions()?,
    })
}

fn proposed(
    mut fields: Fields<'_>,
    data: Data,
    stream: Option<&StreamName>,
    limits: &Limits,
) -> Result<Proposed, InvalidEvent> {
    check_spec_version(&mut fields)?;
    for name in ["sequence", "revision", "recordedtime"] {
        if fields.present(name) {
            return Err(InvalidEvent::attribute(name, "is set by the server: leave it out"));
        }
    }
    let expected_revision = fields.number("expectedrevision")?;
    let event = NewEvent {
        id: fields.parsed("id")?,
        source: fields.required("source")?,
        kind: fields.required("type")?,
        stream: parse_stream(&mut fields, stream)?,
        time: fields.parsed("time")?,
        version: fields.number("version")?,
        clock: parse_clock(&mut fields)?,
        causation_id: fields.parsed("causationid")?,
        correlation_id: fields.parsed("correlationid")?,
        command_id: fields.parsed("commandid")?,
        data_content_type: fields.short_text("datacontenttype")?,
        data_schema: fields.short_text("dataschema")?,
        extensions: fields.extensions()?,
        data,
    };
    event.check(limits)?;
    Ok(Proposed { event, expected_revision })
}

fn check_spec_version(fields: &mut Fields<'_>) -> Result<(), InvalidEvent> {
    match fields.text("specversion")?.as_deref() {
        Some(SPEC_VERSION) => Ok(()),
        Some(_) => Err(InvalidEvent::attribute("specversion", "must be \"1.0\"")),
        None => Err(InvalidEvent::attribute("specversion", "is missing: it must be \"1.0\"")),
    }
}

fn parse_stream(fields: &mut Fields<'_>, stream: Option<&StreamName>) -> Result<StreamName, InvalidEvent> {
    match (fields.parsed::<StreamName>("subject")?, stream) {
        (Some(subject), Some(stream)) if subject != *stream => {
            Err(InvalidEvent::attribute("subject", format_args!("must be the stream it is sent to, '{stream}'")))
        }
        (Some(subject), _) => Ok(subject),
        (None, Some(stream)) => Ok(stream.clone()),
        (None, None) => Err(InvalidEvent::attribute("subject", "is missing: it names the event's stream")),
    }
}

/// A clock that is empty says nothing. One that is too large is another problem than one that is wrong.
fn parse_clock(fields: &mut Fields<'_>) -> Result<Option<VectorClock>, InvalidEvent> {
    match fields.text("clock")?.unwrap_or_default().parse::<VectorClock>() {
        Ok(clock) => Ok(Some(clock).filter(|clock| !clock.is_empty())),
        Err(ClockError::Full) => Err(InvalidEvent::ClockFull),
        Err(error) => Err(InvalidEvent::attribute("clock", error)),
    }
}

/// On the wire a sequence is a string of 16 digits, so that it sorts as text.
fn parse_sequence(fields: &mut Fields<'_>) -> Result<Sequence, InvalidEvent> {
    let text = fields.text("sequence")?.unwrap_or_default();
    let sequence = if text.len() == 16 { text.parse().ok() } else { None };
    sequence.ok_or_else(|| InvalidEvent::attribute("sequence", "must be a string of 16 digits"))
}

fn parse_data(fields: &mut Fields<'_>) -> Result<Data, InvalidEvent> {
    let json = fields.json("data");
    let binary = fields.text("data_base64")?;
    match (json, binary) {
        (Some(_), Some(_)) => Err(InvalidEvent::attribute("data_base64", "must not stand beside 'data'")),
        (Some(json), None) => Data::json(json),
        (None, Some(text)) => {
            let bytes = BASE64.decode(&*text);
            bytes.map(Data::Binary).map_err(|_| InvalidEvent::attribute("data_base64", "must be base64 (RFC 4648)"))
        }
        (None, None) => Ok(Data::None),
    }
}
