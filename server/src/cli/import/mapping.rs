//! [`Mapping`]: what event a line becomes.

use highwater_core::{
    envelope::parse_proposed,
    event::{Actor, Data, EventId, EventType, InvalidEvent, Limits, NewEvent},
    stream::StreamName,
};

use super::{
    line_id::LineIds,
    template::{Members, Place, Template, Unfilled},
};

/// What only the log that holds an event can say of it; a line that came out of another log has it.
const OF_ANOTHER_LOG: [&str; 4] = ["sequence", "revision", "recordedtime", "expectedrevision"];

/// The sizes are for the server to judge: they are settings of it.
const NO_LIMITS: Limits = Limits {
    data_bytes_max: usize::MAX,
    batch_bytes_max: usize::MAX,
    batch_events_max: usize::MAX,
    extensions_max: usize::MAX,
    version_jump_max: u32::MAX,
};

/// Turns lines into events: by templates, or, without them, lines that are CloudEvents already.
#[derive(Debug)]
pub(super) struct Mapping {
    templates: Option<Templates>,
    ids: LineIds,
}

/// How an event's attributes are made of a line's members.
#[derive(Clone, Debug)]
pub(super) struct Templates {
    pub(super) stream: Template,
    pub(super) kind: Template,
    pub(super) source: Template,
    pub(super) time: Option<Template>,
    pub(super) id: Option<Template>,
}

/// Why a line becomes no event.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnusableLine {
    #[error("is not UTF-8")]
    NotUtf8,
    #[error("is not a JSON object: {0}")]
    NotAnObject(serde_json::Error),
    #[error("is not a CloudEvent: give --stream, --type and --source to say which event it becomes")]
    NoCloudEvent,
    #[error(transparent)]
    Unfilled(#[from] Unfilled),
    #[error("would have the {attribute} '{text}', which {reason}")]
    Attribute { attribute: &'static str, text: String, reason: String },
    #[error(transparent)]
    Event(#[from] InvalidEvent),
}

impl Mapping {
    pub(super) fn new(templates: Option<Templates>) -> Self {
        Self { templates, ids: LineIds::default() }
    }

    /// The event of the next line, which comes without its end of line. It always has an id.
    pub(super) fn event(&mut self, line: &[u8]) -> Result<NewEvent, UnusableLine> {
        let text = str::from_utf8(line).map_err(|_| UnusableLine::NotUtf8)?;
        let members: Members<'_> = serde_json::from_str(text).map_err(UnusableLine::NotAnObject)?;
        let mut event = match &self.templates {
            Some(templates) => templates.event(&members, text)?,
            None => cloud_event(members)?,
        };
        if event.id.is_none() {
            event.id = Some(self.ids.next(line));
        }
        Ok(event)
    }
}

impl Templates {
    fn event(&self, members: &Members<'_>, line: &str) -> Result<NewEvent, UnusableLine> {
        let stream = made(&self.stream.fill(members, Place::Stream)?, "stream", StreamName::new)?;
        let source = made(&self.source.fill(members, Place::Source)?, "source", Actor::new)?;
        let kind = made(&self.kind.fill(members, Place::Plain)?, "type", EventType::new)?;
        let mut event = NewEvent::new(stream, source, kind);
        if let Some(template) = &self.time {
            event.time = Some(made(&template.fill(members, Place::Plain)?, "time", str::parse)?);
        }
        if let Some(template) = &self.id {
            event.id = Some(made(&template.fill(members, Place::Plain)?, "id", EventId::new)?);
        }
        event.data = Data::json(line)?;
        Ok(event)
    }
}

/// The event that a CloudEvent was, or will be, somewhere else.
fn cloud_event(mut members: Members<'_>) -> Result<NewEvent, UnusableLine> {
    if !members.contains_key("specversion") {
        return Err(UnusableLine::NoCloudEvent);
    }
    for name in OF_ANOTHER_LOG {
        members.remove(name);
    }
    let proposed = serde_json::to_vec(&members).map_err(UnusableLine::NotAnObject)?;
    Ok(parse_proposed(&proposed, None, &NO_LIMITS)?.event)
}

fn made<T, E: ToString>(
    text: &str,
    attribute: &'static str,
    make: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, UnusableLine> {
    make(text).map_err(|reason| UnusableLine::Attribute {
        attribute,
        text: text.to_owned(),
        reason: reason.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use highwater_core::{
        envelope::{parse_event, write_event},
        event::Recording,
        version::{Revision, Sequence, Version},
    };

    use super::*;

    fn wikipedia() -> Mapping {
        Mapping::new(Some(Templates {
            stream: "wiki:{channel}:{page}".parse().unwrap(),
            kind: "wiki.edited.v1".parse().unwrap(),
            source: "{user}".parse().unwrap(),
            time: Some("{time}".parse().unwrap()),
            id: None,
        }))
    }

    const LINE: &str =
        r##"{"time":"2015-09-11T00:46:58.771Z", "channel":"#en.wikipedia","page":"Talk:A B","user":"Jürgen"}"##;

    #[test]
    fn a_line_becomes_an_event_by_templates() {
        let mut mapping = wikipedia();
        let event = mapping.event(LINE.as_bytes()).unwrap();
        assert_eq!(event.stream.as_str(), "wiki:#en.wikipedia:Talk%3AA%20B");
        assert_eq!(event.source.as_str(), "J%C3%BCrgen");
        assert_eq!(event.time.unwrap().to_string(), "2015-09-11T00:46:58.771Z");
        assert_eq!(event.data, Data::json(LINE).unwrap());
        assert_ne!(event.id, mapping.event(LINE.as_bytes()).unwrap().id);
        assert_eq!(event.id, wikipedia().event(LINE.as_bytes()).unwrap().id);
    }

    #[test]
    fn a_recorded_event_becomes_a_proposed_one() {
        let event = wikipedia().event(LINE.as_bytes()).unwrap();
        let recorded = event.record(Recording {
            id: EventId::new("unused").unwrap(),
            recorded_time: "2026-11-20T12:23:40.199775Z".parse().unwrap(),
            sequence: Sequence::new(42).unwrap(),
            revision: Revision::new(7).unwrap(),
            version: Version::new(2).unwrap(),
            clock: "J%25C3%25BCrgen=3".parse().unwrap(),
        });
        let mut line = Vec::new();
        write_event(&recorded, &mut line);
        assert_eq!(Mapping::new(None).event(&line).unwrap(), NewEvent::from(parse_event(&line).unwrap()));
    }

    #[test]
    fn a_cloud_event_without_id_gets_one() {
        let line = br#"{"specversion":"1.0","source":"a","type":"a.b.v1","subject":"a:b"}"#;
        assert!(Mapping::new(None).event(line).unwrap().id.is_some());
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said() {
        for (line, error) in [
            ("[1]", "is not a JSON object: invalid type: sequence, expected a map at line 1 column 0"),
            ("{\"channel\":\"a\"}", "has no field 'page'"),
            (
                "{\"channel\":\"a\",\"page\":\"\",\"user\":\"u\"}",
                "would have the stream 'wiki:a:', which has a segment that is empty or holds a control character, white \
                 space, '*' or '/': percent-encode such characters",
            ),
            (
                "{\"channel\":\"a\",\"page\":\"b\",\"user\":\"u\",\"time\":\"noon\"}",
                "would have the time 'noon', which must be an RFC 3339 date and time such as \
                 2026-11-20T12:23:40.199775Z",
            ),
        ] {
            assert_eq!(wikipedia().event(line.as_bytes()).unwrap_err().to_string(), error);
        }
        assert_eq!(wikipedia().event(b"\"\xff\"").unwrap_err().to_string(), "is not UTF-8");
        assert!(matches!(Mapping::new(None).event(b"{}"), Err(UnusableLine::NoCloudEvent)));
    }
}
