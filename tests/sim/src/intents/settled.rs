//! What became of intents that a tab keeps no more, as `client-wasm/js/device/settled.ts` and `intents.ts` have it: it is told, not sent again.

use highwater_client::Fate;
use serde_json::json;

use super::Intents;
use crate::{
    client::{Client, Tab, Tell, device::Said, epoch_of, json as parsed},
    network::Desk,
};

impl Intents {
    /// What became of it, if it is settled.
    pub(crate) fn settled(&self, id: &str) -> Option<&Said> {
        self.settled.get(id)
    }

    /// The log is another one, which may not have what was recorded. What was refused, users have been told.
    pub(super) fn forget_recorded(&mut self) {
        self.settled.retain(|_, said| said.is_refusal());
    }

    /// Another tab's was given up.
    pub(crate) fn remember_given_up(&mut self, id: &str) {
        self.settled.insert(id.to_owned(), Said::GivenUp(id.to_owned()));
    }
}

impl Client {
    pub(crate) fn settled(&mut self, number: u32, is_confirmed: bool, desk: &mut Desk<'_>) {
        self.tells.push(Tell::Settled { number, is_confirmed });
        self.remember(number, is_confirmed, desk);
        if let Some(at) = self.intents.sent.iter().position(|sent| sent.number == number) {
            // Its event came before its answer, for which nobody waits.
            let sent = self.intents.sent.remove(at);
            desk.dropped.push(sent.conn);
            self.fate(number, Fate::Unknown, 0, desk);
        }
        self.call_intents(desk.now + 1, desk);
    }

    /// Another tab's, which this one does not keep, is settled.
    pub(super) fn remember_other(&mut self, id: &str, said: Said) {
        let position = parsed(said.body())["position"].as_str().map(epoch_of).unwrap_or_default().to_owned();
        if said.is_refusal() || self.is_ours(&position) {
            self.intents.settled.insert(id.to_owned(), said);
        }
    }

    /// What became of an intent, whoever hears of it late or asks again is to be told.
    fn remember(&mut self, number: u32, is_confirmed: bool, desk: &mut Desk<'_>) {
        let Some(intent) = self.intents.find(number) else { return };
        let (id, recorded) = (intent.id.clone(), intent.recorded.clone());
        self.settle_stored(id.clone(), !is_confirmed, desk);
        let said = match recorded.filter(|_| is_confirmed) {
            Some((epoch, sequence)) => {
                let body = json!({ "position": format!("{epoch}-{sequence}") }).to_string().into();
                Said::Answered { id: id.clone(), status: 200, body }
            }
            None => Said::GivenUp(id.clone()),
        };
        if is_confirmed && self.tab.as_ref().is_some_and(Tab::leads) {
            self.say(said.clone(), desk); // Its event may have come before the answer, and be none that another tab follows.
        }
        self.intents.settled.insert(id, said);
    }
}
