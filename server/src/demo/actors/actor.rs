//! [`Colleague`]: what tester and corrector have in common: a clock, an ear and a voice.
//!
//! A colleague keeps nothing that the log does not hold. One that takes another's place under the same name reads the
//! stream from its start, finds its own counter there, and goes on.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use highwater_core::{
    clock::VectorClock,
    control::ControlKind,
    envelope::{parse_event, scan_page},
    event::{Actor, EventId},
    reconcile::Verdict,
    stream::StreamName,
    topic::Topics,
    version::{After, Revision, Version},
};
use rand::rngs::StdRng;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep, sleep_until};
use uuid::Uuid;

use super::{GaveUp, dossier::Dossier};
use crate::{
    demo::{facts::Fact, pace::Pace},
    remote::{Backoff, Failure, Follower, Remote, Told},
};

/// The most messages that wait to be read while an actor thinks; more wait at the server.
const INBOX_EVENTS_MAX: usize = 64;
/// How often an actor counts on when its counter turns out to be taken.
const CLOCK_TRIES_MAX: usize = 5;

/// How often an event is sent again before its fate is given up: about a minute of trying.
const SEND_RETRIES_MAX: u32 = 10;

/// What a task refuses because somebody else was first.
const CONTENDED: [&str; 4] = ["code_exists", "in_correction", "revision_conflict", "stale_version"];

/// What an actor needs to be one.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) name: Actor,
    pub(super) stream: StreamName,
    pub(super) remote: Arc<Remote>,
    pub(super) pace: Pace,
}

/// An actor at work on one task.
pub(super) struct Colleague {
    pub(super) dossier: Dossier,
    pub(super) rng: StdRng,
    voice: Voice,
    ear: Follower,
    inbox: VecDeque<Told>,
}

/// The sending half of an actor.
pub(super) struct Voice {
    identity: Identity,
    clock: VectorClock,
}

/// What must hold for a fact to be taken, beside what its task's decider asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// Nothing: a late report is a fact too.
    None,
    /// The stream has no event yet.
    NewStream,
}

impl Colleague {
    /// Takes up its work: reads what has happened so far.
    pub(super) async fn join(identity: Identity, rng: StdRng) -> Result<Self, GaveUp> {
        let topics = Topics::new([identity.stream.as_str()]).expect("a stream's name is a topic");
        let ear = Follower::new(Arc::clone(&identity.remote), topics, After::Earliest);
        let voice = Voice::new(identity);
        let mut colleague = Self { dossier: Dossier::default(), rng, voice, ear, inbox: VecDeque::new() };
        loop {
            let told = colleague.ear.next().await?;
            let ready = matches!(told, Told::Control(ControlKind::Ready));
            colleague.read(told)?;
            if ready {
                return Ok(colleague);
            }
        }
    }

    /// Waits for the next message, and for the time that it takes on the wire, and reads it.
    pub(super) async fn listen(&mut self) -> Result<(), GaveUp> {
        let told = match self.inbox.pop_front() {
            Some(told) => told,
            None => {
                let told = self.ear.next().await?;
                sleep(self.voice.identity.pace.wire(&mut self.rng)).await;
                told
            }
        };
        self.read(told)
    }

    /// Thinks. What is told meanwhile stays unread until the thinking is over.
    pub(super) async fn think(&mut self) -> Result<(), GaveUp> {
        let until = Instant::now() + self.voice.identity.pace.thinking(&mut self.rng);
        loop {
            tokio::select! {
                () = sleep_until(until) => return Ok(()),
                told = self.ear.next(), if self.inbox.len() < INBOX_EVENTS_MAX => self.inbox.push_back(told?),
            }
        }
    }

    /// Reads everything that has been told.
    pub(super) fn catch_up(&mut self) -> Result<(), GaveUp> {
        while let Some(told) = self.inbox.pop_front() {
            self.read(told)?;
        }
        Ok(())
    }

    /// Says something about a version, because of an event. See [`Voice::say`].
    pub(super) async fn say(
        &mut self,
        fact: &Fact,
        version: Version,
        cause: &EventId,
        condition: Condition,
    ) -> Result<EventId, GaveUp> {
        self.voice.say(fact, version, Some(cause), condition, &mut self.rng).await
    }

    fn read(&mut self, told: Told) -> Result<(), GaveUp> {
        match told {
            Told::Event { verdict: verdict @ (Verdict::Apply | Verdict::Stale), envelope, .. } => {
                let event = parse_event(envelope.as_bytes())?;
                self.voice.hear(&event.clock)?;
                self.dossier.file(&event, verdict);
                Ok(())
            }
            Told::Event { .. } | Told::Connected | Told::Disconnected { .. } | Told::Control(_) => Ok(()),
            Told::Reset(_) | Told::Lost { .. } => Err(GaveUp::StreamLost),
        }
    }
}

impl Voice {
    pub(super) fn new(identity: Identity) -> Self {
        Self { identity, clock: VectorClock::new() }
    }

    /// Has the task say this by a command, and answers the event's id once it is durable.
    ///
    /// # Errors
    /// [`GaveUp::Contended`] where the condition does not hold, or the clock's counter is always taken.
    pub(super) async fn say(
        &mut self,
        fact: &Fact,
        version: Version,
        cause: Option<&EventId>,
        condition: Condition,
        rng: &mut StdRng,
    ) -> Result<EventId, GaveUp> {
        let Identity { name, pace, .. } = self.identity.clone();
        let id = EventId::new(&Uuid::now_v7().to_string()).expect("a UUID is an event's id");
        let (kind, data) = fact.command();
        for _ in 0..CLOCK_TRIES_MAX {
            self.clock.tick(name.as_str()).map_err(|_| GaveUp::ClockFull)?;
            let clock = &self.clock;
            let said = Said {
                r#type: kind,
                data: &data,
                source: &name,
                version: about(fact, version),
                clock,
                causationid: cause,
            };
            let said = serde_json::to_vec(&said).expect("texts, numbers and JSON are JSON");
            sleep(pace.wire(rng)).await;
            match self.send(&id, said.into(), condition).await {
                // The first event of a command has its id.
                Ok(()) => return Ok(id),
                // Nothing is stored: the same id may go with the next counter.
                Err(Failure::Refused(problem)) if problem.code() == "clock_reused" => self.recall().await?,
                Err(Failure::Refused(problem)) if CONTENDED.contains(&problem.code()) => return Err(GaveUp::Contended),
                Err(failure) => return Err(failure.into()),
            }
        }
        Err(GaveUp::Contended)
    }

    /// Sends, and sends the same again for as long as it is not known what became of it.
    async fn send(&self, id: &EventId, body: Bytes, condition: Condition) -> Result<(), Failure> {
        let Identity { stream, remote, .. } = &self.identity;
        let mut backoff = Backoff::default();
        loop {
            match remote.command("task", stream, id, body.clone(), condition == Condition::NewStream).await {
                Err(failure) if failure.may_pass() && backoff.attempts() < SEND_RETRIES_MAX => {
                    tracing::info!("{}: {failure}", self.identity.name);
                    sleep(backoff.next_wait().max(failure.retry_after())).await;
                }
                other => return other,
            }
        }
    }

    /// What an actor does with a message's clock: merge, then tick.
    fn hear(&mut self, clock: &VectorClock) -> Result<(), GaveUp> {
        self.clock.observe(clock, self.identity.name.as_str()).map(drop).map_err(|_| GaveUp::ClockFull)
    }

    /// Finds out which counters it has used, where it has forgotten some.
    async fn recall(&mut self) -> Result<(), GaveUp> {
        let Identity { stream, remote, .. } = self.identity.clone();
        let mut from = Some(Revision::ZERO);
        while let Some(revision) = from.and_then(Revision::next) {
            let page = remote.stream_page(stream.as_str(), revision).await?;
            let page = scan_page(page.as_bytes()).ok_or_else(|| remote.unintelligible("no page of events"))?;
            from = None;
            for envelope in page.events {
                let event = parse_event(envelope)?;
                self.hear(&event.clock)?;
                from = Some(event.revision);
            }
        }
        Ok(())
    }
}

/// A command as it is sent.
#[derive(Serialize)]
struct Said<'a> {
    r#type: &'a str,
    data: &'a RawValue,
    source: &'a Actor,
    version: Option<Version>,
    clock: &'a VectorClock,
    #[serde(skip_serializing_if = "Option::is_none")]
    causationid: Option<&'a EventId>,
}

/// The version that a command is about. A new one is made of the one before, and the first of none.
fn about(fact: &Fact, version: Version) -> Option<Version> {
    match fact {
        Fact::CodeGenerated(_) => None,
        Fact::CorrectionCompleted(_) => version.previous(),
        Fact::BugReportReceived(_) | Fact::CorrectionStarted(_) | Fact::QualityChecked(_) => Some(version),
    }
}
