//! The quick way to read a recorded event: as [`write_event`](super::write_event) has written it, which is what a log holds. What has other
//! white space, another order, or anything else that is not quite so is left to the full parse, and so is saying what is wrong.

use std::str::FromStr;

use crate::{
    event::{Actor, Data, Event, EventId, EventType, ExtensionName, ExtensionValue, TEXT_BYTES_MAX},
    find::find_either,
    json::Raw,
    sorted::SortedMap,
    stream::StreamName,
};

/// Reads an event that was written here. `None` says nothing of it. What `vouched` names is the stream that it is of, and whoever names it vouches
/// for all that is checked when an event is made.
pub(super) fn read_own(json: &[u8], vouched: Option<&StreamName>) -> Option<Event> {
    // All bytes are looked at, as that is quicker than to stop at the first: no JSON of one line has a bare control character.
    let is_one_line = vouched.is_some() || json.iter().fold(true, |is_one_line, byte| is_one_line & (*byte >= b' '));
    let text = str::from_utf8(json).ok().filter(|_| is_one_line)?;
    let is_vouched = vouched.is_some();
    let mut members = Members { rest: text.strip_prefix(r#"{"specversion":"1.0""#)? };
    Some(Event {
        id: members.checked(r#","id":"#, is_vouched, EventId::vouched)?,
        source: members.checked(r#","source":"#, is_vouched, Actor::vouched)?,
        kind: members.checked(r#","type":"#, is_vouched, EventType::vouched)?,
        stream: match vouched {
            Some(stream) => {
                members.text(r#","subject":"#).filter(|text| *text == stream.as_str()).map(|_| stream.clone())?
            }
            None => members.parsed(r#","subject":"#)?,
        },
        time: members.parsed(r#","time":"#)?,
        recorded_time: members.parsed(r#","recordedtime":"#)?,
        data_content_type: members.short_text(r#","datacontenttype":"#)?,
        data_schema: members.short_text(r#","dataschema":"#)?,
        sequence: members.text(r#","sequence":"#).filter(|digits| digits.len() == 16)?.parse().ok()?,
        revision: members.number(r#","revision":"#)?,
        version: members.number(r#","version":"#)?,
        clock: members.parsed(r#","clock":"#)?,
        causation_id: members.optional_id(r#","causationid":"#, is_vouched)?,
        correlation_id: members.optional_id(r#","correlationid":"#, is_vouched)?,
        command_id: members.optional_id(r#","commandid":"#, is_vouched)?,
        extensions: members.extensions(is_vouched)?,
        data: members.data(is_vouched)?,
    })
}

const DATA: &str = r#","data":"#;

/// What is left of an object, from the comma before its next member on.
struct Members<'a> {
    rest: &'a str,
}

impl<'a> Members<'a> {
    /// What stands behind a member's name, if that is the next one. The name has its comma, quotes and colon around it.
    fn behind(&self, name: &str) -> Option<&'a str> {
        self.rest.strip_prefix(name)
    }

    /// A string without escapes.
    fn text(&mut self, name: &str) -> Option<&'a str> {
        self.rest = self.behind(name)?;
        self.string()
    }

    fn string(&mut self) -> Option<&'a str> {
        let text = self.rest.strip_prefix('"')?;
        let end = find_either(b'"', b'\\', text.as_bytes())?;
        self.rest = text.get(end..)?.strip_prefix('"')?;
        text.get(..end)
    }

    fn parsed<T: FromStr>(&mut self, name: &str) -> Option<T> {
        self.text(name)?.parse().ok()
    }

    /// As [`Self::parsed`], unless it was checked before.
    fn checked<T: FromStr>(&mut self, name: &str, is_vouched: bool, vouched: fn(&str) -> T) -> Option<T> {
        if is_vouched { self.text(name).map(vouched) } else { self.parsed(name) }
    }

    /// As [`Self::checked`], where it is there.
    fn optional_id(&mut self, name: &str, is_vouched: bool) -> Option<Option<EventId>> {
        let is_there = self.behind(name).is_some();
        if is_there { self.checked(name, is_vouched, EventId::vouched).map(Some) } else { Some(None) }
    }

    fn short_text(&mut self, name: &str) -> Option<Option<Box<str>>> {
        if self.behind(name).is_none() {
            return Some(None);
        }
        let text = self.text(name)?;
        (1..=TEXT_BYTES_MAX).contains(&text.len()).then(|| Some(text.into()))
    }

    fn number<T: FromStr>(&mut self, name: &str) -> Option<T> {
        let text = self.behind(name)?;
        let end = text.bytes().position(|byte| !byte.is_ascii_digit())?;
        let digits = text.get(..end)?;
        self.rest = text.get(end..)?;
        if digits.len() > 1 && digits.starts_with('0') { None } else { digits.parse().ok() }
    }

    /// All that stands before the data, as long as it is text.
    fn extensions(&mut self, is_vouched: bool) -> Option<SortedMap<ExtensionName, ExtensionValue>> {
        let mut extensions = SortedMap::new();
        while self.rest != "}" && self.behind(DATA).is_none() {
            let (name, rest) = self.rest.strip_prefix(",\"")?.split_once("\":")?;
            self.rest = rest;
            let text = self.string()?;
            let value = ExtensionValue::String((text.len() <= TEXT_BYTES_MAX).then_some(text)?.into());
            let name = if is_vouched { ExtensionName::vouched(name) } else { ExtensionName::new(name).ok()? };
            if extensions.insert(name, value).is_some() {
                return None;
            }
        }
        Some(extensions)
    }

    /// The data, which is all that is left.
    fn data(&self, is_vouched: bool) -> Option<Data> {
        if self.rest == "}" {
            return Some(Data::None);
        }
        let json = self.behind(DATA)?.strip_suffix('}')?;
        if is_vouched { Some(Data::Json(Raw::vouched(json))) } else { Data::json(json).ok() }
    }
}
