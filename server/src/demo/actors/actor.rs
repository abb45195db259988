//! [`Colleague`]: what tester and corrector have in common: a clock, an ear and a voice.
//!
//! A colleague keeps nothing that the log does not hold. One that takes another's place under the same name reads the
//! stream from its start, finds its own counter there, and goes on.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use highwater_core::{
    clock::VectorClock,
    control::ControlKind,
    envelope::{parse_event, scan_page, write_new_event},
    event::{Actor, EventId, NewEvent},
    reconcile::Verdict,
    stream::StreamName,
    topic::Topics,
    version::{After, Revision, Version},
};
use rand::rngs::StdRng;
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

/// What must hold for a fact to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// Nothing: a late report is a fact too.
    None,
    /// The stream has no event yet.
    NewStream,
    /// The stream has no later version.
    Monotonic,
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

    /// Appends an event that says this, and answers its id once it is durable.
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
        let Identity { name, stream, pace, .. } = self.identity.clone();
        let id = EventId::new(&Uuid::now_v7().to_string()).expect("a UUID is an event's id");
        let (kind, data) = fact.write();
        let mut event = NewEvent::new(stream, name, kind);
        event.id = Some(id.clone());
        event.version = Some(version);
        event.causation_id = cause.cloned();
        event.data = data;
        for _ in 0..CLOCK_TRIES_MAX {
            self.clock.tick(event.source.as_str()).map_err(|_| GaveUp::ClockFull)?;
            event.clock = Some(self.clock.clone());
            sleep(pace.wire(rng)).await;
            match self.send(body(&event, condition), condition == Condition::Monotonic).await {
                Ok(()) => return Ok(id),
                // Nothing is stored: the same id may go with the next counter.
                Err(Failure::Refused(problem)) if problem.code() == "clock_reused" => self.recall().await?,
                Err(Failure::Refused(problem)) if matches!(problem.code(), "revision_conflict" | "stale_version") => {
                    return Err(GaveUp::Contended);
                }
                Err(failure) => return Err(failure.into()),
            }
        }
        Err(GaveUp::Contended)
    }

    /// Sends, and sends the same again for as long as it is not known what became of it.
    async fn send(&self, body: Bytes, monotonic: bool) -> Result<(), Failure> {
        let mut backoff = Backoff::default();
        loop {
            match self.identity.remote.append(body.clone(), monotonic).await {
                Err(failure) if failure.may_pass() && backoff.attempts() < SEND_RETRIES_MAX => {
                    tracing::info!("{}: {failure}", self.identity.name);
                    sleep(backoff.next_wait().max(failure.retry_after())).await;
                }
                other => return other.map(drop),
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

/// The event as it is sent.
fn body(event: &NewEvent, condition: Condition) -> Bytes {
    let mut body = Vec::new();
    write_new_event(event, &mut body);
    if condition == Condition::NewStream {
        body.splice(1..1, *br#""expectedrevision":0,"#);
    }
    body.into()
}
