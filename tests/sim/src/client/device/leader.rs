//! What the leader does for the other tabs, as in `leader.ts`: it asks for their topics too, and gives them all that comes.

use std::collections::BTreeMap;

use bytes::Bytes;
use highwater_client::Event;

use super::{Said, TabId, Timer};
use crate::{client::Client, network::Desk};

/// So long a new leader waits for word of what the others follow.
pub(super) const GATHER_MS: u64 = 250;

/// See the [module](self).
#[derive(Default)]
pub(super) struct Leader {
    /// The other tabs, and what they follow, as far as they have said so.
    tabs: BTreeMap<TabId, Option<Vec<String>>>,
    /// The number of the connection that is there or was there last, its topics, and where it began.
    connection: u64,
    covered: Option<Vec<String>>,
    after: String,
    /// The topics of the connection that is being opened.
    asked: Vec<String>,
    /// The frame that has not come whole.
    rest: Vec<u8>,
}

impl Leader {
    pub(super) fn new(others: &[TabId]) -> Self {
        Self { tabs: others.iter().map(|tab| (*tab, None)).collect(), ..Self::default() }
    }
}

impl Client {
    /// What it asks for: its own topics and, if it leads, those of the others.
    pub(in crate::client) fn asked_topics(&self) -> Vec<String> {
        let mut topics = self.nature.topics.clone();
        let leader = self.tab.as_ref().and_then(|tab| tab.leader.as_ref());
        for topic in leader.iter().flat_map(|leader| leader.tabs.values().flatten().flatten()) {
            if !topics.contains(topic) {
                topics.push(topic.clone());
            }
        }
        topics
    }

    /// Where all others have said what they follow, there is nothing to wait for.
    pub(super) fn look_round(&mut self, desk: &mut Desk<'_>) {
        let Some(tab) = &mut self.tab else { return };
        let have_all_said = tab.leader.as_ref().is_some_and(|leader| leader.tabs.values().all(Option::is_some));
        if have_all_said && tab.timers.remove(&Timer::Gather).is_some() {
            self.gathered(desk);
        }
    }

    pub(super) fn gathered(&mut self, desk: &mut Desk<'_>) {
        self.intents.is_stopped = false;
        self.end_conflicts(desk);
        self.connect_first(desk);
    }

    /// A connection begins.
    pub(in crate::client) fn pass_beginning(&mut self, desk: &mut Desk<'_>) {
        let (topics, after) = self.place.clone();
        let Some(leader) = self.tab.as_mut().and_then(|tab| tab.leader.as_mut()) else { return };
        leader.connection += 1;
        leader.covered = Some(topics.clone());
        leader.after.clone_from(&after);
        leader.asked.clear();
        leader.rest.clear();
        let connection = leader.connection;
        self.say(Said::Began { connection, topics, after }, desk);
    }

    /// Cut where frames end: a tab may begin with any of them.
    pub(in crate::client) fn pass_chunk(&mut self, chunk: &[u8], desk: &mut Desk<'_>) {
        let Some(leader) = self.tab.as_mut().and_then(|tab| tab.leader.as_mut()) else { return };
        leader.rest.extend_from_slice(chunk);
        let end = leader.rest.windows(2).rposition(|pair| pair == b"\n\n").map_or(0, |at| at + 2);
        let frames: Bytes = leader.rest.drain(..end).collect();
        let connection = leader.connection;
        if !frames.is_empty() && !leader.tabs.is_empty() {
            self.say(Said::Frames { connection, frames }, desk);
        }
    }

    pub(in crate::client) fn pass_page(&mut self, page: &[u8], desk: &mut Desk<'_>) {
        let Some(leader) = self.tab.as_mut().and_then(|tab| tab.leader.as_mut()) else { return };
        let connection = leader.connection;
        if !leader.tabs.is_empty() {
            self.say(Said::Page { connection, page: Bytes::copy_from_slice(page) }, desk);
        }
    }

    /// A tab hears this leader, and follows these topics.
    pub(super) fn heard_here(&mut self, other: TabId, topics: Vec<String>, desk: &mut Desk<'_>) {
        if let Some(leader) = self.tab.as_mut().and_then(|tab| tab.leader.as_mut()) {
            leader.tabs.insert(other, Some(topics));
        }
        self.look_round(desk);
    }

    /// A tab wants to be given what is of these topics.
    pub(super) fn heard_hello(&mut self, other: TabId, topics: Vec<String>, desk: &mut Desk<'_>) {
        self.heard_here(other, topics.clone(), desk);
        let cursor = self.position_text();
        let Some(leader) = self.tab.as_ref().and_then(|tab| tab.leader.as_ref()) else { return };
        let Some(covered) = &leader.covered else { return }; // It hears when the first connection begins.
        if topics.iter().all(|topic| covered.contains(topic)) {
            // Where there is no cursor yet, what tells it is still to come, to that tab too.
            let after = cursor.unwrap_or_else(|| leader.after.clone());
            self.say(Said::Welcome { to: other, connection: leader.connection, after }, desk);
        } else if !topics.iter().all(|topic| leader.asked.contains(topic))
            && self.tab.as_ref().is_some_and(|tab| !tab.timers.contains_key(&Timer::Restart))
        {
            self.set_tab_timer(Timer::Restart, desk.now + 1, desk);
        }
    }

    /// Connects with the topics of now. Many tabs may have come at once.
    pub(super) fn restart(&mut self, desk: &mut Desk<'_>) {
        let topics = self.asked_topics();
        if let Some(leader) = self.tab.as_mut().and_then(|tab| tab.leader.as_mut()) {
            leader.asked = topics;
            self.happened(Event::Restart, 0, 0, desk);
        }
    }

    /// Another tab is gone. What it has meant it has told, too: here that is one step.
    pub(super) fn left(&mut self, other: TabId, desk: &mut Desk<'_>) {
        if let Some(leader) = self.tab.as_mut().and_then(|tab| tab.leader.as_mut()) {
            leader.tabs.remove(&other);
            self.look_round(desk);
            self.take_stored(desk);
        }
    }
}
