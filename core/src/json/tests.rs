//! What is read by way of a tree is what is read from text, but for lists that would be structs.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Serialize;
use serde_json::Value;

use super::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    text: String,
    natural: u32,
    whole: i64,
    float: f64,
    is: bool,
    #[serde(default, alias = "maybe_so", skip_serializing_if = "Option::is_none")]
    maybe: Option<Box<Everything>>,
    list: Vec<Kind>,
    map: BTreeMap<String, Value>,
    pair: (u8, char),
    named: Named,
    tagged: Tagged,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Named(String);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Plain,
    Held(u32),
    Both(u32, bool),
    Fields { text: String },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
enum Tagged {
    One(Named),
    Two { number: f64 },
    None,
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Plain),
        any::<u32>().prop_map(Kind::Held),
        any::<(u32, bool)>().prop_map(|(number, is)| Kind::Both(number, is)),
        ".*".prop_map(|text| Kind::Fields { text }),
    ]
}

fn tagged() -> impl Strategy<Value = Tagged> {
    prop_oneof![
        ".*".prop_map(|text| Tagged::One(Named(text))),
        (-1e300..1e300).prop_map(|number| Tagged::Two { number }),
        Just(Tagged::None)
    ]
}

fn everything() -> impl Strategy<Value = Everything> {
    let leaf = (
        (".*", any::<u32>(), any::<i64>(), -1e15..1e15_f64, any::<bool>()),
        (prop::collection::vec(kind(), 0..4), any::<(u8, char)>(), ".*", tagged()),
    );
    leaf.prop_map(|((text, natural, whole, float, is), (list, pair, named, tagged))| {
        let map = BTreeMap::from([(text.clone(), Value::from(whole)), ("null".to_owned(), Value::Null)]);
        Everything { text, natural, whole, float, is, maybe: None, list, map, pair, named: Named(named), tagged }
    })
    .prop_recursive(3, 3, 1, |inner| {
        (inner.clone(), inner).prop_map(|(outer, inner)| Everything { maybe: Some(Box::new(inner)), ..outer })
    })
}

/// JSON that is nearly of that type: some member is another value, is named otherwise, or is gone.
fn bent(mut value: Value, at: usize, how: usize) -> Value {
    let Some(members) = value.as_object_mut() else { return value };
    let name = members.keys().nth(at % members.len()).unwrap().clone();
    let other = members.remove(&name).unwrap();
    match how {
        0 => {}
        1 => drop(members.insert(name, Value::Null)),
        2 => drop(members.insert(name, Value::from(-1))),
        3 => drop(members.insert(name, Value::from(1.5))),
        4 => drop(members.insert(name, Value::from("plain"))),
        5 => drop(members.insert(name, Value::Array(vec![]))),
        6 => drop(members.insert("maybe_so".to_owned(), other)),
        7 => drop(members.insert(name, bent(other, at, how - 4))),
        _ => drop(members.insert(format!("{name}?"), other)),
    }
    value
}

proptest! {
    #[test]
    fn what_is_written_is_read(value in everything()) {
        let text = serde_json::to_string(&value).unwrap();
        prop_assert_eq!(from_str::<Everything>(&text).unwrap(), value);
    }

    #[test]
    fn what_is_bent_is_read_or_refused_as_from_text(value in everything(), at in 0_usize..11, how in 0_usize..9) {
        let text = bent(serde_json::to_value(&value).unwrap(), at, how).to_string();
        let (tree, direct) = (from_str::<Everything>(&text), serde_json::from_str::<Everything>(&text));
        prop_assert_eq!(tree.ok(), direct.ok(), "{}", text);
    }

    #[test]
    fn numbers_are_what_they_are_from_text(text in "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?") {
        prop_assert_eq!(from_str::<u32>(&text).ok(), serde_json::from_str(&text).ok());
        prop_assert_eq!(from_str::<u64>(&text).ok(), serde_json::from_str(&text).ok());
        prop_assert_eq!(from_str::<i64>(&text).ok(), serde_json::from_str(&text).ok());
        prop_assert_eq!(from_str::<f64>(&text).ok(), serde_json::from_str(&text).ok());
    }
}

#[test]
fn a_struct_is_no_list() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct One {
        name: String,
    }
    assert_eq!(from_str::<One>(r#"{"name":"a"}"#).unwrap(), One { name: "a".to_owned() });
    assert!(from_str::<One>(r#"["a"]"#).is_err());
    assert!(from_str::<Vec<One>>(r#"[["a"]]"#).is_err());
}

#[test]
fn what_is_no_json_is_no_value() {
    for text in ["", "{", "[1,]", "{\"a\":1} x", "nul", "\"\\ud800\"", &"[".repeat(200)] {
        assert!(Node::read(text).is_err(), "{text}");
    }
    assert!(from_str::<Named>(r#"{"name":1}"#).is_err());
    assert!(from_str::<Everything>(r#"{"text":"a","text":"b"}"#).is_err());
}
