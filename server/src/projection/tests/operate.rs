//! What can't be folded, and what operators do about it.

use highwater_core::decider::SetAside;

use super::*;

#[tokio::test]
async fn a_poisoned_event_is_set_aside_and_stops_nothing() {
    blow("poison");
    let mut world = World::begin(fragile::<1>(), ListsOptions { batch_events_max: 500, ..options() });
    let unreadable = event("space:1:fragile:a", "fragile.added.v1", &json!({ "number": "seven" }));
    let events = vec![added("a", 1), fused("a", "poison"), added("a", 2), unreadable, added("a", 4), added("b", 1)];
    world.append(events).await;
    // Nothing is said to have been set aside that is only old.
    world.append(vec![about(5, added("c", 1)), about(2, fused("c", "poison"))]).await;
    world.settle().await;
    assert_eq!(world.sums().await, sums([("a", 7), ("b", 1), ("c", 1)]));

    let status = world.status().await;
    let named: Vec<_> = status.set_aside.iter().map(|event| (event.sequence.get(), event.kind.as_deref())).collect();
    assert_eq!(named, [(2, Some("fragile.fused.v1")), (4, Some("fragile.added.v1"))]);
    assert!(status.set_aside[0].reason.contains("poison has blown"), "{status:?}");
    assert!(status.set_aside[1].reason.contains("'number' must be a whole number"), "{status:?}");
    assert_eq!(status.set_aside[0].stream.as_deref(), Some("space:1:fragile:a"));
    assert_eq!((status.set_aside_count, status.unlisted, status.set_aside[0].tries), (2, 0, 1));

    let items = world.items("fragile").await.items;
    assert_eq!(items[0].revision.get(), 5, "the mark has moved over it");
    assert_eq!(items[0].set_aside, SetAside { stale: 0, unknown: 0, unreadable: 2 });
    assert_eq!(items[2].set_aside, SetAside { stale: 1, unknown: 0, unreadable: 0 });
}

#[tokio::test]
async fn what_was_set_aside_is_folded_in_its_place_once_it_can_be() {
    blow("mended later");
    let mut world = World::begin(fragile::<1>(), options());
    let events = vec![added("a", 1), fused("a", "mended later"), added("a", 2), fused("b", "mended later")];
    let place = world.append(events).await;
    world.settle().await;
    let retry = |world: &World, at| Request::Retry(world.position(Sequence::new(at).unwrap()));

    world.ask(retry(&world, 2)).await;
    world.settle().await;
    let status = world.status().await;
    assert_eq!((status.set_aside[0].tries, status.set_aside_count), (2, 2), "it still can't be");

    mend("mended later");
    world.ask(retry(&world, 2)).await;
    // Whatever comes meanwhile is folded once.
    world.append(vec![added("a", 4)]).await;
    world.restart();
    world.settle().await;
    assert_eq!(world.sums().await, sums([("a", 1_007), ("b", 0)]));
    let status = world.status().await;
    assert_eq!((status.set_aside_count, status.set_aside[0].sequence), (1, place));

    // What is set aside nowhere, or in another log, is refused.
    world.ask(retry(&world, 2)).await;
    world.ask(Request::Retry("k3x9q7ma-4".parse().unwrap())).await;
    world.settle().await;
    let [asked, retried, refused] =
        ["retry_requested", "event_retried", "request_refused"].map(|name| format!("projection.{name}.v1"));
    let mut said = world.said().await;
    said.retain(|kind| *kind != asked);
    assert_eq!(said, [retried.clone(), retried, refused.clone(), refused]);
    let outcome = world.events(Sequence::MAX).await.into_iter().rfind(|event| event.kind.as_str().contains("retried"));
    let Some(Event { data: Data::Json(data), causation_id: Some(_), .. }) = outcome else { panic!("{outcome:?}") };
    let data: Value = serde_json::from_str(data.get()).unwrap();
    assert_eq!(
        (&data["is_folded"], &data["position"]),
        (&json!(true), &json!(world.position(Sequence::new(2).unwrap()).to_string()))
    );
}

#[tokio::test]
async fn what_is_discarded_stays_so_however_often_the_lists_are_built() {
    blow("discarded");
    let mut world = World::begin(fragile::<1>(), options());
    world.append(vec![fused("a", "discarded"), fused("b", "discarded")]).await;
    world.settle().await;
    world.ask(Request::Discard(world.position(Sequence::new(1).unwrap()))).await;
    world.settle().await;
    let set_aside = async |world: &World| {
        let status = world.status().await;
        status.set_aside.iter().map(|event| event.sequence.get()).collect::<Vec<_>>()
    };
    assert_eq!(set_aside(&world).await, [2]);
    world.ask(Request::Rebuild).await;
    world.settle().await;
    assert_eq!((set_aside(&world).await, world.status().await.generation), (vec![2], 2));

    // The log says it, and not the file.
    let path = world.path();
    let World { folder, broker, entities, options, lists, runner } = world;
    drop((lists, runner));
    std::fs::remove_file(&path).unwrap();
    let _ = std::fs::remove_file(format!("{}-wal", path.display()));
    let _ = std::fs::remove_file(format!("{}-shm", path.display()));
    let (lists, runner) = Lists::open(&broker, entities.clone(), &path, &options).unwrap();
    let mut world = World { folder, broker, entities, options, lists, runner };
    world.settle().await;
    assert_eq!(set_aside(&world).await, [2]);
}

#[tokio::test]
async fn beyond_its_bound_what_is_set_aside_is_counted_and_stops_nothing() {
    blow("many");
    let mut world = World::begin(fragile::<1>(), ListsOptions { set_aside_max: 2, ..options() });
    world.append((0..5).map(|id| fused(&id.to_string(), "many")).chain([added("after", 1)]).collect()).await;
    world.settle().await;
    let status = world.status().await;
    assert_eq!((status.set_aside_count, status.set_aside_max, status.unlisted), (2, 2, 3));
    assert_eq!(world.sums().await["after"], 1);

    mend("many");
    world.ask(Request::Rebuild).await;
    world.settle().await;
    let status = world.status().await;
    assert_eq!((status.set_aside_count, status.unlisted), (0, 0), "building anew finds them all");
    assert_eq!(world.sums().await["4"], 1_000);
}

#[tokio::test]
async fn what_is_no_event_is_set_aside_where_it_lies() {
    let mut world = World::begin(fragile::<1>(), options());
    world.append(vec![added("a", 1), added("a", 2), added("a", 4), added("b", 1)]).await;
    {
        // Nothing that the server does writes this. Without its checksum the log takes it for what was recorded.
        let log = rusqlite::Connection::open(world.folder.path().join("log.db")).unwrap();
        let damage = "UPDATE events SET checksum = NULL,
            envelope = replace(envelope, '\"specversion\":\"1.0\"', '\"specversion\":\"9\"')";
        log.execute(&format!("{damage} WHERE sequence = 2"), []).unwrap();
        log.execute("UPDATE events SET checksum = NULL, envelope = 'nothing' WHERE sequence = 4", []).unwrap();
    }
    world.settle().await;
    assert_eq!(world.sums().await, sums([("a", 5)]));
    let status = world.status().await;
    let named: Vec<_> = status.set_aside.iter().map(|event| (event.sequence.get(), event.stream.as_deref())).collect();
    assert_eq!(named, [(2, Some("space:1:fragile:a")), (4, None)]);
    world.ask(Request::Retry(world.position(Sequence::new(4).unwrap()))).await;
    world.settle().await;
    assert_eq!(world.status().await.set_aside[1].tries, 2);
}

#[tokio::test]
async fn a_state_that_can_not_be_kept_stops_nothing_but_its_own_stream() {
    let mut world = World::begin(fragile::<1>(), options());
    let unwritable = [added("a", 1), with_status("a", UNWRITABLE), added("a", 2), added("b", 1)];
    world.append(unwritable.into()).await;
    world.settle().await;
    assert_eq!(world.sums().await, sums([("a", 3), ("b", 1)]), "the event that makes such a state is left out");
    let status = world.status().await;
    assert_eq!((status.set_aside_count, status.set_aside[0].sequence.get()), (1, 2));
    assert!(status.set_aside[0].reason.contains(UNWRITABLE), "{status:?}");

    world.append(vec![with_status("c", UNRESTORABLE), added("d", 1)]).await;
    world.settle().await;
    let late = world.append(vec![added("c", 1), added("d", 1)]).await.previous().unwrap();
    world.settle().await;
    let is_late = |event: &&super::super::SetAsideEvent| event.sequence == late;
    assert!(world.status().await.set_aside.iter().any(|event| is_late(&event)));
    assert_eq!(world.sums().await, sums([("a", 3), ("b", 1), ("c", 1), ("d", 2)]));
    world.ask(Request::Retry(world.position(late))).await;
    world.settle().await;
    assert_eq!(world.sums().await["c"], 2, "from the log it can be told");
    assert!(!world.status().await.set_aside.iter().any(|event| is_late(&event)));
}
