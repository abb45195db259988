//! What happens to requests and answers on their way. A connection keeps the order of its bytes, as TCP does; a proxy on it may lose,
//! repeat, swap or replay whole frames of an event stream, keep all of it back, and cut it anywhere.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use tokio::{sync::Semaphore, task::AbortHandle};

use crate::{
    chance::Chance,
    checker::Moment,
    client::device::Errand,
    process::{ConnId, Sent},
};

/// How much an answer may be ahead of who reads it, in pieces.
pub const CREDIT: usize = 6;
/// So many of a stream's first blocks are remembered, to be replayed.
const REPLAY_BLOCKS: usize = 8;
/// What a stream begins with.
const EARLY_BLOCKS: usize = 2;

/// Who waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A client's connection or fetch.
    Client(usize),
    /// The commands of a client.
    Commands(usize),
    /// A client's part in its device.
    Tab(usize),
    /// A producer.
    Producer(usize),
    /// The checker itself.
    Checker,
    /// Nobody: it is a repetition.
    Nobody,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Ask {
    /// GET or POST.
    pub method: &'static str,
    /// Path and query.
    pub path: String,
    /// Names and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body, where there is one.
    pub body: Vec<u8>,
    /// What it is.
    pub about: About,
}

/// What a request is, for who looks at its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// Event stream of these topics.
    Stream(Vec<String>, String),
    /// A page of the log.
    Page(Vec<String>, String),
    /// Something that nobody but its owner looks at.
    Other,
    /// An append or a command, by its id.
    Write(String),
    /// Another command under this key, which is taken.
    Reuse(String),
    /// A state that the checker asks for.
    State(Moment),
}

/// What comes to the owner of a request.
#[derive(Clone, Debug)]
pub enum Arrival {
    /// The answer begins.
    Head(StatusCode, HeaderMap),
    /// Some of its body.
    Bytes(Bytes),
    /// That was all.
    End,
    /// The connection broke, or there never was one.
    Lost,
}

/// How bad the network is: 0 is good.
pub type Weather = u64;

/// What befalls one connection.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// There is no connection.
    refused: bool,
    /// The request gets lost, and nobody says so.
    pub unheard: bool,
    /// The request comes twice.
    pub repeated: bool,
    /// It breaks after so many bytes.
    cut_after: Option<u64>,
    /// Nothing more comes after so many bytes.
    stalls_after: Option<u64>,
    /// No byte of an event stream comes through.
    pub kept_back: bool,
    /// Of a hundred blocks of an event stream.
    mangled_percent: u64,
    delay_ms: (u64, u64),
    piece_bytes_max: u64,
}

impl Faults {
    /// Good enough.
    #[must_use]
    pub fn none() -> Self {
        Self { delay_ms: (1, 5), piece_bytes_max: 4_096, ..Self::default() }
    }

    /// What befalls a connection in such weather.
    pub fn draw(weather: Weather, chance: &mut Chance) -> Self {
        if weather == 0 {
            return Self::none();
        }
        let delay_ms = (1, *chance.pick(&[5, 30, 200, 3_000]));
        let piece_bytes_max = *chance.pick(&[3, 50, 700, 4_096]);
        let mut rarely = |percent, end| chance.percent(percent * weather).then(|| chance.below(end));
        Self {
            cut_after: rarely(12, 6_000),
            stalls_after: rarely(4, 6_000),
            refused: rarely(5, 1).is_some(),
            unheard: rarely(3, 1).is_some(),
            repeated: rarely(8, 1).is_some(),
            mangled_percent: rarely(20, 50).unwrap_or_default(),
            kept_back: false,
            delay_ms,
            piece_bytes_max,
        }
    }
}

/// A request under way, and its answer.
pub struct Conn {
    /// Who waits for it.
    pub owner: Owner,
    /// What was asked.
    pub ask: Ask,
    /// What befalls it.
    pub faults: Faults,
    /// Lets the server go on.
    pub credit: Arc<Semaphore>,
    /// The server's end of it.
    pub task: Option<AbortHandle>,
    /// Whether nobody waits any more, or all has come.
    pub is_over: bool,
    chance: Chance,
    is_stream: bool,
    bytes: u64,
    last_at: u64,
    is_dead: bool,
    /// What is not a whole block yet.
    rest: Vec<u8>,
    swapped: Option<Vec<u8>>,
    replays: Vec<Vec<u8>>,
}

impl Conn {
    /// One that is about to be made.
    #[must_use]
    pub fn new(owner: Owner, ask: Ask, faults: Faults, chance: Chance) -> Self {
        let is_stream = matches!(ask.about, About::Stream(..));
        Self {
            owner,
            ask,
            faults,
            credit: Arc::new(Semaphore::new(CREDIT)),
            task: None,
            is_over: false,
            chance,
            is_stream,
            bytes: 0,
            last_at: 0,
            is_dead: false,
            rest: Vec::new(),
            swapped: None,
            replays: Vec::new(),
        }
    }

    /// Whether there is a connection at all.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.faults.refused
    }

    /// When what is sent now arrives: not before what was sent earlier.
    pub fn arrives_at(&mut self, now: u64) -> u64 {
        let (least, most) = self.faults.delay_ms;
        self.last_at = self.last_at.max(now + self.chance.between(least, most));
        self.last_at
    }

    /// When a repetition of the request arrives.
    pub fn repeated_at(&mut self, now: u64) -> u64 {
        now + self.chance.between(1, 20_000)
    }

    /// What arrives of what the server sends, and when.
    pub fn carry(&mut self, sent: Sent, now: u64) -> Vec<(u64, Arrival)> {
        let mut arrivals = Vec::new();
        if self.is_dead {
            return arrivals;
        }
        match sent {
            Sent::Head(status, headers) => arrivals.push((self.arrives_at(now), Arrival::Head(status, headers))),
            Sent::Chunk(bytes) => {
                let bytes = if self.is_stream { self.mangle(&bytes) } else { bytes.to_vec() };
                self.carry_bytes(&bytes, now, &mut arrivals);
            }
            Sent::End => {
                let rest = [self.swapped.take().unwrap_or_default(), std::mem::take(&mut self.rest)].concat();
                self.carry_bytes(&rest, now, &mut arrivals);
                if !self.is_dead {
                    arrivals.push((self.arrives_at(now), Arrival::End));
                }
            }
        }
        arrivals
    }

    /// The server is gone: what it has sent still comes.
    pub fn lose(&mut self, now: u64) -> Option<(u64, Arrival)> {
        let is_known = !std::mem::replace(&mut self.is_dead, true);
        // Of a machine that is gone nobody may be told.
        (is_known && !self.chance.percent(10)).then(|| (self.arrives_at(now), Arrival::Lost))
    }

    fn carry_bytes(&mut self, mut bytes: &[u8], now: u64, arrivals: &mut Vec<(u64, Arrival)>) {
        if self.faults.kept_back && self.is_stream {
            return;
        }
        while !bytes.is_empty() && !self.is_dead {
            let piece = self.chance.between(1, self.faults.piece_bytes_max.max(bytes.len() as u64 / 8)) as usize;
            let (mut piece, rest) = bytes.split_at(piece.min(bytes.len()));
            bytes = rest;
            let end = |at: Option<u64>, sent: u64| at.and_then(|at| at.checked_sub(sent)).map(|left| left as usize);
            if let Some(left) = end(self.faults.stalls_after, self.bytes).filter(|left| *left < piece.len()) {
                self.is_dead = true;
                piece = &piece[..left];
            }
            let mut is_cut = false;
            if let Some(left) = end(self.faults.cut_after, self.bytes).filter(|left| *left < piece.len()) {
                (self.is_dead, is_cut) = (true, true);
                piece = &piece[..left];
            }
            self.bytes += piece.len() as u64;
            if !piece.is_empty() {
                arrivals.push((self.arrives_at(now), Arrival::Bytes(Bytes::copy_from_slice(piece))));
            }
            if is_cut {
                arrivals.push((self.arrives_at(now), Arrival::Lost));
            }
        }
    }

    /// What a proxy makes of whole blocks of an event stream.
    fn mangle(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.faults.mangled_percent == 0 {
            return bytes.to_vec();
        }
        self.rest.extend_from_slice(bytes);
        let mut out = Vec::new();
        while let Some(end) = self.rest.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.rest.drain(..end + 2).collect();
            self.mangle_block(block, &mut out);
        }
        out
    }

    fn mangle_block(&mut self, block: Vec<u8>, out: &mut Vec<u8>) {
        // What a stream begins with is what it can least do without.
        let is_early = self.replays.len() < EARLY_BLOCKS;
        if self.replays.len() < REPLAY_BLOCKS {
            self.replays.push(block.clone());
        }
        if is_early && self.chance.percent(30) {
            return;
        }
        let is_mangled = self.chance.percent(self.faults.mangled_percent);
        let held = self.swapped.take();
        match self.chance.below(if is_mangled { 4 } else { 0 }) {
            _ if !is_mangled => out.extend(block),
            0 => {}
            1 => out.extend([block.clone(), block].concat()),
            2 => self.swapped = Some(block),
            _ => {
                // The first ones say the most: where the stream begins, and that it begins anew.
                let last = if self.chance.percent(50) { 1 } else { self.replays.len() };
                let at = self.chance.below(last as u64) as usize;
                out.extend(block);
                out.extend(&self.replays[at]);
            }
        }
        out.extend(held.unwrap_or_default());
    }
}

/// What somebody asks for while something is handed to them; the network opens it afterwards.
pub struct Desk<'a> {
    /// Now, in milliseconds of the run.
    pub now: u64,
    /// The number of the next request.
    pub next: &'a mut ConnId,
    /// What is asked.
    pub asked: Vec<(ConnId, Owner, Ask)>,
    /// What nobody waits for any more.
    pub dropped: Vec<ConnId>,
    /// When somebody wants to be called again, in milliseconds of the run.
    pub calls: Vec<(u64, Owner)>,
    /// What a tab wants of its browser.
    pub errands: Vec<Errand>,
}

impl Desk<'_> {
    /// Asks for something.
    pub fn ask(&mut self, owner: Owner, ask: Ask) -> ConnId {
        let id = *self.next;
        *self.next += 1;
        self.asked.push((id, owner, ask));
        id
    }
}
