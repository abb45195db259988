//! Appending: how much of the store's own rate is left over HTTP, and whether long streams cost more.

pub(crate) mod store;

use std::path::Path;

use anyhow::Result;

use crate::{
    load::{Order, Outcome},
    report::{Bound, Bounds, Figure},
    scale::Scale,
    server::{Contender, Running, Server, folder, own},
};

/// How many producers append at a time, each waiting for its answer.
const PRODUCERS: usize = 64;

/// Measures both. What fails stands in its figure.
pub(crate) async fn figures(binary: &Path, scale: Scale) -> Vec<Figure> {
    let rate = Figure {
        name: format!("durable appends/s over HTTP, {PRODUCERS} connections, one event a request"),
        over: "the store in-process",
        unit: "",
        bounds: Some(Bounds { must: Bound::AtLeast(0.4), goal: Bound::AtLeast(0.7) }),
        rounds: rate_ratios(binary, scale).await,
    };
    let long_events = scale.choose(100_000, 100_000, 1_000);
    let growth = Figure {
        name: format!("cost per append, streams of {long_events} events"),
        over: "streams of 10",
        unit: "",
        bounds: Some(Bounds { must: Bound::AtMost(1.3), goal: Bound::AtMost(1.1) }),
        rounds: growth_ratios(scale, long_events).await,
    };
    vec![rate, growth]
}

/// Appends a second over HTTP, over those of a program that calls the same store.
async fn rate_ratios(binary: &Path, scale: Scale) -> Result<Vec<f64>> {
    let appends = scale.choose(50_000, 20_000, 500);
    let mut ratios = Vec::new();
    for _ in 0..scale.rounds() {
        let in_process = store_rate(appends).await?;
        let over_http = http_rate(binary, appends).await?;
        eprintln!("durable appends/s: {in_process:.0} in-process, {over_http:.0} over HTTP");
        ratios.push(over_http / in_process);
    }
    Ok(ratios)
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
