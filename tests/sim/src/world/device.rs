//! Devices that several clients are tabs of: their browser's lock, channel and database, and what I-46 says of them.

use std::collections::BTreeMap;

use highwater_client::StatusCode;

use super::{Due, World};
use crate::{
    chance::Chance,
    checker::{Check, hold},
    client::{
        Client,
        device::{Errand, Given, Message, TabId},
    },
    intents::Intent,
    plan::Rest,
};

/// What is said to a tab that has slept for so long may be lost.
const KEPT_MS: u64 = 20_000;

/// See the [module](self).
pub(crate) struct Device {
    /// Its clients.
    tabs: Vec<usize>,
    /// Who has the lock.
    holder: Option<usize>,
    /// Counts who had it.
    grant: u64,
    waiting: Vec<usize>,
    /// The database's: the last term, and what is meant.
    term: u64,
    pub(crate) intents: Vec<Intent>,
    /// What of it was refused.
    pub(crate) refused: Vec<String>,
    /// When the last words from one tab come to another.
    last_at: BTreeMap<(usize, usize), u64>,
    /// What feeds each tab, and after which position.
    fed: BTreeMap<usize, ((u64, u64), String)>,
    chance: Chance,
}

impl Device {
    /// All devices of these clients.
    pub(super) fn all(clients: &[Client], seed: u64) -> Vec<Self> {
        let of = |client: &Client| client.nature.device.map(|shared| shared.device);
        let count = clients.iter().filter_map(of).max().map_or(0, |last| last + 1);
        let tabs = |device| (0..clients.len()).filter(|index| of(&clients[*index]) == Some(device)).collect();
        let new = |device| Self {
            tabs: tabs(device),
            holder: None,
            grant: 0,
            waiting: Vec::new(),
            term: 0,
            intents: Vec::new(),
            refused: Vec::new(),
            last_at: BTreeMap::new(),
            fed: BTreeMap::new(),
            chance: Chance::of(seed, 300 + device as u64),
        };
        (0..count).map(new).collect()
    }

    pub(super) fn once_in_two(&mut self) -> bool {
        self.chance.percent(50)
    }

    /// The lock is nobody's. Answers who has it next.
    fn release(&mut self) -> Option<usize> {
        self.holder = None;
        let next = (!self.waiting.is_empty()).then(|| self.waiting.remove(0));
        next.inspect(|next| self.grant(*next))
    }

    fn settle(&mut self, id: &str, is_refused: bool) {
        self.intents.retain(|kept| kept.id != id);
        if is_refused && self.refused.iter().all(|refused| refused != id) {
            self.refused.push(id.to_owned());
        }
    }

    fn keep(&mut self, record: Intent) {
        match self.intents.iter_mut().find(|kept| kept.id == record.id) {
            Some(kept) => *kept = record,
            None => self.intents.push(record),
        }
    }

    fn grant(&mut self, index: usize) {
        self.waiting.retain(|waiting| *waiting != index);
        (self.holder, self.grant) = (Some(index), self.grant + 1);
    }
}

impl World {
    pub(super) fn device_of(&mut self, index: usize) -> Option<&mut Device> {
        let shared = self.clients[index].nature.device?;
        self.devices.get_mut(shared.device)
    }

    fn others_of(&mut self, index: usize) -> Vec<usize> {
        let tabs = self.device_of(index).map(|device| device.tabs.clone()).unwrap_or_default();
        tabs.into_iter().filter(|other| *other != index && self.is_there(*other)).collect()
    }

    fn is_there(&self, index: usize) -> bool {
        self.clients[index].tab.as_ref().is_none_or(|tab| tab.is_there)
    }

    /// Does what a tab wants of its browser.
    pub(super) fn run_errands(&mut self, index: usize, errands: Vec<Errand>) {
        for errand in errands {
            let Some(device) = self.device_of(index) else { return };
            let holder = device.holder;
            match errand {
                Errand::Post(message) => self.post(index, &message),
                Errand::AskLock if holder.is_none() => self.grant(index),
                Errand::AskLock => {
                    if holder != Some(index) && !device.waiting.contains(&index) {
                        device.waiting.push(index);
                    }
                }
                Errand::Steal => {
                    self.grant(index);
                    holder.into_iter().for_each(|loser| self.call_locks(loser));
                }
                Errand::LeaveLock => self.leave_lock(index),
                Errand::Store(record) => device.keep(record),
                Errand::Keep(term, _) | Errand::Settle(term, ..) if device.term > term => {}
                Errand::Keep(_, record) => device.keep(record),
                Errand::Settle(_, id, is_refused) => device.settle(&id, is_refused),
            }
        }
    }

    /// What a tab finds in the database, if it looks.
    pub(super) fn read_database(&mut self, index: usize) {
        let Some(shared) = self.clients[index].nature.device else { return };
        let (device, tab) = (&self.devices[shared.device], &mut self.clients[index].tab);
        if let Some(tab) = tab {
            tab.stored_term = device.term;
            tab.stored.clone_from(&device.intents);
            tab.refused.clone_from(&device.refused);
        }
    }

    fn grant(&mut self, index: usize) {
        self.device_of(index).into_iter().for_each(|device| device.grant(index));
        self.call_locks(index);
    }

    fn leave_lock(&mut self, index: usize) {
        let Some(device) = self.device_of(index) else { return };
        device.waiting.retain(|waiting| *waiting != index);
        let next = if device.holder == Some(index) { device.release() } else { None };
        self.call_locks(index);
        next.into_iter().for_each(|next| self.call_locks(next));
    }

    /// A tab hears soon how it is with the lock.
    fn call_locks(&mut self, index: usize) {
        let now = self.now();
        let delay_ms = self.device_of(index).map_or(1, |device| device.chance.between(1, 20));
        self.at(now + delay_ms, Due::Locks(index));
    }

    /// A tab hears whether it has the lock.
    pub(super) fn locks(&mut self, index: usize) -> Check {
        let others = self.others_of(index);
        let others: Vec<TabId> =
            others.iter().filter_map(|other| self.clients[*other].tab.as_ref()).map(|tab| tab.id).collect();
        let is_asleep = self.clients[index].is_asleep(self.now());
        let Some(tab) = self.clients[index].tab.as_ref().filter(|tab| tab.is_there && !is_asleep) else {
            return Ok(());
        };
        let (had, known) = (tab.grant, tab.term);
        let Some(device) = self.device_of(index) else { return Ok(()) };
        let has = Some(device.grant).filter(|_| device.holder == Some(index));
        if had.is_some() && has != had {
            self.with_client(index, Client::lose_lock)?;
        }
        let Some(device) = self.device_of(index) else { return Ok(()) };
        if let Some(grant) = has.filter(|_| has != had) {
            device.term = device.term.max(known) + 1;
            let (intents, refused) = (device.intents.clone(), device.refused.clone());
            let given = Given { term: device.term, others, intents, refused };
            self.with_client(index, |client, desk| client.lead(grant, given, desk))?;
        }
        Ok(())
    }

    /// Tells the other tabs. From one to another the order stays; a word to one that does not listen may be lost.
    fn post(&mut self, from: usize, message: &Message) {
        let (now, weather) = (self.now(), self.weather);
        self.trace.say(now, || format!("tab {from} tells: {message:?}"));
        for to in self.others_of(from) {
            let Some(id) = self.clients[to].tab.as_ref().map(|tab| tab.id) else { continue };
            let Some(device) = self.device_of(to) else { continue };
            if message.may_be_lost() && device.chance.percent(2 * weather) {
                continue;
            }
            let longest = if weather > 0 { *device.chance.pick(&[2, 10, 400]) } else { 5 };
            let last_at = device.last_at.entry((from, to)).or_default();
            *last_at = (*last_at).max(now + device.chance.between(1, longest));
            let at = *last_at;
            self.at(at, Due::Heard(id, message.clone()));
        }
    }

    /// A tab hears another, if it is still the page that was told.
    pub(super) fn hear(&mut self, to: TabId, message: Message) -> Check {
        let now = self.now();
        let client = &mut self.clients[to.0];
        let (is_asleep, has_slept_ms) = (client.is_asleep(now), now.saturating_sub(client.asleep_since));
        let Some(tab) = client.tab.as_mut().filter(|tab| tab.is_there && tab.id == to) else { return Ok(()) };
        if !is_asleep && tab.inbox.is_empty() {
            return self.with_client(to.0, |client, desk| client.hear(message, desk));
        }
        if has_slept_ms < KEPT_MS || !message.may_be_lost() {
            tab.inbox.push_back(message);
        }
        Ok(())
    }

    /// A tab that is back from sleep hears what it was told, one after the other.
    pub(super) fn hear_waiting(&mut self, index: usize) -> Check {
        while let Some(message) = self.clients[index].tab.as_mut().and_then(|tab| tab.inbox.pop_front()) {
            self.with_client(index, |client, desk| client.hear(message, desk))?;
        }
        Ok(())
    }

    /// A tab's page is gone, in the middle of whatever it did.
    pub(super) fn leave(&mut self, index: usize) {
        let Some(tab) = self.clients[index].tab.as_mut() else { return };
        let id = tab.id;
        if std::mem::take(&mut tab.is_there) {
            self.leave_lock(index);
            self.post(index, &Message::Left(id));
            self.device_of(index).into_iter().for_each(|device| drop(device.fed.remove(&index)));
        }
    }

    /// One tab of a device takes a rest, and the others go on.
    pub(super) fn rest(&mut self, index: usize, how: Rest, ms: u64) -> Check {
        let now = self.now();
        if !self.is_there(index) || self.clients[index].is_asleep(now) || self.clients[index].is_over {
            return Ok(());
        }
        match how {
            Rest::Hangs => {}
            Rest::IsFrozen => self.with_client(index, Client::freeze)?,
            Rest::IsClosed => {
                self.store(index);
                self.with_client(index, Client::close)?;
                self.leave(index);
                self.at(now + ms, Due::Reload(index));
                return Ok(());
            }
        }
        self.put_to_sleep(index, ms);
        Ok(())
    }

    /// It does nothing for so long.
    pub(super) fn put_to_sleep(&mut self, index: usize, ms: u64) {
        let now = self.now();
        let client = &mut self.clients[index];
        if !client.is_asleep(now) {
            client.asleep_since = now;
        }
        client.asleep_until = now + ms;
        self.at(now + ms, Due::Wake(index));
    }

    /// All tabs of a client's device, or the client alone.
    pub(super) fn whole_device(&mut self, index: usize) -> Vec<usize> {
        self.device_of(index).map_or(vec![index], |device| device.tabs.clone())
    }

    /// A tab of another is fed from now on by this connection. It is never fed by one that was before.
    pub(super) fn fed(&mut self, index: usize, connection: (u64, u64), after: String) -> Check {
        let Some(device) = self.device_of(index) else { return Ok(()) };
        let before = device.fed.insert(index, (connection, after)).map(|(before, _)| before);
        let is_later = before.is_none_or(|before| before <= connection);
        hold(46, is_later, || format!("tab {index} is fed by {connection:?} after {before:?}"))
    }

    /// What it is given begins anew there.
    pub(super) fn begins_anew(&mut self, index: usize, position: String) {
        let fed = self.device_of(index).and_then(|device| device.fed.get_mut(&index));
        fed.into_iter().for_each(|(_, after)| after.clone_from(&position));
    }

    /// It takes something that this connection brings.
    pub(super) fn takes(&mut self, index: usize, connection: (u64, u64)) -> Check {
        let is_connected = self.clients[index].is_connected();
        hold(46, !is_connected, || format!("tab {index} has a connection, and is fed by that of another"))?;
        let Some(device) = self.device_of(index) else { return Ok(()) };
        let by = device.fed.get(&index).map(|(by, _)| *by);
        hold(46, by == Some(connection), || format!("tab {index} takes what {connection:?} brings, and follows {by:?}"))
    }

    /// A tab that is live and follows has been given what is of its topics, up to where the connection began that it is given.
    pub(super) fn is_live(&mut self, index: usize) -> Check {
        let position = self.clients[index].position();
        let Some(device) = self.device_of(index) else { return Ok(()) };
        let after = device.fed.get(&index).map(|(_, after)| after.clone());
        let is_given = match after.as_deref().map(|after| after.split_once('-')) {
            None => false,
            Some(None) => position.is_some(),
            Some(Some((epoch, sequence))) => position.as_ref().is_some_and(|(own, reached)| {
                own == epoch && sequence.parse().is_ok_and(|sequence: u64| sequence <= *reached)
            }),
        };
        hold(46, is_given, || format!("tab {index} is live at {position:?}, and is given what comes after {after:?}"))
    }

    /// Of the tabs that are awake one at most has a connection, as soon as all have heard who has the lock.
    pub(super) fn one_connection(&self, index: usize) -> Check {
        let Some(shared) = self.clients[index].nature.device else { return Ok(()) };
        let (device, now) = (&self.devices[shared.device], self.now());
        let is_awake = |index: &&usize| self.is_there(**index) && !self.clients[**index].is_asleep(now);
        let grant = |index: usize| self.clients[index].tab.as_ref().and_then(|tab| tab.grant);
        let mut connected = Vec::new();
        for index in device.tabs.iter().filter(is_awake) {
            if grant(*index).is_some_and(|grant| grant != device.grant || device.holder != Some(*index)) {
                return Ok(());
            }
            if self.clients[*index].is_connected() {
                let leads = grant(*index).is_some();
                hold(46, leads, || format!("tab {index} has a connection, and does not lead"))?;
                connected.push(*index);
            }
        }
        hold(46, connected.len() <= 1, || format!("tabs {connected:?} of one device have a connection each"))
    }

    /// What is still to come of the devices.
    pub(crate) fn unfinished_device(&self) -> Option<String> {
        let unsettled = self.devices.iter().find_map(|device| device.intents.first());
        if let Some(intent) = unsettled {
            return Some(format!("a device means '{}', which is not settled", intent.id));
        }
        let is_waiting = |client: &&Client| client.tab.is_some() && client.status.0 != StatusCode::Live;
        let waiting = self.clients.iter().find(is_waiting);
        waiting.map(|client| format!("tab {} is {:?}", client.index, client.status.0))
    }
}
