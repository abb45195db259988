//! Recorded events as a page hands them on.

use highwater_core::{
    event::{Data, Event, ExtensionName, ExtensionValue, NewEvent, Recording},
    json::{self, Error, FromJson, Members, Node, Raw},
    version::{Revision, Sequence, Version},
};

/// Reads an event that a server has recorded, and the client has taken as such, in place of a [`placeholder`]. Of data that is not JSON it is
/// only known that there is some: an entity's is JSON.
pub(super) fn read(attributes: &str, data: &str, event: &mut Event) -> Result<(), Error> {
    let node = Node::parse(attributes)?;
    let mut members = node.members()?;
    if !data.is_empty() {
        event.data = Data::Json(Raw::new(data).map_err(|error| error.inside("data"))?);
    } else if members.get("data_base64")?.is_some() {
        event.data = Data::Binary(Vec::new());
    }
    let mut sequence = String::new();
    members.read("id", &mut event.id);
    members.read("source", &mut event.source);
    members.read("type", &mut event.kind);
    members.read("subject", &mut event.stream);
    members.read("time", &mut event.time);
    members.read("recordedtime", &mut event.recorded_time);
    members.read("sequence", &mut sequence);
    members.read("revision", &mut event.revision);
    members.read("version", &mut event.version);
    members.read("clock", &mut event.clock);
    members.read("causationid", &mut event.causation_id);
    members.read("correlationid", &mut event.correlation_id);
    members.read("commandid", &mut event.command_id);
    members.read("datacontenttype", &mut event.data_content_type);
    members.read("dataschema", &mut event.data_schema);
    read_extensions(&members, event);
    members.finish()?;
    event.sequence = sequence.parse().map_err(|error| Error::new(&error))?;
    Ok(())
}

/// All that is no attribute of the protocol's.
fn read_extensions(members: &Members<'_, '_>, event: &mut Event) {
    for (name, value) in members.iter() {
        let value = match value {
            Node::Bool(value) => ExtensionValue::Boolean(*value),
            Node::Number(_) => ExtensionValue::Integer(json::from_node(value).unwrap_or_default()),
            Node::Text(text) => ExtensionValue::String(text.as_ref().into()),
            _ => continue,
        };
        if let Ok(name) = ExtensionName::new(name) {
            event.extensions.insert(name, value);
        }
    }
}

/// An event to read another into.
pub(super) fn placeholder() -> Event {
    NewEvent::new(FromJson::placeholder(), FromJson::placeholder(), FromJson::placeholder()).record(Recording {
        id: FromJson::placeholder(),
        recorded_time: FromJson::placeholder(),
        sequence: Sequence::ZERO,
        revision: Revision::ZERO,
        version: Version::ZERO,
        clock: FromJson::placeholder(),
    })
}
