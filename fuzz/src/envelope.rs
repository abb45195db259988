//! The envelope of recorded events: what is read is written as one line that is read as the same event; another JSON parser reads the same
//! in it; and the event can be proposed to another log.

use highwater_core::{
    envelope::{parse_event, parse_proposed, write_event, write_new_event},
    event::{Data, Event, ExtensionValue, Limits, NewEvent},
};
use serde_json::Value;

/// See the [module](self).
pub fn check(input: &[u8]) {
    let Ok(event) = parse_event(input) else { return };
    let mut line = Vec::new();
    write_event(&event, &mut line);
    assert!(!line.iter().any(|byte| *byte < b' '), "one line: {}", String::from_utf8_lossy(&line));
    let again = parse_event(&line).expect("what is written can be read");
    assert_eq!(again.data_content_type.is_some(), event.data_content_type.is_some() || is_json(&event));
    assert_eq!(Event { data_content_type: event.data_content_type.clone(), ..again }, event);

    for text in [input, &line] {
        // Numbers that are too large for a parser are no fault of the text.
        match serde_json::from_slice::<Value>(text) {
            Ok(value) => check_members(&event, &value),
            Err(error) => assert!(serde_json::from_slice::<&serde_json::value::RawValue>(text).is_ok(), "{error}"),
        }
    }
    check_proposal(event.into());
}

fn check_members(event: &Event, value: &Value) {
    assert_eq!(value["id"], event.id.as_str());
    assert_eq!(value["source"], event.source.as_str());
    assert_eq!(value["type"], event.kind.as_str());
    assert_eq!(value["subject"], event.stream.as_str());
    assert_eq!(value["sequence"], format!("{:016}", event.sequence.get()));
    assert_eq!(value["revision"], event.revision.get());
    assert_eq!(value["version"], event.version.get());
    for (name, extension) in event.extensions.iter() {
        let extension = match extension {
            ExtensionValue::Boolean(boolean) => Value::from(*boolean),
            ExtensionValue::Integer(integer) => Value::from(*integer),
            ExtensionValue::String(text) => Value::from(&**text),
        };
        assert_eq!(value[name.as_str()], extension, "{name}");
    }
    assert_eq!(value.get("data").is_some(), is_json(event));
}

/// What a log has taken, another one takes.
fn check_proposal(mut event: NewEvent) {
    let limits = Limits::default();
    if event.check(&limits).is_err() {
        return;
    }
    let mut text = Vec::new();
    write_new_event(&event, &mut text);
    let proposed = parse_proposed(&text, None, &limits).expect("what is written can be read");
    assert_eq!(proposed.expected_revision, None);
    if is_json_data(&event.data) && event.data_content_type.is_none() {
        event.data_content_type = Some("application/json".into());
    }
    event.clock = event.clock.filter(|clock| !clock.is_empty());
    assert_eq!(proposed.event, event);
}

fn is_json(event: &Event) -> bool {
    is_json_data(&event.data)
}

fn is_json_data(data: &Data) -> bool {
    matches!(data, Data::Json(_))
}
