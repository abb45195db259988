//! States against plain replays of the log, whatever is in memory, in the file, or wrong with it.

use std::{fs, path::PathBuf, sync::atomic::Ordering::Relaxed};

use futures_util::future::join_all;
use highwater_core::{
    decider::{Context, Decider, Projection, Refusal, Rejection},
    domain::{self, task::Task},
    envelope::{Proposed, parse_event},
    event::{Data, Event, NewEvent},
    json::Json,
    version::Version,
};
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::*;
use crate::store::{Commit, probe::Probe};

/// Counts what it is told of. Its schema is to be chosen, since snapshots go by that.
struct Tally<const SCHEMA: u32>;

#[derive(Clone, Debug, Default, PartialEq, Json)]
struct Tallied {
    events: u64,
    sum: u64,
}

#[derive(Clone, Debug, PartialEq, Json)]
struct Added {
    number: u64,
}

highwater_core::events! {
    enum TallyEvent {
        "tally.added.v1" => Added(Added),
    }
}

impl<const SCHEMA: u32> Decider for Tally<SCHEMA> {
    const ENTITY: &'static str = "tally";
    const STREAMS: &'static str = "tallies:*";
    const SCHEMA: u32 = SCHEMA;

    type State = Tallied;
    type Command = ();
    type Event = TallyEvent;

    fn decide((): (), _: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
        Err(Refusal::invalid("no_commands", "a tally only counts").into())
    }

    fn evolve(state: Tallied, TallyEvent::Added(Added { number }): TallyEvent, _: &Event) -> Tallied {
        Tallied { events: state.events + 1, sum: state.sum.wrapping_add(number) }
    }
}

struct World {
    log: Arc<Probe>,
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { log: Arc::new(Probe::open(folder.path())), folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("snapshots.sqlite")
    }

    /// States with nothing in memory, and what snapshots there are.
    fn states(&self, entities: Entities, every: u32) -> States {
        let states = States::new(Arc::clone(&self.log) as _, entities);
        states.with_snapshots(&self.file(), NonZeroU32::new(every).unwrap())
    }

    fn tallies(&self, every: u32) -> States {
        self.states(Entities::new().with::<Tally<1>>(), every)
    }

    async fn append(&self, events: impl IntoIterator<Item = NewEvent>) {
        let events = events.into_iter().map(Proposed::from).collect();
        self.log.commit(Commit { events, ..Commit::default() }).await.unwrap();
    }

    async fn tally(&self, events: usize) {
        let mut events = (0..events).map(|number| added(number as u64)).peekable();
        while events.peek().is_some() {
            self.append(events.by_ref().take(1_000)).await;
        }
    }

    /// How many events it takes to do something.
    async fn reads<T>(&self, work: impl Future<Output = T>) -> (usize, T) {
        let before = self.log.read.load(Relaxed);
        let done = work.await;
        (self.log.read.load(Relaxed) - before, done)
    }

    /// Waits until all that is on its way is in the file: what comes last is written last.
    async fn written(&self, states: &States, stream: &StreamName) {
        states.snapshot(stream).await.unwrap();
    }
}

fn tally_stream() -> StreamName {
    "tallies:1".parse().unwrap()
}

fn added(number: u64) -> NewEvent {
    event("tallies:1", "tally.added.v1", &format!(r#"{{"number":{number}}}"#))
}

fn event(stream: &str, kind: &str, data: &str) -> NewEvent {
    let (source, kind) = ("tester".parse().unwrap(), kind.parse().unwrap());
    NewEvent { data: Data::json(data).unwrap(), ..NewEvent::new(stream.parse().unwrap(), source, kind) }
}

fn at(sequence: u64) -> At {
    At::Sequence(Sequence::new(sequence).unwrap())
}

fn tallied(state: &Folded) -> Tallied {
    state.state_json().read().unwrap()
}

#[tokio::test]
async fn a_state_in_a_hundred_thousand_events_costs_two_intervals_at_most() {
    const EVENTS: u64 = 100_000;
    const EVERY: u32 = 500;
    let world = World::new();
    world.tally(EVENTS as usize).await;
    let (states, stream) = (world.tallies(EVERY), tally_stream());
    let (reads, _) = world.reads(states.current(&stream)).await;
    assert_eq!(reads as u64, EVENTS, "the first time all of it is read");
    world.written(&states, &stream).await;

    for anew in [false, true] {
        let states = if anew { world.tallies(EVERY) } else { states.clone() };
        for sequence in [1, 2, 499, 500, 501, 999, 1_000, 50_000, 50_250, 77_777, 99_999, EVENTS] {
            let (reads, found) = world.reads(states.at(&stream, at(sequence))).await;
            assert!(reads <= 2 * EVERY as usize, "{reads} events are read for the state at {sequence}");
            let sum = (0..sequence).sum::<u64>();
            assert_eq!(tallied(&found.unwrap().state), Tallied { events: sequence, sum }, "at {sequence}");
        }
        let (reads, _) = world.reads(states.current(&stream)).await;
        assert!(reads as f64 <= 0.01 * EVENTS as f64, "a snapshot cuts 99 % of {EVENTS}: {reads} are left");
    }
}

#[tokio::test]
async fn what_is_in_memory_is_not_read_again() {
    let (world, stream) = (World::new(), tally_stream());
    let states = States::new(Arc::clone(&world.log) as _, Entities::new().with::<Tally<1>>());
    assert_eq!(states.current(&stream).await.unwrap().unwrap().mark().revision, Revision::ZERO);
    world.tally(300).await;
    for (more, expected) in [(0, 300), (0, 0), (7, 7), (0, 0)] {
        world.tally(more).await;
        let (reads, state) = world.reads(states.current(&stream)).await;
        assert_eq!(reads, expected);
        let all = world.log.revision_at(&stream, At::Now).await.unwrap();
        assert_eq!(Some(state.unwrap().unwrap().mark().revision), all);
    }
    world.append([event("tallies:2", "tally.added.v1", "{}")]).await;
    assert_eq!(world.reads(states.at(&stream, At::Now)).await.1.unwrap().through.get(), 308);
}

#[tokio::test]
async fn what_the_log_does_not_tell_is_said() {
    let (world, stream) = (World::new(), tally_stream());
    let states = world.tallies(100);
    assert!(matches!(states.at(&stream, At::Now).await, Err(NoState::NoEvent)));
    assert!(matches!(states.snapshot(&stream).await, Err(NoSnapshot::NoState(NoState::NoEvent))));
    world.append([event("a:b", "x.y.v1", "1"), added(5), added(6)]).await;
    assert!(matches!(states.at(&stream, at(1)).await, Err(NoState::NoEvent)));
    assert!(matches!(states.at(&stream, at(4)).await, Err(NoState::Ahead { head }) if head.get() == 3));
    assert!(matches!(states.at(&"a:b".parse().unwrap(), At::Now).await, Err(NoState::NoEntity)));
    let then = states.at(&stream, at(2)).await.unwrap();
    assert_eq!((then.entity, then.through.get(), then.head.get()), ("tally", 2, 3));
    assert_eq!(tallied(&then.state), Tallied { events: 1, sum: 5 });
    let without = States::new(Arc::clone(&world.log) as _, Entities::new().with::<Tally<1>>());
    assert!(matches!(without.snapshot(&stream).await, Err(NoSnapshot::NotKept)));
}

#[tokio::test]
async fn what_no_checksum_vouches_for_is_read_in_full() {
    let (world, stream) = (World::new(), tally_stream());
    world.append([added(5), added(6)]).await;
    {
        // As a row is from before there were checksums, and harmed since.
        let log = rusqlite::Connection::open(world.folder.path().join("log.db")).unwrap();
        let harm = "UPDATE events SET checksum = NULL, envelope = replace(envelope, '\"number\"', 'number') WHERE sequence = 2";
        assert_eq!(log.execute(harm, []).unwrap(), 1);
    }
    let refused = world.tallies(100).current(&stream).await.err().unwrap();
    assert!(refused.reason.contains("what is stored at 2 is no event"), "{refused}");
}

#[tokio::test]
async fn a_snapshot_of_another_schema_or_another_log_is_not_used() {
    let (world, stream) = (World::new(), tally_stream());
    world.tally(250).await;
    let of_schema_2 = || world.states(Entities::new().with::<Tally<2>>(), 100);
    world.written(&world.tallies(100), &stream).await;
    assert_eq!(world.reads(world.tallies(100).current(&stream)).await.0, 0);

    assert_eq!(world.reads(of_schema_2().current(&stream)).await.0, 250, "the schema is another one");
    world.written(&of_schema_2(), &stream).await;
    assert_eq!(world.reads(of_schema_2().current(&stream)).await.0, 0);
    assert_eq!(world.reads(world.tallies(100).current(&stream)).await.0, 250, "those of before are dropped");
    world.written(&world.tallies(100), &stream).await;

    world.log.is_other_log.store(true, Relaxed);
    assert_eq!(world.reads(world.tallies(100).current(&stream)).await.0, 250, "the log is another one");
}

#[tokio::test]
async fn snapshots_that_are_ahead_of_the_log_are_not_used() {
    let (world, stream) = (World::new(), tally_stream());
    world.tally(250).await;
    world.written(&world.tallies(100), &stream).await;
    let shorter = World::new();
    shorter.tally(120).await;
    // As if somebody had put the log back and left the snapshots: of the same epoch, and shorter.
    let database = rusqlite::Connection::open(world.file()).unwrap();
    database.execute("UPDATE log SET epoch = ?", [shorter.log.epoch().as_str()]).unwrap();
    database.close().unwrap();
    fs::copy(world.file(), shorter.file()).unwrap();
    let (reads, state) = shorter.reads(shorter.tallies(100).current(&stream)).await;
    assert_eq!((reads, tallied(&state.unwrap().unwrap()).events), (120, 120));
}

#[tokio::test]
async fn a_damaged_file_is_put_aside_and_begun_anew() {
    let (world, stream) = (World::new(), tally_stream());
    world.tally(250).await;
    let other_program = |path: &std::path::Path| {
        let database = rusqlite::Connection::open(path).unwrap();
        database.execute_batch("CREATE TABLE theirs (x)").unwrap();
    };
    let damages: [&dyn Fn(&std::path::Path); 3] = [
        &|path| fs::write(path, "no database at all, and longer than its header is".repeat(100)).unwrap(),
        &|path| {
            let mut bytes = fs::read(path).unwrap();
            bytes[100..].fill(0x5a);
            fs::write(path, bytes).unwrap();
        },
        &|path| {
            fs::remove_file(path).unwrap();
            other_program(path);
        },
    ];
    let aside = world.folder.path().join("snapshots.sqlite.damaged");
    for damage in damages {
        world.written(&world.tallies(100), &stream).await;
        for beside in ["snapshots.sqlite-wal", "snapshots.sqlite-shm"] {
            drop(fs::remove_file(world.folder.path().join(beside)));
        }
        damage(&world.file());
        let (reads, state) = world.reads(world.tallies(100).current(&stream)).await;
        assert_eq!((reads, tallied(&state.unwrap().unwrap()).events), (250, 250));
        fs::remove_file(&aside).expect("it is put aside");
        world.written(&world.tallies(100), &stream).await;
        assert_eq!(world.reads(world.tallies(100).current(&stream)).await.0, 0, "and new ones are kept");
    }
}

#[tokio::test]
async fn a_snapshot_that_is_damaged_gives_way_to_the_one_before() {
    let (world, stream) = (World::new(), tally_stream());
    world.tally(250).await;
    world.written(&world.tallies(100), &stream).await;
    let database = rusqlite::Connection::open(world.file()).unwrap();
    let spoil =
        "UPDATE snapshots SET snapshot = replace(snapshot, '\"events\":2', '\"events\":3') WHERE revision >= 200";
    assert_eq!(database.execute(spoil, []).unwrap(), 2);
    database.close().unwrap();
    let states = world.tallies(100);
    let (reads, state) = world.reads(states.current(&stream)).await;
    assert_eq!((reads, tallied(&state.unwrap().unwrap()).events), (150, 250));
}

#[tokio::test]
async fn without_a_file_nothing_fails() {
    let (world, stream) = (World::new(), tally_stream());
    world.tally(250).await;
    fs::create_dir(world.file()).unwrap();
    let states = world.tallies(100);
    assert_eq!(tallied(&states.current(&stream).await.unwrap().unwrap()).events, 250);
    assert!(matches!(states.snapshot(&stream).await, Err(NoSnapshot::NoState(NoState::Unavailable(_)))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_never_goes_back_however_many_ask() {
    let (world, stream) = (World::new(), tally_stream());
    let states = world.tallies(10);
    let writing = async {
        for _ in 0..40 {
            world.tally(7).await;
        }
    };
    let readers = join_all((0..16).map(|_| {
        let (states, stream) = (states.clone(), stream.clone());
        tokio::spawn(async move {
            let mut last = 0;
            while last < 280 {
                let state = states.current(&stream).await.unwrap().unwrap();
                let (events, revision) = (tallied(&state).events, u64::from(state.mark().revision.get()));
                assert!(events == revision && events >= last, "{events} events at revision {revision}, after {last}");
                last = events;
                tokio::task::yield_now().await;
            }
        })
    }));
    let (_, readers) = tokio::join!(writing, readers);
    readers.into_iter().for_each(|reader| reader.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_many_ask_for_is_folded_once() {
    let (world, stream) = (World::new(), tally_stream());
    world.tally(2_500).await;
    let states = world.tallies(1_000);
    let ask = || {
        let (states, stream) = (states.clone(), stream.clone());
        tokio::spawn(async move { states.current(&stream).await.unwrap().unwrap() })
    };
    let (reads, _) = world.reads(async { join_all((0..32).map(|_| ask())).await }).await;
    assert_eq!(reads, 2_500);
}

/// An event of a task, or nearly: its type, its data, and how far below the stream's version it is.
fn task_event() -> impl Strategy<Value = (String, String, u32)> {
    let known = prop::sample::select(vec![
        ("requirement_gathered.v1", r#"{"requirement":"sort"}"#),
        ("planned.v1", r#"{"steps":["a","b"]}"#),
        ("code_generated.v1", r#"{"code":"1","hash":"x"}"#),
        ("code_refined.v1", r#"{"code":"2"}"#),
        ("test_generated.v1", r#"{"count":3}"#),
        ("bug_report_received.v1", r#"{"bug":"it fails","code_hash":"x"}"#),
        ("correction_started.v1", "{}"),
        ("correction_completed.v1", r#"{"code":"3","hash":"y","addresses":["nobody"]}"#),
        ("quality_checked.v1", r#"{"passed":true}"#),
        ("user_intervened.v1", r#"{"note":"stop"}"#),
        ("planned.v2", r#"{"steps":[]}"#),
        ("never_heard_of.v1", "null"),
        ("planned.v1", r#"{"steps":7}"#),
        ("code_generated.v1", "[]"),
    ]);
    (known, 0..3_u32).prop_map(|((kind, data), below)| (format!("task.{kind}"), data.to_owned(), below))
}

#[test]
fn a_snapshot_and_the_tail_are_a_full_replay() {
    const STREAM: &str = "space:1:tasks:a";
    let runtime = Runtime::new().unwrap();
    let config = ProptestConfig { cases: 16, ..ProptestConfig::default() };
    let streams = (
        prop::collection::vec(task_event(), 1..120),
        1..20_u32,
        prop::collection::vec(any::<prop::sample::Index>(), 12),
    );
    proptest!(config, |((events, every, asked) in streams)| {
        runtime.block_on(async {
            let (world, stream) = (World::new(), STREAM.parse().unwrap());
            let mut current = 0;
            for (kind, data, below) in &events {
                let raises = kind.contains("code_") || kind.contains("completed");
                current += u32::from(raises && *below == 0);
                let version = Version::new(current.saturating_sub(*below).into()).ok();
                world.append([NewEvent { version, ..event(STREAM, kind, data) }]).await;
            }
            let mut states = world.states(domain::entities(), every);
            for (number, index) in asked.iter().enumerate() {
                let upto = index.index(events.len()) + 1;
                let found = states.at(&stream, at(upto as u64)).await.unwrap();
                assert_eq!(found.state.snapshot(), replay(&world, &stream, upto).await, "after {upto} events");
                match number % 3 {
                    0 => world.written(&states, &stream).await,
                    1 => states = world.states(domain::entities(), every),
                    _ => {}
                }
                let now = states.current(&stream).await.unwrap().unwrap();
                assert_eq!(now.snapshot(), replay(&world, &stream, events.len()).await);
            }
        });
    });
}

/// What so many events of a task come to, by nothing but the core.
async fn replay(world: &World, stream: &StreamName, events: usize) -> String {
    let limit = ReadLimit { events, bytes: usize::MAX };
    let page = world.log.read_stream(stream, Revision::ZERO, limit).await.unwrap().unwrap();
    let mut projection = Projection::<Task>::default();
    for stored in page.events {
        projection.apply(&parse_event(&stored.envelope).unwrap());
    }
    projection.snapshot()
}
