//! What the system gives: open files, and the time.

use std::{collections::BTreeSet, fs};

use highwater_core::{envelope::parse_event, event::Event};
use highwater_tests::{
    http::{Subscription, client, event},
    server::{PATIENCE, Process, command},
    socket::{GET_HEALTH, connect},
};
use reqwest::StatusCode;
use tokio::{io::AsyncWriteExt, time::timeout};

use super::{Account, read_page};

#[tokio::test]
async fn without_open_files_nothing_that_was_acknowledged_is_lost() {
    let (data, client, mut account) = (tempfile::tempdir().unwrap(), client(), Account::default());
    let server = Process::start_with_files(48, data.path(), &[]).await;
    account.append_all(&client, &server, [event("1")]).await;
    let mut sockets = Vec::new();
    for _ in 0..64 {
        let mut socket = connect(server.address()).await;
        socket.write_all(GET_HEALTH).await.unwrap();
        sockets.push(socket);
    }
    // Whether there is a file left to read by is not known; to write, there is.
    account.append_all(&client, &server, ["2", "3"].map(event)).await;
    let page = read_page(&client, &server, "earliest").await;
    assert!(matches!(page.status, StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE), "{page:?}");
    drop(sockets);
    let readable = async { while read_page(&client, &server, "earliest").await.status != StatusCode::OK {} };
    timeout(PATIENCE, readable).await.expect("once files are free, it reads again");
    account.check(&client, &server).await;
    assert!(server.terminate().await.success());
}

#[tokio::test]
async fn a_clock_that_jumps_turns_back_no_recorded_time() {
    let (data, client, mut account) = (tempfile::tempdir().unwrap(), client(), Account::default());
    let skew = data.path().join("skew");
    let start = async || {
        let mut skewed = command();
        skewed.env("HIGHWATER_CLOCK_SKEW", &skew);
        Process::spawn(skewed, data.path(), &[]).await
    };
    fs::write(&skew, "0").unwrap();
    let mut server = start().await;
    let mut subscription = Subscription::open(&client, &server.url("/v1/events?topic=fault:*"), None).await;
    subscription.expect("ready").await;
    for (id, skew_s) in [("1", "0"), ("2", "7200"), ("3", "-7200"), ("4", "0")] {
        fs::write(&skew, skew_s).unwrap();
        account.append_all(&client, &server, [event(id)]).await;
        assert_eq!(subscription.expect_event().await.data["id"], id);
    }
    drop(subscription);
    assert!(server.terminate().await.success());
    server = start().await;
    account.append_all(&client, &server, [event("5")]).await;
    account.check(&client, &server).await;

    let page = read_page(&client, &server, "earliest").await;
    let events = page.json["events"].as_array().unwrap().iter();
    let events: Vec<Event> = events.map(|envelope| parse_event(envelope.to_string().as_bytes()).unwrap()).collect();
    let times: Vec<_> = events.iter().map(|event| event.recorded_time).collect();
    assert!(times.is_sorted(), "{times:?}");
    let distinct: BTreeSet<_> = times.iter().collect();
    assert_eq!(distinct.len(), 2, "after the jump ahead the time stands until the clock has caught up: {times:?}");
}
