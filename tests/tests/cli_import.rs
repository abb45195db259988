//! `highwater import` and `highwater export`: what goes in comes out, once, in order, whatever happens on the way.

use std::{fs, process::Stdio};

use highwater_server::config::Settings;
use highwater_tests::{
    command::{CuttingProxy, argument, highwater, highwater_with_input, json_lines, ran, start},
    server::Server,
};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

const TEMPLATES: [&str; 6] = ["--stream", "log:{host}", "--type", "line.read.v1", "--source", "{host}"];

fn import(flags: &[&'static str]) -> Vec<&'static str> {
    [&["import", "-"], &TEMPLATES[..], flags].concat()
}

fn lines(numbers: std::ops::Range<u32>) -> String {
    numbers.map(|number| json!({ "host": format!("h{}", number % 3), "n": number }).to_string() + "\n").collect()
}

#[tokio::test]
async fn a_second_import_stores_nothing() {
    let server = Server::start().await;
    let url = server.url("");
    let text = format!("{}\n  \r\n{}", lines(0..20), lines(0..5));
    let summary = highwater_with_input(&url, &import(&[]), text.as_bytes()).await.output();
    assert!(summary.starts_with("read 27 lines: 25 stored, 0 already there"), "{summary}");
    let first = highwater(&url, &["export"]).await.output();
    assert_eq!(first.lines().count(), 25);

    let longer = format!("{text}{}", lines(5..7));
    let summary = highwater_with_input(&url, &import(&["--batch-events", "4"]), longer.as_bytes()).await.output();
    assert!(summary.starts_with("read 29 lines: 2 stored, 25 already there"), "{summary}");
    let second = highwater(&url, &["export"]).await.output();
    assert!(second.starts_with(&first) && second.lines().count() == 27);
    server.stop().await;
}

#[tokio::test]
async fn everything_before_a_bad_line_is_stored() {
    let server = Server::start().await;
    let url = server.url("");
    let missing = format!("{}{{\"host\":null}}\n{}", lines(0..3), lines(3..6));
    let error = highwater_with_input(&url, &import(&[]), missing.as_bytes()).await.error();
    assert!(error.contains("line 4 has no field 'host'") && error.contains("3 stored"), "{error}");

    // The same id with other content is found out by the server.
    let refused =
        format!("{}{{\"host\":\"h9\",\"n\":0}}\n\n{{\"host\":\"h9\",\"n\":0,\"x\":1}}\n{}", lines(3..5), lines(5..9));
    let error = highwater_with_input(&url, &import(&["--id", "{host}-{n}"]), refused.as_bytes()).await.error();
    assert!(error.contains("refuses line 5") && error.contains("id_conflict"), "{error}");
    assert!(error.contains("3 stored, 0 already there"), "{error}");
    assert_eq!(highwater(&url, &["export"]).await.output().lines().count(), 6);

    let foreign = highwater_with_input(&url, &["import", "-"], b"{\"host\":1}").await.error();
    assert!(foreign.contains("line 1 is not a CloudEvent") && foreign.contains("--stream"), "{foreign}");
    server.stop().await;
}

#[tokio::test]
async fn answers_that_are_lost_do_no_harm() {
    let server = Server::start().await;
    let proxy = CuttingProxy::start(server.address(), 1_000).await;
    let ran = highwater_with_input(&proxy.url, &import(&["--batch-events", "3"]), lines(0..30).as_bytes()).await;
    assert!(ran.stderr.contains("trying again"), "no connection was cut: {}", ran.stderr);
    let summary = ran.output();
    assert!(summary.starts_with("read 30 lines: 30 stored, 0 already there"), "{summary}");
    let exported = json_lines(&highwater(&server.url(""), &["export"]).await.output());
    let numbers: Vec<u64> = exported.iter().map(|event| event["data"]["n"].as_u64().expect("a number")).collect();
    assert_eq!(numbers, (0..30).collect::<Vec<_>>());
    server.stop().await;
}

#[tokio::test]
async fn batches_that_are_too_large_for_a_server_are_sent_in_parts() {
    let settings = Settings { batch_events_max: 7, batch_bytes_max: 2_000, ..Settings::default() };
    let server = Server::start_with(settings).await;
    let url = server.url("");
    let summary = highwater_with_input(&url, &import(&[]), lines(0..40).as_bytes()).await.output();
    assert!(summary.starts_with("read 40 lines: 40 stored, 0 already there"), "{summary}");
    let exported = json_lines(&highwater(&url, &["export"]).await.output());
    let numbers: Vec<u64> = exported.iter().map(|event| event["data"]["n"].as_u64().expect("a number")).collect();
    assert_eq!(numbers, (0..40).collect::<Vec<_>>());

    let large = format!("{}{{\"host\":\"h\",\"n\":\"{}\"}}\n", lines(40..42), "x".repeat(3_000));
    let error = highwater_with_input(&url, &import(&[]), large.as_bytes()).await.error();
    assert!(error.contains("refuses line 3") && error.contains("2 stored"), "{error}");
    server.stop().await;
}

#[tokio::test]
async fn an_export_whose_reader_leaves_does_not_claim_to_be_whole() {
    let server = Server::start().await;
    let url = server.url("");
    highwater_with_input(&url, &import(&[]), lines(0..2_500).as_bytes()).await.output();
    let mut export = start(&url, &["export"], Stdio::null());
    let mut lines = BufReader::new(export.stdout.take().expect("it is piped")).lines();
    assert!(lines.next_line().await.expect("it is text").is_some());
    drop(lines);
    let export = ran(export).await;
    assert_eq!(export.code, Some(0), "{}", export.stderr);
    assert!(export.stderr.contains("stopped") && !export.stderr.contains("position"), "{}", export.stderr);
    server.stop().await;
}

#[tokio::test]
async fn an_exported_log_becomes_an_equal_log_elsewhere() {
    let server = Server::start().await;
    let url = server.url("");
    for flags in [
        &["space:1", "--data", r#"{"a":1.50}"#, "--version", "2", "--extension", "flag=true"][..],
        &["space:2", "--data", "ünï", "--content-type", "text/plain", "--correlation-id", "c"],
        &["space:1", "--version", "1", "--time", "2015-09-12T00:47:00.496Z"],
        &["space:1", "--clock", "tester=9,other=3", "--causation-id", "x", "--data-schema", "urn:s"],
    ] {
        highwater(&url, &[&["append", "--type", "note.taken.v1", "--source", "tester"], flags].concat()).await.output();
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("log.jsonl");
    highwater(&url, &["export", "--output", argument(&file)]).await.output();
    let exported = fs::read_to_string(&file).expect("the file is there");
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1, "no unfinished file stays");

    let other = Server::start().await;
    let summary = highwater(&other.url(""), &["import", argument(&file)]).await.output();
    assert!(summary.starts_with("read 4 lines: 4 stored"), "{summary}");
    let again = highwater(&other.url(""), &["export"]).await.output();
    assert_eq!(without_recording(&again), without_recording(&exported));
    assert_eq!(highwater(&other.url(""), &["export", "--topic", "space:2"]).await.output().lines().count(), 1);
    server.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_folder_is_exported_once_its_server_is_gone() {
    let server = Server::start().await;
    let url = server.url("");
    highwater_with_input(&url, &import(&[]), lines(0..2_500).as_bytes()).await.output();
    let by_url = highwater(&url, &["export"]).await.output();
    let data = server.stop().await;
    let by_folder = highwater(&url, &["export", "--data", argument(data.path())]).await.output();
    assert_eq!(by_folder.lines().count(), 2_500);
    assert!(by_folder == by_url, "the same bytes either way");
    let witness = fs::read(data.path().join("witness")).expect("there is a witness");
    fs::remove_file(data.path().join("witness")).expect("it can be removed");
    let warned = highwater(&url, &["export", "--data", argument(data.path())]).await;
    assert!(warned.stderr.contains("there is no witness") && warned.output() == by_folder);
    fs::write(data.path().join("witness"), witness).expect("it can be put back");

    let folder = data.path().to_owned();
    let server = Server::start_on(data, Settings::default()).await;
    let held = highwater(&url, &["export", "--data", argument(&folder)]).await.error();
    assert!(held.contains("another server holds the data folder"), "{held}");
    let none = highwater(&url, &["export", "--data", "no/such/folder"]).await.error();
    assert!(none.contains("there is no log"), "{none}");
    server.stop().await;
}

/// The events as another log has them too.
fn without_recording(text: &str) -> Vec<Value> {
    let mut events = json_lines(text);
    for event in &mut events {
        event.as_object_mut().expect("an event").remove("recordedtime").expect("a recorded event");
    }
    events
}
