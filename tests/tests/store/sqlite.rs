//! What only the SQLite store promises: its folder, its lock, its epochs, its bounds; and the rules under random commits.

use std::{fs, path::Path, process::Command};

use futures_util::future::join_all;
use highwater_core::{
    envelope::Proposed,
    event::{Data, NewEvent},
    version::Epoch,
};
use highwater_server::store::{
    CommandKey, Commit, CommitError, EventStore,
    sqlite::{OpenError, SqliteStore, StoreOptions},
};
use proptest::{collection::vec, option, prelude::*};
use tempfile::TempDir;

use super::{append, event, expecting, head, model, named, places, read, recorded, revision, version};

pub(crate) fn fresh() -> (SqliteStore, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (open(folder.path()), folder)
}

fn open(folder: &Path) -> SqliteStore {
    SqliteStore::open(folder, StoreOptions::default()).unwrap()
}

/// Opens, appends so many events, closes. Returns the epoch it was served under.
async fn served(folder: &Path, events: usize) -> Epoch {
    let store = open(folder);
    for _ in 0..events {
        append(&store, [event("a:1", "p")]).await.unwrap();
    }
    store.close().await;
    store.epoch()
}

fn refused(folder: &Path) -> OpenError {
    SqliteStore::open(folder, StoreOptions::default()).err().expect("must not open")
}

#[tokio::test]
async fn a_log_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("made/on/the/way"));
    let first = append(&store, [named("a:1", "p", "1")]).await.unwrap();
    store.close().await;

    let store = open(&folder.path().join("made/on/the/way"));
    assert_eq!(head(&store), 1);
    assert_eq!(append(&store, [named("a:1", "p", "1")]).await.unwrap().events, first.events);
    assert_eq!(places(&append(&store, [named("a:1", "p", "2")]).await.unwrap()), [(2, 2)]);
    let (one, two) = (recorded(&store, "1").await, recorded(&store, "2").await);
    assert!(one.recorded_time <= two.recorded_time);
    assert_eq!(two.clock.to_string(), "p=2");
}

#[tokio::test]
async fn a_folder_has_one_server() {
    let (store, folder) = fresh();
    let error = refused(folder.path());
    assert!(matches!(&error, OpenError::Locked { folder: named } if named == folder.path()), "{error}");
    assert!(error.to_string().contains(&*folder.path().to_string_lossy()), "{error}");
    store.close().await;
    drop(open(folder.path()));
    open(folder.path()).close().await;
}

#[test]
fn a_folder_has_one_server_among_processes() {
    const ROLE: &str = "HIGHWATER_TEST_FOLDER";
    if let Ok(folder) = std::env::var(ROLE) {
        assert!(matches!(refused(Path::new(&folder)), OpenError::Locked { .. }));
        return;
    }
    let (_store, folder) = fresh();
    let itself = Command::new(std::env::current_exe().unwrap())
        .args(["store::sqlite::a_folder_has_one_server_among_processes", "--exact"])
        .env(ROLE, folder.path())
        .output()
        .unwrap();
    assert!(itself.status.success(), "{}", String::from_utf8_lossy(&itself.stdout));
    assert!(String::from_utf8_lossy(&itself.stdout).contains("1 passed"));
}

#[tokio::test]
async fn the_epoch_stays_while_the_witness_agrees() {
    let folder = tempfile::tempdir().unwrap();
    let epoch = served(folder.path(), 0).await;
    for events in [3, 0, 2] {
        assert_eq!(served(folder.path(), events).await, epoch);
    }
}

#[tokio::test]
async fn a_witness_that_is_lost_or_damaged_makes_a_new_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let witness = folder.path().join("witness");
    let mut epoch = served(folder.path(), 3).await;
    let damages: [fn(&Path); 4] = [
        |witness| fs::remove_file(witness).unwrap(),
        |witness| fs::write(witness, "").unwrap(),
        |witness| fs::write(witness, [0xff; 4096]).unwrap(),
        |witness| {
            let mut record = fs::read(witness).unwrap();
            record[30] ^= 1;
            fs::write(witness, record).unwrap();
        },
    ];
    for damage in damages {
        damage(&witness);
        let renewed = served(folder.path(), 1).await;
        assert_ne!(renewed, epoch);
        assert_eq!(served(folder.path(), 0).await, renewed, "and that one stays");
        epoch = renewed;
    }
}

#[tokio::test]
async fn an_empty_log_without_its_witness_makes_a_new_epoch() {
    let (before, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let epoch = served(before.path(), 0).await;
    fs::copy(before.path().join("log.db"), after.path().join("log.db")).unwrap();
    assert_eq!(served(before.path(), 3).await, epoch);
    assert_ne!(served(after.path(), 3).await, epoch, "a backup that was made before anything was served");
}

#[tokio::test]
async fn a_log_put_back_older_makes_a_new_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let (log, copy) = (folder.path().join("log.db"), folder.path().join("copy"));
    let epoch = served(folder.path(), 3).await;
    fs::copy(&log, &copy).unwrap();
    assert_eq!(served(folder.path(), 1).await, epoch);
    fs::copy(&copy, &log).unwrap();
    assert_ne!(served(folder.path(), 0).await, epoch);
}

#[tokio::test]
async fn a_witness_of_another_log_makes_a_new_epoch() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let epoch = served(folder.path(), 3).await;
    let stranger = served(other.path(), 1).await;
    fs::copy(other.path().join("witness"), folder.path().join("witness")).unwrap();
    let renewed = served(folder.path(), 0).await;
    assert!(renewed != epoch && renewed != stranger);
}

#[tokio::test]
async fn what_is_no_log_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.db");
    served(folder.path(), 3).await;
    let good = fs::read(&log).unwrap();

    fs::write(&log, "these are no tables at all. ".repeat(500)).unwrap();
    let error = refused(folder.path());
    assert!(matches!(error, OpenError::Database { .. }), "{error}");
    assert!(error.to_string().contains("log.db") && error.to_string().contains("not a database"), "{error}");

    // The header of an SQLite file has the application's own version at byte 60, its id at byte 68.
    let patched = |at: usize| {
        let mut file = good.clone();
        file[at..at + 4].copy_from_slice(&99_u32.to_be_bytes());
        file
    };
    fs::write(&log, patched(60)).unwrap();
    let error = refused(folder.path());
    assert!(matches!(error, OpenError::UnknownSchema { version: 99, known: 4, .. }), "{error}");
    fs::write(&log, patched(68)).unwrap();
    assert!(matches!(refused(folder.path()), OpenError::Foreign { .. }));

    let mut damaged = good.clone();
    damaged[100..].fill(0xa5);
    fs::write(&log, damaged).unwrap();
    assert!(matches!(refused(folder.path()), OpenError::Database { .. }));

    fs::write(&log, good).unwrap();
    assert_eq!(head(&open(folder.path())), 3, "a refusal changes nothing");
}

#[tokio::test]
async fn a_log_of_an_older_schema_is_served_on() {
    let folder = tempfile::tempdir().unwrap();
    let epoch = served(folder.path(), 3).await;
    // Version 2 knew no commands, version 3 no checksums.
    let older = "DROP TABLE commands; ALTER TABLE events DROP COLUMN checksum; PRAGMA user_version = 2;";
    rusqlite::Connection::open(folder.path().join("log.db")).unwrap().execute_batch(older).unwrap();

    let reading = SqliteStore::open_read_only(folder.path(), StoreOptions::default()).unwrap();
    assert_eq!((head(&reading), read(&reading, &["a:1"]).await.len()), (3, 3));
    reading.close().await;

    let command = Some(CommandKey::new(&"p".parse().unwrap(), &"k".parse().unwrap(), ["this"]));
    let commit = Commit { events: vec![event("a:1", "p").into()], command, ..Commit::default() };
    for all_known in [false, true] {
        let store = open(folder.path());
        assert_eq!(store.epoch(), epoch);
        let committed = store.commit(commit.clone()).await.unwrap();
        assert_eq!((places(&committed), committed.all_known), (vec![(4, 4)], all_known));
        store.close().await;
    }
}

#[tokio::test]
async fn a_folder_that_is_a_file_is_refused_by_name() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = refused(file.path());
    assert!(error.to_string().contains(&*file.path().to_string_lossy()), "{error}");
    assert!(std::error::Error::source(&error).is_none(), "its text says it all: {error}");
}

#[tokio::test]
async fn reading_only_needs_a_log_and_leaves_it_alone() {
    let folder = tempfile::tempdir().unwrap();
    let read_only = || SqliteStore::open_read_only(folder.path(), StoreOptions::default());
    assert!(matches!(read_only(), Err(OpenError::NoLog { .. })));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

    let epoch = served(folder.path(), 3).await;
    let before = fs::read(folder.path().join("log.db")).unwrap();
    fs::remove_file(folder.path().join("witness")).unwrap();
    let store = read_only().unwrap();
    assert!(matches!(refused(folder.path()), OpenError::Locked { .. }));
    assert_eq!((store.epoch(), read(&store, &["**"]).await.len()), (epoch, 3));
    assert!(matches!(append(&store, [event("a:1", "p")]).await, Err(CommitError::Unavailable(_))));
    store.close().await;
    assert_eq!(fs::read(folder.path().join("log.db")).unwrap(), before);
}

#[tokio::test]
async fn what_does_not_fit_the_queue_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path(), StoreOptions { queue_events_max: 4, ..Default::default() }).unwrap();
    let outcomes = join_all((0..1_000).map(|_| append(&store, [event("a:1", "p")]))).await;
    let stored = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let overloaded = outcomes.iter().filter(|outcome| matches!(outcome, Err(CommitError::Overloaded))).count();
    assert!(stored >= 4 && overloaded > 0 && stored + overloaded == 1_000, "{stored} {overloaded}");
    assert_eq!(head(&store), stored as u64);
    append(&store, (0..100).map(|_| event("a:1", "p"))).await.expect("one that is larger than the queue gets in alone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_stores_what_was_accepted_and_refuses_the_rest() {
    let (store, folder) = fresh();
    let appends = join_all((0..200).map(|_| append(&store, [event("a:1", "p")])));
    let (outcomes, (), ()) = tokio::join!(appends, store.close(), store.close());
    let stored = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let is_right = |outcome: &Result<_, _>| matches!(outcome, Ok(_) | Err(CommitError::Unavailable(_)));
    assert!(outcomes.iter().all(is_right));
    assert!(matches!(append(&store, [event("a:1", "p")]).await, Err(CommitError::Unavailable(_))));
    assert!(
        store
            .read_log(&highwater_core::topic::Topics::new(["**"]).unwrap(), super::sequence(0), super::NO_LIMIT)
            .await
            .is_err()
    );
    assert_eq!(head(&open(folder.path())), stored as u64, "closed, it has let go of its folder");
}

fn any_event() -> impl Strategy<Value = NewEvent> {
    let id = prop_oneof![1 => 0..6_u32, 2 => 6..2_000_u32];
    let given_version = option::weighted(0.4, prop_oneof![9 => 0..6_u32, 1 => Just(2_000)]);
    let given_clock = option::weighted(0.2, (1..9_u64, 1..9_u64));
    let cause = option::weighted(0.4, 0..8_u32);
    (0..3_usize, 0..3_usize, id, given_version, given_clock, cause, 0..8_u32).prop_map(
        |(stream, source, id, given_version, clock, cause, content)| {
            let source = ["p", "q", "r"][source];
            let mut event = named(["a:1", "a:2", "b:1"][stream], source, &format!("i{id}"));
            event.version = given_version.map(version);
            event.clock = clock.map(|(own, other)| {
                let mut clock: highwater_core::clock::VectorClock = format!("z={other}").parse().unwrap();
                clock.set(source, own).unwrap();
                clock
            });
            event.causation_id = cause.map(|cause| format!("i{cause}").parse().unwrap());
            if content == 0 {
                event.data = Data::None;
            }
            event
        },
    )
}

fn any_commit() -> impl Strategy<Value = Commit> {
    let expectation = (0..3_usize, 0..4_u32).prop_map(|(stream, at)| expecting(["a:1", "a:2", "b:1"][stream], at));
    let proposed = (any_event(), option::weighted(0.2, 0..4_u32))
        .prop_map(|(event, expected)| Proposed { event, expected_revision: expected.map(revision) });
    (vec(proposed, 1..5), vec(expectation, 0..2), any::<bool>()).prop_map(|(events, expectations, monotonic)| Commit {
        events,
        expectations,
        monotonic,
        ..Commit::default()
    })
}

fn named_error(error: &CommitError) -> String {
    match error {
        CommitError::IdConflict { index } => format!("IdConflict {index}"),
        CommitError::RevisionConflict { stream, .. } => format!("RevisionConflict {stream}"),
        CommitError::VersionJump { index, .. } => format!("VersionJump {index}"),
        CommitError::StaleVersion { index, .. } => format!("StaleVersion {index}"),
        CommitError::ClockReused { index, .. } => format!("ClockReused {index}"),
        other => panic!("{other}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Random commits, some sent again, and a restart in between, are answered and stored as by the model.
    #[test]
    fn random_commits_are_answered_as_by_the_model(commits in vec((any_commit(), any::<bool>()), 1..24), restart_at in 0..24_usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut store, folder) = fresh();
            let mut model = model::Model::default();
            for (at, (commit, again)) in commits.iter().enumerate() {
                if at == restart_at {
                    store.close().await;
                    store = open(folder.path());
                }
                for _ in 0..=usize::from(*again) {
                    let answer = store.commit(commit.clone()).await;
                    let answer = answer.map(|it| (places(&it), it.all_known)).map_err(|error| named_error(&error));
                    assert_eq!(answer, model.commit(commit), "commit {at}: {commit:?}");
                }
            }
            assert_eq!(*store.head().borrow(), model.head());
            for (stored, (_, expected)) in read(&store, &["**"]).await.iter().zip(&model.log) {
                let summary = |event: &highwater_core::event::Event| {
                    (event.sequence, event.revision, event.version, event.clock.clone(), event.id.clone(), event.data.clone())
                };
                assert_eq!(summary(stored), summary(expected));
            }
            store.close().await;
        });
    }
}
