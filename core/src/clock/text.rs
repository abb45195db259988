//! A clock's text form, `actor=counter,actor=counter`, both ways and through serde.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

use super::{COUNTER_MAX, ClockError, VectorClock};
use crate::json::json_text;
use crate::number::whole_number;

/// Always sorted by the byte order of the actors as they are, not as they are encoded. `%`, `=`, `,` and control
/// characters in an actor are percent-encoded in upper case. The empty clock is the empty text.
impl fmt::Display for VectorClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (actor, counter) in self.iter() {
            f.write_str(separator)?;
            write_actor(f, actor)?;
            write!(f, "={counter}")?;
            separator = ",";
        }
        Ok(())
    }
}

/// Reads the text form. Pairs may come in any order and more may be percent-encoded than needs to be, as other
/// producers do; all else is strict: no actor twice, no empty pair, no sign, no leading zero, no bare control character.
impl FromStr for VectorClock {
    type Err = ClockError;

    fn from_str(text: &str) -> Result<Self, ClockError> {
        let mut clock = Self::new();
        if text.is_empty() {
            return Ok(clock);
        }
        let mut at = 0;
        // Byte by byte: what is between is a few bytes long, and searching for a character is made for more.
        while at <= text.len() {
            let rest = &text[at..];
            let pair = &rest[..rest.bytes().position(|byte| byte == b',').unwrap_or(rest.len())];
            let wrong = |reason| ClockError::Text { at, reason };
            let between = pair.bytes().position(|byte| byte == b'=').ok_or_else(|| wrong("a pair is actor=counter"))?;
            let (actor, counter) = (&pair[..between], &pair[between + 1..]);
            let actor = read_actor(actor).map_err(wrong)?;
            let counter = read_counter(counter).map_err(wrong)?;
            clock.add(&actor, counter)?;
            at += pair.len() + 1;
        }
        Ok(clock)
    }
}

json_text!(VectorClock, Self::new(), |clock, to| to.text(&clock.to_string()), "actor=1");

impl Serialize for VectorClock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for VectorClock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = VectorClock;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a vector clock such as \"corrector=2,generator=1\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<VectorClock, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Text)
    }
}

fn write_actor(f: &mut fmt::Formatter<'_>, actor: &str) -> fmt::Result {
    let mut rest = actor;
    while let Some(at) = rest.find(|c: char| matches!(c, '%' | '=' | ',') || c.is_control()) {
        let (plain, tail) = rest.split_at(at);
        f.write_str(plain)?;
        let encoded_bytes = tail.chars().next().map_or(0, char::len_utf8);
        let (encoded, tail) = tail.split_at(encoded_bytes);
        for byte in encoded.bytes() {
            write!(f, "%{byte:02X}")?;
        }
        rest = tail;
    }
    f.write_str(rest)
}

fn read_actor(text: &str) -> Result<Cow<'_, str>, &'static str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'%') {
        return Ok(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        decoded.push(match (byte, after) {
            (b'%', [high, low, after @ ..]) => {
                rest = after;
                hex_digit(*high)? << 4 | hex_digit(*low)?
            }
            (b'%', _) => return Err("% must be followed by two hexadecimal digits"),
            // Those of Latin-1 are two bytes long.
            (..b' ' | 0x7f, _) | (0xc2, [0x80..=0x9f, ..]) => return Err("control characters must be percent-encoded"),
            _ => *byte,
        });
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| "an actor must be UTF-8")
}

fn hex_digit(digit: u8) -> Result<u8, &'static str> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err("% must be followed by two hexadecimal digits"),
    }
}

fn read_counter(text: &str) -> Result<u64, &'static str> {
    const REASON: &str = "a counter is a whole number from 1 to 9007199254740991 without sign or leading zero";
    whole_number(text.as_bytes()).filter(|counter| !text.starts_with('0') && *counter <= COUNTER_MAX).ok_or(REASON)
}
