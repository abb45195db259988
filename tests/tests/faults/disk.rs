//! A disk that is slow, or not to be written.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process,
};

use highwater_tests::{
    http::{Subscription, client, event, get},
    server::{PATIENCE, Process, command_after},
};
use reqwest::StatusCode;
use tokio::{
    task::{JoinSet, spawn_blocking},
    time::timeout,
};

use super::{Account, assert_refused, failing_at, read_page, run_to_its_end, send};

/// Opens the other end of a pipe at which the disk waits: until what is returned is dropped.
async fn held(fifo: &Path) -> File {
    let fifo = fifo.to_owned();
    let opened = spawn_blocking(move || OpenOptions::new().write(true).open(fifo));
    timeout(PATIENCE, opened).await.expect("the writer comes there").unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_disk_holds_up_appends_and_nothing_else() {
    let (data, client, mut account) = (tempfile::tempdir().unwrap(), client(), Account::default());
    let fifo = data.path().join("disk");
    assert!(process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let failpoint = format!("store.before_sync@{}", fifo.display());
    let server = Process::spawn(failing_at(&failpoint), data.path(), &["--appends-max", "2"]).await;
    let mut subscription = Subscription::open(&client, &server.url("/v1/events?topic=fault:*"), None).await;
    subscription.expect("ready").await;

    let mut appends = JoinSet::new();
    let mut append = |id: &str| {
        let (client, url, event) = (client.clone(), server.url(super::STREAM), event(id));
        appends.spawn(async move { (send(&client, &url, &event).await, event) });
    };
    append("1");
    let disk = held(&fifo).await;
    ["2", "3", "4"].iter().for_each(|id| append(id));
    for _ in 0..2 {
        let (answer, event) = timeout(PATIENCE, appends.join_next()).await.unwrap().unwrap().unwrap();
        assert_eq!(account.note(&event, answer), Some(StatusCode::SERVICE_UNAVAILABLE), "only two may wait");
    }
    assert_eq!(get(&client, &server.url("/readyz")).await.status, StatusCode::OK);
    assert_eq!(read_page(&client, &server, "earliest").await.json["events"].as_array().map(Vec::len), Some(0));
    let mut later = Subscription::open(&client, &server.url("/v1/events?topic=fault:*"), None).await;
    later.expect("ready").await;

    let mut is_stored = async || {
        let (answer, event) = timeout(PATIENCE, appends.join_next()).await.unwrap().unwrap().unwrap();
        assert_eq!(account.note(&event, answer), Some(StatusCode::CREATED), "who waited is answered");
        for subscription in [&mut subscription, &mut later] {
            assert_eq!(subscription.expect_event().await.data["id"], event["id"]);
        }
    };
    drop(disk);
    // Only the answer says that the other end was let go. Before that, opening this one again would not wait.
    is_stored().await;
    drop(held(&fifo).await);
    is_stored().await;
    account.check(&client, &server).await;
}

/// The binary as somebody who may not do everything, whoever runs the tests.
fn without_privileges() -> process::Command {
    command_after(r#"[ "$(id -u)" != 0 ] || exec setpriv --bounding-set -all --inh-caps -all "$0" "$@""#)
}

/// Gives a file or a folder other permissions, until this is dropped.
struct Permitted {
    path: PathBuf,
    before: Permissions,
}

impl Permitted {
    fn only(path: PathBuf, mode: u32) -> Self {
        let before = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        Self { path, before }
    }
}

impl Drop for Permitted {
    fn drop(&mut self) {
        let _ = fs::set_permissions(&self.path, self.before.clone());
    }
}

#[tokio::test]
async fn a_folder_that_can_not_be_written_is_refused_by_name() {
    let (data, client, mut account) = (tempfile::tempdir().unwrap(), client(), Account::default());
    let file = |name: &str| data.path().join(name);
    let refused =
        async |name: &str| assert_refused(&run_to_its_end(without_privileges(), data.path()).await, &file(name));
    let folder = Permitted::only(data.path().to_owned(), 0o555);
    assert!(refused("lock").await.contains("Permission denied"));
    drop(folder);

    let server = Process::spawn(without_privileges(), data.path(), &[]).await;
    account.append_all(&client, &server, [event("1")]).await;
    assert!(server.terminate().await.success());
    for (name, path) in [("log.db", data.path().to_owned()), ("log.db", file("log.db")), ("witness", file("witness"))] {
        let is_folder = path.is_dir();
        let _permitted = Permitted::only(path, if is_folder { 0o555 } else { 0o444 });
        let said = refused(name).await;
        assert!(said.contains("writable") || said.contains("Permission denied"), "{said}");
    }

    let server = Process::spawn(without_privileges(), data.path(), &[]).await;
    account.check(&client, &server).await;
    account.append_all(&client, &server, [event("2")]).await;
    account.check(&client, &server).await;
}
