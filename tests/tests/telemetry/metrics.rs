//! `/metrics` says what happened.

use highwater_server::{app::AppState, config::Settings};
use highwater_tests::{
    exposition::Exposition,
    http::{BATCH, EVENT, Half, Subscription, client, event, event_to, get, post},
    on_both_halves,
    server::{PATIENCE, Server},
};
use reqwest::Method;
use serde_json::json;
use tokio::time::timeout;

on_both_halves!(subscribers_are_counted_while_they_are_there);

#[tokio::test]
async fn appends_are_counted() {
    let (server, client) = (Server::start().await, client());
    let scrape = || async { Exposition::scrape(&client, &server.url("/metrics")).await };
    let before = scrape().await;
    assert_eq!(before.value("highwater_store_appended_events_total"), 0.0);
    assert_eq!(before.value("highwater_build_info{version=\"0.1.0\"}"), 1.0);

    for id in ["1", "2", "3"] {
        post(&client, &server.url("/v1/streams/secret:stream"), EVENT, &event(id)).await;
    }
    let batch = json!([event_to("s:a", "4"), event_to("s:b", "5")]);
    assert_eq!(post(&client, &server.url("/v1/events"), BATCH, &batch).await.status, 201);
    assert_eq!(post(&client, &server.url("/v1/events"), BATCH, &batch).await.status, 200, "known, and not counted");
    let mut other = event("1");
    other["data"] = 7.into();
    let conflict = post(&client, &server.url("/v1/streams/secret:stream"), EVENT, &other).await;
    assert_eq!(conflict.code(), "id_conflict");
    assert_eq!(post(&client, &server.url("/v1/streams/one"), EVENT, &other).await.code(), "invalid_stream");

    let after = scrape().await;
    for (series, value) in [
        ("highwater_store_appended_events_total", 5.0),
        ("highwater_store_head_sequence", 5.0),
        ("highwater_store_writable", 1.0),
        ("highwater_store_append_duration_seconds_count", 5.0),
        ("highwater_store_group_commits_sum", 6.0),
        ("highwater_store_failed_groups_total", 0.0),
        ("highwater_store_queue_events", 0.0),
        ("highwater_store_queue_bytes", 0.0),
        ("highwater_appends_in_flight", 0.0),
        ("highwater_append_bytes_in_flight", 0.0),
        ("highwater_appends_rejected_total{code=\"id_conflict\"}", 1.0),
        ("highwater_appends_rejected_total{code=\"invalid_stream\"}", 1.0),
        ("highwater_http_errors_total{code=\"id_conflict\"}", 1.0),
        ("highwater_http_request_duration_seconds_count{method=\"POST\",route=\"/v1/events\",status=\"2xx\"}", 2.0),
        (
            "highwater_http_request_duration_seconds_count{method=\"POST\",route=\"/v1/streams/{stream}\",status=\"2xx\"}",
            3.0,
        ),
        (
            "highwater_http_request_duration_seconds_count{method=\"POST\",route=\"/v1/streams/{stream}\",status=\"4xx\"}",
            2.0,
        ),
        ("highwater_http_requests_in_flight", 1.0),
    ] {
        assert_eq!(after.value(series), value, "{series}");
    }
    let pages = get(&client, &server.url("/v1/events?topic=**")).await;
    let envelopes = pages.json["events"].as_array().unwrap().iter().map(|event| event.to_string().len());
    assert_eq!(after.value("highwater_store_appended_bytes_total"), envelopes.sum::<usize>() as f64);
}

#[tokio::test]
async fn a_log_that_is_opened_again_knows_its_head() {
    let (server, client) = (Server::start().await, client());
    post(&client, &server.url("/v1/streams/s:a"), EVENT, &event("1")).await;
    let server = Server::start_on(server.stop().await, Default::default()).await;
    let metrics = Exposition::scrape(&client, &server.url("/metrics")).await;
    assert_eq!(metrics.value("highwater_store_head_sequence"), 1.0);
    assert_eq!(metrics.value("highwater_store_appended_events_total"), 0.0);
}

async fn subscribers_are_counted_while_they_are_there(half: Half) {
    let (server, client) = (Server::start().await, client());
    let metrics = server.url("/metrics");
    let stream = server.url("/v1/streams/s:a");
    post(&client, &stream, EVENT, &event("history")).await;
    let mut subscribers = Vec::new();
    for _ in 0..3 {
        let mut subscriber =
            Subscription::open_on(half, &client, &server.url("/v1/events?topic=s:*&after=earliest"), None).await;
        subscriber.expect_event().await;
        subscriber.expect("ready").await;
        subscribers.push(subscriber);
    }
    post(&client, &stream, EVENT, &event("live")).await;
    for subscriber in &mut subscribers {
        subscriber.expect_event().await;
    }
    let there = Exposition::scrape(&client, &metrics).await;
    let of_all = |name: &str, label: &str, values: &[&str]| {
        values.iter().map(|value| there.value(&format!("{name}{{{label}=\"{value}\"}}"))).sum::<f64>()
    };
    let transports = ["sse_socket", "sse_body", "ws"];
    assert_eq!(of_all("highwater_feed_subscribers", "transport", &transports), 3.0);
    let sources = ["history", "live", "caught_up"];
    assert_eq!(of_all("highwater_feed_sent_frames_total", "source", &sources), 6.0);
    assert!(there.value("highwater_feed_sent_bytes_total") > 1_000.0);
    // By now they share a ring, and it is told once for all of them how old what they got was.
    post(&client, &stream, EVENT, &event("later")).await;
    let told = async {
        while Exposition::scrape(&client, &metrics).await.value("highwater_feed_lag_seconds_count{source=\"live\"}")
            < 1.0
        {}
    };
    timeout(PATIENCE, told).await.expect("a lag is told");

    drop(subscribers);
    let gone =
        Exposition::scrape_until(&client, &metrics, "highwater_feed_subscriptions_ended_total{reason=\"gone\"}", 3.0)
            .await;
    for transport in transports {
        assert_eq!(gone.value(&format!("highwater_feed_subscribers{{transport=\"{transport}\"}}")), 0.0);
    }
}

#[tokio::test]
async fn the_broker_is_connected_until_it_is_closed() {
    let server = Server::start().await;
    let of = |metrics: &Exposition| {
        ["connecting", "connected", "closed"]
            .map(|status| metrics.value(&format!("highwater_broker_connections{{status=\"{status}\"}}")))
    };
    let metrics = Exposition::scrape(&client(), &server.url("/metrics")).await;
    assert_eq!(of(&metrics), [0.0, 1.0, 0.0]);
    let state = AppState::new(server.broker().clone(), Settings::default());
    server.stop().await;
    assert_eq!(of(&Exposition::parse(&state.metrics().text()).unwrap()), [0.0, 0.0, 1.0]);
}

#[tokio::test]
async fn what_clients_ask_for_makes_no_series() {
    let (server, client) = (Server::start().await, client());
    let metrics = server.url("/metrics");
    let ask = async |number: usize| {
        get(&client, &server.url(&format!("/v1/streams/tenant:{number}"))).await;
        get(&client, &server.url(&format!("/secret/{number}"))).await;
        get(&client, &server.url(&format!("/v1/events?topic=tenant:{number}&wait={number}"))).await;
        let method = Method::from_bytes(format!("METHOD{number}").as_bytes()).unwrap();
        client.request(method, server.url("/v1/events")).send().await.unwrap();
    };
    ask(100).await;
    Exposition::scrape(&client, &metrics).await;
    let before = Exposition::scrape(&client, &metrics).await.len();
    for number in 101..120 {
        ask(number).await;
    }
    assert_eq!(Exposition::scrape(&client, &metrics).await.len(), before);
    let text = client.get(&metrics).send().await.unwrap().text().await.unwrap();
    for secret in ["tenant", "secret", "METHOD"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_process_is_told_of_under_the_usual_names() {
    let (server, client) = (Server::start().await, client());
    let metrics = Exposition::scrape(&client, &server.url("/metrics")).await;
    assert!(metrics.value("process_resident_memory_bytes") > 1e6);
    assert!(metrics.value("process_open_fds") > 3.0);
    assert!(metrics.value("process_max_fds") > metrics.value("process_open_fds"));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    let age = now - metrics.value("process_start_time_seconds");
    assert!((-2.0..3600.0).contains(&age), "{age}");
}
