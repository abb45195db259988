//! The store by itself: producers of this process that call it.

use std::{
    io::{self, Write},
    path::PathBuf,
    process,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

use anyhow::Result;
use highwater_core::{
    event::{Actor, Data, EventType, NewEvent},
    stream::StreamName,
};
use highwater_server::store::{
    Commit, EventStore,
    sqlite::{SqliteStore, StoreOptions},
};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::{
    event::{Stamp, producer_stream},
    process::cpu_time,
};

/// Before what is measured, one in so many appends more.
pub(crate) const WARM_UP_SHARE: u32 = 10;
/// Long streams are few, so that making them does not take all day.
const LONG_STREAMS: u32 = 10;
const SHORT_EVENTS: u32 = 10;
const FILL_EVENTS: u32 = 1_000;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Folder for the log
    folder: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// How fast producers append, to as many streams
    Rate { producers: usize, appends: u32 },
    /// What an append costs in short streams and in long ones
    Growth { producers: usize, long_events: u32, appends: u32, rounds: usize },
}

/// What `rate` prints.
#[derive(Serialize, Deserialize)]
pub(crate) struct Rate {
    pub(crate) elapsed_s: f64,
}

/// What `growth` prints of each round: CPU time of the whole process per durable append.
#[derive(Serialize, Deserialize)]
pub(crate) struct Growth {
    pub(crate) short_us: f64,
    pub(crate) long_us: f64,
}

/// Measures what the arguments say.
pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let store = Arc::new(SqliteStore::open(&arguments.folder.join("log"), StoreOptions::default())?);
    match arguments.what {
        What::Rate { producers, appends } => print(&rate(&store, producers, appends).await?)?,
        What::Growth { producers, long_events, appends, rounds } => {
            let names = (0..LONG_STREAMS).map(|at| format!("bench:long:{at}")).collect();
            let long = Streams { names, turn_events: SHORT_EVENTS };
            fill(&*store, &long, long_events).await?;
            for round in 0..rounds {
                print(&growth(&store, producers, &long, appends, round).await?)?;
            }
        }
    }
    store.close().await;
    Ok(())
}

fn print(measured: &impl Serialize) -> Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, measured)?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

async fn rate(store: &Arc<SqliteStore>, producers: usize, appends: u32) -> Result<Rate> {
    let streams = Streams { names: (0..producers).map(producer_stream).collect(), turn_events: 1 };
    append(store, producers, appends / WARM_UP_SHARE, &streams).await?;
    let started = Instant::now();
    append(store, producers, appends, &streams).await?;
    Ok(Rate { elapsed_s: started.elapsed().as_secs_f64() })
}

/// Both kinds of streams are appended to in the same pattern: ten events, then the next stream. Which comes first changes
/// from round to round.
async fn growth(
    store: &Arc<SqliteStore>,
    producers: usize,
    long: &Streams,
    appends: u32,
    round: usize,
) -> Result<Growth> {
    let names = (0..appends.div_ceil(SHORT_EVENTS)).map(|at| format!("bench:short:{round}:{at}")).collect();
    let short = Streams { names, turn_events: SHORT_EVENTS };
    fill(&**store, &short, SHORT_EVENTS).await?;
    let [mut short_us, mut long_us] = [0.0; 2];
    let mut turns = [(&short, &mut short_us), (long, &mut long_us)];
    if round % 2 == 1 {
        turns.reverse();
    }
    for (streams, cost_us) in turns {
        let before = cpu_time(process::id())?;
        append(store, producers, appends, streams).await?;
        *cost_us = (cpu_time(process::id())? - before).as_secs_f64() * 1e6 / f64::from(appends);
    }
    Ok(Growth { short_us, long_us })
}

/// Streams that take turns.
#[derive(Clone)]
struct Streams {
    names: Arc<[String]>,
    /// How many appends one gets before the next one's turn.
    turn_events: u32,
}

impl Streams {
    fn of(&self, append: u32) -> &str {
        &self.names[(append / self.turn_events) as usize % self.names.len()]
    }
}

/// Makes streams of as many events.
async fn fill(store: &dyn EventStore, streams: &Streams, events: u32) -> Result<()> {
    for stream in &*streams.names {
        for first in (0..events).step_by(FILL_EVENTS as usize) {
            let numbers = first..events.min(first + FILL_EVENTS);
            let events = numbers.map(|number| Ok(event(stream, number)?.into())).collect::<Result<_>>()?;
            store.commit(Commit { events, ..Commit::default() }).await?;
        }
    }
    Ok(())
}

/// Appends one event at a time, from as many tasks.
async fn append(store: &Arc<SqliteStore>, producers: usize, appends: u32, streams: &Streams) -> Result<()> {
    let (next, mut tasks) = (Arc::new(AtomicU32::new(0)), JoinSet::new());
    for _ in 0..producers {
        let (store, next, streams) = (Arc::clone(store), Arc::clone(&next), streams.clone());
        tasks.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= appends {
                    return anyhow::Ok(());
                }
                let events = vec![event(streams.of(number), number)?.into()];
                store.commit(Commit { events, ..Commit::default() }).await?;
            }
        });
    }
    tasks.join_all().await.into_iter().collect()
}

/// An event like those that go over HTTP.
fn event(stream: &str, number: u32) -> Result<NewEvent> {
    let mut event = NewEvent::new(StreamName::new(stream)?, Actor::new("bench")?, EventType::new("bench.ticked.v1")?);
    event.data = Data::json(&format!(r#"{{"stamp":"{}"}}"#, Stamp { number, sent_us: 0 }))?;
    Ok(event)
}
