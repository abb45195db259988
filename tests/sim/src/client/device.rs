//! [`Tab`]: what a page does that shares its device with others, as `client-wasm/js/device/` has it: one of them leads, has the connection and
//! sends what all of them mean; the others judge what it hands on. The lock, the channel and the database are the world's.
//!
//! Left out: that a tab has no room (nothing waits for an iterator here); more topics than a request may name; conflicts in tabs that follow,
//! as the leader decides by its own state and tells only what came of it; and that the database takes time, or fails.

mod follower;
mod leader;
mod shared;
mod words;

use std::collections::{BTreeMap, VecDeque};

use highwater_client::StatusCode;

pub(crate) use self::words::{Asked, Said, Stands};
pub use self::words::{Errand, Given, Message, TabId};
use self::{follower::Follower, leader::Leader};
use super::Client;
use crate::{
    chance::Chance,
    intents::Intent,
    network::{Desk, Owner},
};

/// As in `join.ts`.
const UNANSWERED_MAX: u32 = 3;
const PINGS_TO_AGREE: u32 = 10;
/// So long a page is waited for, as `whileHeard` has it.
const SILENCE_MS: u64 = 20_000;

/// A device whose tabs are several clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared {
    /// Which one.
    pub device: usize,
    /// How often a tab asks whether the leader is there, in milliseconds. Browsers let pages that nobody looks at do so once a minute.
    pub ping_ms: u64,
}

/// What a tab waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// To ask whether the leader is there.
    Ping,
    /// To find out whether the server takes its topics.
    Enter,
    /// To ask again for what did not fit.
    Adrift,
    /// To hear what the others follow.
    Gather,
    /// To connect with other topics.
    Restart,
}

/// See the [module](self).
pub struct Tab {
    /// Its name.
    pub id: TabId,
    /// Whether the page is there.
    pub is_there: bool,
    /// The grant of the lock that it knows it has.
    pub grant: Option<u64>,
    /// The highest term that it has heard of.
    pub term: u64,
    /// The one that the database has.
    pub stored_term: u64,
    /// The intents that the database has.
    pub stored: Vec<Intent>,
    /// What was refused, by the database.
    pub refused: Vec<String>,
    /// What other tabs have said while it slept.
    pub inbox: VecDeque<Message>,
    /// Whether it is frozen, and wants to lead no one.
    is_paused: bool,
    unanswered: u32,
    pings: u32,
    is_heard: bool,
    leader: Option<Leader>,
    follower: Follower,
    timers: BTreeMap<Timer, u64>,
    ping_ms: u64,
    chance: Chance,
}

impl Tab {
    /// One whose page is not there yet.
    #[must_use]
    pub fn new(index: usize, ping_ms: u64, chance: Chance) -> Self {
        Self {
            id: (index, 0),
            is_there: false,
            grant: None,
            term: 0,
            stored_term: 0,
            stored: Vec::new(),
            refused: Vec::new(),
            inbox: VecDeque::new(),
            is_paused: false,
            unanswered: 0,
            pings: 0,
            is_heard: false,
            leader: None,
            follower: Follower::default(),
            timers: BTreeMap::new(),
            ping_ms,
            chance,
        }
    }

    /// The same after its page was loaded again.
    pub(super) fn again(&self) -> Self {
        let (index, life) = self.id;
        Self { id: (index, life + 1), ..Self::new(index, self.ping_ms, self.chance.clone()) }
    }

    /// Whether it leads.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.leader.is_some()
    }

    /// As in `timing.ts`.
    fn backoff_ms(&mut self, failures: u32) -> u64 {
        self.chance.below((250 << failures.min(7)).min(30_000))
    }
}

impl Client {
    /// Comes to its device, to follow and to lead as soon as no other tab does.
    pub(super) fn join(&mut self, desk: &mut Desk<'_>) {
        let Some(tab) = self.tab.as_mut().filter(|tab| !tab.is_there) else { return };
        tab.is_there = true;
        let ping_at = desk.now + tab.ping_ms;
        self.intents.is_stopped = true;
        self.session.take_text(self.nature.topics.join("\n").as_bytes());
        self.session.share();
        self.set_tab_timer(Timer::Ping, ping_at, desk);
        self.follow_leader(desk);
        desk.errands.push(Errand::AskLock);
    }

    /// Its page is gone, until it is loaded again.
    pub fn close(&mut self, desk: &mut Desk<'_>) {
        self.abort(desk);
        self.is_over = true;
    }

    /// It has the lock.
    pub fn lead(&mut self, grant: u64, given: Given, desk: &mut Desk<'_>) {
        let Some(tab) = &mut self.tab else { return };
        tab.grant = Some(grant);
        tab.follower.end();
        tab.timers.remove(&Timer::Enter);
        tab.timers.remove(&Timer::Adrift);
        if self.status.0 != StatusCode::Connecting {
            self.change_status(StatusCode::Connecting, 0, desk);
        }
        let Some(tab) = &mut self.tab else { return };
        tab.term = given.term;
        tab.leader = Some(Leader::new(&given.others));
        self.learn_refused(&given.refused, desk);
        self.take_intents(&given.intents, desk);
        self.tell_intents(&given.intents, desk);
        self.set_tab_timer(Timer::Gather, desk.now + leader::GATHER_MS, desk);
        self.look_round(desk);
    }

    /// It has the lock no more.
    pub fn lose_lock(&mut self, desk: &mut Desk<'_>) {
        let Some(tab) = &mut self.tab else { return };
        (tab.grant, tab.leader, tab.unanswered) = (None, None, 0);
        tab.timers.remove(&Timer::Gather);
        tab.timers.remove(&Timer::Restart);
        self.stop_intents(desk);
        self.follow_leader(desk);
        if self.tab.as_ref().is_some_and(|tab| !tab.is_paused) {
            desk.errands.push(Errand::AskLock);
        }
    }

    /// Another tab has begun to lead, under this term.
    pub(super) fn abdicate(&mut self, term: u64, desk: &mut Desk<'_>) {
        let Some(tab) = &mut self.tab else { return };
        tab.term = term;
        if tab.leader.is_some() {
            desk.errands.push(Errand::LeaveLock);
            self.lose_lock(desk);
        }
        self.renounce(desk);
    }

    /// Its page is about to be frozen, and hears of it.
    pub fn freeze(&mut self, desk: &mut Desk<'_>) {
        let Some(tab) = &mut self.tab else { return };
        tab.is_paused = true;
        desk.errands.push(Errand::LeaveLock);
        if tab.leader.is_some() {
            self.lose_lock(desk);
        }
    }

    /// What it does besides when it is back from sleep.
    pub(super) fn wake_tab(&mut self, desk: &mut Desk<'_>) {
        let Some(tab) = &mut self.tab else { return };
        if std::mem::take(&mut tab.is_paused) {
            desk.errands.push(Errand::AskLock);
            self.hello(desk); // It was told nothing meanwhile.
        }
        self.tab_due(desk);
    }

    /// Hears another tab.
    pub fn hear(&mut self, message: Message, desk: &mut Desk<'_>) {
        let Some(tab) = self.tab.as_mut().filter(|tab| tab.is_there) else { return };
        let (term, status, said) = match message {
            Message::Left(other) => return self.left(other, desk),
            Message::Asked(asked) => return self.asked(asked, desk),
            Message::Said { term, status, said } => (term, status, said),
        };
        if term > tab.term {
            self.abdicate(term, desk);
        }
        let Some(tab) = self.tab.as_mut().filter(|tab| term >= tab.term && tab.leader.is_none()) else { return };
        tab.is_heard = true;
        match said {
            Said::Intents(records) => self.take_intents(&records, desk),
            Said::Answered { id, status, body } => self.was_answered(&id, status, &body, desk),
            Said::GivenUp(id) => self.give_up(&id, desk),
            said => self.hear_leader(said, term, status, desk),
        }
    }

    fn asked(&mut self, asked: Asked, desk: &mut Desk<'_>) {
        let Some(tab) = &mut self.tab else { return };
        let leads = tab.leader.is_some();
        match asked {
            Asked::Ping if leads => self.say(Said::Pong, desk),
            Asked::Steals => tab.is_heard = true,
            Asked::Here(other, topics) if leads => self.heard_here(other, topics, desk),
            Asked::Hello(other, topics) if leads => self.heard_hello(other, topics, desk),
            Asked::Send(records) => {
                // Whoever leads next has them, too.
                self.take_intents(&records, desk);
                if leads {
                    self.tell_intents(&records, desk);
                    self.send_intents(desk);
                }
            }
            Asked::Ping | Asked::Here(..) | Asked::Hello(..) => {}
        }
    }

    /// Time has passed for its part in the device.
    pub fn tab_due(&mut self, desk: &mut Desk<'_>) {
        let Some(tab) = self.tab.as_mut().filter(|tab| tab.is_there) else { return };
        let due: Vec<_> = tab.timers.iter().filter(|(_, at)| **at <= desk.now).map(|(timer, _)| *timer).collect();
        tab.timers.retain(|_, at| *at > desk.now);
        for timer in due {
            match timer {
                Timer::Ping => self.ping(desk),
                Timer::Enter => self.enter(desk),
                Timer::Adrift => self.adrift_no_more(desk),
                Timer::Gather => self.gathered(desk),
                Timer::Restart => self.restart(desk),
            }
        }
    }

    fn ping(&mut self, desk: &mut Desk<'_>) {
        self.give_up_silent(desk);
        self.remind(desk);
        let Some(tab) = &mut self.tab else { return };
        tab.pings += 1;
        if tab.pings.is_multiple_of(PINGS_TO_AGREE) {
            self.here(desk);
            self.agree(desk);
        }
        let Some(tab) = &mut self.tab else { return };
        let next = desk.now + tab.ping_ms;
        if tab.leader.is_some() || tab.is_heard {
            (tab.unanswered, tab.is_heard) = (0, false);
        } else if tab.unanswered >= UNANSWERED_MAX {
            tab.unanswered = 0;
            self.ask_tabs(Asked::Steals, desk);
            desk.errands.push(Errand::Steal);
        } else {
            tab.unanswered += 1;
            self.ask_tabs(Asked::Ping, desk);
        }
        self.set_tab_timer(Timer::Ping, next, desk);
    }

    /// How the connection stands has changed.
    pub(super) fn status_changed(&mut self, desk: &mut Desk<'_>) {
        if self.tab.as_ref().is_some_and(Tab::leads) {
            self.say(Said::Status, desk);
        }
    }

    pub(crate) fn say(&mut self, said: Said, desk: &mut Desk<'_>) {
        if let Some(tab) = self.tab.as_ref().filter(|tab| tab.is_there) {
            desk.errands.push(Errand::Post(Message::Said { term: tab.term, status: self.status, said }));
        }
    }

    pub(crate) fn ask_tabs(&mut self, asked: Asked, desk: &mut Desk<'_>) {
        desk.errands.push(Errand::Post(Message::Asked(asked)));
    }

    fn set_tab_timer(&mut self, timer: Timer, at: u64, desk: &mut Desk<'_>) {
        if let Some(tab) = &mut self.tab {
            tab.timers.insert(timer, at);
            desk.calls.push((at, Owner::Tab(self.index)));
        }
    }
}
