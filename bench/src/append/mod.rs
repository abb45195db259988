//! Appending: how much of the store's own rate is left over HTTP, what the store makes of a disk, and whether long streams cost more.

pub(crate) mod store;

use std::{fs::File, io::Write, path::Path, time::Instant};

use anyhow::{Context, Result};
use highwater_report::{Bound, Figure};

use crate::{
    event::{Recorder, Stamp, batch},
    load::{Order, Outcome},
    scale::Scale,
    server::{Contender, Running, Server, folder, own},
};

/// How many producers append at a time, each waiting for its answer.
const PRODUCERS: usize = 64;

/// Measures all. What fails stands in its figure.
pub(crate) async fn figures(binary: &Path, scale: Scale) -> Vec<Figure> {
    let rates = rates(binary, scale).await;
    let ratios = |ratio: fn(&Rates) -> f64| rates.as_ref().map(|rates| rates.iter().map(ratio).collect()).into();
    let over_http = Figure {
        name: format!("durable appends/s over HTTP, {PRODUCERS} connections, one event a request"),
        over: "the store in-process".to_owned(),
        must: Some(Bound::AtLeast(0.4)),
        goal: Some(Bound::AtLeast(0.7)),
        rounds: ratios(|rates| rates.over_http / rates.in_process),
        ..Figure::default()
    };
    let in_process = Figure {
        name: format!("durable appends/s of the store in-process, {PRODUCERS} tasks, one event each"),
        over: "raw disk sync".to_owned(),
        rounds: ratios(|rates| rates.in_process / rates.raw_syncs),
        ..Figure::default()
    };
    let long_events = scale.choose(100_000, 100_000, 1_000);
    let growth = Figure {
        name: format!("cost per append, streams of {long_events} events"),
        over: "streams of 10".to_owned(),
        must: Some(Bound::AtMost(1.3)),
        goal: Some(Bound::AtMost(1.1)),
        rounds: growth_ratios(scale, long_events).await.into(),
        ..Figure::default()
    };
    vec![over_http, in_process, growth]
}

/// Durable appends a second; raw, what a file takes of the same bytes, synced after each.
struct Rates {
    raw_syncs: f64,
    in_process: f64,
    over_http: f64,
}

async fn rates(binary: &Path, scale: Scale) -> Result<Vec<Rates>> {
    let appends = scale.choose(50_000, 20_000, 500);
    let syncs = scale.choose(2_000, 1_000, 20);
    let mut rounds = Vec::new();
    for _ in 0..scale.rounds() {
        let raw_syncs = tokio::task::spawn_blocking(move || raw_sync_rate(syncs)).await??;
        let (in_process, over_http) = (store_rate(appends).await?, http_rate(binary, appends).await?);
        eprintln!("durable appends/s: {raw_syncs:.0} raw syncs, {in_process:.0} in-process, {over_http:.0} over HTTP");
        rounds.push(Rates { raw_syncs, in_process, over_http });
    }
    Ok(rounds)
}

/// How often a second a file takes an event's bytes and is synced, on the disk that logs are on.
fn raw_sync_rate(syncs: u32) -> Result<f64> {
    let folder = folder()?;
    let recorded = Recorder::new().record(batch([Stamp { number: 0, sent_us: 0 }]).as_bytes())?;
    let envelope = &recorded.first().context("one event was recorded")?.envelope;
    let mut file = File::create(folder.path().join("file"))?;
    let started = Instant::now();
    for _ in 0..syncs {
        file.write_all(envelope)?;
        file.sync_data()?;
    }
    Ok(f64::from(syncs) / started.elapsed().as_secs_f64())
}

async fn store_rate(appends: u32) -> Result<f64> {
    let folder = folder()?;
    let mut command = own("store")?;
    command.arg(folder.path()).arg("rate").arg(PRODUCERS.to_string()).arg(appends.to_string());
    let outcome: store::Rate = serde_json::from_str(&Running::spawn(command)?.line().await?)?;
    Ok(f64::from(appends) / outcome.elapsed_s)
}

async fn http_rate(binary: &Path, appends: u32) -> Result<f64> {
    let server = Server::start(Contender::Highwater, binary).await?;
    let mut load = server.load(0).await?;
    load.order(Order::Append { connections: PRODUCERS, appends: appends / store::WARM_UP_SHARE }).await?;
    let Outcome { count, elapsed_s, .. } = load.order(Order::Append { connections: PRODUCERS, appends }).await?;
    load.end().await?;
    server.end().await?;
    Ok(count as f64 / elapsed_s)
}

/// What an append costs where streams are long, over what it costs where they are short, in the same log.
async fn growth_ratios(scale: Scale, long_events: u32) -> Result<Vec<f64>> {
    let folder = folder()?;
    let mut command = own("store")?;
    command.arg(folder.path()).arg("growth").arg(PRODUCERS.to_string()).arg(long_events.to_string());
    command.arg(scale.choose(20_000, 10_000, 200).to_string()).arg(scale.rounds().to_string());
    let mut store = Running::spawn(command)?;
    let mut ratios = Vec::new();
    for _ in 0..scale.rounds() {
        let store::Growth { short_us, long_us } = serde_json::from_str(&store.line().await?)?;
        eprintln!("CPU per append: {short_us:.1} µs with 10 events in the stream, {long_us:.1} µs with {long_events}");
        ratios.push(long_us / short_us);
    }
    Ok(ratios)
}
