//! `kill -9` at the worst places. The process does it to itself, there.

use std::os::unix::process::ExitStatusExt;

use highwater_tests::{
    http::{client, event},
    server::Process,
};
use reqwest::StatusCode;

use super::{Account, SIGKILL, failing_at, run_to_its_end};

/// Appends until the server kills itself in the third append, then starts it again and sends the same once more.
async fn killed_in_the_third_append(failpoint: &str, sent_again: StatusCode) {
    let (data, client, mut account) = (tempfile::tempdir().unwrap(), client(), Account::default());
    let server = Process::spawn(failing_at(&format!("{failpoint}*3")), data.path(), &[]).await;
    account.append_all(&client, &server, ["1", "2"].map(event)).await;
    account.check(&client, &server).await;
    assert_eq!(account.append(&client, &server, &event("3")).await, None);
    assert_eq!(server.ended().await.signal(), Some(SIGKILL));

    let server = Process::start(data.path(), &[]).await;
    account.check(&client, &server).await;
    assert_eq!(account.append(&client, &server, &event("3")).await, Some(sent_again));
    account.append_all(&client, &server, [event("4")]).await;
    account.check(&client, &server).await;
}

#[tokio::test]
async fn killed_before_the_sync_nothing_is_stored() {
    killed_in_the_third_append("store.before_sync", StatusCode::CREATED).await;
}

#[tokio::test]
async fn killed_after_the_sync_it_is_stored_although_nobody_saw_it() {
    killed_in_the_third_append("store.after_sync", StatusCode::OK).await;
}

#[tokio::test]
async fn killed_before_the_answer_it_is_stored() {
    killed_in_the_third_append("store.before_answer", StatusCode::OK).await;
}

#[tokio::test]
async fn killed_while_a_log_is_made_the_next_start_makes_it() {
    let (data, client, mut account) = (tempfile::tempdir().unwrap(), client(), Account::default());
    let killed = run_to_its_end(failing_at("store.in_creation"), data.path()).await;
    assert_eq!(killed.status.signal(), Some(SIGKILL));
    let server = Process::start(data.path(), &[]).await;
    account.append_all(&client, &server, [event("1")]).await;
    account.check(&client, &server).await;
}

#[tokio::test]
async fn killed_in_a_migration_the_next_start_does_it_whole() {
    let (data, client, mut account) = (tempfile::tempdir().unwrap(), client(), Account::default());
    let server = Process::start(data.path(), &[]).await;
    account.append_all(&client, &server, ["1", "2"].map(event)).await;
    account.check(&client, &server).await;
    assert!(server.terminate().await.success());
    // As version 2 had it, which knew no commands and no checksums.
    let older = "DROP TABLE commands; ALTER TABLE events DROP COLUMN checksum; PRAGMA user_version = 2;";
    let log = rusqlite::Connection::open(data.path().join("log.db")).unwrap();
    log.execute_batch(older).unwrap();
    log.close().unwrap();

    for _ in 0..2 {
        let killed = run_to_its_end(failing_at("store.in_migration"), data.path()).await;
        assert_eq!(killed.status.signal(), Some(SIGKILL));
    }
    let server = Process::start(data.path(), &[]).await;
    account.check(&client, &server).await;
    account.append_all(&client, &server, [event("3")]).await;
    account.check(&client, &server).await;
}
