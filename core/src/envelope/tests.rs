//! Written and read back; refused with a reason; the scan held against the full parse.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    own::read_own,
    parse::parse_any,
    scan::{header_as_written, header_of_members},
    *,
};
use crate::{
    event::{DATA_DEPTH_MAX, Data, Event, ExtensionValue, InvalidEvent, Limits},
    stream::StreamName,
};

/// The protocol's own example, whole.
const EXAMPLE: &str = r#"{"specversion":"1.0","id":"019aa2f4-6a53-7c1e-9a57-3b5f0c1d2e3f","source":"corrector","type":"task.correction_completed.v1","subject":"space:42:tasks:task-abc","time":"2026-11-20T12:23:40.199775Z","recordedtime":"2026-11-20T12:23:40.201112Z","datacontenttype":"application/json","sequence":"0000000000000042","revision":7,"version":2,"clock":"corrector=2,generator=1,tester=1","causationid":"019aa2f4-1","correlationid":"019aa2f4-2","commandid":"019aa2f4-3","data":{"code":"…","hash":"xyz789"}}"#;

fn written(event: &Event) -> String {
    let mut out = Vec::new();
    write_event(event, &mut out);
    String::from_utf8(out).unwrap()
}

fn proposed(value: &Value) -> Result<Proposed, InvalidEvent> {
    parse_proposed(value.to_string().as_bytes(), None, &Limits::default())
}

fn good() -> Value {
    json!({"specversion": "1.0", "source": "tester", "type": "task.bug_report_received.v1", "subject": "space:42:tasks:a"})
}

#[test]
fn the_protocols_example_is_written_as_it_stands_there() {
    assert_eq!(written(&parse_event(EXAMPLE.as_bytes()).unwrap()), EXAMPLE);
}

#[test]
fn data_keeps_its_digits_and_its_order_and_loses_its_white_space() {
    let event = EXAMPLE
        .replace(r#"{"code":"…","hash":"xyz789"}"#, "{ \"z\": 1.000,\n \"a\" : [ 123456789012345678901234567890 ] }");
    let Data::Json(json) = parse_event(event.as_bytes()).unwrap().data else { panic!("JSON data") };
    assert_eq!(json.get(), r#"{"z":1.000,"a":[123456789012345678901234567890]}"#);
}

#[test]
fn white_space_between_digits_is_not_mended() {
    assert!(Data::json("[1 2]").is_err());
    assert!(Data::json(&"[".repeat(200)).is_err());
    assert!(Data::json(&format!("{}{}", "[".repeat(200), "]".repeat(200))).is_err());
    assert!(Data::json(r#"["[[[", "\"]"]"#).is_ok());
}

#[test]
fn bytes_travel_as_base64() {
    let mut value = good();
    value["data_base64"] = json!("AAEC/w==");
    let event = proposed(&value).unwrap().event;
    assert_eq!(event.data, Data::Binary(vec![0, 1, 2, 255]));
    let mut out = Vec::new();
    write_new_event(&event, &mut out);
    assert!(String::from_utf8(out).unwrap().ends_with(r#""data_base64":"AAEC/w=="}"#));
}

#[test]
fn each_bad_attribute_is_named() {
    for (name, bad) in [
        ("specversion", json!("0.3")),
        ("specversion", Value::Null),
        ("source", json!("two words")),
        ("source", json!(7)),
        ("type", json!("task.created")),
        ("subject", json!("space:4 2")),
        ("id", json!("")),
        ("time", json!("yesterday")),
        ("version", json!(-1)),
        ("version", json!(1.5)),
        ("version", json!("1")),
        ("clock", json!("tester")),
        ("clock", json!("other=1")),
        ("sequence", json!("0000000000000001")),
        ("revision", json!(1)),
        ("recordedtime", json!("2026-11-20T12:23:40Z")),
        ("data_base64", json!("%")),
        ("traceparent", json!({"a": 1})),
        ("traceparent", json!(1.5)),
        ("traceParent", json!("x")),
    ] {
        let mut value = good();
        value[name] = bad;
        let error = proposed(&value).expect_err(name);
        assert!(error.to_string().contains(name), "{name}: {error}");
    }
}

#[test]
fn limits_have_their_own_errors() {
    let mut value = good();
    value["data"] = json!("x".repeat(300 * 1024));
    assert!(matches!(proposed(&value), Err(InvalidEvent::DataTooLarge { .. })));
    let mut value = good();
    for at in 0..33 {
        value[format!("extension{at}")] = json!(true);
    }
    assert!(matches!(proposed(&value), Err(InvalidEvent::TooManyExtensions { max: 32 })));
    let mut value = good();
    value["clock"] = json!((0..257).map(|actor| format!("a{actor}=1")).collect::<Vec<_>>().join(","));
    assert_eq!(proposed(&value), Err(InvalidEvent::ClockFull));
}

#[test]
fn what_is_wrong_is_told_in_a_sentence() {
    for (name, bad, sentence) in [
        ("version", json!("2"), "it must be a whole number of at most 2147483647, not a string"),
        ("version", json!(1.5), "it must be a whole number of at most 2147483647"),
        ("clock", json!("tester=1,tester=2"), "it names 'tester' twice"),
        ("clock", json!("tester"), "it is wrong at byte 0: a pair is actor=counter"),
        ("source", Value::Null, "it is missing"),
    ] {
        let mut value = good();
        value[name] = bad;
        assert_eq!(proposed(&value).unwrap_err().to_string(), format!("is wrong in attribute '{name}': {sentence}"));
    }
}

#[test]
fn a_page_of_the_deepest_data_is_within_what_other_parsers_read() {
    let nested = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(Data::json(&nested(DATA_DEPTH_MAX + 1)).is_err());
    let mut event = parse_event(EXAMPLE.as_bytes()).unwrap();
    event.data = Data::json(&nested(DATA_DEPTH_MAX)).unwrap();
    let page = format!(r#"{{"events":[{}],"prev":0}}"#, written(&event));
    let mut depth = 0_usize;
    let deepest = page.bytes().map(|byte| {
        depth = if matches!(byte, b'{' | b'[') { depth + 1 } else { depth - usize::from(matches!(byte, b'}' | b']')) };
        depth
    });
    assert!(deepest.max().is_some_and(|deepest| deepest < 64));
}

#[test]
fn a_member_must_not_stand_twice() {
    let twice = br#"{"specversion":"1.0","source":"a","source":"b","type":"t.v1","subject":"a:b"}"#;
    assert!(matches!(parse_proposed(twice, None, &Limits::default()), Err(InvalidEvent::Json(_))));
}

#[test]
fn the_streams_name_may_come_from_elsewhere_but_not_differ() {
    let stream = StreamName::new("space:42:tasks:b").unwrap();
    let parse = |value: &Value| parse_proposed(value.to_string().as_bytes(), Some(&stream), &Limits::default());
    assert!(parse(&good()).is_err());
    let mut value = good();
    value["subject"] = Value::Null;
    assert_eq!(parse(&value).unwrap().event.stream, stream);
}

#[test]
fn a_batch_is_good_as_a_whole_or_not_at_all() {
    let parse = |value: &Value| parse_proposed_batch(value.to_string().as_bytes(), None, &Limits::default());
    assert_eq!(parse(&json!([good(), good()])).unwrap().len(), 2);
    assert_eq!(parse(&json!([])), Err(InvalidBatch::Empty));
    assert!(matches!(parse(&good()), Err(InvalidBatch::Json(_))));
    assert!(matches!(parse(&json!([good(), {}])), Err(InvalidBatch::Event { index: 1, .. })));
    assert!(matches!(parse(&json!(vec![good(); 1_001])), Err(InvalidBatch::TooManyEvents { events: 1_001, .. })));
}

#[test]
fn a_page_is_split_without_parsing_its_events() {
    let json =
        format!(r#" {{"events": [{EXAMPLE} , {EXAMPLE}], "prev": 39, "next": "k3x9q7ma-42", "head": "k3x9q7ma-50"}}"#);
    let page = scan_page(json.as_bytes()).unwrap();
    assert_eq!(page.events, [EXAMPLE.as_bytes(), EXAMPLE.as_bytes()]);
    assert_eq!(page.prev.unwrap().get(), 39);
    assert_eq!(page.next.unwrap().to_string(), "k3x9q7ma-42");
    assert_eq!(scan_page(br#"{"events":[]}"#), Some(Page::default()));
    for bad in ["", "[]", r#"{"events":{}}"#, r#"{"events":[1"#, r#"{"events":[1,]}"#, r#"{"next":"x"}"#] {
        assert_eq!(scan_page(bad.as_bytes()), None, "{bad}");
    }
}

/// JSON with the odd things that JSON can have, and white space anywhere.
fn any_json() -> impl Strategy<Value = String> {
    let space = "[ \n\t]{0,2}";
    let number = prop_oneof!["-?[1-9][0-9]{0,30}", "-?0\\.[0-9]{1,20}", "[1-9]e[+-]?[0-9]{1,3}"];
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        number,
        any::<String>().prop_map(|text| json!(text).to_string()),
        r#""(\\\\|\\"|\\u00[0-7][0-9a-f]|\\ud83d\\ude00|[]{}\[:,])*""#,
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let member =
            (any::<String>(), space, inner.clone()).prop_map(|(name, s, value)| format!("{}{s}:{value}", json!(name)));
        prop_oneof![
            (prop::collection::vec(inner, 0..4), space)
                .prop_map(|(items, s)| format!("[{s}{}]", items.join(&format!("{s},")))),
            (prop::collection::vec(member, 0..4), space)
                .prop_map(|(members, s)| format!("{{{s}{}}}", members.join(&format!(",{s}")))),
        ]
    })
}

/// A JSON string with some of its characters written as escapes.
fn escaped(text: &str, every: usize) -> String {
    let mut out = String::from("\"");
    for (at, character) in text.chars().enumerate() {
        if every > 0 && at % every == 0 {
            let units = &mut [0; 2];
            out.extend(character.encode_utf16(units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            let quoted = json!(character.to_string()).to_string();
            out.push_str(&quoted[1..quoted.len() - 1]);
        }
    }
    out + "\""
}

#[test]
fn the_scan_finds_what_the_full_parse_finds_wherever_something_is_put_in() {
    let line = written(&Event { data: Data::None, ..parse_event(EXAMPLE.as_bytes()).unwrap() });
    let mut good = 0;
    for put in
        [" ", "\\\"", r#""data":{"x":0,"subject":"a:b","sequence":"0000000000000009","revision":9,"version":9},"#]
    {
        for at in (0..=line.len()).filter(|at| line.is_char_boundary(*at)) {
            let text = format!("{}{put}{}", &line[..at], &line[at..]);
            let Ok(event) = parse_event(text.as_bytes()) else { continue };
            good += 1;
            let header = scan(text.as_bytes()).expect("a good event has a header");
            assert_eq!(header.stream.decode().as_deref(), Some(event.stream.as_str()), "{text}");
            let found = (header.sequence, header.revision, header.version);
            assert_eq!(found, (event.sequence, event.revision, event.version), "{text}");
        }
    }
    assert!(good > 100, "of what was put in, {good} left it an event");
}

#[test]
fn a_header_is_found_where_it_is_written() {
    assert!(header_as_written(EXAMPLE.as_bytes()).is_some());
    let plain = parse_event(EXAMPLE.as_bytes()).unwrap();
    let source: Event = Event { source: "a".parse().unwrap(), kind: "a.b.v1".parse().unwrap(), ..plain.clone() };
    let times = Event { time: "2026-11-20T12:23:40Z".parse().unwrap(), data_content_type: None, ..plain.clone() };
    let revision = Event { revision: "99999999".parse().unwrap(), version: "0".parse().unwrap(), ..plain };
    for event in [source, times, revision] {
        let line = written(&event);
        assert_eq!(header_as_written(line.as_bytes()), header_of_members(line.as_bytes()), "{line}");
        assert!(header_as_written(line.as_bytes()).is_some(), "{line}");
    }
}

#[test]
fn the_scan_takes_no_number_that_goes_on() {
    let line = written(&parse_event(EXAMPLE.as_bytes()).unwrap());
    for name in ["revision", "version"] {
        let number = format!("\"{name}\":");
        let digits = line.split(&number).nth(1).unwrap().bytes().take_while(u8::is_ascii_digit).count();
        let end = line.find(&number).unwrap() + number.len() + digits;
        for more in [".5", "e3", "x"] {
            let text = format!("{}{more}{}", &line[..end], &line[end..]);
            assert_eq!(scan(text.as_bytes()), Err(InvalidHeader), "{text}");
        }
    }
}

proptest! {
    #[test]
    fn the_scan_agrees_with_the_full_parse(
        numbers in (1_u64..1 << 53, 1_u32..1 << 31, 0_u32..1 << 31),
        shifted_by in 0_u32..31,
        id in "[a-z\"\\\\ é😀]{1,20}",
        stream in "[a-zé\"\\\\😀]{1,9}:[a-z{}\\[\\],]{1,9}",
        extension in any::<String>().prop_filter("has a limit", |text| text.len() < 1000),
        data in any_json(),
        every in 0_usize..4,
        order in Just((0..12_usize).collect::<Vec<_>>()).prop_shuffle(),
        space in "[ \n\t\r]{0,3}",
    ) {
        let (sequence, revision, version) = (numbers.0, u32::max(numbers.1 >> shifted_by, 1), numbers.2 >> shifted_by);
        let members = [
            ("specversion", "\"1.0\"".to_owned()),
            ("id", escaped(&id, every)),
            ("source", "\"tester\"".to_owned()),
            ("type", "\"task.made.v1\"".to_owned()),
            ("subject", escaped(&stream, every)),
            ("time", "\"2026-11-20T12:23:40Z\"".to_owned()),
            ("recordedtime", "\"2026-11-20T12:23:40Z\"".to_owned()),
            ("sequence", format!("\"{sequence:016}\"")),
            ("revision", revision.to_string()),
            ("version", version.to_string()),
            ("traceparent", json!(extension).to_string()),
            ("data", data),
        ];
        let members: Vec<_> = order.iter().map(|at| {
            let (name, value) = &members[*at];
            format!("\"{name}\"{space}:{space}{value}{space}")
        }).collect();
        let text = format!("{space}{{{space}{},\"clock\":\"tester=1\"}}", members.join(&format!(",{space}")));

        match parse_event(text.as_bytes()) {
            Err(error) => prop_assert!(false, "{error}: {text}"),
            Ok(event) => {
                let header = scan(text.as_bytes()).expect("a good event has a header");
                prop_assert_eq!(&*header.stream.decode().unwrap(), event.stream.as_str());
                prop_assert_eq!(header.sequence, event.sequence);
                prop_assert_eq!(header.revision, event.revision);
                prop_assert_eq!(header.version, event.version);

                let line = written(&event);
                prop_assert!(!line.contains('\n') && !line.contains('\r'));
                prop_assert_eq!(&written(&parse_event(line.as_bytes()).unwrap()), &line);
                if let Some(header) = header_as_written(line.as_bytes()) {
                    prop_assert_eq!(Some(header), header_of_members(line.as_bytes()));
                }
            }
        }
    }

    #[test]
    fn the_quick_way_says_what_the_full_parse_says(
        data in any_json(),
        extension in "[ -~é\n]{0,20}",
        at in any::<prop::sample::Index>(),
        put in prop::option::of(any::<u8>()),
    ) {
        let mut event = parse_event(EXAMPLE.as_bytes()).unwrap();
        event.data = Data::json(&data).unwrap();
        event.extensions.insert("traceparent".parse().unwrap(), ExtensionValue::String(extension.as_str().into()));
        let mut line = written(&event).into_bytes();
        let is_plain = !extension.contains(['"', '\\', '\n']);
        let stream = event.stream.clone();
        for vouched in [&stream, &"space:1:others:o1".parse().unwrap()] {
            prop_assert_eq!(&parse_stored(&line, Some(vouched)).unwrap(), &event);
        }
        prop_assert_eq!(read_own(&line, Some(&stream)), is_plain.then(|| event.clone()));
        prop_assert_eq!(read_own(&line, None), is_plain.then_some(event));

        // Whatever one byte more, less or other makes of it.
        let at = at.index(line.len());
        match put {
            Some(byte) if byte % 2 == 0 => line[at] = byte,
            Some(byte) => line.insert(at, byte),
            None => drop(line.remove(at)),
        }
        let text = String::from_utf8_lossy(&line);
        let parsed = parse_any(&line);
        if let Some(event) = read_own(&line, None) {
            prop_assert_eq!(&parsed, &Ok(event), "{}", text);
        }
        if let Ok(event) = parsed {
            let header = scan(&line).expect("a good event has a header");
            prop_assert_eq!(&*header.stream.decode().unwrap(), event.stream.as_str(), "{}", text);
            let found = (header.sequence, header.revision, header.version);
            prop_assert_eq!(found, (event.sequence, event.revision, event.version), "{}", text);
        }
    }

    #[test]
    fn nothing_makes_the_scan_panic(text in r#"[\{\}\[\]",:\\ua-f0-9 é]{0,80}"#, cut in 0_usize..700) {
        let text = text.as_bytes();
        let _ = (scan(text), scan_page(text), text_member(text, "a"));
        if let Some(cut) = EXAMPLE.get(..cut) {
            let _ = scan(cut.as_bytes());
        }
    }
}
