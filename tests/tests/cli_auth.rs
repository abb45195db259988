//! Tokens and keys at the command line: what commands send, what a server insists on, and that nothing shows a token.

use std::{fs, path::Path, process::Stdio};

use highwater_server::config::Settings;
use highwater_tests::{
    command::{Ran, argument, highwater, json_lines, ran},
    http::client,
    server::{PATIENCE, Process, Server, command},
    token::Issuer,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::{process::Command, time::timeout};

const APPEND: [&str; 6] = ["append", "space:1", "--type", "note.taken.v1", "--source", "tester"];

async fn run_with_token(url: &str, token: &str, arguments: &[&str]) -> Ran {
    let mut command = Command::from(command());
    command.args(arguments).env("HIGHWATER_URL", url).env("HIGHWATER_TOKEN", token);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    ran(command.kill_on_drop(true).spawn().expect("the binary starts")).await
}

/// Runs `highwater serve` where it will not start.
async fn refused(flags: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let ran = highwater("http://unused", &[&["serve", "--data", argument(&data)][..], flags].concat()).await;
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(!data.exists(), "nothing is begun");
    ran.stderr
}

fn write_keys(path: &Path, issuer: &Issuer) {
    fs::write(path, issuer.key_file()).expect("the keys can be written");
}

#[tokio::test]
async fn commands_say_who_asks() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, issuer) = (folder.path().join("keys"), Issuer::hs256());
    write_keys(&keys, &issuer);
    let server = Server::start_with(Settings { auth_keys: keys, ..Settings::default() }).await;
    let url = server.url("");

    let error = highwater(&url, &APPEND).await.error();
    assert!(error.contains("unauthorized") && error.contains("token"), "{error}");
    let writer = issuer.token(json!({ "append": ["space:**"], "sources": ["tester"] }));
    run_with_token(&url, &writer, &APPEND).await.output();
    let with_flag = [&APPEND[..], &["--token", &writer]].concat();
    highwater(&url, &with_flag).await.output();
    let error = run_with_token(&url, &writer, &["export"]).await.error();
    assert!(error.contains("forbidden"), "{error}");

    let reader = issuer.token(json!({ "read": ["space:**"] }));
    let exported = run_with_token(&url, &reader, &["export", "--topic", "space:**"]).await.output();
    assert_eq!(json_lines(&exported).len(), 2);
    let tail = ["tail", "space:*", "--after", "earliest", "--count", "2"];
    assert_eq!(json_lines(&run_with_token(&url, &reader, &tail).await.output()), json_lines(&exported));

    let file = folder.path().join("log.jsonl");
    fs::write(&file, exported).unwrap();
    let import = ["import", argument(&file)];
    let summary = run_with_token(&url, &writer, &import).await.output();
    assert!(summary.contains("2 stored or already there"), "who may not read can't tell them apart: {summary}");
    let everything = issuer.token(json!({ "read": ["**"], "append": ["**"], "sources": ["*"] }));
    let summary = run_with_token(&url, &everything, &import).await.output();
    assert!(summary.contains("0 stored, 2 already there"), "{summary}");
    server.stop().await;
}

#[tokio::test]
async fn a_token_is_not_shown() {
    let help = run_with_token("http://unused", "very.secret.token", &["append", "--help"]).await.output();
    assert!(help.contains("--token") && help.contains("HIGHWATER_TOKEN"), "{help}");
    let broken = run_with_token("http://unused", "very.secret\ntoken", &APPEND).await.error();
    assert!(broken.contains("token"), "{broken}");
    assert!(![help, broken].iter().any(|shown| shown.contains("very.secret")));
}

#[tokio::test]
async fn a_server_for_others_needs_keys_that_are_some() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    for open in ["0.0.0.0:0", "[::]:0"] {
        let reason = refused(&["--listen", open]).await;
        assert!(reason.contains("listen must be") && reason.contains("auth_keys"), "{reason}");
    }
    let missing = refused(&["--auth-keys", argument(&keys)]).await;
    assert!(missing.contains("cannot read the keys"), "{missing}");
    fs::write(&keys, "short").unwrap();
    let short = refused(&["--auth-keys", argument(&keys)]).await;
    assert!(short.contains("32 bytes") && !short.contains("short"), "{short}");
    fs::write(&keys, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").unwrap();
    assert!(refused(&["--auth-keys", argument(&keys)]).await.contains("public"));
    assert!(refused(&["--cors-origins", "https://a.example,*"]).await.contains("cors_origins must be"));
}

#[tokio::test]
async fn keys_change_while_the_server_runs_and_no_token_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, log) = (folder.path().join("keys"), folder.path().join("server.log"));
    let [old, new] = [Issuer::hs256(), Issuer::hs256()];
    write_keys(&keys, &old);
    let mut serve = command();
    serve.env("HIGHWATER_LOG", "trace").stderr(fs::File::create(&log).unwrap());
    let server = Process::spawn(serve, &folder.path().join("data"), &["--auth-keys", argument(&keys)]).await;

    let rights: Value = json!({ "read": ["**"] });
    let [of_old, of_new] = [&old, &new].map(|issuer| issuer.token(rights.clone()));
    let client = client();
    let read = || client.get(server.url("/v1/events?topic=**"));
    let by_header = async |token: &str| read().bearer_auth(token).send().await.expect("an answer").status();
    let by_cookie = async |token: &str| {
        let cookie = format!("__Host-highwater={token}");
        read().header("cookie", cookie).send().await.expect("an answer").status()
    };
    let only = async |known: &str, unknown: &str| {
        assert_eq!((by_header(known).await, by_cookie(known).await), (StatusCode::OK, StatusCode::OK));
        let unauthorized = StatusCode::UNAUTHORIZED;
        assert_eq!((by_header(unknown).await, by_cookie(unknown).await), (unauthorized, unauthorized));
    };
    only(&of_old, &of_new).await;

    write_keys(&keys, &new);
    server.signal_hangup();
    let changed = async { while by_header(&of_new).await != StatusCode::OK {} };
    timeout(PATIENCE, changed).await.expect("the keys are read again");
    only(&of_new, &of_old).await;
    server.terminate().await;

    let logged = fs::read_to_string(log).unwrap();
    assert!(logged.contains("the keys have been read again"), "{logged}");
    for token in [of_old, of_new] {
        let (_, signature) = token.rsplit_once('.').unwrap();
        assert!(!logged.contains(signature), "{logged}");
    }
}
