//! The header scan: of an event that the full parse takes it says the same, of any JSON object what any parser says, and of anything else at
//! least nothing that panics. And the quick way of the full parse, which is for events as they are written here, says what the other says.

use std::borrow::Cow;

use highwater_core::{
    control::ControlKind,
    envelope::{number_member, parse_event, scan, scan_page, text_member},
    json,
};

const NAMES: [&str; 6] = ["subject", "kind", "reason", "heartbeat_ms", "prev", "next"];

/// See the [module](self).
pub fn check(input: &[u8]) {
    let event = parse_event(input);
    let members = str::from_utf8(input).ok().and_then(plain_members);
    // White space sends both the long way.
    let spaced = [b" ", input].concat();
    if let (Ok(event), Some(_)) = (&event, &members) {
        assert_eq!(scan(&spaced), scan(input));
        let header = scan(input).expect("a good event has a header");
        assert_eq!(header.stream.decode().as_deref(), Some(event.stream.as_str()));
        assert_eq!((header.sequence, header.revision, header.version), (event.sequence, event.revision, event.version));
    }
    assert_eq!(parse_event(&spaced).ok(), event.ok());

    let _ = (scan(input), ControlKind::scan(input), scan_page(input));
    let Some(members) = members else { return };
    let member = |name| members.iter().find(|(member, _)| *member == name).map(|(_, value)| *value);
    for name in NAMES {
        let text = member(name).and_then(|value| json::from_str::<String>(value).ok());
        assert_eq!(text_member(input, name).and_then(|text| text.decode()), text, "{name}");
        let is_natural = |value: &&str| value.bytes().all(|byte| byte.is_ascii_digit());
        let number = member(name).filter(is_natural).and_then(|value| value.parse().ok());
        assert_eq!(number_member(input, name), number, "{name}");
    }
    let events = member("events").and_then(|value| json::items(value).ok());
    let page = scan_page(input).map(|page| page.events);
    assert_eq!(page, events.map(|events| events.into_iter().map(str::as_bytes).collect()));
}

/// The members of an object whose names stand there once each, and without escapes.
fn plain_members(text: &str) -> Option<Vec<(String, &str)>> {
    let mut names = Vec::new();
    let members = json::members(text.trim_end_matches([' ', '\t', '\n', '\r'])).ok()?;
    for (name, value) in members {
        let is_new = !names.iter().any(|(known, _)| *known == name);
        let Cow::Borrowed(name) = name else { return None };
        names.push((name.to_owned(), value));
        is_new.then_some(())?;
    }
    Some(names)
}
