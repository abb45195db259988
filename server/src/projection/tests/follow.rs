//! What the lists show of the log, and that it is what a plain fold shows.

use highwater_core::{decider::Folded, domain};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use tokio::runtime::Runtime;

use super::*;

/// What happens to a world.
#[derive(Clone, Debug)]
enum Happening {
    Append(Vec<Fact>),
    Step(usize),
    Restart,
    Rebuild,
}

/// An event, good or not.
#[derive(Clone, Debug)]
struct Fact {
    stream: &'static str,
    kind: &'static str,
    data: Value,
    version: Option<u64>,
}

fn fact() -> impl Strategy<Value = Fact> {
    let stream = prop::sample::select(vec![
        "space:1:tasks:a",
        "space:1:tasks:b",
        "space:2:tasks:a",
        "space:2:fragile:f",
        "space:1:notes:n",
    ]);
    let code = json!({ "code": "1 + 1", "hash": "abc" });
    let said = prop::sample::select(vec![
        ("task.requirement_gathered.v1", json!({ "requirement": "add" })),
        ("task.code_generated.v1", code.clone()),
        ("task.bug_report_received.v1", json!({ "bug": "it subtracts" })),
        ("task.correction_started.v1", json!({})),
        ("task.correction_completed.v1", code),
        ("task.user_intervened.v1", json!({ "note": "stop" })),
        ("task.planned.v9", json!({})),
        ("task.planned.v1", json!({ "steps": 7 })),
        ("fragile.added.v1", json!({ "number": 1, "status": "open" })),
        ("fragile.fused.v1", json!({ "fuse": "always blown" })),
    ]);
    (stream, said, prop::option::of(0..4_u64)).prop_map(|(stream, (kind, data), version)| Fact {
        stream,
        kind,
        data,
        version,
    })
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => prop::collection::vec(fact(), 1..8).prop_map(Happening::Append),
        6 => (1..4_usize).prop_map(Happening::Step),
        2 => Just(Happening::Restart),
        1 => Just(Happening::Rebuild),
    ]
}

fn everything() -> Entities {
    domain::entities().with::<Fragile<1>>()
}

/// What each stream's events up to a place come to, folded one after the other. An event that panics is gone past.
async fn plain(world: &World, until: Sequence) -> BTreeMap<StreamName, Folded> {
    let mut folded: BTreeMap<StreamName, Folded> = BTreeMap::new();
    for event in world.events(until).await {
        let Some(entity) = world.entities.of(&event.stream) else { continue };
        let state = folded.entry(event.stream.clone()).or_insert_with(|| entity.initial());
        if event.kind.as_str() == "fragile.fused.v1" && entity.name() == "fragile" {
            let (revision, version, sequence) = (event.revision, event.version, event.sequence);
            state.pass(highwater_core::version::HighWater { revision, version, sequence }, "");
        } else {
            state.apply(&event);
        }
    }
    folded
}

/// Holds that the lists are what the plain fold is, where they stand.
async fn hold(world: &World) {
    for entity in ["task", "fragile"] {
        let Items { items, position, next } = world.items(entity).await;
        assert_eq!(next, None);
        let mut folded = plain(world, position).await;
        folded.retain(|stream, _| world.entities.of(stream).unwrap().name() == entity);
        assert_eq!(items.len(), folded.len());
        for item in &items {
            let folded = &folded[&item.stream];
            assert_eq!(item.state.get(), folded.state_json().get());
            let mark = folded.mark();
            assert_eq!((item.revision, item.version), (mark.revision, mark.version));
            assert_eq!(item.set_aside, folded.set_aside());
            let state = state(item);
            assert_eq!(item.status.as_deref(), state.get("phase").unwrap_or(&state["status"]).as_str());
        }
        assert!(items.is_sorted_by_key(|item| item.created.0));
    }
}

async fn happen(world: &mut World, happening: Happening) {
    match happening {
        Happening::Append(facts) => {
            let fact = |fact: Fact| {
                let event = event(fact.stream, fact.kind, &fact.data);
                NewEvent { version: fact.version.map(|version| Version::new(version).unwrap()), ..event }
            };
            world.append(facts.into_iter().map(fact).collect()).await;
        }
        Happening::Step(count) => {
            for _ in 0..count {
                world.runner.step().await.unwrap();
                hold(world).await;
            }
        }
        Happening::Restart => world.restart(),
        Happening::Rebuild => world.ask(Request::Rebuild).await,
    }
}

#[test]
fn lists_of_any_log_with_restarts_anywhere_are_what_a_plain_fold_is() {
    blow("always blown");
    let runtime = Runtime::new().unwrap();
    let mut runner = TestRunner::new(Config { cases: 24, max_shrink_iters: 256, ..Config::default() });
    let held = runner.run(&prop::collection::vec(happening(), 1..24), |happenings| {
        runtime.block_on(async {
            let mut world = World::begin(everything(), options());
            let rebuilds = happenings.iter().filter(|happening| matches!(happening, Happening::Rebuild)).count();
            for happening in happenings {
                happen(&mut world, happening).await;
                hold(&world).await;
            }
            world.settle().await;
            hold(&world).await;
            // Whatever was asked for was done once.
            assert_eq!(world.status().await.generation, 1 + rebuilds as i64);
            let rebuilt = world.said().await.into_iter().filter(|kind| kind == "projection.rebuilt.v1").count();
            assert_eq!(rebuilt, rebuilds);
        });
        Ok(())
    });
    if let Err(failure) = held {
        panic!("{failure}");
    }
}

#[tokio::test]
async fn lists_are_by_space_and_status_in_the_order_of_their_beginning() {
    let mut world = World::begin(fragile::<1>(), options());
    let in_space = |space: u8, id: u8, status: &str| {
        let stream = format!("space:{space}:fragile:{id}");
        event(&stream, "fragile.added.v1", &json!({ "number": 1, "status": status }))
    };
    for id in 0..8 {
        world.append(vec![in_space(id % 2, id, if id < 4 { "open" } else { "shut" })]).await;
    }
    world.append(vec![in_space(0, 0, "shut")]).await;
    world.settle().await;
    for (space, status, expected) in [
        (None, None, "01234567"),
        (Some("0"), None, "0246"),
        (None, Some("open"), "123"),
        (Some("0"), Some("shut"), "046"),
        (Some("1"), Some("open"), "13"),
        (Some("2"), None, ""),
    ] {
        for order in [Order::Oldest, Order::Newest] {
            let (mut ids, mut cursor) = (String::new(), None);
            loop {
                let limit = ReadLimit { events: 2, bytes: usize::MAX };
                let (space, status) = (space.map(str::to_owned), status.map(str::to_owned));
                let wanted = Wanted { space, status, order, cursor, limit, ..wanted("fragile") };
                let page = world.lists.items(wanted).await.unwrap();
                assert!(page.items.len() <= 2);
                ids.extend(page.items.iter().map(Item::id));
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            if order == Order::Newest {
                ids = ids.chars().rev().collect();
            }
            assert_eq!(ids, expected, "{space:?} {status:?} {order:?}");
        }
    }
}

#[tokio::test]
async fn a_page_shows_what_may_be_seen_and_goes_on_behind_the_rest() {
    let mut world = World::begin(fragile::<1>(), ListsOptions { batch_events_max: 500, ..options() });
    world.append((0..40).map(|id| added(&id.to_string(), 1)).collect()).await;
    world.settle().await;
    let (mut ids, mut cursor) = (Vec::new(), Some(Sequence::ZERO));
    while cursor.is_some() {
        let is_shown = Box::new(|stream: &StreamName| stream.as_str().ends_with('7'));
        let limit = ReadLimit { events: 3, bytes: 1 };
        let page = world.lists.items(Wanted { cursor, limit, is_shown, ..wanted("fragile") }).await.unwrap();
        // A byte has no room for a second state.
        assert!(page.items.len() <= 1);
        ids.extend(page.items.iter().map(|item| item.id().to_owned()));
        cursor = page.next;
    }
    assert_eq!(ids, ["7", "17", "27", "37"]);
}

#[tokio::test]
async fn who_waits_for_a_place_is_told_once_the_lists_have_come_there() {
    let mut world = World::begin(fragile::<1>(), options());
    let place = world.append(vec![added("a", 1)]).await;
    // An event that is nothing to the lists is a place to wait for all the same.
    let later = world.append(vec![event("space:1:notes:n", "note.taken.v1", &json!({}))]).await;
    let waiting = tokio::spawn({
        let lists = world.lists.clone();
        async move { lists.wait_for(later).await.map(|()| lists.position()) }
    });
    world.settle().await;
    assert!(waiting.await.unwrap().unwrap() >= later);
    world.lists.wait_for(place).await.unwrap();

    let waiting = tokio::spawn({
        let lists = world.lists.clone();
        async move { lists.wait_for(Sequence::MAX).await }
    });
    world.lists.close().await;
    assert!(waiting.await.unwrap().is_err(), "nobody waits for what never comes");
}

#[tokio::test]
async fn a_runner_follows_by_itself_and_ends_with_the_broker() {
    let world = World::begin(fragile::<1>(), options());
    let World { folder, broker, entities, options, lists, runner } = world;
    drop((lists, runner));
    let lists = Lists::start(&broker, entities, &folder.path().join("lists.sqlite"), &options).unwrap();
    for number in 0..20 {
        let events = vec![added("a", number).into()];
        let committed = broker.publish(Commit { events, ..Commit::default() }).await.unwrap();
        lists.wait_for(committed.sequence()).await.unwrap();
        let items = lists.items(wanted("fragile")).await.unwrap();
        assert_eq!(state(&items.items[0])["sum"], (0..=number).sum::<i64>());
    }
    broker.close().await;
    lists.close().await;
    assert!(lists.wait_for(Sequence::MAX).await.is_err());
}
