//! What JavaScript is answered.

use highwater_core::{
    decider::{Refusal, RefusalKind},
    event::{Data, NewEvent},
    json::{Json, ToJson, Writer},
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
pub(super) enum Decided<'a> {
    /// These events would be recorded.
    Events(&'a [NewEvent]),
    /// It depends on this stream, which has to be among the loaded ones.
    Needs(&'a StreamName),
    Refused(&'a Refusal),
}

impl ToJson for Decided<'_> {
    fn write(&self, to: &mut Writer) {
        to.begin_object();
        match self {
            Self::Events(events) => {
                to.name("events");
                to.begin_list();
                events.iter().for_each(|event| to.item(&Proposed(event)));
                to.end_list();
            }
            Self::Needs(stream) => to.member("needs", *stream),
            Self::Refused(refusal) => {
                to.name("refused");
                write_refusal(refusal, to);
            }
        }
        to.end_object();
    }
}

/// An event that would be recorded, by its attributes' names on the wire.
struct Proposed<'a>(&'a NewEvent);

impl ToJson for Proposed<'_> {
    fn write(&self, to: &mut Writer) {
        let event = self.0;
        to.begin_object();
        to.member_or_none("id", &event.id);
        to.member("source", &event.source);
        to.member("type", &event.kind);
        to.member("subject", &event.stream);
        to.member_or_none("time", &event.time);
        to.member_or_none("version", &event.version);
        to.member_or_none("clock", &event.clock);
        to.member_or_none("causationid", &event.causation_id);
        to.member_or_none("correlationid", &event.correlation_id);
        to.member_or_none("commandid", &event.command_id);
        if let Data::Json(data) = &event.data {
            to.member("data", data);
        }
        to.end_object();
    }
}

fn write_refusal(refusal: &Refusal, to: &mut Writer) {
    let kind = match refusal.kind() {
        RefusalKind::Invalid => "invalid",
        RefusalKind::NotFound => "not_found",
        RefusalKind::Conflict => "conflict",
    };
    to.begin_object();
    for (name, text) in [("kind", kind), ("code", refusal.code()), ("detail", refusal.detail())] {
        to.name(name);
        to.text(text);
    }
    to.end_object();
}

/// What became of events.
#[derive(Json)]
pub(super) struct Folds {
    /// The highest version that is applied.
    pub(super) version: Version,
    /// Those that could not be read, by their place, and why.
    pub(super) unreadable: Vec<(u32, String)>,
}
