//! [`Overlay`]: what a user meant to do, on top of what is confirmed, until each intent is settled.
//!
//! An **intent** shows at once, as a prediction. It is sent when those before it are answered, so that they are recorded in the
//! order in which they were meant; an answer that nobody got is waited for by sending the same again. It is settled, and its
//! prediction gone, when any verdict falls on an event with its id as `commandid`, or when what is confirmed has come as
//! far as its answer's position: not before, or the state would flicker back; not after, or it would count twice.
//!
//! A refusal settles an intent too, and no other. An expectation that failed does not: something else came first in its stream. The
//! intent waits until it is rebased on that, and all later ones of its stream wait behind it; those of other streams don't.
//!
//! It holds no state and calls nothing: [`Overlay::shown`] is what to predict, in order.

use crate::{
    mutation::{Mutation, mutated},
    version::Sequence,
};

/// One intent among those of its overlay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IntentId(u32);

impl IntentId {
    /// The intent of this number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// How far an intent has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It has no answer.
    Pending,
    /// Something else came first: it waits for [`Overlay::rebased`].
    Conflicted,
    /// It is recorded, at this sequence or before; what is confirmed has not come as far.
    Acknowledged(Sequence),
    /// It is gone, and [`Overlay::poll`] tells it next.
    Settled(Settled),
}

/// What became of an intent that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is recorded, and its last event has this sequence.
    Recorded(Sequence),
    /// It is not recorded, and never will be.
    Refused,
    /// It is not recorded, because its stream was not where it was expected.
    Conflict,
    /// Nobody knows. It has to be sent again, unchanged.
    Unknown,
}

/// Why an intent is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is part of what is confirmed.
    Confirmed,
    /// It was refused, or given up.
    Dropped,
}

/// There is no room for another intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// See the [module](self).
#[derive(Debug)]
pub struct Overlay {
    intents: Vec<Intent>,
    intents_max: usize,
    next: u32,
    /// Up to here everything is confirmed.
    confirmed: Sequence,
    /// The one that is on its way.
    sent: Option<IntentId>,
}

#[derive(Debug)]
struct Intent {
    id: IntentId,
    lane: u32,
    stage: Stage,
}

impl Overlay {
    /// An overlay with room for so many intents.
    #[must_use]
    pub const fn new(intents_max: usize) -> Self {
        Self { intents: Vec::new(), intents_max, next: 0, confirmed: Sequence::ZERO, sent: None }
    }

    /// Adds what was meant last. Intents of one stream have one lane, those of others another.
    ///
    /// # Errors
    /// [`Full`]: it is to be refused where the user acts.
    pub fn add(&mut self, lane: u32) -> Result<IntentId, Full> {
        if self.intents.len() >= self.intents_max {
            return Err(Full);
        }
        let id = IntentId(self.next);
        self.next = self.next.wrapping_add(1);
        self.intents.push(Intent { id, lane, stage: Stage::Pending });
        Ok(id)
    }

    /// The intent to send now, if there is one and none is on its way. Whatever comes of it, say [`Overlay::answered`].
    pub fn send(&mut self) -> Option<IntentId> {
        if self.sent.is_some() && !mutated(Mutation::SendAtOnce) {
            return None;
        }
        let is_ready = |at: &usize| {
            let intent = &self.intents[*at];
            let blocks = |earlier: &Intent| earlier.stage == Stage::Conflicted && earlier.lane == intent.lane;
            let is_sent = mutated(Mutation::SendAtOnce) && self.sent == Some(intent.id);
            intent.stage == Stage::Pending && !is_sent && !self.intents[..*at].iter().any(blocks)
        };
        self.sent = (0..self.intents.len()).find(is_ready).map(|at| self.intents[at].id);
        self.sent
    }

    /// Takes what became of an intent, whoever sent it.
    pub fn answered(&mut self, id: IntentId, answer: Answer) {
        if self.sent == Some(id) {
            self.sent = None;
        }
        match answer {
            Answer::Recorded(sequence) => self.advance(id, Stage::Pending, Stage::Acknowledged(sequence)),
            Answer::Refused => self.settle(id, Settled::Dropped),
            Answer::Conflict => self.advance(id, Stage::Pending, Stage::Conflicted),
            Answer::Unknown if mutated(Mutation::UnknownIsRefusal) => self.settle(id, Settled::Dropped),
            Answer::Unknown => {}
        }
    }

    /// Takes word that an intent still holds on top of what came first: it is to be sent again.
    pub fn rebased(&mut self, id: IntentId) {
        self.advance(id, Stage::Conflicted, Stage::Pending);
    }

    /// Takes word that a verdict fell on an event of this intent.
    pub fn judged(&mut self, id: IntentId) {
        self.settle(id, Settled::Confirmed);
    }

    /// Takes word that everything up to this sequence is confirmed.
    pub fn confirmed(&mut self, sequence: Sequence) {
        self.confirmed = self.confirmed.max(sequence);
    }

    /// Takes word that the log is another one, and nothing of it confirmed: what the old one had acknowledged is sent again.
    pub fn reset(&mut self) {
        self.confirmed = Sequence::ZERO;
        let unsettled = self.intents.iter_mut().filter(|intent| !matches!(intent.stage, Stage::Settled(_)));
        let sent_again =
            unsettled.filter(|intent| intent.stage == Stage::Pending || !mutated(Mutation::KeepAcknowledged));
        sent_again.for_each(|intent| intent.stage = Stage::Pending);
    }

    /// Gives an intent up: its prediction failed.
    pub fn give_up(&mut self, id: IntentId) {
        self.settle(id, Settled::Dropped);
    }

    /// What shows on top of the confirmed state, in order, and how far each has come.
    pub fn shown(&self) -> impl Iterator<Item = (IntentId, Stage)> {
        self.intents.iter().filter(|intent| self.how_settled(intent).is_none()).map(|intent| (intent.id, intent.stage))
    }

    /// What has been settled since it was last asked. Drain it after every input: until then it takes room.
    pub fn poll(&mut self) -> Option<(IntentId, Settled)> {
        let settled = |(at, intent)| self.how_settled(intent).map(|how| (at, how));
        let (at, how) = self.intents.iter().enumerate().find_map(settled)?;
        Some((self.intents.remove(at).id, how))
    }

    fn how_settled(&self, intent: &Intent) -> Option<Settled> {
        match intent.stage {
            Stage::Settled(how) => Some(how),
            Stage::Acknowledged(at) if at <= self.confirmed || mutated(Mutation::SettleByAnswer) => {
                Some(Settled::Confirmed)
            }
            _ => None,
        }
    }

    fn advance(&mut self, id: IntentId, from: Stage, to: Stage) {
        if let Some(intent) = self.intents.iter_mut().find(|intent| intent.id == id && intent.stage == from) {
            intent.stage = to;
        }
    }

    fn settle(&mut self, id: IntentId, how: Settled) {
        if let Some(intent) = self.intents.iter_mut().find(|intent| intent.id == id) {
            intent.stage = Stage::Settled(how);
        }
    }
}

#[cfg(test)]
mod tests;
