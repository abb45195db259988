//! Many producers, each with a connection of its own.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mio::{Events, Poll, Token};

use super::{Latencies, Outcome, poster::Poster, transport::Target};
use crate::event::{EVENT, Stamp, event, producer_stream};

/// Appends over as many connections, to a stream each, one event at a time, until `appends` are answered.
pub(super) fn run(target: &Target, connections: usize, appends: u32, silence_max: Duration) -> Result<Outcome> {
    let (mut poll, mut ready, mut buffer) = (Poll::new()?, Events::with_capacity(1_024), vec![0; 64 * 1024]);
    let mut posters = (0..connections)
        .map(|at| Ok((Poster::open(target, poll.registry(), Token(at))?, 0)))
        .collect::<Result<Vec<_>>>()?;
    let mut latencies = Latencies::expecting(appends as usize)?;
    let clock = Instant::now();
    let now_us = || clock.elapsed().as_micros() as u64;
    let mut posted = 0;
    let mut post = |at: usize, poster: &mut Poster, sent_us: &mut u64| {
        if posted < appends {
            *sent_us = now_us();
            poster.post(EVENT, &event(&producer_stream(at), Stamp { number: posted, sent_us: *sent_us }))?;
            posted += 1;
        }
        anyhow::Ok(())
    };
    for (at, (poster, sent_us)) in posters.iter_mut().enumerate() {
        post(at, poster, sent_us)?;
    }
    while latencies.count() < appends as usize {
        poll.poll(&mut ready, Some(silence_max))?;
        ensure!(!ready.is_empty(), "{} of {appends} appends have no answer", appends as usize - latencies.count());
        for event in &ready {
            let Token(at) = event.token();
            let (poster, sent_us) = posters.get_mut(at).context("a token that was given to nobody")?;
            for _ in 0..poster.go_on(&mut buffer)? {
                latencies.add(now_us() - *sent_us);
                post(at, poster, sent_us)?;
            }
        }
    }
    latencies.outcome(clock.elapsed())
}
