//! [`Database`]: what changes the lists. Each change is one transaction, so that a process may end between any two.

use std::{collections::BTreeMap, path::Path};

use highwater_core::{
    decider::{Entities, Entity},
    stream::StreamName,
    version::{Epoch, Position, Sequence},
};
use rusqlite::{Connection, Result, TransactionBehavior};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    OpenError,
    fold::{Arrival, Fold, Place, Poisoned, restore},
    operator::{self, Outcome, Request, Said},
    rows::{self, Generation, GenerationId, NewItem, Pending, Role},
    schema,
};

/// How far a generation may have come without its position being committed, where nothing had an effect.
const UNCOMMITTED_MAX: u64 = 10_000;
/// How many rows of a dropped generation are taken away at once.
const CLEARED_ROWS_MAX: u32 = 1_000;
/// How many requests are looked at.
const REQUESTS_MAX: u32 = 100;

/// What the lists are of.
#[derive(Clone)]
pub(super) struct Subject {
    pub(super) entities: Entities,
    pub(super) epoch: Epoch,
    /// What the states depend on, beside the log.
    pub(super) fingerprint: String,
    /// The most events that are set aside by name.
    pub(super) set_aside_max: usize,
}

/// The generations that there are.
#[derive(Clone, Debug)]
pub(super) struct Generations {
    pub(super) serving: Generation,
    pub(super) building: Option<Generation>,
}

/// What a batch has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Effects {
    /// Events that moved a stream's mark.
    pub(super) applied: u64,
    /// Events that were set aside.
    pub(super) set_aside: u64,
    /// Whether an operator has asked for something, or has been answered.
    pub(super) heard: bool,
}

/// The lists, to be written.
pub(super) struct Database {
    connection: Connection,
    subject: Subject,
}

impl Database {
    pub(super) fn open(path: &Path, subject: Subject) -> std::result::Result<Self, OpenError> {
        Ok(Self { connection: schema::open(path)?, subject })
    }

    /// Finds out what is there and of use. What is of another log, or further than this one, is not; what is of other entities serves until
    /// it is built anew.
    pub(super) fn begin(&mut self, head: Sequence) -> Result<Generations> {
        let Subject { epoch, fingerprint, .. } = self.subject.clone();
        self.transact(|database| {
            let known = rows::log(database)?;
            let furthest = [Role::Serving, Role::Building].map(|role| rows::generation(database, role));
            let is_ahead = furthest.into_iter().any(|found| matches!(found, Ok(Some(found)) if found.position > head));
            if is_ahead || known.is_none_or(|(known, _)| known != epoch.as_str()) {
                rows::set_log(database, epoch)?;
            }
            if let Some(building) = rows::generation(database, Role::Building)?
                && building.fingerprint != fingerprint
            {
                rows::set_role(database, building.id, Role::Dropped)?;
                rows::forget_generation(database, building.id)?;
            }
            let serving = rows::generation(database, Role::Serving)?;
            if serving.is_none() {
                rows::add_generation(database, Role::Serving, &fingerprint)?;
            }
            let is_outdated = serving.is_some_and(|serving| serving.fingerprint != fingerprint);
            if is_outdated && rows::generation(database, Role::Building)?.is_none() {
                rows::add_generation(database, Role::Building, &fingerprint)?;
            }
            Ok(())
        })?;
        self.generations()
    }

    pub(super) fn generations(&self) -> Result<Generations> {
        let serving = rows::generation(&self.connection, Role::Serving)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        Ok(Generations { serving, building: rows::generation(&self.connection, Role::Building)? })
    }

    /// Has events their effect, and notes up to where. `committed` is what was noted before.
    pub(super) fn apply(
        &mut self,
        generation: GenerationId,
        arrivals: Vec<Arrival>,
        committed: Sequence,
        next: Sequence,
    ) -> Result<(Effects, Sequence)> {
        if arrivals.is_empty() && next.get() - committed.get() < UNCOMMITTED_MAX {
            return Ok((Effects::default(), committed));
        }
        let subject = self.subject.clone();
        let effects = self.transact(|database| {
            let mut batch = Batch { database, generation, subject: &subject, effects: Effects::default() };
            batch.apply(arrivals)?;
            rows::set_position(database, generation, next)?;
            Ok(batch.effects)
        })?;
        Ok((effects, next))
    }

    /// Puts what all of a stream's events come to in the place of what was there, and answers a request.
    pub(super) fn refolded(
        &mut self,
        generation: GenerationId,
        stream: &StreamName,
        (fold, snapshot): (Fold, String),
        request: (Sequence, Position),
    ) -> Result<bool> {
        let subject = self.subject.clone();
        let (request, target) = request;
        self.transact(|database| {
            let mut batch = Batch { database, generation, subject: &subject, effects: Effects::default() };
            for healed in rows::set_aside_of(database, generation, stream.as_str())? {
                if !fold.poisoned.iter().any(|poisoned| poisoned.sequence == healed) {
                    rows::take_back(database, generation, healed)?;
                }
            }
            for poisoned in &fold.poisoned {
                let is_asked_for = poisoned.sequence == target.sequence;
                if is_asked_for || !rows::is_set_aside(database, generation, poisoned.sequence)? {
                    batch.set_aside(poisoned)?;
                }
            }
            let is_folded = !fold.poisoned.iter().any(|poisoned| poisoned.sequence == target.sequence);
            if is_folded {
                rows::take_back(database, generation, target.sequence)?;
            }
            if let (Some(entity), Some((first, _))) = (subject.entities.of(stream), fold.span) {
                batch.write(entity, stream, &fold, &snapshot, first)?;
            }
            let outcome = Outcome::Retried { position: target.to_string(), is_folded };
            rows::set_outcome(database, request, &outcome.text())?;
            Ok(is_folded)
        })
    }

    /// Notes that what is set aside could not be folded this time either, and answers a request.
    pub(super) fn tried(
        &mut self,
        generation: GenerationId,
        poisoned: &Poisoned,
        request: (Sequence, Position),
    ) -> Result<()> {
        self.transact(|database| {
            rows::set_aside(database, generation, poisoned)?;
            let outcome = Outcome::Retried { position: request.1.to_string(), is_folded: false };
            rows::set_outcome(database, request.0, &outcome.text())
        })
    }

    /// Begins to build the lists anew, for a request.
    pub(super) fn rebuild(&mut self, request: Sequence) -> Result<Generations> {
        let fingerprint = self.subject.fingerprint.clone();
        self.transact(|database| {
            let generation = rows::add_generation(database, Role::Building, &fingerprint)?;
            rows::set_request_generation(database, request, generation)
        })?;
        self.generations()
    }

    /// Has what was built serve, and answers who has asked for it.
    pub(super) fn swap(&mut self, serving: GenerationId, building: &Generation) -> Result<Generations> {
        self.transact(|database| {
            rows::set_role(database, serving, Role::Dropped)?;
            rows::set_role(database, building.id, Role::Serving)?;
            rows::set_position(database, building.id, building.position)?;
            for request in rows::requests(database, REQUESTS_MAX)? {
                if request.generation == Some(building.id) && request.outcome.is_none() {
                    let outcome = Outcome::Rebuilt { generation: building.id.0 };
                    rows::set_outcome(database, request.sequence, &outcome.text())?;
                }
            }
            Ok(())
        })?;
        self.generations()
    }

    /// What operators have asked for and the log has no answer to yet.
    pub(super) fn requests(&self) -> Result<Vec<Pending>> {
        rows::requests(&self.connection, REQUESTS_MAX)
    }

    pub(super) fn answer(&self, request: Sequence, outcome: &Outcome) -> Result<()> {
        rows::set_outcome(&self.connection, request, &outcome.text())
    }

    pub(super) fn is_set_aside(&self, generation: GenerationId, sequence: Sequence) -> Result<bool> {
        rows::is_set_aside(&self.connection, generation, sequence)
    }

    pub(super) fn set_aside_count(&self, generation: GenerationId) -> Result<usize> {
        rows::set_aside_count(&self.connection, generation)
    }

    /// Takes away some of what is not served any more. Says whether there is more.
    pub(super) fn clear_dropped(&mut self) -> Result<bool> {
        self.transact(|database| rows::clear_dropped(database, CLEARED_ROWS_MAX))
    }

    fn transact<T>(&mut self, change: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let changed = change(&transaction)?;
        transaction.commit()?;
        Ok(changed)
    }
}

/// Events on their way into a generation, within a transaction.
struct Batch<'a> {
    database: &'a Connection,
    generation: GenerationId,
    subject: &'a Subject,
    effects: Effects,
}

impl Batch<'_> {
    fn apply(&mut self, arrivals: Vec<Arrival>) -> Result<()> {
        let mut streams: BTreeMap<StreamName, Vec<Arrival>> = BTreeMap::new();
        let mut said = Vec::new();
        for arrival in arrivals {
            match arrival {
                Arrival::Event(event) if event.stream.as_str() == operator::STREAM => said.push(event),
                Arrival::Nowhere { ref reason, .. } => self.set_aside(&arrival.poisoned(reason))?,
                Arrival::Event(_) | Arrival::Malformed { .. } => {
                    let Some(stream) = arrival.stream().cloned() else { continue };
                    streams.entry(stream).or_default().push(arrival);
                }
            }
        }
        for (stream, arrivals) in streams {
            if let Some(entity) = self.subject.entities.of(&stream) {
                self.fold(entity, &stream, &arrivals)?;
            }
        }
        // What is discarded has been set aside before.
        for event in said {
            match operator::read(&event) {
                Some(said) => self.hear(event.sequence, event.id.as_str(), said)?,
                None => tracing::debug!(sequence = %event.sequence, "an event for operators says nothing here"),
            }
        }
        Ok(())
    }

    fn fold(&mut self, entity: &Entity, stream: &StreamName, arrivals: &[Arrival]) -> Result<()> {
        let before = rows::item(self.database, self.generation, stream.as_str())?;
        let (snapshot, created) = before.unzip();
        let folded = restore(entity, snapshot.as_deref()).and_then(|start| Fold::of(&start, arrivals));
        let (fold, snapshot) = match folded {
            Ok(folded) => folded,
            Err(reason) => {
                return arrivals.iter().try_for_each(|arrival| self.set_aside(&arrival.poisoned(&reason)));
            }
        };
        let Some((first, _)) = fold.span else { return Ok(()) };
        self.effects.applied += fold.taken;
        for poisoned in &fold.poisoned {
            self.set_aside(poisoned)?;
        }
        self.write(entity, stream, &fold, &snapshot, created.unwrap_or(first))
    }

    fn write(&self, entity: &Entity, stream: &StreamName, fold: &Fold, snapshot: &str, created: Place) -> Result<()> {
        let mark = fold.folded().mark();
        let mut segments = stream.segments();
        let space = if segments.next() == Some("space") { segments.next() } else { None };
        let status = status(snapshot);
        let item = NewItem {
            stream: stream.as_str(),
            entity: entity.name(),
            space,
            status: status.as_deref(),
            revision: mark.revision,
            version: mark.version,
            created,
            updated: fold.span.map_or(created, |(_, last)| last),
            snapshot,
        };
        rows::put_item(self.database, self.generation, &item)
    }

    /// Names an event, unless somebody has discarded it or there is no room.
    fn set_aside(&mut self, poisoned: &Poisoned) -> Result<()> {
        let sequence = poisoned.sequence;
        if rows::is_discarded(self.database, sequence)? {
            return Ok(());
        }
        self.effects.set_aside += 1;
        let is_known = rows::is_set_aside(self.database, self.generation, sequence)?;
        if !is_known && rows::set_aside_count(self.database, self.generation)? >= self.subject.set_aside_max {
            tracing::error!(%sequence, "an event can't be folded, and is not listed: too many are set aside already");
            return rows::add_unlisted(self.database, self.generation);
        }
        let (stream, kind) = (poisoned.stream.as_deref().unwrap_or("?"), poisoned.kind.as_deref().unwrap_or("?"));
        tracing::warn!(%sequence, stream, r#type = kind, "an event can't be folded, and is set aside");
        rows::set_aside(self.database, self.generation, poisoned)
    }

    fn hear(&mut self, at: Sequence, id: &str, said: Said) -> Result<()> {
        self.effects.heard = true;
        match said {
            Said::Asked(request) => rows::add_request(self.database, at, id, &request.to_string()),
            Said::Answered { request, discarded } => {
                let is_ours = |position: &Position| position.epoch == self.subject.epoch;
                if let Some(discarded) = discarded.filter(is_ours) {
                    rows::discard(self.database, discarded.sequence)?;
                    rows::take_back(self.database, self.generation, discarded.sequence)?;
                }
                match is_ours(&request) {
                    true => rows::remove_request(self.database, request.sequence),
                    false => Ok(()),
                }
            }
        }
    }
}

impl Pending {
    pub(super) fn request(&self) -> Option<Request> {
        Request::parse(&self.asked)
    }
}

/// What a state says of how the thing stands: `phase` or `status`, where that is a text.
fn status(snapshot: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Snapshot<'a> {
        #[serde(borrow)]
        state: State<'a>,
    }
    #[derive(Deserialize)]
    struct State<'a> {
        #[serde(borrow)]
        phase: Option<&'a RawValue>,
        #[serde(borrow)]
        status: Option<&'a RawValue>,
    }
    let Snapshot { state } = serde_json::from_str(snapshot).ok()?;
    [state.phase, state.status].into_iter().flatten().find_map(|value| serde_json::from_str(value.get()).ok())
}
