//! A disk that is full, fails or loses power, as the server's own calls meet it.

use std::os::unix::process::ExitStatusExt;

use highwater_tests::{
    disk::Disk,
    http::{Subscription, client, event, get},
    seed,
    server::Process,
};
use rand::RngExt;
use reqwest::StatusCode;

use super::{Account, SIGKILL, large, lines, logged};

#[tokio::test]
async fn a_full_disk_refuses_appends_and_serves_on() {
    let (disk, beside, client, mut account) = (Disk::new(), tempfile::tempdir().unwrap(), client(), Account::default());
    let server = Process::spawn(logged(disk.command(), beside.path()), &disk.folder(), &[]).await;
    let mut subscription = Subscription::open(&client, &server.url("/v1/events?topic=fault:*"), None).await;
    subscription.expect("ready").await;
    account.append_all(&client, &server, [event("0")]).await;
    assert_eq!(subscription.expect_event().await.data["id"], "0");

    disk.fill();
    let refused: Vec<_> = large(1..4, 100 * 1024).collect();
    for event in &refused {
        assert_eq!(account.append(&client, &server, event).await, Some(StatusCode::SERVICE_UNAVAILABLE));
    }
    assert_eq!(get(&client, &server.url("/readyz")).await.code(), "unavailable");
    account.check(&client, &server).await;
    let said = lines(beside.path());
    assert!(said.contains("database or disk is full") && said.contains("log.db"), "{said}");

    disk.free();
    assert_eq!(get(&client, &server.url("/readyz")).await.status, StatusCode::OK, "it is ready again by itself");
    account.append_all(&client, &server, refused.clone()).await;
    for event in &refused {
        assert_eq!(subscription.expect_event().await.data["id"], event["id"]);
    }
    account.check(&client, &server).await;
    drop(subscription);
    server.kill().await;
    disk.cut_power(&mut seed::random());
    account.check(&client, &Process::spawn(disk.command(), &disk.folder(), &[]).await).await;
}

/// What a sync was to bring to disk and did not is lost, whatever is synced afterwards.
#[tokio::test]
async fn no_later_append_rests_on_what_could_not_be_synced() {
    let (disk, client, mut account) = (Disk::new(), client(), Account::default());
    let mut rng = seed::random();
    for round in 0..4 {
        let server = Process::spawn(disk.command(), &disk.folder(), &[]).await;
        account.append_all(&client, &server, [event(&format!("before {round}"))]).await;
        disk.fail("fail:sync:log.db-wal:1");
        let lost = event(&format!("lost {round}"));
        assert_eq!(account.append(&client, &server, &lost).await, Some(StatusCode::SERVICE_UNAVAILABLE));
        disk.mend();
        account.check(&client, &server).await;
        account.append_all(&client, &server, [event(&format!("after {round}"))]).await;
        account.check(&client, &server).await;
        server.kill().await;
        disk.cut_power(&mut rng);
    }
    account.check(&client, &Process::spawn(disk.command(), &disk.folder(), &[]).await).await;
}

/// What the next server finds of an append in whose midst the last one was killed, it serves: so a power cut must not take it any more.
#[tokio::test]
async fn what_a_killed_server_left_unsynced_is_on_disk_before_it_is_served() {
    let (disk, client, mut account) = (Disk::new(), client(), Account::default());
    let mut rng = seed::random();
    for round in 0..4 {
        let server = Process::spawn(disk.command(), &disk.folder(), &[]).await;
        disk.fail("kill:sync:log.db-wal:1");
        let written = event(&round.to_string());
        assert_eq!(account.append(&client, &server, &written).await, None);
        assert_eq!(server.ended().await.signal(), Some(SIGKILL));
        disk.mend();
        let server = Process::spawn(disk.command(), &disk.folder(), &[]).await;
        assert_eq!(account.append(&client, &server, &written).await, Some(StatusCode::OK), "it is known");
        server.kill().await;
        disk.cut_power(&mut rng);
    }
    account.check(&client, &Process::spawn(disk.command(), &disk.folder(), &[]).await).await;
}

/// The same, where what was lost can be read for as long as the system runs, by the next server too.
#[tokio::test]
async fn what_could_not_be_synced_is_on_disk_before_the_next_server_serves_it() {
    let (disk, client, mut account) = (Disk::new(), client(), Account::default());
    let mut rng = seed::random();
    for round in 0..4 {
        let server = Process::spawn(disk.command(), &disk.folder(), &[]).await;
        disk.fail("fail:sync:log.db-wal:1");
        let written = event(&round.to_string());
        assert_eq!(account.append(&client, &server, &written).await, Some(StatusCode::SERVICE_UNAVAILABLE));
        server.kill().await;
        disk.mend();
        let server = Process::spawn(disk.command(), &disk.folder(), &[]).await;
        let status = account.append(&client, &server, &written).await;
        assert!(matches!(status, Some(StatusCode::OK | StatusCode::CREATED)), "{status:?}");
        server.kill().await;
        disk.cut_power(&mut rng);
    }
    account.check(&client, &Process::spawn(disk.command(), &disk.folder(), &[]).await).await;
}

/// Each write and each sync of an append, one after the other, is where the server dies.
#[tokio::test]
async fn killed_in_any_call_of_an_append_it_is_stored_whole_or_not_at_all() {
    let (disk, client, mut account) = (Disk::new(), client(), Account::default());
    let mut rng = seed::random();
    let (mut killed, mut unharmed, mut unanswered) = (0, 0, Vec::new());
    for (call, file) in [("write", "log.db-wal"), ("sync", "log.db-wal"), ("write", "witness")] {
        for number in 1.. {
            let server = Process::spawn(disk.command(), &disk.folder(), &[]).await;
            account.check(&client, &server).await;
            for again in unanswered.drain(..) {
                let status = account.append(&client, &server, &again).await;
                assert!(matches!(status, Some(StatusCode::OK | StatusCode::CREATED)), "{status:?}");
            }
            account.check(&client, &server).await;
            disk.fail(&format!("kill:{call}:{file}:{number}"));
            let mut events = large([0], 5 * 1024);
            let mut event = events.next().unwrap();
            event["id"] = format!("{call} {file} {number}").into();
            let status = account.append(&client, &server, &event).await;
            if status.is_some() {
                assert_eq!(status, Some(StatusCode::CREATED));
                disk.mend();
                unharmed += 1;
                server.kill().await;
                break;
            }
            killed += 1;
            unanswered.push(event);
            assert_eq!(server.ended().await.signal(), Some(SIGKILL));
            disk.mend();
            if rng.random() {
                disk.cut_power(&mut rng);
            }
        }
    }
    println!("killed {killed} times");
    assert!(unharmed == 3 && killed > 6, "{killed}");
    account.check(&client, &Process::spawn(disk.command(), &disk.folder(), &[]).await).await;
}

#[tokio::test]
async fn killed_in_a_checkpoint_the_log_is_whole() {
    let (disk, client, mut account) = (Disk::new(), client(), Account::default());
    let mut rng = seed::random();
    let calls = ["write:log.db:1", "write:log.db:5", "write:log.db:20", "sync:log.db:1", "sync:log.db-wal:1"];
    for (round, call) in calls.iter().enumerate() {
        let server = Process::spawn(disk.command(), &disk.folder(), &[]).await;
        account.check(&client, &server).await;
        account.append_all(&client, &server, large(round * 10..(round + 1) * 10, 50 * 1024)).await;
        disk.fail(&format!("kill:{call}"));
        assert_eq!(server.terminate().await.signal(), Some(SIGKILL), "{call}");
        disk.mend();
        if rng.random() {
            disk.cut_power(&mut rng);
        }
    }
    account.check(&client, &Process::spawn(disk.command(), &disk.folder(), &[]).await).await;
}
