//! How the writer fails: a full disk and a witness that can't be written, each made with what really exists.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use futures_util::{FutureExt, future::join_all};
use highwater_core::{
    event::{Limits, NewEvent},
    version::Epoch,
};
use shuttle::future::{block_on, spawn, yield_now};
use tempfile::TempDir;

use super::*;
use crate::host::Machine;
use crate::store::{
    Commit, CommitError, Expectation, Expected,
    sqlite::{
        prepare::prepare,
        queue::{Failing, Queue},
        schema,
        witness::{Testimony, Witness},
    },
};
use crate::sync::explore;

fn epoch() -> Epoch {
    Epoch::from_bits(42)
}

fn writer() -> (Writer, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let database = schema::open_or_create(&schema::path(folder.path()), epoch).unwrap();
    let tail = Tail::default();
    let witness = Witness::establish(folder.path(), Testimony { epoch: epoch(), served: Sequence::ZERO }).unwrap();
    let (head, failing) = (watch::Sender::new(Sequence::ZERO), Failing::default());
    let (limits, metrics) = (Limits::default(), StoreMetrics::default());
    let host = Arc::new(Machine);
    let writer = Writer { database, witness, head, failing, tail, counted: tail, limits, metrics, host };
    (writer, folder)
}

fn unnamed() -> NewEvent {
    NewEvent::new("a:1".parse().unwrap(), "p".parse().unwrap(), "task.changed.v1".parse().unwrap())
}

fn event(id: &str) -> NewEvent {
    NewEvent { id: Some(id.parse().unwrap()), ..unnamed() }
}

fn one(id: &str) -> PreparedCommit {
    prepare(Commit { events: vec![event(id).into()], ..Commit::default() }, &Limits::default()).unwrap()
}

/// A commit of as much data as an event may have.
fn large(id: &str) -> PreparedCommit {
    let data = highwater_core::event::Data::Binary(vec![7; 200 * 1024]);
    let event = NewEvent { data, ..event(id) };
    prepare(Commit { events: vec![event.into()], ..Commit::default() }, &Limits::default()).unwrap()
}

/// Lets the database grow to so many pages and no further.
fn bound(writer: &Writer, pages: i64) {
    writer.database.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
}

/// Lets the writer take one group from its queue.
async fn turn(writer: &mut Writer, jobs: &mut mpsc::Receiver<Job>) {
    let job = jobs.recv().await.unwrap();
    writer.commit(gather(job, jobs)).await;
}

fn sequences(outcomes: &[Outcome]) -> Vec<u64> {
    outcomes.iter().map(|outcome| outcome.as_ref().unwrap().sequence().get()).collect()
}

fn served(folder: &Path) -> u64 {
    Witness::testimony(folder).unwrap().unwrap().served.get()
}

#[tokio::test]
async fn a_refused_commit_leaves_the_others_of_its_group() {
    let (mut writer, _folder) = writer();
    let stream = "a:1".parse().unwrap();
    let mut wrong = one("2");
    wrong.expectations = vec![Expectation { stream, expected: Expected::At(7_u64.try_into().unwrap()) }];
    let mut outcomes = writer.store(vec![one("1"), wrong, one("3"), one("1")]).await.unwrap();
    assert!(matches!(outcomes.remove(1), Err(CommitError::RevisionConflict { .. })));
    assert_eq!(sequences(&outcomes), [1, 2, 1]);
    assert_eq!(writer.tail.sequence.get(), 2);
}

#[tokio::test]
async fn a_full_disk_fails_the_whole_group_and_no_later_one() {
    let (mut writer, _folder) = writer();
    writer.store(vec![one("1")]).await.unwrap();
    let pages: i64 = writer.database.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    bound(&writer, pages);
    for _ in 0..3 {
        let full = writer.store(vec![one("2"), large("3")]).await.unwrap_err();
        assert!(full.reason.contains("full"), "{full}");
        assert!(writer.database.is_autocommit(), "nothing is left open");
        assert_eq!(writer.tail.sequence.get(), 1);
    }
    bound(&writer, 1_000_000);
    assert_eq!(sequences(&writer.store(vec![one("2"), large("3")]).await.unwrap()), [2, 3]);
}

#[tokio::test]
async fn a_transaction_left_open_is_closed_before_the_next_group() {
    let (mut writer, _folder) = writer();
    writer.database.execute_batch("BEGIN; INSERT INTO streams (name) VALUES ('left:over')").unwrap();
    assert_eq!(sequences(&writer.store(vec![one("1")]).await.unwrap()), [1]);
    let left: i64 = writer
        .database
        .query_row("SELECT count(*) FROM streams WHERE name = 'left:over'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn nothing_is_visible_before_the_witness_has_it() {
    let (mut writer, folder) = writer();
    let head = writer.head.subscribe();
    writer.store(vec![one("1")]).await.unwrap();
    assert_eq!((head.borrow().get(), served(folder.path())), (0, 0), "durable, not yet to be seen");
    writer.publish().await.unwrap();
    assert_eq!((head.borrow().get(), served(folder.path())), (1, 1));
}

#[tokio::test]
async fn a_witness_that_fails_is_made_up_for_by_the_next_group() {
    let (mut writer, folder) = writer();
    let head = writer.head.subscribe();
    let (queue, mut jobs) = Queue::new((10, 1 << 20), writer.failing.clone(), writer.metrics.clone());
    let healthy = std::mem::replace(&mut writer.witness, Witness::read_only(folder.path(), epoch()));

    let (outcome, ()) = tokio::join!(queue.submit(one("1")), turn(&mut writer, &mut jobs));
    let Err(CommitError::Unavailable(unavailable)) = outcome else { panic!("{outcome:?}") };
    assert!(unavailable.reason.contains("witness"), "{unavailable}");
    assert_eq!(head.borrow().get(), 0);
    let (checked, ()) = tokio::join!(queue.check(), turn(&mut writer, &mut jobs));
    assert!(checked.unwrap_err().reason.contains("witness"));

    writer.witness = healthy;
    let (outcome, ()) = tokio::join!(queue.submit(one("1")), turn(&mut writer, &mut jobs));
    assert!(outcome.unwrap().all_known, "the retry finds what was stored");
    assert_eq!((head.borrow().get(), served(folder.path())), (1, 1));
}

#[tokio::test]
async fn a_writer_that_fails_says_so_until_a_rehearsal_succeeds() {
    let (mut writer, _folder) = writer();
    let (queue, mut jobs) = Queue::new((10, 1 << 20), writer.failing.clone(), writer.metrics.clone());
    queue.check().await.expect("nothing has failed yet, and nothing is tried");
    let pages: i64 = writer.database.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    bound(&writer, pages);
    let (outcome, ()) = tokio::join!(queue.submit(large("1")), turn(&mut writer, &mut jobs));
    assert!(matches!(outcome, Err(CommitError::Unavailable(_))), "{outcome:?}");
    for _ in 0..2 {
        let (checked, ()) = tokio::join!(queue.check(), turn(&mut writer, &mut jobs));
        assert!(checked.unwrap_err().reason.contains("full"));
    }

    bound(&writer, 1_000_000);
    let (checked, ()) = tokio::join!(queue.check(), turn(&mut writer, &mut jobs));
    checked.unwrap();
    queue.check().await.expect("it is known again");
    let streams: i64 = writer.database.query_row("SELECT count(*) FROM streams", [], |row| row.get(0)).unwrap();
    assert_eq!((streams, writer.tail.sequence.get()), (0, 0), "a rehearsal leaves nothing");
    assert_eq!(sequences(&writer.store(vec![large("1")]).await.unwrap()), [1]);
}

/// Some submit one commit after the other, somebody closes the queue: who is taken is answered, and sees what was answered; who is not is told.
#[test]
fn whoever_is_taken_is_answered_whatever_comes_first() {
    const ORDERS: usize = 500;
    let (writer, folder) = writer();
    writer.database.pragma_update(None, "synchronous", "OFF").unwrap();
    let writer = Arc::new(Mutex::new(writer));
    explore(ORDERS, move || {
        let writer = Arc::clone(&writer);
        block_on(async move {
            let (queue, mut jobs) = Queue::new((2, 1 << 20), Failing::default(), StoreMetrics::default());
            let (queue, head) = (Arc::new(queue), writer.lock().unwrap().head.subscribe());
            let before = *head.borrow();
            let writing = spawn(async move {
                while let Some(job) = jobs.recv().await {
                    let committed = writer.lock().unwrap().commit(gather(job, &mut jobs)).now_or_never();
                    committed.expect("no machine of ours has the writer wait");
                }
            });
            let submitters = [0, 1, 2].map(|_| {
                let (queue, head) = (Arc::clone(&queue), head.clone());
                spawn(async move {
                    let mut taken = 0_u64;
                    loop {
                        let commit = Commit { events: vec![unnamed().into()], ..Commit::default() };
                        match queue.submit(prepare(commit, &Limits::default()).unwrap()).await {
                            Ok(committed) => assert!(committed.sequence() <= *head.borrow(), "answered and not seen"),
                            Err(CommitError::Overloaded) => {
                                yield_now().await;
                                continue;
                            }
                            Err(CommitError::Unavailable(_)) => return taken,
                            Err(error) => panic!("{error}"),
                        }
                        taken += 1;
                    }
                })
            });
            for _ in 0..8 {
                yield_now().await;
            }
            queue.close();
            let taken: u64 = join_all(submitters).await.into_iter().map(Result::unwrap).sum();
            writing.await.unwrap();
            assert_eq!(head.borrow().get() - before.get(), taken);
        });
    });
    drop(folder);
}
