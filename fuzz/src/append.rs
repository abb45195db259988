//! What an append carries, in its three forms. A batch is good where each of its events is, and names the first that is not. What a good
//! event says comes back when it is written. The attributes of binary mode mean what they mean in JSON, and headers what their text means. A
//! limit refuses what is above it and nothing else.
//!
//! The first byte says which form it is and, by its case, whether the stream is named elsewhere: `e` for one event, `b` for a batch, `h` for
//! lines of attributes, `name: value`, and behind an empty line the data; `r` for a request's headers as they come, and its body.

use highwater_core::{
    envelope::{InvalidBatch, Proposed, parse_proposed, parse_proposed_batch, proposed_from_text, write_new_event},
    event::{Data, InvalidEvent, Limits},
    json::{self, Node, Writer},
    stream::StreamName,
};

use crate::input::choice_and_text;

#[path = "../../server/src/routes/binary.rs"]
mod binary;

/// See the [module](self).
pub fn check(input: &[u8]) {
    let Some((form, body)) = choice_and_text(input) else { return };
    let stream = StreamName::new("space:42:tasks:a").ok().filter(|_| form.is_ascii_uppercase());
    match form.to_ascii_lowercase() {
        b'e' => check_event(body, stream.as_ref()),
        b'b' => check_batch(body, stream.as_ref()),
        b'h' => check_headers(body, stream.as_ref()),
        b'r' => check_request(body, stream.as_ref()),
        _ => {}
    }
}

fn check_event(body: &str, stream: Option<&StreamName>) {
    let limits = Limits::default();
    let Ok(proposed) = parse_proposed(body.as_bytes(), stream, &limits) else { return };
    assert!(stream.is_none_or(|stream| proposed.event.stream == *stream));
    assert_eq!(proposed.event.check(&limits), Ok(()));
    let mut text = Vec::new();
    write_new_event(&proposed.event, &mut text);
    let mut again = parse_proposed(&text, stream, &limits).expect("what is written can be read").event;
    again.data_content_type.clone_from(&proposed.event.data_content_type);
    assert_eq!(again, proposed.event);

    let (bytes, extensions) = (proposed.event.data.len(), proposed.event.extensions.len());
    let exact = Limits { data_bytes_max: bytes, extensions_max: extensions, ..limits };
    assert_eq!(parse_proposed(body.as_bytes(), stream, &exact), Ok(proposed));
    if let Some(data_bytes_max) = bytes.checked_sub(1) {
        let refused = parse_proposed(body.as_bytes(), stream, &Limits { data_bytes_max, ..exact.clone() });
        assert_eq!(refused, Err(InvalidEvent::DataTooLarge { bytes, max: data_bytes_max }));
    }
    if let Some(extensions_max) = extensions.checked_sub(1) {
        let refused = parse_proposed(body.as_bytes(), stream, &Limits { extensions_max, ..exact });
        assert_eq!(refused, Err(InvalidEvent::TooManyExtensions { max: extensions_max }));
    }
}

fn check_batch(body: &str, stream: Option<&StreamName>) {
    let limits = Limits { batch_events_max: 4, ..Limits::default() };
    let batch = parse_proposed_batch(body.as_bytes(), stream, &limits);
    let Ok(items) = json::items(body) else {
        return assert!(matches!(batch, Err(InvalidBatch::Json(_))));
    };
    let expected = match items.len() {
        0 => Err(InvalidBatch::Empty),
        events @ 5.. => Err(InvalidBatch::TooManyEvents { events, max: 4 }),
        _ => {
            let each = items.iter().map(|item| parse_proposed(item.as_bytes(), stream, &limits)).enumerate();
            each.map(|(index, event)| event.map_err(|error| InvalidBatch::Event { index, error })).collect()
        }
    };
    assert_eq!(batch, expected);
}

fn check_headers(body: &str, stream: Option<&StreamName>) {
    let limits = Limits::default();
    let (head, data) = body.split_once("\n\n").unwrap_or((body, ""));
    let attributes: Vec<_> = head.lines().filter_map(|line| line.split_once(": ")).collect();
    let data = if data.is_empty() { Data::None } else { Data::json(data).unwrap_or(Data::Binary(data.into())) };
    let proposed = proposed_from_text(attributes.iter().copied(), data.clone(), stream, &limits);
    if let Some(json) = as_json(&attributes, &data) {
        let structured = parse_proposed(json.as_bytes(), stream, &limits);
        let as_structured = |proposed: Proposed| (proposed.event, proposed.expected_revision);
        assert_eq!(proposed.map(as_structured).ok(), structured.map(as_structured).ok(), "{json}");
    }
}

/// Where nothing is quoted or encoded, a header's value is the attribute's.
fn check_request(request: &str, stream: Option<&StreamName>) {
    let limits = Limits::default();
    let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
    let headers: Vec<_> = head.lines().filter_map(|line| line.split_once(": ")).collect();
    let find = |wanted| headers.iter().find(|(name, _)| *name == wanted).map_or("", |(_, value)| *value);
    let media_type = find("content-type");
    let is_json = media_type.ends_with("json");
    let bytes = headers.iter().map(|(name, value)| (*name, value.as_bytes()));
    let proposed = binary::event(bytes, media_type, is_json, body.as_bytes(), stream, &limits);
    let attributes = headers.iter().filter_map(|(name, value)| Some((name.strip_prefix("ce-")?, *value)));
    let media_type = Some(("datacontenttype", media_type)).filter(|(_, value)| !value.is_empty());
    let attributes: Vec<_> = attributes.chain(media_type).collect();
    if attributes.iter().all(|(_, value)| !value.contains(['%', '"'])) {
        let data = match body {
            "" => Ok(Data::None),
            _ if is_json => Data::json(body),
            _ => Ok(Data::Binary(body.into())),
        };
        let plain = data.and_then(|data| proposed_from_text(attributes.iter().copied(), data, stream, &limits));
        assert_eq!(proposed, plain);
    }
}

/// The same in JSON. `None` where a number has zeros in front, which there are only in headers, and for data as a header, which is none.
fn as_json(attributes: &[(&str, &str)], data: &Data) -> Option<String> {
    let mut to = Writer::default();
    to.begin_object();
    for (name, value) in attributes {
        if name.starts_with("data") && !matches!(*name, "datacontenttype" | "dataschema") {
            return None;
        }
        let is_number = matches!(*name, "version" | "expectedrevision");
        if is_number && value.trim() == *value && matches!(Node::parse(value), Ok(Node::Number(_))) {
            to.name(name);
            to.raw(value);
        } else if is_number && (value.starts_with('0') || *value == "null") {
            return None;
        } else {
            to.name(name);
            to.text(value);
        }
    }
    match data {
        Data::None => {}
        Data::Json(json) => to.member("data", json),
        // Nothing in JSON has bytes as they are.
        Data::Binary(_) => return None,
    }
    to.end_object();
    Some(to.into_text())
}
