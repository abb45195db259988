//! Built anew: beside what serves, by itself where that is not of use any more, and never by halves.

use rusqlite::Connection;

use super::*;

/// How many rows there are of other generations than the one that serves.
fn leftovers(world: &World) -> i64 {
    let database = Connection::open(world.path()).unwrap();
    let count =
        "SELECT count(*) FROM items WHERE generation NOT IN (SELECT id FROM generations WHERE role = 'serving')";
    database.query_row(count, [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn what_is_built_anew_takes_its_place_at_once_and_not_before_it_has_come_as_far() {
    let mut world = World::begin(fragile::<1>(), options());
    world.append((0..20).map(|id| added(&id.to_string(), 1)).collect()).await;
    world.settle().await;
    world.ask(Request::Rebuild).await;

    let (mut last, mut steps, mut was_building) = (Sequence::ZERO, 0, false);
    while world.runner.step().await.unwrap() {
        steps += 1;
        // The log goes on meanwhile, and the server does not.
        if steps % 4 == 0 {
            world.restart();
        }
        if steps < 8 {
            world.append(vec![added("more", 1)]).await;
        }
        let Items { items, position, .. } = world.items("fragile").await;
        assert!(items.len() >= 20, "all are served at every moment");
        let status = world.status().await;
        was_building |= status.building.is_some();
        if status.generation == 1 && status.building.is_some() {
            assert!(position >= last || steps % 4 == 0, "and go on");
        }
        last = position;
    }
    assert!(was_building && steps > 6);
    let status = world.status().await;
    assert_eq!((status.generation, status.building), (2, None));
    assert_eq!(world.sums().await["more"], 7);
    assert_eq!(world.said().await, ["projection.rebuild_requested.v1", "projection.rebuilt.v1"]);
    assert_eq!(leftovers(&world), 0);

    // What has been answered is not done again, whoever reads it.
    world.restart();
    world.settle().await;
    assert_eq!(world.status().await.generation, 2);
    let path = world.path();
    drop((world.runner, world.lists));
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", path.display()));
    }
    let (lists, runner) = Lists::open(&world.broker, fragile::<1>(), &path, &world.options).unwrap();
    let mut world = World { lists, runner, ..world };
    world.settle().await;
    assert_eq!(world.status().await.generation, 1, "the file was deleted, and holds the same again");
    assert_eq!(world.sums().await["more"], 7);
    assert_eq!(world.said().await.len(), 2);
}

#[tokio::test]
async fn where_an_entity_has_another_schema_the_old_lists_serve_until_the_new_ones_are_there() {
    let mut world = World::begin(fragile::<1>(), options());
    let place = world.append((0..10).map(|id| added(&id.to_string(), 1)).collect()).await;
    world.settle().await;
    world.restart_with(fragile::<2>());
    let later = world.append(vec![added("late", 1)]).await;

    let status = world.status().await;
    assert!(status.is_outdated && status.building.is_some(), "{status:?}");
    world.runner.step().await.unwrap();
    let Items { items, position, .. } = world.items("fragile").await;
    assert_eq!((items.len(), position), (10, place), "they say that they stand still");
    assert_eq!(world.sums().await["9"], 1);
    // Another schema yet, before the last one was done.
    world.restart_with(fragile::<3>());
    world.settle().await;
    assert_eq!((world.sums().await["9"], world.sums().await["late"]), (3, 3));
    assert!(world.lists.position() >= later && !world.status().await.is_outdated);
    assert_eq!(leftovers(&world), 0);
    assert_eq!(world.said().await, Vec::<String>::new(), "nobody has asked for it");
}

#[tokio::test]
async fn what_is_of_another_epoch_never_serves() {
    let mut world = World::begin(fragile::<1>(), options());
    world.append((0..10).map(|id| added(&id.to_string(), 1)).collect()).await;
    world.ask(Request::Rebuild).await;
    world.settle().await;
    let before = world.broker.store().epoch();
    let mut world = world.restart_without_witness().await;
    assert_ne!(world.broker.store().epoch(), before);
    let Items { items, position, .. } = world.items("fragile").await;
    assert_eq!((items.len(), position), (0, Sequence::ZERO));
    world.settle().await;
    assert_eq!(world.items("fragile").await.items.len(), 10);
    assert_eq!(leftovers(&world), 0);
    world.lists.close().await;
}

#[tokio::test]
async fn a_file_that_is_not_ours_is_left_alone_and_one_of_another_version_is_made_anew() {
    let mut world = World::begin(fragile::<1>(), options());
    world.append(vec![added("a", 1)]).await;
    world.settle().await;
    let other = world.folder.path().join("other.sqlite");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE theirs (key INTEGER)").unwrap();
    let refused = Lists::open(&world.broker, fragile::<1>(), &other, &options()).err().unwrap();
    assert!(matches!(refused, super::super::OpenError::Foreign { .. }), "{refused}");
    let text = world.folder.path().join("text");
    std::fs::write(&text, "a text, and no database".repeat(100)).unwrap();
    assert!(Lists::open(&world.broker, fragile::<1>(), &text, &options()).is_err());
    assert!(text.exists());

    Connection::open(world.path()).unwrap().pragma_update(None, "user_version", 99).unwrap();
    world.restart();
    assert_eq!(world.items("fragile").await.items.len(), 0);
    world.settle().await;
    assert_eq!(world.sums().await, sums([("a", 1)]));
}
