//! What a tab does that does not lead, as in `follower.ts`: it judges what the leader is sent.

use bytes::Bytes;
use highwater_client::{Event, PageKind, StatusCode};
use http::StatusCode as Http;

use super::{Asked, SILENCE_MS, Said, Stands, Timer};
use crate::{
    client::{
        Client, Tell,
        requests::{Page, beginning, control_frame, page_of_log, ready_in},
    },
    network::{Desk, Owner},
};

/// See the [module](self).
pub(super) struct Follower {
    is_following: bool,
    /// Whether the server takes its topics.
    is_fit: bool,
    /// What finds out.
    fitting: Option<Page>,
    entered: u32,
    /// The leader's connection that it is given: its term, and its number.
    attached: Option<(u64, u64)>,
    /// Whether the leader has been asked, and has not answered.
    is_asking: bool,
    /// Whether what it was given did not fit, and it waits before it asks again.
    is_adrift: bool,
    /// Where what it is given begins, or nothing where the frames say so; until it has come as far, it is not live.
    begins: Option<String>,
    status: Stands,
    failures: u32,
}

impl Default for Follower {
    fn default() -> Self {
        Self {
            is_following: false,
            is_fit: false,
            fitting: None,
            entered: 0,
            attached: None,
            is_asking: false,
            is_adrift: false,
            begins: None,
            status: (StatusCode::Connecting, 0),
            failures: 0,
        }
    }
}

impl Follower {
    pub(super) fn end(&mut self) {
        let (is_asking, status, failures) = (self.is_asking, self.status, self.failures);
        *self = Self { is_asking, status, failures, ..Self::default() };
    }
}

impl Client {
    fn follower(&mut self) -> Option<&mut Follower> {
        self.tab.as_mut().map(|tab| &mut tab.follower).filter(|follower| follower.is_following)
    }

    /// Leaves the connection to another tab (`Follower.begin`, `Connection.standBy`).
    pub(super) fn follow_leader(&mut self, desk: &mut Desk<'_>) {
        if let Some(tab) = &mut self.tab {
            desk.dropped.extend(tab.follower.fitting.take().map(|page| page.id));
            tab.follower.end();
            tab.follower.is_following = true;
        }
        self.is_open = false;
        self.abort(desk);
        self.session.feed();
        self.timer_at = None;
        self.show((StatusCode::Connecting, 0), desk);
        self.set_tab_timer(Timer::Enter, desk.now + 1, desk);
    }

    /// Asks whether the server takes its topics: one that refuses them must not refuse what the leader asks for, too.
    pub(super) fn enter(&mut self, desk: &mut Desk<'_>) {
        let ask = page_of_log(&self.nature.topics, "latest", None);
        let owner = Owner::Client(self.index);
        if let Some(follower) = self.follower()
            && !follower.is_fit
            && follower.fitting.is_none()
        {
            follower.fitting = Some(Page::new(desk.ask(owner, ask), PageKind::Log, desk.now));
        }
    }

    /// Whether this is what finds out.
    pub(in crate::client) fn fitting(&mut self) -> Option<&mut Page> {
        self.follower()?.fitting.as_mut()
    }

    pub(in crate::client) fn entered(&mut self, is_whole: bool, desk: &mut Desk<'_>) {
        let Some(follower) = self.follower() else { return };
        let Some(page) = follower.fitting.take() else { return };
        if is_whole && page.status == Some(Http::OK) {
            (follower.is_fit, follower.entered) = (true, 0);
            return self.hello(desk);
        }
        follower.entered += 1;
        let failures = follower.entered - 1;
        let delay_ms = self.tab.as_mut().map_or(0, |tab| tab.backoff_ms(failures));
        self.set_tab_timer(Timer::Enter, desk.now + delay_ms, desk);
    }

    /// Asks the leader to be given what is of its topics.
    pub(super) fn hello(&mut self, desk: &mut Desk<'_>) {
        let Some(follower) = self.follower() else { return };
        follower.attached = None;
        if follower.is_fit {
            follower.is_asking = true;
            self.ask_with_topics(Asked::Hello, desk);
        }
    }

    /// Another leads: it is given nothing until that one says where its connection begins.
    pub(super) fn renounce(&mut self, desk: &mut Desk<'_>) {
        if let Some(follower) = self.follower() {
            follower.attached = None;
            self.here(desk);
        }
    }

    /// Says that it is there. One that leads and does not know says nothing to it.
    pub(super) fn here(&mut self, desk: &mut Desk<'_>) {
        if self.follower().is_some_and(|follower| follower.is_fit) {
            self.ask_with_topics(Asked::Here, desk);
        }
    }

    fn ask_with_topics(&mut self, ask: fn(super::TabId, Vec<String>) -> Asked, desk: &mut Desk<'_>) {
        if let Some(tab) = &self.tab {
            self.ask_tabs(ask(tab.id, self.nature.topics.clone()), desk);
        }
    }

    /// Asks once more where an answer may have been lost.
    pub(super) fn remind(&mut self, desk: &mut Desk<'_>) {
        if self.follower().is_some_and(|follower| follower.attached.is_none() && !follower.is_adrift) {
            self.hello(desk);
        }
    }

    /// What the leader says; `status` is how its connection stands.
    pub(super) fn hear_leader(&mut self, said: Said, term: u64, (status, delay_ms): Stands, desk: &mut Desk<'_>) {
        if self.follower().is_none() {
            return;
        }
        // One that is over is another tab's to open.
        let is_over = status as u32 >= StatusCode::Closed as u32;
        let status = if is_over { (StatusCode::Connecting, 0) } else { (status, delay_ms) };
        let own = self.tab.as_ref().map(|tab| tab.id);
        match said {
            Said::Began { connection, topics, after } => {
                let is_covered = self.nature.topics.iter().all(|topic| topics.contains(topic));
                if is_covered && self.follower().is_some_and(|follower| follower.is_fit) {
                    self.attach((term, connection), after, status, desk);
                } else {
                    self.hello(desk);
                }
            }
            Said::Welcome { to, connection, after } if own == Some(to) => {
                self.attach((term, connection), after, status, desk);
            }
            Said::Frames { connection, frames } => {
                self.given((term, connection), status, desk, |client, desk| client.take_frames(&frames, desk));
            }
            Said::Page { connection, page } => {
                self.given((term, connection), status, desk, |client, desk| client.take_page(&page, desk));
            }
            _ => {}
        }
        if self.follower().is_some_and(|follower| follower.status.0 != status.0) {
            self.show(status, desk);
        }
    }

    fn take_frames(&mut self, frames: &Bytes, desk: &mut Desk<'_>) {
        let begins = ready_in(frames).map(|(epoch, prev)| Tell::Page { epoch, prev });
        self.tells.extend(begins);
        self.heed(desk, |session, now| session.take_chunk(now, frames));
    }

    fn take_page(&mut self, page: &Bytes, desk: &mut Desk<'_>) {
        let begins = beginning(page).map(|(epoch, prev)| Tell::Page { epoch, prev });
        self.tells.extend(begins);
        self.heed(desk, |session, now| {
            session.take_text(page);
            session.fetched(now, PageKind::Poll as u32);
        });
    }

    fn attach(&mut self, connection: (u64, u64), after: String, status: Stands, desk: &mut Desk<'_>) {
        let Some(follower) = self.follower() else { return };
        follower.attached = Some(connection);
        (follower.is_asking, follower.is_adrift) = (false, false);
        let begins = if after.contains('-') { after } else { String::new() };
        follower.begins = Some(begins.clone());
        self.tells.push(Tell::Fed { connection, after: begins.clone() });
        self.begin_at(&begins, desk);
        self.show(status, desk);
        self.send_again(desk);
    }

    /// Is given all that comes after a position; left out, from where the frames say (`Connection.begin`).
    fn begin_at(&mut self, position: &str, desk: &mut Desk<'_>) {
        self.abort(desk);
        self.session.feed();
        let Some((epoch, sequence)) = position.split_once('-') else { return };
        let mut frames = String::new();
        if !self.epoch.is_empty() && self.epoch != epoch {
            frames += &control_frame(r#"{"kind":"reset","reason":"epoch_changed"}"#, &format!("{epoch}-0"));
        }
        frames += &control_frame(r#"{"kind":"ready"}"#, position);
        let prev = sequence.parse().unwrap_or_default();
        self.tells.push(Tell::Page { epoch: epoch.to_owned(), prev });
        self.heed(desk, |session, now| session.take_chunk(now, frames.as_bytes()));
    }

    /// A connection brings something.
    fn given(
        &mut self,
        connection: (u64, u64),
        status: Stands,
        desk: &mut Desk<'_>,
        take: impl FnOnce(&mut Self, &mut Desk<'_>),
    ) {
        let Some(follower) = self.follower() else { return };
        if follower.attached != Some(connection) && !follower.is_asking && !follower.is_adrift {
            self.hello(desk); // It has missed where that begins.
        }
        if self.follower().is_none_or(|follower| follower.attached != Some(connection)) {
            return;
        }
        self.tells.push(Tell::Takes(connection));
        take(self, desk);
        let is_at_sea = |follower: &mut Follower| {
            follower.attached.is_some() && follower.begins.as_deref() == Some("") && status.0 == StatusCode::Live
        };
        if self.follower().is_some_and(is_at_sea) {
            self.hello(desk); // What said where that begins was lost.
        }
    }

    /// What it is given does not fit, or what is missing could not be fetched.
    pub(in crate::client) fn adrift(&mut self, desk: &mut Desk<'_>) {
        let Some(follower) = self.follower() else { return };
        follower.attached = None;
        follower.is_adrift = true;
        follower.failures += 1;
        let failures = follower.failures;
        let at = desk.now + self.tab.as_mut().map_or(0, |tab| tab.backoff_ms(failures));
        let is_sooner = |tab: &super::Tab| tab.timers.get(&Timer::Adrift).is_none_or(|before| *before > at);
        if self.tab.as_ref().is_some_and(is_sooner) {
            self.set_tab_timer(Timer::Adrift, at, desk);
        }
    }

    pub(super) fn adrift_no_more(&mut self, desk: &mut Desk<'_>) {
        if self.follower().is_some_and(|follower| std::mem::take(&mut follower.is_adrift)) {
            self.hello(desk);
        }
    }

    /// Its cursor may have moved.
    pub(in crate::client) fn moved(&mut self, desk: &mut Desk<'_>) {
        if self.follower().is_some_and(|follower| follower.begins.is_some()) && self.has_begun() {
            let Some(follower) = self.follower() else { return };
            (follower.begins, follower.failures) = (None, 0);
            let status = follower.status;
            self.show(status, desk);
        }
    }

    fn has_begun(&mut self) -> bool {
        let position = self.position();
        let Some(begins) = self.follower().and_then(|follower| follower.begins.as_deref()) else { return true };
        match begins.split_once('-') {
            None => position.is_some(),
            Some((epoch, sequence)) => position.is_some_and(|(own, reached)| {
                own == epoch && sequence.parse().is_ok_and(|sequence: u64| sequence <= reached)
            }),
        }
    }

    /// Shows how the leader's connection stands.
    fn show(&mut self, status: Stands, desk: &mut Desk<'_>) {
        let has_begun = self.has_begun();
        let Some(follower) = self.follower() else { return };
        follower.status = status;
        let shown = match status.0 {
            StatusCode::Live if follower.attached.is_none() => (StatusCode::Connecting, 0), // It is given nothing.
            StatusCode::Live if !has_begun => (StatusCode::Replaying, 0),
            _ => status,
        };
        if shown.0 != self.status.0 {
            self.change_status(shown.0, shown.1, desk);
        }
    }

    /// Waits no longer for pages that have been silent, as `whileHeard` has it.
    pub(super) fn give_up_silent(&mut self, desk: &mut Desk<'_>) {
        let now = desk.now;
        let is_silent = |page: &Page| page.heard_at + SILENCE_MS < now;
        if self.fitting().is_some_and(|page| is_silent(page)) {
            desk.dropped.extend(self.fitting().map(|page| page.id));
            self.entered(false, desk);
        }
        if let Some(at) = self.fetches.iter().position(is_silent) {
            desk.dropped.push(self.fetches.remove(at).id);
            self.happened(Event::Lost, 0, 0, desk);
        }
    }

    /// Where it is, as text.
    pub(in crate::client) fn position_text(&mut self) -> Option<String> {
        self.position().map(|(epoch, sequence)| format!("{epoch}-{sequence}"))
    }
}
