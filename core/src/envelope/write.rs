//! Writing envelopes: one line of JSON, the attributes in the protocol's order, `data` last.

use std::{fmt::Display, io::Write};

use base64::{display::Base64Display, engine::general_purpose::STANDARD as BASE64};

use crate::{
    event::{Data, Event, ExtensionName, ExtensionValue, NewEvent},
    json,
    sorted::SortedMap,
};

/// Appends a recorded event.
pub fn write_event(event: &Event, out: &mut Vec<u8>) {
    let mut object = Object::new(out);
    object.text("id", event.id.as_str());
    object.text("source", event.source.as_str());
    object.text("type", event.kind.as_str());
    object.text("subject", event.stream.as_str());
    object.plain("time", event.time);
    object.plain("recordedtime", event.recorded_time);
    object.content_type(event.data_content_type.as_deref(), &event.data);
    object.optional("dataschema", event.data_schema.as_deref());
    object.plain("sequence", format_args!("{:016}", event.sequence.get()));
    object.number("revision", event.revision.get());
    object.number("version", event.version.get());
    object.text("clock", &event.clock.to_string());
    object.optional("causationid", event.causation_id.as_ref().map(|id| id.as_str()));
    object.optional("correlationid", event.correlation_id.as_ref().map(|id| id.as_str()));
    object.optional("commandid", event.command_id.as_ref().map(|id| id.as_str()));
    object.extensions(&event.extensions);
    object.data(&event.data);
    object.end();
}

/// Appends a proposed event, as it is sent to a server. Equal events give equal bytes, so this is also what a digest of
/// an event's content is taken of.
pub fn write_new_event(event: &NewEvent, out: &mut Vec<u8>) {
    let mut object = Object::new(out);
    object.optional("id", event.id.as_ref().map(|id| id.as_str()));
    object.text("source", event.source.as_str());
    object.text("type", event.kind.as_str());
    object.text("subject", event.stream.as_str());
    if let Some(time) = event.time {
        object.plain("time", time);
    }
    object.content_type(event.data_content_type.as_deref(), &event.data);
    object.optional("dataschema", event.data_schema.as_deref());
    if let Some(version) = event.version {
        object.number("version", version.get());
    }
    object.optional("clock", event.clock.as_ref().map(ToString::to_string).as_deref());
    object.optional("causationid", event.causation_id.as_ref().map(|id| id.as_str()));
    object.optional("correlationid", event.correlation_id.as_ref().map(|id| id.as_str()));
    object.optional("commandid", event.command_id.as_ref().map(|id| id.as_str()));
    object.extensions(&event.extensions);
    object.data(&event.data);
    object.end();
}

/// Appends a text as a JSON string, quotes included.
pub fn write_json_string(text: &str, out: &mut Vec<u8>) {
    json::write_string(text, &mut |piece| out.extend_from_slice(piece.as_bytes()));
}

/// A CloudEvent being written.
struct Object<'a>(&'a mut Vec<u8>);

impl<'a> Object<'a> {
    fn new(out: &'a mut Vec<u8>) -> Self {
        out.extend_from_slice(br#"{"specversion":"1.0""#);
        Self(out)
    }

    fn name(&mut self, name: &str) {
        self.0.extend_from_slice(b",\"");
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        write_json_string(text, self.0);
    }

    fn optional(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    /// Text that needs no escapes.
    fn plain(&mut self, name: &str, text: impl Display) {
        self.name(name);
        write!(self.0, "\"{text}\"").expect("a vector takes all of it");
    }

    fn number(&mut self, name: &str, number: impl Display) {
        self.name(name);
        write!(self.0, "{number}").expect("a vector takes all of it");
    }

    fn content_type(&mut self, given: Option<&str>, data: &Data) {
        let implied = matches!(data, Data::Json(_)).then_some("application/json");
        self.optional("datacontenttype", given.or(implied));
    }

    fn extensions(&mut self, extensions: &SortedMap<ExtensionName, ExtensionValue>) {
        for (name, value) in extensions.iter() {
            match value {
                ExtensionValue::Boolean(boolean) => self.number(name.as_str(), boolean),
                ExtensionValue::Integer(integer) => self.number(name.as_str(), integer),
                ExtensionValue::String(text) => self.text(name.as_str(), text),
            }
        }
    }

    fn data(&mut self, data: &Data) {
        match data {
            Data::None => {}
            Data::Json(json) => {
                self.name("data");
                self.0.extend_from_slice(json.get().as_bytes());
            }
            Data::Binary(bytes) => self.plain("data_base64", Base64Display::new(bytes, &BASE64)),
        }
    }

    fn end(self) {
        self.0.push(b'}');
    }
}
