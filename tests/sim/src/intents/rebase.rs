//! Intents that expected a stream elsewhere than it is, as `client-wasm/js/rebase.ts` and `outbox.ts` have it.

use highwater_client::Fate;
use highwater_core::{
    decider::{Context, Entities, Origin, Rejection, Streams},
    stream::StreamName,
    time::Timestamp,
};
use serde_json::json;

use super::{Intent, PATIENCE_MS};
use crate::{
    client::{Client, device::Said},
    network::Desk,
};

impl Client {
    /// Begins to send (`Outbox.begin`). Another tab may have ended a conflict, and this one not have heard of it.
    pub(crate) fn end_conflicts(&mut self, desk: &mut Desk<'_>) {
        for at in 0..self.intents.kept.len() {
            let intent = &mut self.intents.kept[at];
            if intent.conflict.take().is_some() {
                let number = intent.number;
                self.fate(number, Fate::Rebased, 0, desk);
            }
        }
    }

    /// Where something else came first and a state has come as far: what still holds on top of it expects it, the rest is given up.
    pub(super) fn rebase(&mut self, entities: &Entities, desk: &mut Desk<'_>) {
        for at in 0..self.intents.kept.len() {
            let Intent { number, stream, conflict: Some((revision, since)), .. } = self.intents.kept[at].clone() else {
                continue;
            };
            let known =
                self.app.states.get(&stream).map_or(0, |state| {
                    state.folded.as_ref().map_or(0, |folded| u64::from(folded.mark().revision.get()))
                });
            let is_decided = known >= revision || desk.now >= since + PATIENCE_MS;
            if !is_decided {
                continue;
            }
            if !self.still_leads(desk) {
                return;
            }
            if known >= revision && self.holds(at, entities) {
                let etag = self.etag(&stream);
                let intent = &mut self.intents.kept[at];
                (intent.conflict, intent.expected) = (None, Some(etag));
                let intent = intent.clone();
                self.keep_intent(intent, desk);
                self.fate(number, Fate::Rebased, 0, desk);
            } else {
                let intent = &mut self.intents.kept[at];
                intent.conflict = None;
                let id = intent.id.clone();
                self.say(Said::GivenUp(id), desk);
                self.fate(number, Fate::GivenUp, 0, desk);
            }
        }
    }

    /// Whether the entity would take it on top of what shows.
    fn holds(&self, at: usize, entities: &Entities) -> bool {
        let intent = &self.intents.kept[at];
        let (Ok(stream), Some(state)) = (StreamName::new(&intent.stream), self.app.states.get(&intent.stream)) else {
            return true;
        };
        let Some(folded) = &state.folded else { return true };
        let mut streams = Streams::default();
        streams.insert(stream.clone(), folded.clone());
        let command = json!({ "type": intent.body["type"], "data": intent.body["data"] }).to_string();
        let Ok(actor) = intent.body["source"].as_str().unwrap_or_default().parse() else { return false };
        let Ok(id) = intent.id.parse() else { return false };
        let origin = Origin::new(id, actor);
        let context = Context { stream: &stream, origin: &origin, now: Timestamp::UNIX_EPOCH, streams: &streams };
        match entities.decide("task", &command, &context) {
            Ok(_) | Err(Rejection::Needs(_)) => true,
            Err(Rejection::Refused(_)) => false,
        }
    }

    /// Where it knows a stream to be.
    pub(super) fn etag(&self, stream: &str) -> String {
        let state = self.app.states.get(stream).and_then(|state| state.folded.as_ref());
        format!("{}.{}", self.epoch, state.map_or(0, |folded| folded.mark().revision.get()))
    }
}
