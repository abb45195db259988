//! Many at once.

use std::{collections::BTreeMap, pin::pin, task::Poll};

use futures_util::{StreamExt, future::join_all, poll, stream::FuturesUnordered};
use highwater_core::topic::Topics;
use highwater_server::store::EventStore;

use super::{NO_LIMIT, append, event, head, read};

pub(crate) async fn many_producers_leave_no_hole(store: &dyn EventStore) {
    let mut visible = store.head();
    let producers = join_all((0..64).map(async |producer| {
        let mut last = 0;
        for at in 0..20 {
            let stream = format!("a:{}", (producer + at) % 5);
            let committed = append(store, [event(&stream, "shared"), event("b:1", "shared")]).await.unwrap();
            let sequence = committed.events[0].sequence.get();
            assert!(sequence > last, "one producer's commits keep their order");
            last = sequence;
        }
    }));
    let mut heads = Vec::new();
    let watch = async {
        while *visible.borrow_and_update() < super::sequence(64 * 20 * 2) {
            heads.push(visible.borrow().get());
            visible.changed().await.unwrap();
        }
    };
    tokio::join!(producers, watch);
    assert!(heads.is_sorted(), "the head only rises");

    let events = read(store, &["**"]).await;
    assert_eq!(events.len(), 64 * 20 * 2);
    let mut streams: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for event in &events {
        let counters = streams.entry(event.stream.as_str()).or_default();
        counters.push(event.clock.get("shared"));
        assert_eq!(event.revision.get() as usize, counters.len(), "revisions have no hole");
    }
    for counters in streams.values() {
        assert!(counters.iter().copied().eq(1..=counters.len() as u64), "nor do counters");
    }
}

pub(crate) async fn what_is_visible_can_be_read(store: &dyn EventStore) {
    let everything = Topics::new(["**"]).unwrap();
    let mut appends: FuturesUnordered<_> =
        (0..32).map(|_| append(store, [event("a:1", "p"), event("a:2", "p")])).collect();
    let mut visible = store.head();
    while !appends.is_empty() {
        tokio::select! {
            _ = appends.next() => {}
            _ = visible.changed() => {
                let head = *visible.borrow_and_update();
                let page = store.read_log(&everything, super::sequence(0), NO_LIMIT).await.unwrap();
                assert!(page.head >= head, "a head once seen can be read");
                assert_eq!(page.events.len() as u64, page.head.get(), "and nothing above it");
            }
        }
    }
    assert_eq!(head(store), 64);
}

pub(crate) async fn a_cancelled_caller_harms_nobody(store: &dyn EventStore) {
    for _ in 0..20 {
        let mut given_up = pin!(append(store, [event("a:1", "p")]));
        assert!(matches!(poll!(&mut given_up), Poll::Pending | Poll::Ready(Ok(_))));
    }
    let committed = append(store, [event("a:1", "p")]).await.unwrap();
    assert_eq!(committed.events[0].revision.get(), 21, "what was handed in is stored all the same");
}
