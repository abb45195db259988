//! Real input: a day's edits of Wikipedia go in, are followed, and come out whole, in order, as CloudEvents.

use std::{collections::HashSet, io::Read, process::Stdio};

use flate2::read::GzDecoder;
use highwater_tests::{
    command::{argument, highwater, ran, start},
    data,
    server::Server,
};
use serde_json::{Map, Value};

const EDITS: &str = "wikipedia-edits-2015-09-12.json.gz";
const EDITS_COUNT: usize = 39_244;
const TEMPLATES: [&str; 8] =
    ["--stream", "wiki:{channel}:{page}", "--type", "wiki.edited.v1", "--source", "{user}", "--time", "{time}"];

#[tokio::test(flavor = "multi_thread")]
async fn a_days_edits_go_in_and_come_out() {
    let (Some(file), Some(schema)) = (data::path(EDITS), data::json::<Value>("cloudevents.schema.json")) else {
        return;
    };
    let mut edits = String::new();
    let packed = std::fs::File::open(&file).expect("the edits are there");
    GzDecoder::new(packed).read_to_string(&mut edits).expect("the edits are UTF-8");
    let server = Server::start().await;
    let url = server.url("");
    let count = EDITS_COUNT.to_string();
    let tail = start(&url, &["tail", "wiki:**", "--after", "earliest", "--count", &count], Stdio::null());
    let import = [&["import", argument(&file)], &TEMPLATES[..]].concat();

    let (first, followed) = tokio::join!(highwater(&url, &import), ran(tail));
    let first = first.output();
    assert!(first.starts_with("read 39,244 lines: 39,244 stored, 0 already there"), "{first}");
    let exported = highwater(&url, &["export"]).await.output();
    assert!(followed.output() == exported, "what was followed is what is in the log");

    let second = highwater(&url, &import).await.output();
    assert!(second.starts_with("read 39,244 lines: 0 stored, 39,244 already there"), "{second}");
    let data = server.stop().await;
    let from_folder = highwater(&url, &["export", "--data", argument(data.path())]).await.output();
    assert!(from_folder == exported, "a second import changes nothing, and the folder says the same as the server");

    assert_eq!(exported.lines().count(), EDITS_COUNT);
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).expect("the schema is one");
    let mut ids = HashSet::new();
    for ((line, edit), sequence) in exported.lines().zip(edits.lines()).zip(1_u64..) {
        assert!(line.ends_with(&format!(",\"data\":{edit}}}")), "{edit}\nbecame {line}");
        let event: Map<String, Value> = serde_json::from_str(line).expect("an event is a JSON object");
        assert_eq!(event["sequence"], format!("{sequence:016}"));
        assert!(ids.insert((event["source"].to_string(), event["id"].to_string())), "an id is there twice: {line}");
        assert_scalars(&event);
        let event = Value::Object(event);
        assert!(validator.is_valid(&event), "{:?}", validator.validate(&event));
    }
}

/// What the schema forgets to say of attributes: lower-case names and scalars.
fn assert_scalars(event: &Map<String, Value>) {
    for (name, value) in event.iter().filter(|(name, _)| *name != "data") {
        let scalar = match value {
            Value::String(_) | Value::Bool(_) => true,
            Value::Number(number) => number.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        };
        let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        assert!(scalar && plain, "{name}: {value}");
    }
}
