//! `highwater tail`: the events of some topics as they come, each once and in the log's order, whatever the network does.

mod show;

use std::{future::ready, pin::pin, sync::Arc};

use highwater_core::{
    topic::{Topic, Topics},
    version::After,
};

use self::show::Show;
use super::{
    ServerArgs,
    output::{say, stdout_closed},
};
use crate::remote::{Follower, Told};

/// Show the events of some topics as they come
///
/// On a terminal an event is one readable line, in a pipe it is its CloudEvent, one a line.
///
/// Connections that break are made anew from where they were. An event about a version that its stream has left behind is
/// not shown, unless --stale asks for it.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Streams, or patterns such as space:42:** (** is every stream)
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<Topic>,
    /// Where to start: earliest, latest, or after a position such as k3x9q7ma-42
    #[arg(long, default_value = "latest")]
    after: After,
    /// End after so many events
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Show also events about a version that their stream has left behind
    #[arg(long)]
    stale: bool,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) async fn run(args: Arguments) -> anyhow::Result<()> {
    let topics = Topics::new(args.topics.iter().map(Topic::as_str))?;
    let remote = Arc::new(args.server.remote()?);
    let show = Show::new(args.count, args.stale);
    if show.is_done() {
        return Ok(());
    }
    tokio::select! {
        // Who has seen an event may interrupt at once: that is listened for before anything is shown.
        biased;
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
        () = stdout_closed() => Ok(()),
        ended = follow(Follower::new(remote, topics, args.after), show) => ended,
    }
}

/// Shows events until enough have been shown. Only a server that never answered, or refuses, is an error.
async fn follow(mut follower: Follower, mut show: Show) -> anyhow::Result<()> {
    let mut connected = false;
    loop {
        let mut next = pin!(follower.next());
        let told = tokio::select! {
            biased;
            told = &mut next => told?,
            // Nothing more is here: what is shown is let out, before the next is waited for.
            () = ready(()) => {
                if show.flush()?.is_break() {
                    return Ok(());
                }
                next.await?
            }
        };
        match told {
            Told::Event { verdict, position, envelope, .. } => {
                if show.event(verdict, position, &envelope)?.is_break() {
                    return Ok(());
                }
            }
            Told::Connected => connected = true,
            Told::Disconnected { why, .. } if !connected => return Err(why.into()),
            Told::Disconnected { why, wait, after } => {
                say(format_args!("{why}; connecting again in {:.1} s, after {after}", wait.as_secs_f32()));
            }
            Told::Reset(reason) => {
                say(format_args!("the cursor is of no use any more ({reason}): going on from where the log can"));
            }
            Told::Lost { stream, from, to } => {
                say(format_args!("revisions {from} to {to} of {stream} are not in the log any more"));
            }
            Told::Control(_) => {}
        }
    }
}
