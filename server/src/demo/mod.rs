//! The demo: asynchronous agents that generate, test and correct code, really run, over a network that is as bad as you
//! like.
//!
//! A stage is set: a log, the server before it, and before that the proxy that the browser talks to. The
//! actors write small programs, run them against cases, report what fails and repair it meanwhile, so that reports are
//! late, and about code that is gone. `once` runs the same without a browser and judges what came of it.

mod actors;
mod craft;
mod facts;
mod fold;
mod once;
mod pace;
mod proxy;
mod stage;

use std::{io::Write, path::PathBuf, sync::Arc};

pub use self::pace::SPEED_RANGE;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use self::{
    actors::{Crews, Plan},
    pace::Pace,
    proxy::Faults,
    stage::{Setting, Stage},
};
use crate::remote::Remote;

/// Where the demo's page is, unless told otherwise.
const DEFAULT_LISTEN: &str = "127.0.0.1:4849";
/// How many times faster than the seed's latencies the page's demo is.
const DEFAULT_SPEED: f64 = 4.0;

/// What the demo was asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Address and port of the page.
    pub listen: Option<String>,
    /// How many times faster than the seed's latencies.
    pub speed: Option<f64>,
    /// What chance is drawn from; by chance if not given.
    pub seed: Option<u64>,
    /// The folder of the log; one that is removed in the end, if not given.
    pub data: Option<PathBuf>,
    /// Whether to run a bounded scenario without a page.
    pub once: bool,
}

/// Runs the demo until `shutdown` is cancelled, or the scenario is over.
///
/// # Errors
/// Where it can't be set up; and where the scenario shows that something was judged wrongly.
pub async fn run(options: Options, shutdown: CancellationToken) -> anyhow::Result<()> {
    let seed = options.seed.unwrap_or_else(rand::random);
    let default_speed = if options.once { once::SPEED } else { DEFAULT_SPEED };
    let pace = Pace::new(options.speed.unwrap_or(default_speed));
    let default_listen = if options.once { "127.0.0.1:0" } else { DEFAULT_LISTEN };
    let setting = Setting {
        any_port: options.listen.is_none(),
        listen: options.listen.unwrap_or_else(|| default_listen.to_owned()),
        data: options.data,
        heartbeat_ms: options.once.then(|| once::heartbeat_ms(&pace)),
        faults: if options.once { Faults::NONE } else { Faults::BAD },
        pace: pace.clone(),
        seed,
    };
    let stage = Stage::set(setting, shutdown.clone()).await?;
    let played = play(&stage, options.once, pace, seed, &shutdown).await;
    let struck = stage.strike().await;
    played.and(struck)
}

async fn play(stage: &Stage, once: bool, pace: Pace, seed: u64, shutdown: &CancellationToken) -> anyhow::Result<()> {
    let remote = Arc::new(Remote::new(&stage.server_url())?);
    let plan = Plan { remote, pace, seed, tasks: None, readers: stage.proxy().readers() };
    if once {
        return tokio::select! {
            judged = once::run(stage, plan) => judged,
            () = shutdown.cancelled() => anyhow::bail!("stopped before the scenario was over"),
        };
    }
    announce(&stage.url())?;
    let _crews = Crews::start(&plan);
    shutdown.cancelled().await;
    Ok(())
}

/// The first line on standard output.
fn announce(url: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "open {url}/").and_then(|()| out.flush()).context("cannot say where the page is")
}
