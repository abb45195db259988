//! Streaming: what a delivery costs, how fast a burst is, what an idle subscriber holds, and ten thousand at once.
//!
//! The contenders take turns, each in a fresh process, and a ratio is of one turn: what else the machine did then, it did
//! to both.

use std::path::Path;

use anyhow::Result;
use highwater_report::{Bound, Figure};

use crate::{
    load::{Order, Outcome},
    scale::Scale,
    server::{Contender, Server},
};

/// What a busy page sees.
const EVENTS_PER_SECOND: u32 = 20;
/// What goes before everything that is measured, so that nothing is done for the first time in it.
const WARM_UP: Order = Order::Publish { events: 50, per_second: None };
const KIB: f64 = 1024.0;

/// Measures all of it. What fails stands in its figure.
pub(crate) async fn figures(binary: &Path, scale: Scale) -> Vec<Figure> {
    let mut figures = Vec::new();
    for subscribers in [scale.choose(1_000, 1_000, 20), scale.choose(4_000, 4_000, 40)] {
        figures.extend(paced_figures(subscribers, paced(binary, scale, subscribers).await));
    }
    let (events, subscribers) = (scale.choose(2_000, 2_000, 200), scale.choose(500, 500, 5));
    figures.push(Figure {
        name: format!("deliveries/s in a burst of {events} events to {subscribers} subscribers"),
        over: "plain axum".to_owned(),
        must: Some(Bound::AtLeast(2.0)),
        goal: Some(Bound::AtLeast(3.0)),
        rounds: burst_ratios(binary, scale, events, subscribers).await.into(),
        ..Figure::default()
    });
    figures.push(Figure {
        name: "resident memory per idle subscriber, plain HTTP/1.1".to_owned(),
        unit: " KB".to_owned(),
        must: Some(Bound::AtMost(2.0)),
        goal: Some(Bound::AtMost(1.0)),
        rounds: idle_kib(binary, scale, Protocol::Plain).await.into(),
        ..Figure::default()
    });
    figures.push(Figure {
        name: "the same over TLS".to_owned(),
        unit: " KB".to_owned(),
        must: Some(Bound::AtMost(24.0)),
        goal: Some(Bound::AtMost(16.0)),
        rounds: idle_kib(binary, scale, Protocol::Tls).await.into(),
        ..Figure::default()
    });
    let subscribers = scale.choose(10_000, 10_000, 50);
    figures.push(Figure {
        name: format!("{subscribers} subscribers, 1 event/s, all delivered: p99"),
        unit: " ms".to_owned(),
        must: Some(Bound::Complete),
        goal: Some(Bound::AtMost(100.0)),
        rounds: crowd_p99_ms(binary, scale, subscribers).await.into(),
        ..Figure::default()
    });
    figures
}

/// What one contender needs for a delivery.
struct Turn {
    cpu_us: f64,
    p50_us: f64,
    p99_us: f64,
}

struct Round {
    floor: Turn,
    plain: Turn,
    ours: Turn,
}

fn paced_figures(subscribers: usize, rounds: Result<Vec<Round>>) -> [Figure; 3] {
    let figure = |what, over: &str, ratio: fn(&Round) -> f64| Figure {
        name: format!("{what}, {subscribers} subscribers at {EVENTS_PER_SECOND} events/s"),
        over: over.to_owned(),
        rounds: rounds.as_ref().map(|rounds| rounds.iter().map(ratio).collect()).into(),
        ..Figure::default()
    };
    let cpu = figure("CPU per delivery", "the floor", |round| round.ours.cpu_us / round.floor.cpu_us);
    [
        Figure { must: Some(Bound::AtMost(1.15)), goal: Some(Bound::AtMost(0.95)), ..cpu },
        figure("p50 latency", "plain axum", |round| round.ours.p50_us / round.plain.p50_us),
        figure("p99 latency", "plain axum", |round| round.ours.p99_us / round.plain.p99_us),
    ]
}

/// Events at the pace of a busy page.
async fn paced(binary: &Path, scale: Scale, subscribers: usize) -> Result<Vec<Round>> {
    let order = Order::Publish { events: scale.choose(100, 60, 10), per_second: Some(EVENTS_PER_SECOND) };
    let mut rounds = Vec::new();
    for _ in 0..scale.rounds() {
        let floor = paced_turn(Contender::Floor, binary, subscribers, order).await?;
        let ours = paced_turn(Contender::Highwater, binary, subscribers, order).await?;
        let plain = paced_turn(Contender::PlainAxum, binary, subscribers, order).await?;
        rounds.push(Round { floor, plain, ours });
    }
    Ok(rounds)
}

/// The CPU time is what the server uses with subscribers, less what the same events cost it without any, for taking an
/// event in (and with Highwater making it durable) is no part of delivering it.
async fn paced_turn(contender: Contender, binary: &Path, subscribers: usize, order: Order) -> Result<Turn> {
    let server = Server::start(contender, binary).await?;
    let (_, alone_us) = cpu_us(&server, 0, order).await?;
    let (outcome, used_us) = cpu_us(&server, subscribers, order).await?;
    server.end().await?;
    let turn = Turn {
        cpu_us: (used_us - alone_us) / outcome.count as f64,
        p50_us: outcome.p50_us as f64,
        p99_us: outcome.p99_us as f64,
    };
    eprintln!(
        "{subscribers} subscribers, {}: {:.2} µs a delivery and {:.0} ms for the posts; p50 {:.1} ms, p99 {:.1} ms; \
         the generator {:.2} µs a delivery",
        contender.name(),
        turn.cpu_us,
        alone_us / 1e3,
        turn.p50_us / 1e3,
        turn.p99_us / 1e3,
        outcome.own_cpu_s * 1e6 / outcome.count as f64,
    );
    if turn.p99_us > 1e6 / f64::from(EVENTS_PER_SECOND) {
        eprintln!("  the machine did not keep up: frames that wait may share a write, and then this says little");
    }
    Ok(turn)
}

/// What an order costs the server.
async fn cpu_us(server: &Server, subscribers: usize, order: Order) -> Result<(Outcome, f64)> {
    let mut load = server.load(subscribers).await?;
    load.order(WARM_UP).await?;
    let before = server.cpu_time()?;
    let outcome = load.order(order).await?;
    let used = server.cpu_time()? - before;
    load.end().await?;
    Ok((outcome, used.as_secs_f64() * 1e6))
}

/// Deliveries a second from the first post to the last delivery, ours over plain axum's.
async fn burst_ratios(binary: &Path, scale: Scale, events: u32, subscribers: usize) -> Result<Vec<f64>> {
    let mut ratios = Vec::new();
    for _ in 0..scale.rounds() {
        let plain = burst_per_second(Contender::PlainAxum, binary, events, subscribers).await?;
        let ours = burst_per_second(Contender::Highwater, binary, events, subscribers).await?;
        ratios.push(ours / plain);
    }
    Ok(ratios)
}

async fn burst_per_second(contender: Contender, binary: &Path, events: u32, subscribers: usize) -> Result<f64> {
    let server = Server::start(contender, binary).await?;
    let mut load = server.load(subscribers).await?;
    load.order(WARM_UP).await?;
    let outcome = load.order(Order::Publish { events, per_second: None }).await?;
    load.end().await?;
    server.end().await?;
    let per_second = outcome.count as f64 / outcome.elapsed_s;
    let own_us = outcome.own_cpu_s * 1e6 / outcome.count as f64;
    eprintln!("burst, {}: {per_second:.0} deliveries/s; the generator {own_us:.2} µs a delivery", contender.name());
    Ok(per_second)
}

#[derive(Clone, Copy)]
enum Protocol {
    Plain,
    Tls,
}

/// What a subscriber takes of the server's memory that has had an event and waits for the next.
async fn idle_kib(binary: &Path, scale: Scale, protocol: Protocol) -> Result<Vec<f64>> {
    let subscribers = match protocol {
        Protocol::Plain => scale.choose(4_000, 4_000, 50),
        Protocol::Tls => scale.choose(1_000, 1_000, 20),
    };
    let mut rounds = Vec::new();
    for _ in 0..scale.rounds() {
        let server = match protocol {
            Protocol::Plain => Server::start(Contender::Highwater, binary).await?,
            Protocol::Tls => Server::start_with_tls(binary).await?,
        };
        let kib = subscriber_kib(&server, subscribers).await?;
        server.end().await?;
        eprintln!("idle, {}: {kib:.2} KB a subscriber", Contender::Highwater.name());
        rounds.push(kib);
    }
    Ok(rounds)
}

async fn subscriber_kib(server: &Server, subscribers: usize) -> Result<f64> {
    let mut first = server.load(1).await?;
    first.order(WARM_UP).await?;
    first.end().await?;
    let before = server.resident_bytes()?;
    let mut load = server.load(subscribers).await?;
    load.order(Order::Publish { events: 1, per_second: None }).await?;
    let after = server.resident_bytes()?;
    load.end().await?;
    Ok((after as f64 - before as f64) / subscribers as f64 / KIB)
}

/// How long all but a hundredth of the deliveries take at most, from the post to the subscriber.
async fn crowd_p99_ms(binary: &Path, scale: Scale, subscribers: usize) -> Result<Vec<f64>> {
    let order = Order::Publish { events: scale.choose(10, 5, 2), per_second: Some(1) };
    let mut rounds = Vec::new();
    for _ in 0..scale.rounds() {
        let server = Server::start(Contender::Highwater, binary).await?;
        let mut load = server.load(subscribers).await?;
        let outcome = load.order(order).await?;
        load.end().await?;
        server.end().await?;
        let (p50_ms, p99_ms) = (outcome.p50_us as f64 / 1e3, outcome.p99_us as f64 / 1e3);
        eprintln!("{subscribers} subscribers, 1 event/s: p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms");
        rounds.push(p99_ms);
    }
    Ok(rounds)
}
