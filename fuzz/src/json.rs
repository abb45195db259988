//! Core's own JSON: what it takes as JSON and what not, and what it reads there, is as `serde_json` has it. What is written comes back;
//! white space goes, and nothing else.

use highwater_core::json::{self, Node, Raw, Writer};
use serde_json::{Value, value::RawValue};

/// See the [module](self).
pub fn check(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let node = Node::parse(text);
    let value = serde_json::from_str::<Value>(text);
    match &value {
        // It parses floats, and stops at one that is too large; we leave them as they stand.
        Err(error) if error.to_string().contains("number out of range") => {
            assert!(node.is_err() || serde_json::from_str::<&RawValue>(text).is_ok(), "{text:?}");
        }
        _ => assert_eq!(node.is_ok(), value.is_ok(), "{text:?}: {value:?}"),
    }
    check_raw(text);
    let Ok(node) = node else { return };

    let mut to = Writer::default();
    to.node(&node);
    let written = to.into_text();
    assert_eq!(Node::parse(&written), Ok(node.clone()));
    if let (Ok(value), Ok(own)) = (value, json::from_str::<Value>(text)) {
        assert!(is_same(&own, &value), "{own} {value}");
        let again = json::from_str::<Value>(&json::to_string(&own)).expect("what is written can be read");
        assert!(is_same(&again, &own), "{again} {own}");
    }
    match &node {
        Node::List(list) => {
            let items = json::items(text).expect("it is a list");
            assert!(items.iter().map(|item| Node::parse(item)).eq(list.iter().cloned().map(Ok)));
        }
        Node::Object(object) => {
            let members = json::members(text).expect("it is an object");
            let parsed = members.iter().map(|(name, value)| Ok((name.clone(), Node::parse(value)?)));
            assert!(parsed.eq(object.iter().cloned().map(Ok::<_, json::Error>)));
        }
        Node::Text(text) => assert_eq!(serde_json::from_str::<String>(&written).ok().as_deref(), Some(&**text)),
        _ => {}
    }
    assert_eq!((json::items(text).is_ok(), json::members(text).is_ok()), (node.list().is_ok(), node.members().is_ok()));
}

/// Of a float `serde_json` may miss the last bit.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            let floats = one.as_f64().zip(other.as_f64());
            one == other || floats.is_some_and(|(one, other)| (one - other).abs() <= one.abs() * 4.0 * f64::EPSILON)
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| one.0 == other.0 && is_same(one.1, other.1))
        }
        _ => one == other,
    }
}

fn check_raw(text: &str) {
    let raw = Raw::new(text);
    let is_json = serde_json::from_str::<&RawValue>(text).is_ok();
    assert_eq!(raw.is_ok(), is_json && depth(text) <= 60, "{text:?}");
    let Ok(raw) = raw else { return };
    assert_eq!(Raw::new(raw.get()), Ok(raw.clone()), "once is enough");
    let is_string = |(at, _): &(usize, &str)| at % 2 == 1;
    let outside: String = pieces(raw.get())
        .iter()
        .enumerate()
        .filter(|piece| !is_string(&(piece.0, piece.1)))
        .map(|piece| *piece.1)
        .collect();
    assert!(!outside.contains([' ', '\n', '\r', '\t']), "{raw}");
    let (before, after) = (pieces(text), pieces(raw.get()));
    assert!(before.iter().zip(&after).enumerate().all(|(at, (before, after))| {
        if at % 2 == 1 { before == after } else { before.split([' ', '\n', '\r', '\t']).collect::<String>() == **after }
    }));
    assert_eq!(before.len(), after.len());
    assert_eq!(serde_json::to_string(&raw).ok().as_deref(), Some(raw.get()));
}

/// What stands outside of strings and, at odd places, inside.
fn pieces(json: &str) -> Vec<&str> {
    let (mut pieces, mut from, mut is_escaped) = (Vec::new(), 0, false);
    for (at, byte) in json.bytes().enumerate() {
        if byte == b'"' && !is_escaped {
            pieces.push(&json[from..at]);
            from = at + 1;
        }
        is_escaped = byte == b'\\' && !is_escaped;
    }
    pieces.push(&json[from..]);
    pieces
}

/// How deep JSON is nested.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in pieces(json).iter().step_by(2).flat_map(|piece| piece.bytes()) {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}
