//! A disk that gives back something else than was written: it is found, named and refused, and never served.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
    thread,
};

use highwater_core::{
    envelope::Proposed,
    event::NewEvent,
    topic::Topics,
    version::{Epoch, Sequence},
};
use highwater_server::store::{
    Commit, EventStore, ReadLimit,
    sqlite::{OpenError, SqliteStore, StoreOptions},
};
use highwater_tests::{
    http::{client, event, get},
    seed,
    server::{Process, command},
};
use rand::RngExt;
use reqwest::StatusCode;
use serde_json::Value;

use super::{Account, assert_refused, lines, logged, read_log, read_page, run_to_its_end};

/// A log with so many events, left as a crash leaves it.
async fn crashed(data: &Path, account: &mut Account, events: usize) {
    let (client, server) = (client(), Process::start(data, &[]).await);
    account.append_all(&client, &server, (1..=events).map(|id| event(&id.to_string()))).await;
    account.check(&client, &server).await;
    server.kill().await;
}

#[tokio::test]
async fn a_torn_end_of_the_write_ahead_log_is_passed_over() {
    let (data, client, mut account) = (tempfile::tempdir().unwrap(), client(), Account::default());
    crashed(data.path(), &mut account, 5).await;
    let wal = data.path().join("log.db-wal");
    // A crash while a frame was written: its beginning, as the ones before, and then nothing sensible.
    let torn = [&fs::read(&wal).unwrap()[32..1_500], &[0xa5; 10_000]].concat();
    OpenOptions::new().append(true).open(&wal).unwrap().write_all(&torn).unwrap();
    let server = Process::start(data.path(), &[]).await;
    account.check(&client, &server).await;
    account.append_all(&client, &server, [event("6")]).await;
    account.check(&client, &server).await;
}

#[tokio::test]
async fn a_write_ahead_log_that_lost_what_was_acknowledged_makes_a_new_epoch() {
    let (data, client, mut account) = (tempfile::tempdir().unwrap(), client(), Account::default());
    crashed(data.path(), &mut account, 5).await;
    let wal = OpenOptions::new().write(true).open(data.path().join("log.db-wal")).unwrap();
    wal.set_len(wal.metadata().unwrap().len() - 1).unwrap();
    let server = Process::spawn(logged(command(), data.path()), data.path(), &[]).await;
    let (epoch, log) = read_log(&client, &server).await;
    assert_ne!(Some(&epoch), account.epoch.as_ref());
    assert_eq!(log, ["1", "2", "3", "4"], "what is left is a whole beginning");
    assert!(lines(data.path()).contains("more was served than the log holds"), "{}", lines(data.path()));
    let cursor = format!("{}-5", account.epoch.unwrap());
    assert_eq!(read_page(&client, &server, &cursor).await.code(), "epoch_changed", "who has read it is told");
}

/// Serves five events, the `damaged` one of which is changed on the disk afterwards.
async fn changed(data: &Path, account: &mut Account, damaged: usize) {
    let (client, server) = (client(), Process::start(data, &[]).await);
    let events = (1..=5).map(|id| {
        let mut event = event(&id.to_string());
        event["data"]["text"] = format!("precious {id}").into();
        event
    });
    account.append_all(&client, &server, events).await;
    account.check(&client, &server).await;
    assert!(server.terminate().await.success());
    let log = data.join("log.db");
    let mut bytes = fs::read(&log).unwrap();
    let text = format!("precious {damaged}");
    let at = bytes.windows(text.len()).position(|window| window == text.as_bytes()).expect("its text");
    bytes[at] = b'P';
    fs::write(log, bytes).unwrap();
}

#[tokio::test]
async fn an_event_that_the_disk_has_changed_is_not_served() {
    let (data, client, mut account) = (tempfile::tempdir().unwrap(), client(), Account::default());
    changed(data.path(), &mut account, 3).await;
    let server = Process::spawn(logged(command(), data.path()), data.path(), &[]).await;
    let page = get(&client, &server.url("/v1/events?topic=fault:*&after=earliest")).await;
    assert_eq!(page.json["events"].as_array().map(Vec::len), Some(2), "what is before it is served: {page:?}");
    let after = page.json["next"].as_str().unwrap();
    let beyond = [
        format!("/v1/events?topic=fault:*&after={after}"),
        format!("/v1/events?topic=fault:a&after={after}"),
        "/v1/streams/fault:a?from_revision=3".to_owned(),
    ];
    for path in beyond {
        let answer = get(&client, &server.url(&path)).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::SERVICE_UNAVAILABLE, "unavailable"), "{answer:?}");
    }
    let said = lines(data.path());
    assert!(said.contains("log.db is damaged") && said.contains("event 3 is not what was recorded"), "{said}");
    let rest: Value = get(&client, &server.url("/v1/streams/fault:a?from_revision=4")).await.json;
    assert_eq!(rest["events"].as_array().map(Vec::len), Some(2), "{rest}");
    account.append_all(&client, &server, [event("6")]).await;
}

#[tokio::test]
async fn a_log_whose_end_the_disk_has_changed_is_refused_by_name() {
    let (data, mut account) = (tempfile::tempdir().unwrap(), Account::default());
    changed(data.path(), &mut account, 5).await;
    let said = assert_refused(&run_to_its_end(command(), data.path()).await, &data.path().join("log.db"));
    assert!(said.contains("event 5 is not what was recorded") && said.contains("a copy of it"), "{said}");
}

const NAMES: [&str; 3] = ["fault:a", "fault:b", "fault:c"];
const EVENTS: usize = 60;
const PAGE_BYTES: usize = 4_096;

/// What a log says, or nothing where it said that it can't be read.
type Said = Option<Vec<Vec<u8>>>;

/// All of the log, then of each stream, as a reader gets it page by page.
async fn said(store: &SqliteStore) -> Vec<Said> {
    let limit = ReadLimit { events: 7, bytes: usize::MAX };
    let mut all = vec![log(store, limit).await];
    for name in NAMES {
        let from = 1_u64.try_into().unwrap();
        let whole = ReadLimit { events: usize::MAX, bytes: usize::MAX };
        let page = store.read_stream(&name.parse().unwrap(), from, whole).await;
        let events = page.map(|page| page.map_or_else(Vec::new, |page| page.events));
        all.push(events.ok().map(|events| events.into_iter().map(|event| event.envelope.to_vec()).collect()));
    }
    all
}

async fn log(store: &SqliteStore, limit: ReadLimit) -> Said {
    let topics = Topics::new(["fault:*"]).unwrap();
    let (mut events, mut after) = (Vec::new(), Sequence::ZERO);
    loop {
        let page = store.read_log(&topics, after, limit).await.ok()?;
        events.extend(page.events.into_iter().map(|event| event.envelope.to_vec()));
        after = page.next;
        if after == page.head {
            return Some(events);
        }
    }
}

/// A process that another test is about to start has all that this one has open, the lock too, until it runs.
fn open(folder: &Path) -> Result<SqliteStore, OpenError> {
    loop {
        match SqliteStore::open(folder, StoreOptions::default()) {
            Err(OpenError::Locked { .. }) => thread::yield_now(),
            opened => return opened,
        }
    }
}

/// A whole log, and what it says.
async fn good_log(folder: &Path) -> (Vec<u8>, Epoch, Vec<Said>) {
    let store = SqliteStore::open(folder, StoreOptions::default()).unwrap();
    for number in 0..EVENTS {
        let event = NewEvent::new(
            NAMES[number % NAMES.len()].parse().unwrap(),
            "p".parse().unwrap(),
            "note.taken.v1".parse().unwrap(),
        );
        let commit = Commit { events: vec![Proposed::from(event)], ..Commit::default() };
        store.commit(commit).await.unwrap();
    }
    let said = said(&store).await;
    store.close().await;
    (fs::read(folder.join("log.db")).unwrap(), store.epoch(), said)
}

#[tokio::test]
async fn whatever_page_is_damaged_only_what_was_recorded_is_served() {
    let mut rng = seed::random();
    let folder = tempfile::tempdir().unwrap();
    let (good, epoch, expected) = good_log(folder.path()).await;
    let witness = fs::read(folder.path().join("witness")).unwrap();
    let mut found = 0;
    for page in 0..good.len() / PAGE_BYTES {
        for flipped in [0, 1, 1, 1, 1, 1, 1, PAGE_BYTES] {
            let mut damaged = good.clone();
            match flipped {
                0 => damaged[page * PAGE_BYTES..][..PAGE_BYTES].fill(0),
                count => {
                    for _ in 0..count {
                        damaged[page * PAGE_BYTES + rng.random_range(0..PAGE_BYTES)] ^= 1 << rng.random_range(0..8);
                    }
                }
            }
            for beside in ["log.db-wal", "log.db-shm"] {
                let _ = fs::remove_file(folder.path().join(beside));
            }
            fs::write(folder.path().join("log.db"), damaged).unwrap();
            fs::write(folder.path().join("witness"), &witness).unwrap();
            match open(folder.path()) {
                Err(error) => {
                    assert!(error.to_string().contains("log.db"), "{error}");
                    found += 1;
                }
                Ok(store) => {
                    for (at, (said, expected)) in said(&store).await.iter().zip(&expected).enumerate() {
                        let (Some(said), Some(expected)) = (said, expected) else {
                            found += 1;
                            continue;
                        };
                        let is_whole = said == expected;
                        // An index that hides a stream's ends hides them from nobody who reads the log.
                        let is_part = expected.windows(said.len().max(1)).any(|part| part == said) || said.is_empty();
                        assert!(is_part, "page {page}, {flipped} bits: what is served was recorded");
                        assert!(
                            is_whole || at > 0 || store.epoch() != epoch,
                            "page {page}, {flipped} bits: the log is cut"
                        );
                    }
                    store.close().await;
                }
            }
        }
    }
    println!("found {found} times in {} pages", good.len() / PAGE_BYTES);
    assert!(found > 0);
}
