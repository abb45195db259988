//! The standard, transcribed: what a decoder is held against, here and by the fuzzer.

/// What the standard dispatches.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Event {
    pub(crate) last_event_id: String,
    pub(crate) event: String,
    pub(crate) data: String,
}

/// The standard's "interpreting an event stream" word for word: the whole stream at once, as text.
pub(crate) fn interpret(stream: &[u8]) -> Vec<Event> {
    let text = String::from_utf8_lossy(stream);
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(&text).replace("\r\n", "\n").replace('\r', "\n");
    let (mut events, mut last_event_id, mut event, mut data) =
        (Vec::new(), String::new(), String::new(), String::new());
    // What follows the last end of line is no line.
    for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        if line.is_empty() {
            if let Some(joined) = data.strip_suffix('\n') {
                let (event, data) = (event.clone(), joined.to_owned());
                events.push(Event { last_event_id: last_event_id.clone(), event, data });
            }
            data.clear();
            event.clear();
            continue;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => event = value.to_owned(),
            "data" => data = data + value + "\n",
            "id" if !value.contains('\0') => last_event_id = value.to_owned(),
            _ => {}
        }
    }
    events
}

/// A field as the standard decodes it.
pub(crate) fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(field).into_owned()
}
