//! Recorded events as a page hands them on.

use highwater_core::{
    clock::VectorClock,
    event::{Actor, Data, Event, EventId, EventType, ExtensionName, ExtensionValue},
    json::{self, Error, Json, Node, from_node},
    sorted::SortedMap,
    stream::StreamName,
    time::Timestamp,
    version::{Revision, Sequence, Version},
};

/// The attributes by their names on the wire.
#[derive(Json)]
struct Attributes {
    id: EventId,
    source: Actor,
    #[json(rename = "type")]
    kind: EventType,
    subject: StreamName,
    time: Timestamp,
    recordedtime: Timestamp,
    sequence: String,
    revision: Revision,
    version: Version,
    clock: VectorClock,
    causationid: Option<EventId>,
    correlationid: Option<EventId>,
    commandid: Option<EventId>,
    datacontenttype: Option<String>,
    dataschema: Option<String>,
}

/// Reads an event that a server has recorded, and the client has taken as such. Of data that is not JSON it is only known that there is some:
/// an entity's is JSON.
pub(super) fn read(event: &str) -> Result<Event, Error> {
    let (mut data, mut attributes) = (Data::None, Vec::new());
    for (name, value) in json::members(event)? {
        match &*name {
            "data" => data = Data::json(value).map_err(|error| Error::new(&error))?,
            "data_base64" => data = Data::Binary(Vec::new()),
            _ => attributes.push((name, Node::parse(value)?)),
        }
    }
    let event = Node::Object(attributes);
    let known: Attributes = from_node(&event)?;
    Ok(Event {
        id: known.id,
        source: known.source,
        kind: known.kind,
        stream: known.subject,
        time: known.time,
        recorded_time: known.recordedtime,
        sequence: known.sequence.parse::<Sequence>().map_err(|error| Error::new(&error))?,
        revision: known.revision,
        version: known.version,
        clock: known.clock,
        causation_id: known.causationid,
        correlation_id: known.correlationid,
        command_id: known.commandid,
        data_content_type: known.datacontenttype.map(Into::into),
        data_schema: known.dataschema.map(Into::into),
        extensions: extensions(&event)?,
        data,
    })
}

/// All that is no attribute of the protocol's.
fn extensions(event: &Node<'_>) -> Result<SortedMap<ExtensionName, ExtensionValue>, Error> {
    let mut extensions = SortedMap::new();
    for (name, value) in event.members()?.iter() {
        let value = match value {
            Node::Bool(value) => ExtensionValue::Boolean(*value),
            Node::Number(number) => ExtensionValue::Integer(number.parse().unwrap_or_default()),
            Node::Text(text) => ExtensionValue::String(text.as_ref().into()),
            _ => continue,
        };
        if let Ok(name) = ExtensionName::new(name) {
            extensions.insert(name, value);
        }
    }
    Ok(extensions)
}
