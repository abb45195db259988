//! How many subscriptions one principal may have, whatever they come over, and that each place is free again.

use highwater_server::config::Settings;
use highwater_tests::{
    exposition::Exposition,
    http::{Answer, EVENT, Half, Subscription, client_with, event, get, post},
    on_both_halves,
    server::{PATIENCE, Server},
    token::Issuer,
    ws::Socket,
};
use reqwest::Client;
use serde_json::json;
use tokio::time::timeout;

on_both_halves!(beyond_its_bound_a_principal_is_told_to_come_back, a_place_is_free_however_a_subscription_ends);

const ALL: &str = "/v1/events?topic=**";

struct World {
    issuer: Issuer,
    server: Server,
}

impl World {
    /// A server that takes so many subscriptions of a principal.
    async fn begin(per_principal_max: usize, settings: Settings) -> Self {
        let issuer = Issuer::hs256();
        let keys = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(&keys, issuer.key_file()).expect("it can be written");
        let (auth_keys, subscriptions_per_principal_max) = (keys.path().to_owned(), per_principal_max);
        let server = Server::start_with(Settings { auth_keys, subscriptions_per_principal_max, ..settings }).await;
        Self { issuer, server }
    }

    fn token_of(&self, principal: &str) -> String {
        let rights = json!({ "read": ["**"], "append": ["**"], "sources": ["*"], "operate": true });
        self.issuer.token_of(principal, rights)
    }

    async fn subscribe(&self, half: Half, client: &Client) -> Subscription {
        Subscription::open_on(half, client, &self.server.url(ALL), None).await
    }

    /// What a subscription is answered that is not let in.
    async fn refusal(&self, client: &Client) -> Answer {
        let request = client.get(self.server.url(ALL)).header("accept", "text/event-stream");
        Answer::of(request.send().await.expect("an answer")).await
    }

    /// Returns once that many subscriptions are left.
    async fn until_left(&self, count: usize) {
        let left = async {
            while self.server.broker().status().subscriptions != count {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, left).await.expect("the others end");
    }
}

async fn beyond_its_bound_a_principal_is_told_to_come_back(half: Half) {
    let world = World::begin(2, Settings::default()).await;
    let (token, other) = (world.token_of("one"), client_with(&world.token_of("another")));
    // Two tokens and two connections of one subject are one principal.
    let (client, again) = (client_with(&token), client_with(&world.token_of("one")));
    let (mut first, mut second) = (world.subscribe(half, &client).await, world.subscribe(half, &again).await);
    first.expect("ready").await;
    second.expect("ready").await;

    let poll = get(&client, &world.server.url("/v1/events?topic=**&wait=1")).await;
    for refused in [world.refusal(&client).await, world.refusal(&again).await, poll] {
        assert_eq!((refused.status.as_u16(), refused.code()), (503, "overloaded"), "{refused:?}");
        assert_eq!(refused.header("retry-after"), "5");
        let detail = refused.json["detail"].as_str().expect("a detail");
        assert!(detail.contains("subject has the 2 subscriptions"), "{detail}");
    }
    let mut socket = Socket::open(&world.server.url("/v1/ws"), Some(&token)).await;
    socket.subscribe(1, "**", "latest").await;
    assert_eq!(socket.expect("error").await["problem"]["code"], "overloaded");

    let metrics = Exposition::scrape(&client, &world.server.url("/metrics")).await;
    assert_eq!(metrics.value("highwater_http_connections_refused_total{reason=\"principal\"}"), 4.0);
    assert_eq!(get(&client, &world.server.url(ALL)).await.status, 200, "a page that is not held needs no place");
    world.subscribe(half, &other).await.expect("ready").await;
    let posted = post(&client, &world.server.url("/v1/streams/s:a"), EVENT, &event("1")).await;
    assert_eq!(posted.status, 201);
    assert_eq!(first.expect_event().await.data["id"], "1", "those before it stay");

    drop(first);
    world.until_left(1).await;
    socket.subscribe(1, "**", "latest").await;
    socket.expect("ready").await;
    assert_eq!(world.refusal(&client).await.code(), "overloaded", "the socket has it now");
    drop(socket);
    world.until_left(1).await;
    world.subscribe(half, &client).await.expect("ready").await;
}

async fn a_place_is_free_however_a_subscription_ends(half: Half) {
    // Gone by its client, live and before it is.
    let world = World::begin(1, Settings::default()).await;
    let client = client_with(&world.token_of("one"));
    for is_live in [true, false] {
        let mut stream = world.subscribe(half, &client).await;
        if is_live {
            stream.expect("ready").await;
        }
        drop(stream);
        world.until_left(0).await;
    }
    // Never sent at all.
    let head = client.head(world.server.url(ALL)).header("accept", "text/event-stream");
    assert_eq!(head.send().await.expect("an answer").status(), 200);
    let poll = get(&client, &world.server.url("/v1/events?topic=**&after=latest&wait=1")).await;
    assert_eq!(poll.status, 200);
    world.subscribe(half, &client).await.expect("ready").await;
    world.until_left(0).await;

    // Ended by the server, because it chose to be when it lagged behind its ring.
    let world = World::begin(1, Settings { ring_bytes_max: 1_000, ..Settings::default() }).await;
    let client = client_with(&world.token_of("one"));
    let mut slow =
        Subscription::open_on(half, &client, &world.server.url(&format!("{ALL}&lagging=disconnect")), None).await;
    slow.expect("ready").await;
    let mut large = event("large");
    large["data"] = "x".repeat(200_000).into();
    let mut number = 0;
    while world.server.broker().status().subscriptions == 1 {
        number += 1;
        assert!(number < 1_000, "it is not sent away");
        large["id"] = number.to_string().into();
        assert_eq!(post(&client, &world.server.url("/v1/streams/s:a"), EVENT, &large).await.status, 201);
    }
    world.subscribe(half, &client).await.expect("ready").await;
}

#[tokio::test]
async fn without_a_bound_or_a_principal_there_is_none() {
    let world = World::begin(0, Settings::default()).await;
    let client = client_with(&world.token_of("one"));
    let open = Server::start_with(Settings { subscriptions_per_principal_max: 1, ..Settings::default() }).await;
    let mut streams = Vec::new();
    for server in [&world.server, &open] {
        for _ in 0..3 {
            let mut stream = Subscription::open(&client, &server.url(ALL), None).await;
            stream.expect("ready").await;
            streams.push(stream);
        }
    }
}
