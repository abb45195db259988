//! What all tabs of a device mean, as in `join.ts` and `outbox.ts`: each holds all of it, and the leader sends it.

use highwater_client::Fate;

use super::{Asked, Errand, Said};
use crate::{client::Client, intents::Intent, network::Desk};

impl Client {
    /// It is meant here: it is stored, and whoever leads sends it.
    pub(crate) fn share_intent(&mut self, record: Intent, desk: &mut Desk<'_>) {
        let Some(tab) = &self.tab else { return };
        desk.errands.push(Errand::Store(record.clone()));
        if tab.leads() {
            self.say(Said::Intents(vec![record]), desk);
        } else {
            self.ask_tabs(Asked::Intent(record), desk);
        }
    }

    /// Takes what another tab has meant, or what is stored.
    pub(super) fn take_intents(&mut self, records: &[Intent]) {
        for record in records {
            if let Some(kept) = self.intents.kept.iter_mut().find(|kept| kept.id == record.id) {
                kept.expected.clone_from(&record.expected);
            } else {
                self.intents.take(record, &mut self.session);
            }
        }
    }

    /// The log is another one. The leader may have settled these in the old one, or in the new one before this tab heard of that.
    pub(crate) fn ask_again(&mut self, desk: &mut Desk<'_>) {
        if self.tab.as_ref().is_some_and(|tab| !tab.leads()) {
            let kept = self.intents.kept.clone();
            kept.into_iter().for_each(|record| self.ask_tabs(Asked::Intent(record), desk));
        }
    }

    /// The leader found that it does not hold any more.
    pub(super) fn give_up(&mut self, id: &str, desk: &mut Desk<'_>) {
        if let Some(number) = self.intents.kept.iter().find(|intent| intent.id == id).map(|intent| intent.number) {
            self.fate(number, Fate::GivenUp, 0, desk);
        }
    }

    /// Leaves it to another tab to send.
    pub(super) fn stop_intents(&mut self, desk: &mut Desk<'_>) {
        self.intents.is_stopped = true;
        for (conn, number) in self.intents.forget_sent() {
            desk.dropped.push(conn);
            self.fate(number, Fate::Unknown, 0, desk);
        }
    }
}
