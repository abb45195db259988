//! What all tabs of a device mean, as in `join.ts` and `outbox.ts`: each holds all of it, and the leader sends it.

use highwater_client::Fate;

use super::{Asked, Errand, Said, Tab};
use crate::{client::Client, intents::Intent, network::Desk};

impl Client {
    /// It is meant here: it is stored, and whoever leads sends it.
    pub(crate) fn share_intent(&mut self, record: Intent, desk: &mut Desk<'_>) {
        let Some(tab) = &self.tab else { return };
        desk.errands.push(Errand::Store(record.clone()));
        if tab.leads() {
            self.say(Said::Intents(vec![record]), desk);
        } else {
            // What was meant before it in its stream is to come first, whatever the leader has heard of that.
            let is_before = |kept: &&Intent| kept.stream == record.stream && kept.recorded.is_none();
            let records = self.intents.kept.iter().filter(is_before).cloned().collect();
            self.ask_tabs(Asked::Send(records), desk);
        }
    }

    /// Whoever leads stores what has become of it.
    pub(crate) fn keep_intent(&self, record: Intent, desk: &mut Desk<'_>) {
        if self.tab.as_ref().is_some_and(Tab::leads) {
            desk.errands.push(Errand::Keep(self.term(), record));
        }
    }

    /// Whoever leads stores that it is settled.
    pub(crate) fn settle_stored(&self, id: String, is_refused: bool, desk: &mut Desk<'_>) {
        if self.tab.as_ref().is_some_and(Tab::leads) {
            desk.errands.push(Errand::Settle(self.term(), id, is_refused));
        }
    }

    fn term(&self) -> u64 {
        self.tab.as_ref().map_or(0, |tab| tab.term)
    }

    /// Takes what another tab has meant, or what is stored.
    pub(super) fn take_intents(&mut self, records: &[Intent], desk: &mut Desk<'_>) {
        let known = self.intents.kept.len();
        for record in records {
            if let Some(at) = self.intents.kept.iter().position(|kept| kept.id == record.id) {
                self.intents.kept[at].expected.clone_from(&record.expected);
                // What was said of it, this tab may not have heard, or not known the log of.
                let is_ours = record.recorded.as_ref().is_some_and(|(epoch, _)| self.is_ours(epoch));
                if is_ours && !self.tab.as_ref().is_some_and(Tab::leads) {
                    self.intents.kept[at].recorded.clone_from(&record.recorded);
                    self.recall_intents(at..at + 1, desk);
                }
            } else if self.intents.settled(&record.id).is_none() {
                self.intents.take(record, &mut self.session);
            }
        }
        self.recall_intents(known..self.intents.kept.len(), desk);
    }

    /// Says what is known of these: that they are there, or what became of them.
    pub(super) fn tell_intents(&mut self, asked: &[Intent], desk: &mut Desk<'_>) {
        let is_asked = |kept: &&Intent| asked.iter().any(|record| record.id == kept.id);
        let known = self.intents.kept.iter().filter(is_asked).cloned().collect();
        self.say(Said::Intents(known), desk);
        for record in asked {
            if let Some(said) = self.intents.settled(&record.id).cloned() {
                self.settle_stored(record.id.clone(), said.is_refusal(), desk);
                self.say(said, desk);
            }
        }
    }

    /// Whoever leads sends what it does not know, and says what it does: of what became of it this tab may not have heard.
    pub(crate) fn send_again(&mut self, desk: &mut Desk<'_>) {
        if !self.intents.kept.is_empty() && self.tab.as_ref().is_some_and(|tab| !tab.leads()) {
            self.ask_tabs(Asked::Send(self.intents.kept.clone()), desk);
        }
    }

    /// What got lost between this tab, the leader and the database, is not lost for long.
    pub(super) fn agree(&mut self, desk: &mut Desk<'_>) {
        self.send_again(desk);
        self.take_stored(desk);
    }

    /// What a tab meant that is gone, it may have stored without having told anybody.
    pub(super) fn take_stored(&mut self, desk: &mut Desk<'_>) {
        let Some(tab) = self.tab.as_mut().filter(|tab| tab.leads()) else { return };
        let (mut stored, refused) = (std::mem::take(&mut tab.stored), tab.refused.clone());
        self.learn_refused(&refused, desk);
        stored.retain(|record| self.intents.kept.iter().all(|kept| kept.id != record.id));
        if !stored.is_empty() {
            self.take_intents(&stored, desk);
            self.tell_intents(&stored, desk);
        }
    }

    /// These were refused, by what is stored.
    pub(crate) fn learn_refused(&mut self, refused: &[String], desk: &mut Desk<'_>) {
        for id in refused {
            if self.intents.settled(id).is_none() {
                self.give_up(id, desk);
            }
        }
    }

    /// One that hung may be told last of all that another has begun to lead: the database knows it first.
    pub(crate) fn still_leads(&mut self, desk: &mut Desk<'_>) -> bool {
        let Some(tab) = &self.tab else { return true };
        let (own, stored) = (tab.term, tab.stored_term);
        if stored > own {
            self.abdicate(stored, desk);
        }
        stored <= own
    }

    /// The leader found that it does not hold any more, or was refused it before this tab asked.
    pub(super) fn give_up(&mut self, id: &str, desk: &mut Desk<'_>) {
        match self.intents.kept.iter().find(|intent| intent.id == id).map(|intent| intent.number) {
            Some(number) => self.fate(number, Fate::GivenUp, 0, desk),
            None => self.intents.remember_given_up(id),
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
