//! Log lines of the binary: on standard error, by the settings, and without what is secret.

use std::process::Stdio;

use highwater_tests::{
    http::{EVENT, client, event},
    server::{PATIENCE, command},
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::Command,
    time::timeout,
};

const SECRETS: [&str; 4] = ["Sesame-header", "Sesame-cookie", "Sesame-query", "Sesame-data"];

/// Everything that a server with these flags writes on standard error while it is asked for this and that, full of secrets.
async fn log_of(flags: &[&str]) -> String {
    let data = tempfile::tempdir().unwrap();
    let mut command = Command::from(command());
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data.path()).args(flags);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut server = command.spawn().unwrap();
    let mut output = BufReader::new(server.stdout.take().unwrap()).lines();
    let line = timeout(PATIENCE, output.next_line()).await.unwrap().unwrap().unwrap();
    let url = line.strip_prefix("listening on ").expect("the first line says where it listens");

    let client = client();
    let mut secret = event("1");
    secret["data"] = SECRETS[3].into();
    let appended = client
        .post(format!("{url}/v1/streams/notes:a"))
        .header("content-type", EVENT)
        .header("authorization", format!("Bearer {}", SECRETS[0]))
        .header("cookie", format!("__Host-highwater={}", SECRETS[1]))
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .body(secret.to_string());
    assert_eq!(appended.send().await.unwrap().status(), 201);
    for path in ["/v1/events?topic=**", "/v1/streams/notes:none", "/v1/events?topic=**&access_token="] {
        client.get(format!("{url}{path}{}", SECRETS[2])).send().await.unwrap();
    }

    let pid = server.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let mut log = String::new();
    let read = server.stderr.take().unwrap().read_to_string(&mut log).await;
    read.expect("text");
    assert_eq!(timeout(PATIENCE, output.next_line()).await.unwrap().unwrap(), None, "nothing else is said there");
    assert!(server.wait().await.unwrap().success());
    log
}

#[tokio::test]
async fn json_lines_have_fields_and_no_secret() {
    let log = log_of(&["--log", "trace", "--log-format", "json"]).await;
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let said = |message: &str| {
        lines.iter().find(|line| line["message"] == message).unwrap_or_else(|| panic!("no '{message}' in {log}"))
    };
    let appended = said("appended");
    assert_eq!(appended["level"], "DEBUG");
    assert_eq!((&appended["stream"], &appended["type"]), (&"notes:a".into(), &"note.taken.v1".into()));
    assert_eq!((&appended["actor"], &appended["events"]), (&"tester".into(), &1.into()));
    assert!(appended["position"].as_str().unwrap().ends_with("-1"));
    let span = &appended["span"];
    assert_eq!((&span["method"], &span["route"]), (&"POST".into(), &"/v1/streams/{stream}".into()));
    assert_eq!(span["trace"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert!(span["request"].as_u64().is_some());
    let answered = said("answered");
    assert_eq!((&answered["status"], &answered["span"]["request"]), (&201.into(), &span["request"]));
    assert!(answered["latency_us"].as_u64().is_some());
    assert!(lines.iter().any(|line| line["code"] == "unknown_stream"), "{log}");
    for secret in SECRETS {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

#[tokio::test]
async fn pretty_lines_say_the_same_and_only_what_is_asked_for() {
    let log = log_of(&["--log", "debug"]).await;
    assert!(log.contains("appended stream=notes:a type=note.taken.v1 actor=tester position="), "{log}");
    for secret in SECRETS {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
    let quiet = log_of(&["--log", "warn"]).await;
    assert_eq!(quiet, "");
}

#[test]
fn a_filter_that_is_none_is_refused() {
    for (flags, told) in [
        (["--log", "highwater_server=loud"], "log 'highwater_server=loud' must be a level"),
        (["--log-format", "xml"], "possible values: pretty, json"),
        (["--otlp-endpoint", "no url"], "otlp_endpoint 'no url' can't be used"),
    ] {
        let data = tempfile::tempdir().unwrap();
        let mut command = command();
        let ran = command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data.path()).args(flags).output();
        let ran = ran.unwrap();
        let error = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(2), "{error}");
        assert!(error.contains(told), "{error}");
    }
}
