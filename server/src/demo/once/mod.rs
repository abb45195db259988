//! `highwater demo --once`: a bounded race without a page. A naive client and the real one read the same bytes; then an
//! oracle, which has neither's code, says what each should have shown.
//!
//! Chance may keep a round from showing all that it is there to show. Then another follows, on the same log.

mod judge;
mod naive;
mod oracle;
mod real;
mod report;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use highwater_core::{control::ControlKind, envelope::parse_event, version::After};
use tokio::time::timeout;

use self::{
    judge::{Judgement, judge},
    naive::NaiveClient,
    real::RealClient,
};
use super::{
    actors::{CREWS, Crews, Plan},
    facts::tasks_topics,
    pace::Pace,
    proxy::{Faults, stretch_ms},
    stage::Stage,
};
use crate::remote::{Follower, Remote, Told, Via};

/// How many times faster than the seed's latencies, unless told otherwise.
pub(super) const SPEED: f64 = 60.0;
/// How long the server is silent at most, at the default speed: its heartbeats tell that nothing is under way any more.
const HEARTBEAT_MS: u64 = 100;
/// How many tasks a round has.
const TASKS: usize = 16;
/// How many rounds there are, where what is to be shown has not been seen earlier.
const ROUNDS_MAX: usize = 4;
/// How bad the network is at the default speed.
const FAULTS: Faults =
    Faults { delay_ms: [0, 40], repeat: 0.3, reorder: 0.35, cut_every_ms: Some(1_500), ..Faults::NONE };
/// So many heartbeats after the faults have ended, everything that was held back has come.
const SETTLING_HEARTBEATS: usize = 10;
/// The longest that a round may take at the default speed or a higher one; it takes about six seconds.
const ROUND_TIMEOUT: Duration = Duration::from_secs(60);

/// How long the server is silent at most: in step with the actors, as a heartbeat overtakes what is held just as their
/// messages do.
pub(super) fn heartbeat_ms(pace: &Pace) -> u64 {
    stretch_ms(HEARTBEAT_MS, slowness(pace).max(1.0))
}

/// Runs the scenario and prints what came of it.
///
/// # Errors
/// Where a verdict or a state was wrong, where the scenario did not show what it is there to show, or where it did not end.
pub(super) async fn run(stage: &Stage, plan: Plan) -> anyhow::Result<()> {
    let started = Instant::now();
    let seed = plan.seed;
    let faults = FAULTS.stretched(slowness(&plan.pace));
    let (race, judgement) = run_under(stage, plan, &faults).await?;
    report::print(&race, &judgement, started.elapsed(), seed)?;
    conclude(&race, &judgement, seed)
}

/// Round after round, until every kind of message that leads a naive client astray has done so, or something is wrong.
async fn run_under(stage: &Stage, plan: Plan, faults: &Faults) -> anyhow::Result<(Race, Judgement)> {
    let limit = ROUND_TIMEOUT.mul_f64(slowness(&plan.pace).max(1.0));
    let server = Remote::new(&stage.server_url())?;
    let mut race = Race::new(stage)?;
    loop {
        let round = async {
            race.round(stage, &plan, faults).await?;
            oracle::read_log(&server).await
        };
        let log = timeout(limit, round)
            .await
            .with_context(|| format!("a round has not ended within {} s (seed {})", limit.as_secs(), plan.seed))??;
        let judgement = judge(&log, &race.naive, &race.real);
        let shown = judgement.lacking().next().is_none();
        if shown || !judgement.mistakes.is_empty() || race.rounds == ROUNDS_MAX {
            return Ok((race, judgement));
        }
    }
}

/// How many times as long everything takes as at the default speed.
fn slowness(pace: &Pace) -> f64 {
    SPEED / pace.speed()
}

/// What both clients have seen.
struct Race {
    follower: Follower,
    naive: NaiveClient,
    real: RealClient,
    connections: usize,
    rounds: usize,
    finished: usize,
}

impl Race {
    fn new(stage: &Stage) -> anyhow::Result<Self> {
        Ok(Self {
            follower: Follower::new(Arc::new(Remote::new(&stage.url())?), tasks_topics(), After::Earliest),
            naive: NaiveClient::default(),
            real: RealClient::default(),
            connections: 0,
            rounds: 0,
            finished: 0,
        })
    }

    /// Lets the actors work and the clients read, until everything has been read.
    async fn round(&mut self, stage: &Stage, plan: &Plan, faults: &Faults) -> anyhow::Result<()> {
        // No crew of an earlier round has had a seed of this one's.
        let seed = plan.seed.wrapping_add((self.rounds * CREWS) as u64);
        self.rounds += 1;
        stage.proxy().set_faults(Faults { seed: Some(seed), ..faults.clone() });
        let crews = Crews::start(&Plan { tasks: Some(TASKS), seed, ..plan.clone() });
        let mut working = std::pin::pin!(crews.finish());
        loop {
            tokio::select! {
                finished = &mut working => {
                    self.finished += finished;
                    break;
                }
                told = self.follower.next() => drop(self.read(told?)?),
            }
        }
        stage.proxy().set_faults(Faults::NONE);
        let head = Remote::new(&stage.server_url())?.head().await?.sequence;
        let mut heartbeats = 0;
        while heartbeats < SETTLING_HEARTBEATS || self.follower.cursor().is_none_or(|cursor| cursor.sequence < head) {
            let told = self.follower.next().await?;
            heartbeats += usize::from(self.read(told)?);
        }
        self.real.counts = self.follower.counts();
        Ok(())
    }

    /// Hands to both what belongs to them. Answers whether it was a heartbeat.
    fn read(&mut self, told: Told) -> anyhow::Result<bool> {
        match told {
            Told::Event { verdict, position, envelope, via } => {
                let event = parse_event(envelope.as_bytes()).context("an event can't be read")?;
                let position = position.context("an event has no place")?;
                if via == Via::Stream {
                    self.naive.receive(&event);
                }
                self.real.receive(&event, position.sequence, verdict, via);
                Ok(false)
            }
            Told::Connected => {
                self.connections += 1;
                Ok(false)
            }
            Told::Control(kind) => Ok(kind == ControlKind::Heartbeat),
            Told::Disconnected { .. } => Ok(false),
            Told::Reset(_) => bail!("the server began its log anew"),
            Told::Lost { stream, from, to } => bail!("revisions {from} to {to} of {stream} are lost"),
        }
    }
}

fn conclude(race: &Race, judgement: &Judgement, seed: u64) -> anyhow::Result<()> {
    if let Some(first) = judgement.mistakes.first() {
        bail!("{} verdicts or states were wrong (seed {seed}); the first: {first}", judgement.mistakes.len());
    }
    let tasks = race.rounds * TASKS;
    ensure!(race.finished == tasks, "only {} of {tasks} tasks were finished (seed {seed})", race.finished);
    let lacking: Vec<&str> = judgement.lacking().collect();
    ensure!(
        lacking.is_empty(),
        "nothing was judged wrongly, but {tasks} tasks brought no {} message that the naive client got wrong (seed {seed})",
        lacking.join(", and no ")
    );
    Ok(())
}

#[cfg(test)]
mod tests;
