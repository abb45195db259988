//! What is written is read, and what is JSON and what is not is so for `serde_json` too.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

#[derive(Clone, Debug, PartialEq, Json)]
struct Everything {
    text: String,
    natural: u32,
    whole: i64,
    float: f64,
    is: bool,
    #[json(alias = "maybe_so", skip_none)]
    maybe: Option<Box<Everything>>,
    #[json(default)]
    list: Vec<Kind>,
    map: BTreeMap<String, Value>,
    pair: (u8, String),
    #[json(rename = "type")]
    named: Named,
    beside: Beside,
    inside: Inside,
}

#[derive(Clone, Debug, PartialEq, Json)]
struct Named(String);

#[derive(Clone, Debug, PartialEq, Json)]
enum Kind {
    AllPlain,
    Held(u32),
    Fields { text: String },
}

#[derive(Clone, Debug, PartialEq, Json)]
#[json(tag = "type", content = "data")]
enum Beside {
    One(Named),
    Two {
        to: f64,
    },
    #[json(rename = "three")]
    Empty {},
    None,
}

#[derive(Clone, Debug, PartialEq, Json)]
struct Held {
    at: u64,
}

#[derive(Clone, Debug, PartialEq, Json)]
#[json(tag = "kind")]
enum Inside {
    None,
    Held(Held),
    Fields { text: String },
}

/// One that `serde_json` reads exactly: of others it may miss the last bit.
fn short_float() -> impl Strategy<Value = f64> {
    any::<i32>().prop_map(|number| f64::from(number) / 8.0)
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::AllPlain),
        any::<u32>().prop_map(Kind::Held),
        any::<String>().prop_map(|text| Kind::Fields { text }),
    ]
}

fn beside() -> impl Strategy<Value = Beside> {
    prop_oneof![
        any::<String>().prop_map(|text| Beside::One(Named(text))),
        short_float().prop_map(|to| Beside::Two { to }),
        Just(Beside::Empty {}),
        Just(Beside::None)
    ]
}

fn inside() -> impl Strategy<Value = Inside> {
    prop_oneof![
        Just(Inside::None),
        any::<u64>().prop_map(|at| Inside::Held(Held { at })),
        any::<String>().prop_map(|text| Inside::Fields { text }),
    ]
}

fn everything() -> impl Strategy<Value = Everything> {
    let leaf = (
        (any::<String>(), any::<u32>(), any::<i64>(), short_float(), any::<bool>()),
        (prop::collection::vec(kind(), 0..4), any::<(u8, String)>(), any::<String>(), beside(), inside()),
    );
    leaf.prop_map(|((text, natural, whole, float, is), (list, pair, named, beside, inside))| {
        let map = BTreeMap::from([(text.clone(), Value::from(whole)), ("null".to_owned(), Value::Null)]);
        let named = Named(named);
        Everything { text, natural, whole, float, is, maybe: None, list, map, pair, named, beside, inside }
    })
    .prop_recursive(3, 3, 1, |inner| {
        (inner.clone(), inner).prop_map(|(outer, inner)| Everything { maybe: Some(Box::new(inner)), ..outer })
    })
}

/// Text that is JSON or nearly so: pieces of it in any order.
fn scraps() -> impl Strategy<Value = String> {
    let scrap = prop_oneof![
        prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\\",
            "\"a\"",
            "\"a\":",
            "null",
            "true",
            "fals",
            "0",
            "-",
            "1.5e3",
            "01",
            "1.",
            "\\u00e9",
            "\\ud834\\udd1e",
            "\\ud834",
            "\\x",
            "\n",
            " ",
            "\u{0}",
            "é",
            "𝄞",
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(scrap, 0..12).prop_map(|scraps| scraps.concat())
}

/// Whether it is JSON for both or for neither, and can be read by both or by neither.
fn is_judged_alike(text: &str) -> bool {
    let is_json = serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok();
    let is_read = serde_json::from_str::<Value>(text);
    let is_readable = is_read.as_ref().map_or_else(|error| error.to_string().contains("number out of range"), |_| true);
    Node::parse(text).is_ok() == is_readable && Raw::new(text).is_ok() == is_json
}

proptest! {
    #[test]
    fn what_is_written_is_read(value in everything()) {
        let text = to_string(&value);
        prop_assert_eq!(from_str::<Everything>(&text), Ok(value));
        prop_assert_eq!(Raw::new(&text).unwrap().to_string(), text.clone(), "and has no white space");
        let parsed: Value = serde_json::from_str(&text).unwrap();
        let pretty = serde_json::to_string_pretty(&parsed).unwrap();
        prop_assert_eq!(from_str::<Value>(&pretty), Ok(parsed), "serde_json reads the same");
    }

    #[test]
    fn what_is_json_is_so_for_serde_json(text in scraps()) {
        prop_assert!(is_judged_alike(&text), "{:?}", text);
    }

    #[test]
    fn texts_are_those_of_serde_json(text in any::<String>()) {
        let written = serde_json::to_string(&text).unwrap();
        prop_assert_eq!(&to_string(&text), &written);
        let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        prop_assert_eq!(from_str::<String>(&format!("\"{escaped}\"")), Ok(text));
    }

    #[test]
    fn numbers_are_those_of_serde_json(text in "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?") {
        prop_assert!(is_judged_alike(&text));
        prop_assert_eq!(from_str::<u32>(&text).ok(), serde_json::from_str(&text).ok());
        prop_assert_eq!(from_str::<u64>(&text).ok(), serde_json::from_str(&text).ok());
        if text != "-0" {
            prop_assert_eq!(from_str::<i64>(&text).ok(), serde_json::from_str(&text).ok());
        }
        let float = text.parse::<f64>().ok().filter(|float| float.is_finite());
        prop_assert_eq!(from_str::<f64>(&text).ok(), float);
    }

    #[test]
    fn white_space_goes_and_nothing_else(value in everything(), spaces in prop::collection::vec(prop::sample::select(vec!["", " ", "\n", "\t\r"]), 1..20)) {
        let text = to_string(&value);
        let mut spaces = spaces.iter().cycle();
        let (mut spaced, mut in_string, mut is_escaped) = (String::new(), false, false);
        for character in text.chars() {
            let is_token = !in_string && "{}[],:".contains(character);
            in_string ^= character == '"' && !is_escaped;
            is_escaped = character == '\\' && !is_escaped;
            if is_token { spaced.push_str(spaces.next().unwrap()); }
            spaced.push(character);
            if is_token { spaced.push_str(spaces.next().unwrap()); }
        }
        prop_assert_eq!(Raw::new(&spaced).unwrap().to_string(), text);
    }
}

#[test]
fn what_is_wrong_is_said_and_where() {
    #[derive(Debug, PartialEq, Json)]
    struct Outer {
        list: Vec<Inner>,
    }
    #[derive(Debug, PartialEq, Json)]
    struct Inner {
        number: u8,
        of: Beside,
    }
    for (text, reason) in [
        ("[]", "it must be an object"),
        ("{}", "'list' is missing"),
        (r#"{"list":{}}"#, "'list' must be a list"),
        (r#"{"list":[{}]}"#, "'list[0].number' is missing"),
        (r#"{"list":[{"number":256}]}"#, "'list[0].number' must be a whole number from 0 to 255"),
        (r#"{"list":[{"number":1,"number":1}]}"#, "'list[0].number' is there twice"),
        (r#"{"list":[{"number":1,"of":{}}]}"#, "'list[0].of.type' is missing"),
        (r#"{"list":[{"number":1,"of":{"type":"x"}}]}"#, "'list[0].of.type' must be one of one, two, three, none"),
        (r#"{"list":[{"number":1,"of":{"type":"two"}}]}"#, "'list[0].of.to' is missing"),
        (r#"{"list":[}"#, "it is no JSON from byte 9 on"),
        ("", "it is no JSON from byte 0 on"),
    ] {
        assert_eq!(from_str::<Outer>(text).unwrap_err().to_string(), reason, "{text}");
    }
}

#[test]
fn what_is_told_with_nothing_beside_it_is_empty() {
    for text in [r#"{"type":"three"}"#, r#"{"type":"three","data":null}"#, r#"{"data":{},"type":"three"}"#] {
        assert_eq!(from_str::<Beside>(text), Ok(Beside::Empty {}), "{text}");
    }
    assert_eq!(to_string(&Beside::Empty {}), r#"{"type":"three","data":{}}"#);
    assert_eq!(to_string(&Inside::Held(Held { at: 1 })), r#"{"kind":"held","at":1}"#);
    assert_eq!(to_string(&vec![Kind::AllPlain, Kind::Held(1)]), r#"["all_plain",{"held":1}]"#);
}

#[test]
fn a_name_of_before_is_read_and_the_other_written() {
    #[derive(Debug, PartialEq, Json)]
    struct Coded {
        #[json(alias = "code_hash", skip_none)]
        hash: Option<String>,
    }
    let coded = Coded { hash: Some("a".to_owned()) };
    assert_eq!(to_string(&coded), r#"{"hash":"a"}"#);
    assert_eq!(from_str(r#"{"code_hash":"a"}"#), Ok(coded));
    assert_eq!(from_str(r#"{"code_hash":"b","hash":"a"}"#), Ok(Coded { hash: Some("a".to_owned()) }));
}

#[test]
fn a_default_is_for_what_is_absent_and_for_nothing_in_what_is_there() {
    #[derive(Debug, PartialEq, Json)]
    struct Outer {
        #[json(default)]
        inner: Inner,
    }
    #[derive(Debug, PartialEq, Json)]
    struct Inner {
        hint: Option<String>,
    }
    impl Default for Inner {
        fn default() -> Self {
            Self { hint: Some("none was given".to_owned()) }
        }
    }
    assert_eq!(from_str("{}"), Ok(Outer { inner: Inner::default() }));
    assert_eq!(from_str(r#"{"inner":{}}"#), Ok(Outer { inner: Inner { hint: None } }));
}

#[test]
fn a_sample_has_all_that_there_may_be() {
    let sample = Raw::sample_of::<Everything>();
    assert!(sample.get().contains(r#""list":["all_plain"]"#), "{sample}");
    assert!(sample.get().contains(r#""beside":{"type":"one","data":"text"}"#), "{sample}");
}

#[test]
fn half_of_a_pair_is_json_and_no_text() {
    for text in [r#""\ud834""#, r#"{"a":"\udd1e"}"#, r#"{"\ud834":1}"#, r#"[{"\udd1e":{"\ud834\ud834":[]}}]"#] {
        assert!(is_judged_alike(text), "{text}");
        assert!(Raw::new(text).is_ok() && Node::parse(text).is_err(), "{text}");
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(Node::parse(&nested(128)).is_ok());
    assert!(Node::parse(&nested(129)).is_err());
    assert!(Node::parse(&"[".repeat(1_000_000)).is_err());
    assert!(Raw::new(&nested(60)).is_ok());
    assert_eq!(Raw::new(&nested(61)).unwrap_err().to_string(), "it is nested deeper than 60 levels");
}
