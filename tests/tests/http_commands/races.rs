//! Commands that many give at once: all come to an end, and what they come to is what they would one after the other.

use futures_util::future::join_all;
use highwater_tests::http::{client, command};

use super::{add, counter_url, log, send_with, server, transfer, values};

const CLIENTS: usize = 64;

/// All race for one stream, and all come to an end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_to_a_contended_stream_gets_a_turn() {
    let (server, client) = (server().await, client());
    let race = join_all((0..CLIENTS).map(|number| {
        let (client, url) = (client.clone(), counter_url(&server, "a"));
        async move {
            for round in 0..4 {
                let key = format!("{number}-{round}");
                let answer = command(&client, &url, Some(&key), &add(&format!("client-{number}"), 1)).await;
                assert!(answer.status.is_success(), "{answer:?}");
            }
        }
    }));
    race.await;
    let log = log(&client, &server).await;
    assert_eq!(values(&log), [("a".to_owned(), 4 * CLIENTS as i64)]);
    assert_eq!(log.len(), 4 * CLIENTS);
}

/// All move between a few counters, in every direction: nothing is lost or made on the way, and nobody waits for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn races_over_several_streams_keep_what_there_is() {
    let (server, client) = (server().await, client());
    let ids = ["a", "b", "c"];
    for id in ids {
        command(&client, &counter_url(&server, id), None, &add("bank", 10)).await;
    }
    let race = join_all((0..CLIENTS).map(|number| {
        let (from, to) = (ids[number % 3], ids[(number + 1 + number / 3 % 2) % 3]);
        let (client, url) = (client.clone(), counter_url(&server, from));
        async move {
            let answer = command(&client, &url, None, &transfer(&format!("client-{number}"), to, 1)).await;
            assert!(answer.status == 200 || answer.code() == "too_little", "{answer:?}");
        }
    }));
    race.await;
    let log = log(&client, &server).await;
    let values = values(&log);
    assert_eq!(values.iter().map(|(_, value)| value).sum::<i64>(), 30, "{values:?}");
    for pair in log[3..].chunks(2) {
        assert_eq!(pair[0]["commandid"], pair[1]["commandid"], "a command's events are one behind the other");
    }
}

/// The same command many times at once, as retries on a bad network are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_command_at_once_is_carried_out_once() {
    let (server, client) = (server().await, client());
    for round in 0..8 {
        let (url, key) = (counter_url(&server, &format!("c{round}")), format!("k{round}"));
        let new = [("content-type", "application/json"), ("idempotency-key", &*key), ("if-none-match", "*")];
        let body = add("ann", 1).to_string();
        let answers = join_all((0..16).map(|_| send_with(&client, &url, &new, &body))).await;
        for answer in &answers {
            assert_eq!((answer.status.as_u16(), &answer.json), (201, &answers[0].json), "{answer:?}");
        }
    }
    assert_eq!(log(&client, &server).await.len(), 8);
}
