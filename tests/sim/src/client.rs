//! [`Client`]: a page. Its session is the very one that the npm package runs in WebAssembly; what JavaScript does around it
//! (`client-wasm/js/connection.ts`) is done here: it tells the session what happens, and does what that asks for.

mod connection;
pub mod device;
mod requests;
mod words;

use std::collections::VecDeque;

use highwater_client::{Event, Kind, PageKind, Session, StatusCode};
use serde_json::Value;

pub(crate) use self::requests::json;
use self::{
    device::Stands,
    requests::{Page, page_of_log, text},
    words::{KINDS, STATUSES},
};
pub use self::{
    device::Tab,
    requests::{epoch_of, get},
    words::{Nature, Tell},
};
use crate::{
    app::App,
    chance::Chance,
    host::BEGINNING_MS,
    intents::Intents,
    network::{About, Arrival, Desk, Owner},
    process::ConnId,
};

/// The records that are told, all of them.
const LISTENED: u32 = u32::MAX;

/// One record of the session.
struct Record {
    kind: Kind,
    number: f64,
    element: Vec<u8>,
    /// The log that it is about.
    epoch: String,
}

/// What a page keeps through a reload.
#[derive(Clone)]
pub struct Stored {
    /// Where it is.
    pub position: Option<String>,
    /// What shows there.
    pub app: App,
}

/// See the [module](self).
pub struct Client {
    /// Which one it is.
    pub index: usize,
    /// What it is like.
    pub nature: Nature,
    /// What it keeps.
    pub app: App,
    /// What it has stored of that.
    pub stored: Stored,
    /// What it means to do.
    pub intents: Intents,
    /// What it has said and nobody has taken.
    pub tells: Vec<Tell>,
    /// Since when it sleeps.
    pub asleep_since: u64,
    /// Until when it sleeps.
    pub asleep_until: u64,
    /// How its connection stands, or that of the tab that leads.
    pub(crate) status: Stands,
    /// Its part in a device that it shares with others.
    pub(crate) tab: Option<Tab>,
    pub(crate) session: Session,
    /// The log that positions are of.
    pub(crate) epoch: String,
    /// Whether there was a cursor.
    is_placed: bool,
    /// The topics and the place of the connection that was asked for last.
    place: (Vec<String>, String),
    stream: Option<ConnId>,
    poll: Option<Page>,
    fetches: Vec<Page>,
    said: VecDeque<Record>,
    is_heeding: bool,
    is_open: bool,
    /// Whether its subscription is over.
    pub is_over: bool,
    timer_at: Option<u64>,
    inbox: Vec<(ConnId, Arrival)>,
}

impl Client {
    /// One that has not connected yet.
    #[must_use]
    pub fn new(index: usize, nature: Nature, seed: u64) -> Self {
        let of_device = |device: device::Shared| Tab::new(index, device.ping_ms, Chance::new(seed));
        let tab = nature.device.map(of_device);
        let stored = Stored { position: None, app: App::default() };
        let mut client = Self {
            index,
            nature,
            app: App::default(),
            stored,
            intents: Intents::default(),
            tells: Vec::new(),
            asleep_since: 0,
            asleep_until: 0,
            status: (StatusCode::Connecting, 0),
            tab,
            session: Session::new(),
            epoch: String::new(),
            is_placed: false,
            place: (Vec::new(), String::new()),
            stream: None,
            poll: None,
            fetches: Vec::new(),
            said: VecDeque::new(),
            is_heeding: false,
            is_open: false,
            is_over: false,
            timer_at: None,
            inbox: Vec::new(),
        };
        client.begin(seed);
        client
    }

    /// Forgets all but what is stored: the page is loaded.
    pub fn reload(&mut self, seed: u64, desk: &mut Desk<'_>) {
        self.abort(desk);
        self.app = self.stored.app.clone();
        let refused = self.tab.as_ref().map(|tab| tab.refused.clone()).unwrap_or_default();
        self.begin(seed);
        self.intents.restore(&mut self.session);
        refused.iter().for_each(|id| self.intents.remember_given_up(id));
        self.recall_intents(0..self.intents.kept.len(), desk);
        self.open(desk);
    }

    fn begin(&mut self, seed: u64) {
        self.session = Session::new();
        self.session.seed(f64::from_bits(seed));
        let after = self.stored.position.clone().unwrap_or_else(|| self.nature.origin.to_owned());
        self.session.take_text(after.as_bytes());
        assert!(self.session.start(self.nature.held_max, 1 << 20, 64, 20_000, 250, 30_000), "a place to start");
        self.session.listen(LISTENED);
        self.epoch = self.stored.position.as_deref().map(epoch_of).unwrap_or_default().to_owned();
        self.said.clear();
        self.is_placed = false;
        self.is_over = false;
        self.timer_at = None;
        self.inbox.clear();
        self.status = (StatusCode::Connecting, 0);
        self.tab = self.tab.as_ref().map(Tab::again);
    }

    /// Connects.
    pub fn open(&mut self, desk: &mut Desk<'_>) {
        if self.tab.is_some() {
            return self.join(desk);
        }
        self.connect_first(desk);
    }

    fn connect_first(&mut self, desk: &mut Desk<'_>) {
        self.is_open = true;
        self.happened(Event::Open, 0, 0, desk);
        self.send_intents(desk);
    }

    /// Where it is, if it knows.
    pub fn position(&mut self) -> Option<(String, u64)> {
        let cursor = self.session.counted()[8];
        (cursor >= 0.0).then(|| (self.epoch.clone(), cursor as u64))
    }

    /// Keeps what it knows for the next time that it is loaded.
    pub fn store(&mut self) {
        let position = self.position().map(|(epoch, sequence)| format!("{epoch}-{sequence}"));
        self.stored = Stored { position, app: self.app.clone() };
    }

    /// It is back from sleep, or has a network again.
    pub fn wake(&mut self, desk: &mut Desk<'_>) {
        self.asleep_until = 0;
        if self.is_open {
            self.happened(Event::Awake, 0, 0, desk);
        }
        for (id, arrival) in std::mem::take(&mut self.inbox) {
            self.intent_arrived(id, arrival.clone(), desk);
            self.arrived(id, arrival, desk);
        }
        self.timeout(desk);
        self.wake_tab(desk);
        self.call_intents(desk.now + 1, desk);
    }

    /// Keeps what has come for when it wakes.
    pub(crate) fn keep(&mut self, id: ConnId, arrival: Arrival) {
        self.inbox.push((id, arrival));
    }

    /// Whether it has a connection of its own.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.stream.is_some() || self.poll.is_some()
    }

    /// What has come while it slept.
    pub fn waiting(&self) -> Vec<ConnId> {
        self.inbox.iter().map(|(id, _)| *id).collect()
    }

    /// Whether something will go on with it by itself.
    #[must_use]
    pub fn waits_for_something(&self) -> bool {
        !self.is_open || self.timer_at.is_some() || self.is_connected()
    }

    /// Time has passed.
    pub fn timeout(&mut self, desk: &mut Desk<'_>) {
        if self.timer_at.is_some_and(|at| at <= desk.now) {
            self.timer_at = None;
            self.happened(Event::Timeout, 0, 0, desk);
        }
    }

    /// Whether what comes has to wait: it sleeps, or has not taken yet what came while it slept.
    pub(crate) fn has_to_wait(&self, now: u64) -> bool {
        self.is_asleep(now) || !self.inbox.is_empty()
    }

    /// Whether it takes part.
    #[must_use]
    pub fn is_asleep(&self, now: u64) -> bool {
        self.asleep_until > now
    }

    /// Something of an answer has come.
    pub fn arrived(&mut self, id: ConnId, arrival: Arrival, desk: &mut Desk<'_>) {
        if self.has_to_wait(desk.now) {
            self.keep(id, arrival);
        } else if self.stream == Some(id) {
            self.stream_arrived(arrival, desk);
        } else if self.poll.as_ref().is_some_and(|page| page.id == id) {
            let is_whole = self.poll.as_mut().and_then(|page| page.take(arrival, desk.now));
            match is_whole {
                None => self.happened(Event::Heard, 0, 0, desk),
                Some(is_whole) => self.polled(is_whole, desk),
            }
        } else if let Some(at) = self.fetches.iter().position(|page| page.id == id) {
            match self.fetches[at].take(arrival, desk.now) {
                None => self.happened(Event::Fetching, 0, 0, desk),
                Some(is_whole) => {
                    let page = self.fetches.remove(at);
                    self.fetched(page, is_whole, desk);
                }
            }
        } else if self.fitting().is_some_and(|page| page.id == id) {
            let is_whole = self.fitting().and_then(|page| page.take(arrival, desk.now));
            is_whole.into_iter().for_each(|is_whole| self.entered(is_whole, desk));
        }
    }

    /// Ends what is connected.
    pub fn abort(&mut self, desk: &mut Desk<'_>) {
        desk.dropped.extend(self.stream.take());
        desk.dropped.extend(self.poll.take().map(|page| page.id));
        desk.dropped.extend(self.fetches.drain(..).map(|page| page.id));
    }

    fn happened(&mut self, event: Event, status: u16, delay_ms: u32, desk: &mut Desk<'_>) {
        self.heed(desk, |session, now| {
            session.happened(now, event as u32, status, delay_ms);
        });
    }

    /// Does and tells all that the session says to something that concerns its connection.
    fn heed(&mut self, desk: &mut Desk<'_>, ask: impl FnOnce(&mut Session, f64)) {
        self.ask_session(desk, true, ask);
    }

    /// The same for what tells it nothing of the time, after which no timer is set anew.
    pub(crate) fn heed_fate(&mut self, desk: &mut Desk<'_>, ask: impl FnOnce(&mut Session)) {
        self.ask_session(desk, false, |session, _| ask(session));
    }

    fn ask_session(&mut self, desk: &mut Desk<'_>, is_timed: bool, ask: impl FnOnce(&mut Session, f64)) {
        if self.is_over {
            return;
        }
        let now = (BEGINNING_MS + desk.now).saturating_add_signed(self.nature.skew_ms);
        ask(&mut self.session, now as f64);
        let view = self.session.view();
        for [kind, number, begin, end] in view.records {
            let (kind, element) = (KINDS[*kind as usize], &view.text[*begin as usize..*end as usize]);
            if kind == Kind::Epoch {
                self.epoch = text(element);
            }
            let epoch = self.epoch.clone();
            self.said.push_back(Record { kind, number: *number, element: element.to_vec(), epoch });
        }
        if is_timed {
            self.set_timer(now, desk);
        }
        if self.is_heeding {
            return;
        }
        self.is_heeding = true;
        while let Some(record) = self.said.pop_front() {
            self.follow(record, desk);
        }
        self.is_heeding = false;
        self.place(desk);
        self.moved(desk);
    }

    /// As soon as there is a cursor, it is known of which log it is.
    fn place(&mut self, desk: &mut Desk<'_>) {
        if !self.is_placed && self.position().is_some() {
            self.is_placed = true;
            self.place_intents(desk);
            self.send_again(desk);
        }
    }

    fn set_timer(&mut self, now: u64, desk: &mut Desk<'_>) {
        let at = self.session.next_timeout().map(|at| desk.now + at.saturating_sub(now).max(1));
        if at != self.timer_at {
            self.timer_at = at;
            desk.calls.extend(at.map(|at| (at, Owner::Client(self.index))));
        }
    }

    fn follow(&mut self, record: Record, desk: &mut Desk<'_>) {
        let Record { kind, number, element, epoch } = record;
        match kind {
            Kind::Connect => self.connect(number as usize, desk),
            Kind::Disconnect => {
                self.abort(desk);
                self.adrift(desk);
            }
            Kind::Status => {
                let status = STATUSES[number as usize];
                let delay_ms = str::from_utf8(&element).ok().and_then(|text| text.parse().ok()).unwrap_or_default();
                self.change_status(status, delay_ms, desk);
            }
            Kind::Error => {
                let status = json(&element).pointer("/problem/status").and_then(Value::as_u64).unwrap_or(500);
                self.happened(Event::Refused, status as u16, 0, desk);
            }
            Kind::FetchLog => {
                let after = format!("{epoch}-{number}");
                let ask = page_of_log(&self.nature.topics, &after, None);
                self.fetch(PageKind::Log, ask, desk);
            }
            Kind::FetchStream => {
                let path = format!("/v1/streams/{}?from_revision={number}&limit=1000", text(&element));
                self.fetch(PageKind::Stream, get(path, "application/json", About::Other), desk);
            }
            Kind::Epoch => {}
            Kind::Settled => self.settled(number as u32, element == b"0", desk),
            Kind::Reset => self.reset(epoch, number as u64, desk),
            Kind::Lost => self.tells.push(Tell::Lost(String::from_utf8_lossy(&element).into_owned())),
            Kind::Apply | Kind::Stale | Kind::Duplicate | Kind::Gap | Kind::Unreadable | Kind::Unplaced => {
                self.tells.push(Tell::Judged {
                    kind,
                    epoch,
                    sequence: number as u64,
                    envelope: element.clone().into(),
                });
                self.judged(kind, number as u64, &element, desk);
            }
        }
    }

    fn change_status(&mut self, status: StatusCode, delay_ms: u32, desk: &mut Desk<'_>) {
        self.is_over |= status as u32 >= StatusCode::Closed as u32;
        self.status = (status, delay_ms);
        self.tells.push(Tell::Status(status, delay_ms, self.tab.as_ref().is_some_and(Tab::leads)));
        self.status_changed(desk);
    }

    fn reset(&mut self, epoch: String, sequence: u64, desk: &mut Desk<'_>) {
        self.app = App::default();
        self.tells.push(Tell::Reset { epoch, sequence });
        self.reset_intents(desk);
        self.send_again(desk);
    }
}
