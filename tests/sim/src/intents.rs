//! What a page's user means to do: commands for tasks, kept by the session's overlay until they are settled, and sent until they are
//! answered, as `client-wasm/js/outbox.ts` and `sender.ts` do.

mod rebase;
mod settled;

use std::{collections::BTreeMap, ops::Range};

use highwater_client::{Fate, Kind, Session};
use highwater_core::decider::Entities;
use serde_json::Value;

use crate::{
    client::{Client, device::Said, epoch_of, json as parsed},
    network::{About, Arrival, Ask, Desk, Owner},
    process::ConnId,
};

/// How long an answer, or a state that tells what came first, is waited for.
const PATIENCE_MS: u64 = 20_000;

/// All that a page means to do, in order.
#[derive(Default)]
pub struct Intents {
    /// Those that are not settled.
    pub kept: Vec<Intent>,
    /// What became of those that are, as it is told.
    settled: BTreeMap<String, Said>,
    lanes: BTreeMap<String, u32>,
    sent: Vec<Sending>,
    /// Whether another tab sends.
    pub(crate) is_stopped: bool,
    failures: u32,
    again_at: u64,
    /// When it is to be called next.
    call_at: Option<u64>,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct Intent {
    /// The command's id.
    pub id: String,
    /// The overlay's number.
    pub number: u32,
    /// The task.
    pub stream: String,
    /// What the server recorded: the log, and the last place in it.
    pub recorded: Option<(String, u64)>,
    /// Whether it was refused, or given up.
    pub is_refused: bool,
    /// Whether an event that it made was judged.
    pub is_judged: bool,
    /// What it expects now.
    pub(crate) expected: Option<String>,
    body: Value,
    /// Where its stream was found to be, and since when.
    conflict: Option<(u64, u64)>,
}

struct Sending {
    conn: ConnId,
    number: u32,
    until: u64,
    status: u16,
    body: Vec<u8>,
}

impl Intents {
    fn lane(&mut self, stream: &str) -> u32 {
        let next = self.lanes.len() as u32;
        *self.lanes.entry(stream.to_owned()).or_insert(next)
    }

    /// Means all of it again, in the same order, in a session that knows nothing of it.
    pub fn restore(&mut self, session: &mut Session) {
        self.sent.clear();
        self.lanes.clear();
        self.settled.clear();
        for at in 0..self.kept.len() {
            let stream = self.kept[at].stream.clone();
            let lane = self.lane(&stream);
            let number = session.intend(lane);
            let intent = &mut self.kept[at];
            intent.number = u32::try_from(number).expect("there was room for it before");
            (intent.conflict, intent.is_judged) = (None, false);
        }
    }

    /// Takes what was meant in another tab, after what is here.
    pub(crate) fn take(&mut self, record: &Intent, session: &mut Session) {
        let lane = self.lane(&record.stream);
        if let Ok(number) = u32::try_from(session.intend(lane)) {
            let intent = Intent { number, conflict: None, is_refused: false, is_judged: false, ..record.clone() };
            self.kept.push(intent);
        }
    }

    /// Waits for no answer any more; says for which.
    pub(crate) fn forget_sent(&mut self) -> Vec<(ConnId, u32)> {
        self.sent.drain(..).map(|sent| (sent.conn, sent.number)).collect()
    }

    fn find(&mut self, number: u32) -> Option<&mut Intent> {
        self.kept.iter_mut().find(|intent| intent.number == number)
    }
}

impl Client {
    /// Its user means to do something. `false` where there is no more room.
    pub fn mean(&mut self, id: String, stream: &str, body: Value, is_conditional: bool, desk: &mut Desk<'_>) -> bool {
        let lane = self.intents.lane(stream);
        let Ok(number) = u32::try_from(self.session.intend(lane)) else { return false };
        let expected = is_conditional.then(|| self.etag(stream));
        let (recorded, conflict) = (None, None);
        let stream = stream.to_owned();
        self.intents.kept.push(Intent {
            id,
            number,
            stream,
            recorded,
            is_refused: false,
            is_judged: false,
            body,
            expected,
            conflict,
        });
        self.intents.kept.last().cloned().into_iter().for_each(|record| self.share_intent(record, desk));
        self.send_intents(desk);
        true
    }

    /// Sends what is to be sent next, if none is on its way.
    pub fn send_intents(&mut self, desk: &mut Desk<'_>) {
        while !self.is_over
            && !self.intents.is_stopped
            && self.intents.again_at <= desk.now
            && let Ok(number) = u32::try_from(self.session.next_intent())
            && self.intents.sent.iter().all(|sent| sent.number != number)
        {
            if !self.still_leads(desk) {
                return self.fate(number, Fate::Unknown, 0, desk);
            }
            self.send(number, desk);
        }
    }

    fn send(&mut self, number: u32, desk: &mut Desk<'_>) {
        let owner = Owner::Commands(self.index);
        let Some(intent) = self.intents.find(number) else { return };
        intent.conflict = None; // What was answered before it was known of which log that is begins anew.
        let mut headers = vec![("content-type", "application/json".to_owned()), ("idempotency-key", intent.id.clone())];
        headers.extend(intent.expected.as_ref().map(|etag| match etag.ends_with(".0") {
            true => ("if-none-match", "*".to_owned()),
            false => ("if-match", format!("\"{etag}\"")),
        }));
        let path = format!("/v1/commands/task/{}", intent.stream);
        let about = About::Write(intent.id.clone());
        let conn = desk.ask(owner, Ask { method: "POST", path, headers, body: intent.body.to_string().into(), about });
        let until = desk.now + PATIENCE_MS;
        self.intents.sent.push(Sending { conn, number, until, status: 0, body: Vec::new() });
        self.call_intents(until, desk);
    }

    /// Time has passed for what is sent, or waits to be sent again.
    pub fn intents_due(&mut self, entities: &Entities, desk: &mut Desk<'_>) {
        if self.intents.call_at.is_none_or(|due| due > desk.now) {
            // Another call has taken this one's place.
            return;
        }
        while let Some(at) = self.intents.sent.iter().position(|sent| sent.until <= desk.now) {
            let sent = self.intents.sent.remove(at);
            desk.dropped.push(sent.conn);
            self.unknown(sent.number, desk);
        }
        if !self.intents.is_stopped {
            self.rebase(entities, desk);
        }
        self.send_intents(desk);
        self.call_later(desk);
    }

    /// Has itself called by then.
    pub(crate) fn call_intents(&mut self, at: u64, desk: &mut Desk<'_>) {
        if self.intents.call_at.is_none_or(|due| due > at || due <= desk.now) {
            self.intents.call_at = Some(at);
            desk.calls.push((at, Owner::Commands(self.index)));
        }
    }

    /// When there is still something to wait for.
    fn call_later(&mut self, desk: &mut Desk<'_>) {
        self.intents.call_at = None;
        let sent = self.intents.sent.iter().map(|sent| sent.until).min();
        let again = Some(self.intents.again_at).filter(|at| *at > desk.now);
        let conflict = self.intents.kept.iter().any(|intent| intent.conflict.is_some()).then_some(desk.now + 500);
        if let Some(at) = [sent, again, conflict].into_iter().flatten().min() {
            self.call_intents(at, desk);
        }
    }

    /// Something of the answer to what was sent has come.
    pub fn intent_arrived(&mut self, conn: ConnId, arrival: Arrival, desk: &mut Desk<'_>) {
        if self.has_to_wait(desk.now) {
            return self.keep(conn, arrival);
        }
        let Some(at) = self.intents.sent.iter().position(|sent| sent.conn == conn) else { return };
        let sent = &mut self.intents.sent[at];
        match arrival {
            Arrival::Head(status, _) => sent.status = status.as_u16(),
            Arrival::Bytes(bytes) => sent.body.extend_from_slice(&bytes),
            Arrival::End => {
                let sent = self.intents.sent.remove(at);
                let (number, status) = (sent.number, sent.status);
                if refuses(status) && !self.still_leads(desk) {
                    return self.unknown(number, desk);
                }
                let id = self.intents.find(number).map(|intent| intent.id.clone());
                self.answered(number, status, &sent.body, desk);
                // Where something else came first, it has no answer yet.
                if let Some(id) = id.filter(|_| status != 412 && !self.intents.is_stopped) {
                    self.say(Said::Answered { id, status, body: sent.body.into() }, desk);
                }
            }
            Arrival::Lost => {
                let number = self.intents.sent.remove(at).number;
                self.unknown(number, desk);
            }
        }
    }

    /// Another tab was answered.
    pub(crate) fn was_answered(&mut self, id: &str, status: u16, body: &[u8], desk: &mut Desk<'_>) {
        let Some(intent) = self.intents.kept.iter_mut().find(|intent| intent.id == id) else {
            let said = Said::Answered { id: id.to_owned(), status, body: body.to_vec().into() };
            self.remember_other(id, said);
            return;
        };
        let number = intent.number;
        if intent.conflict.take().is_some() {
            self.fate(number, Fate::Rebased, 0, desk);
        }
        self.answered(number, status, body, desk);
    }

    fn answered(&mut self, number: u32, status: u16, body: &[u8], desk: &mut Desk<'_>) {
        let body = parsed(body);
        match status {
            200 | 201 => {
                let position = body["position"].as_str().unwrap_or_default();
                let sequence = position.split_once('-').and_then(|(_, text)| text.parse().ok()).unwrap_or(0_u64);
                let epoch = epoch_of(position).to_owned();
                if !self.is_ours(&epoch) {
                    return self.unknown(number, desk);
                }
                self.intents.failures = 0;
                if let Some(intent) = self.intents.find(number) {
                    intent.recorded = Some((epoch, sequence));
                    let intent = intent.clone();
                    self.keep_intent(intent, desk);
                }
                self.fate(number, Fate::Recorded, sequence, desk);
            }
            412 => {
                let revision = body["revision"].as_u64().unwrap_or_default();
                if let Some(intent) = self.intents.find(number) {
                    intent.conflict = Some((revision, desk.now));
                }
                self.fate(number, Fate::Conflict, 0, desk);
                self.call_intents(desk.now + PATIENCE_MS, desk);
            }
            _ if refuses(status) => self.fate(number, Fate::Refused, 0, desk),
            _ => return self.unknown(number, desk),
        }
        self.send_intents(desk);
    }

    fn unknown(&mut self, number: u32, desk: &mut Desk<'_>) {
        self.fate(number, Fate::Unknown, 0, desk);
        self.intents.failures = (self.intents.failures + 1).min(6);
        self.intents.again_at = desk.now + (100 << self.intents.failures);
        self.call_intents(self.intents.again_at, desk);
    }

    pub(crate) fn fate(&mut self, number: u32, fate: Fate, sequence: u64, desk: &mut Desk<'_>) {
        if let (Fate::Refused | Fate::GivenUp, Some(intent)) = (fate, self.intents.find(number)) {
            intent.is_refused = true;
        }
        self.heed_fate(desk, |session| {
            session.became(number, fate as u32, sequence as f64);
        });
    }

    /// An event was judged: it may be what an intent has made.
    pub(crate) fn judged(&mut self, kind: Kind, sequence: u64, envelope: &[u8], desk: &mut Desk<'_>) {
        if matches!(kind, Kind::Gap | Kind::Duplicate) {
            return;
        }
        let event = parsed(envelope);
        let Some(id) = event["commandid"].as_str() else { return };
        let made = self.intents.kept.iter_mut().find(|intent| intent.id == id && event["subject"] == *intent.stream);
        if let Some(intent) = made {
            intent.is_judged = true;
            if intent.recorded.as_ref().is_none_or(|(epoch, _)| *epoch != self.epoch) {
                intent.recorded = Some((self.epoch.clone(), sequence));
            }
            let number = intent.number;
            self.fate(number, Fate::Judged, 0, desk);
        }
    }

    /// It is known now of which log positions are. The session has forgotten what was answered before: it is told again of what is
    /// recorded in this log; what is recorded in another one begins anew.
    pub(crate) fn place_intents(&mut self, desk: &mut Desk<'_>) {
        self.intents.forget_recorded();
        let is_elsewhere =
            |intent: &&mut Intent| intent.recorded.as_ref().is_some_and(|(epoch, _)| *epoch != self.epoch);
        let begun_anew = self.intents.kept.iter_mut().filter(is_elsewhere).map(|intent| {
            intent.recorded = None;
            intent.clone()
        });
        let elsewhere: Vec<_> = begun_anew.collect();
        elsewhere.iter().for_each(|intent| self.keep_intent(intent.clone(), desk));
        self.recall_intents(0..self.intents.kept.len(), desk);
        self.send_intents(desk);
    }

    /// Whether a place of this log may be compared with its own.
    pub(crate) fn is_ours(&self, epoch: &str) -> bool {
        self.epoch.is_empty() || epoch == self.epoch
    }

    /// Tells the session what is recorded of these intents.
    pub(crate) fn recall_intents(&mut self, places: Range<usize>, desk: &mut Desk<'_>) {
        for at in places {
            let Intent { number, recorded, .. } = &self.intents.kept[at];
            if let (number, Some((epoch, sequence))) = (*number, recorded.clone())
                && self.is_ours(&epoch)
            {
                self.fate(number, Fate::Recorded, sequence, desk);
            }
        }
    }

    pub(crate) fn reset_intents(&mut self, desk: &mut Desk<'_>) {
        self.intents.forget_recorded();
        for at in 0..self.intents.kept.len() {
            let intent = &mut self.intents.kept[at];
            (intent.recorded, intent.conflict, intent.is_judged) = (None, None, false);
            let intent = intent.clone();
            self.keep_intent(intent, desk);
        }
        self.call_intents(desk.now + 1, desk);
    }
}

/// Whether this is the end of what was sent: it will never be recorded.
fn refuses(status: u16) -> bool {
    (400..500).contains(&status) && !matches!(status, 401 | 408 | 412 | 425 | 429)
}
