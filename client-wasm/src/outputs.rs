//! What a call leaves for JavaScript: records of numbers, and one JSON array with one element for each of them. Their view
//! is five numbers: how many records there are, where they stand, where the array stands, how many bytes it takes, and
//! when the next timeout is due, below 0 for never.
//!
//! So a single `JSON.parse` gives the events of a whole chunk. Where that throws, a record's byte range lets JavaScript
//! parse its element alone and find the one that is broken.

use highwater_core::reconcile::Verdict;
use highwater_core::subscription::{self, Failure, Status};
use highwater_core::version::{Epoch, Position, Revision};
use wasm_bindgen::prelude::wasm_bindgen;

/// What a record says, and what its element of the JSON array is.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An event moves the state. The element is the event.
    Apply,
    /// An event's version is below its stream's mark. The element is the event.
    Stale,
    /// An event came again. The element is the event.
    Duplicate,
    /// Something before an event is missing. The element is the event.
    Gap,
    /// Data that is no event which could be judged. The element is that data, which may be no JSON at all.
    Unreadable,
    /// The same, from a frame that does not tell its place.
    Unplaced,
    /// From here on positions are of this epoch. The element is its name.
    Epoch,
    /// The log's reader was reset. The element is the reason.
    Reset,
    /// The stream cannot go on: say that it has ended, and how. The element is the control frame's body.
    Error,
    /// Fetch the log after this sequence.
    FetchLog,
    /// Fetch the stream that the element names, from the revision that stands in the sequence's place.
    FetchStream,
    /// Revisions of a stream are lost. The element says which: `{"stream":…,"from":…,"to":…}`.
    Lost,
    /// Connect, by the [`Transport`] with this number.
    Connect,
    /// End the connection. The number is a [`Reason`]; the element says how long nothing was heard, in milliseconds.
    Disconnect,
    /// The status has changed to the [`StatusCode`] with this number. The element is a delay in milliseconds.
    Status,
    /// The intent with this number is settled. The element is 0 where it is confirmed, 1 where it is dropped.
    Settled,
}

/// How events come: see [`subscription::Transport`].
#[wasm_bindgen]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// See [`subscription::Transport::Stream`].
    Stream,
    /// See [`subscription::Transport::Page`].
    Page,
    /// See [`subscription::Transport::Poll`].
    Poll,
}

impl From<subscription::Transport> for Transport {
    fn from(transport: subscription::Transport) -> Self {
        match transport {
            subscription::Transport::Stream => Self::Stream,
            subscription::Transport::Page => Self::Page,
            subscription::Transport::Poll => Self::Poll,
        }
    }
}

/// Why a connection is to be ended.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// JavaScript said that it had ended.
    Told,
    /// Nothing was heard for too long.
    Silence,
    /// The server said goodbye.
    Goodbye,
    /// It does not fit what is known of the log.
    Misfit,
    /// What arrived breaks the protocol.
    Broken,
}

/// How a subscription stands.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusCode {
    /// See [`Status::Connecting`].
    Connecting,
    /// See [`Status::Replaying`].
    Replaying,
    /// See [`Status::Live`].
    Live,
    /// See [`Status::BackingOff`].
    BackingOff,
    /// See [`Status::Closed`].
    Closed,
    /// See [`Failure::Refused`].
    Refused,
    /// See [`Failure::Unfit`].
    Unfit,
    /// See [`Failure::ResetLoop`].
    ResetLoop,
}

impl From<Status> for StatusCode {
    fn from(status: Status) -> Self {
        match status {
            Status::Connecting => Self::Connecting,
            Status::Replaying => Self::Replaying,
            Status::Live => Self::Live,
            Status::BackingOff { .. } => Self::BackingOff,
            Status::Closed => Self::Closed,
            Status::Failed(Failure::Refused) => Self::Refused,
            Status::Failed(Failure::Unfit) => Self::Unfit,
            Status::Failed(Failure::ResetLoop) => Self::ResetLoop,
        }
    }
}

impl From<Verdict> for Kind {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Apply => Self::Apply,
            Verdict::Stale => Self::Stale,
            Verdict::Duplicate => Self::Duplicate,
            Verdict::Gap => Self::Gap,
            Verdict::Unreadable => Self::Unreadable,
        }
    }
}

/// Kind, sequence, and where in the text the element begins and ends, in bytes.
type Record = [f64; 4];

/// The records of one call.
#[derive(Debug)]
pub(crate) struct Outputs {
    records: Vec<Record>,
    text: Vec<u8>,
    epoch: Option<Epoch>,
    view: [f64; 5],
}

impl Outputs {
    pub(crate) const fn new() -> Self {
        Self { records: Vec::new(), text: Vec::new(), epoch: None, view: [0.0; 5] }
    }

    /// Starts anew; what was there has been read.
    pub(crate) fn clear(&mut self) {
        self.records.clear();
        self.text.clear();
        self.write(b"[");
    }

    /// Ends the array, and says where the view stands.
    pub(crate) fn finish(&mut self, next_timeout: Option<u64>) -> *const f64 {
        self.write(b"]");
        let (records, text) = (self.records.as_ptr() as usize as f64, self.text.as_ptr() as usize as f64);
        let next_timeout = next_timeout.map_or(-1.0, |at| at as f64);
        self.view = [self.records.len() as f64, records, text, self.text.len() as f64, next_timeout];
        self.view.as_ptr()
    }

    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn view(&self) -> crate::View<'_> {
        crate::View { records: &self.records, text: &self.text }
    }

    /// Adds a record about a position, after one that tells its epoch if that is another than the last one told.
    pub(crate) fn push_at(&mut self, kind: Kind, position: Position, element: &[u8]) {
        self.tell_epoch(position.epoch);
        self.add(kind, position.sequence.get() as f64, element);
    }

    pub(crate) fn tell_epoch(&mut self, epoch: Epoch) {
        if self.epoch != Some(epoch) {
            self.epoch = Some(epoch);
            self.push_name(Kind::Epoch, 0, epoch.as_bytes());
        }
    }

    /// Adds a record without a number whose element is this text, as it is.
    pub(crate) fn push(&mut self, kind: Kind, element: &[u8]) {
        self.add(kind, 0.0, element);
    }

    /// Adds a record whose element is a string, which has its escapes already.
    pub(crate) fn push_name(&mut self, kind: Kind, number: u32, name: &[u8]) {
        let start = self.begin();
        self.write_string(name);
        self.end(kind, f64::from(number), start);
    }

    /// Adds a record that these revisions of a stream are lost.
    pub(crate) fn push_lost(&mut self, stream: &[u8], from: Revision, to: Revision) {
        let start = self.begin();
        self.write(b"{\"stream\":");
        self.write_string(stream);
        self.write(b",\"from\":");
        self.write_number(from.get());
        self.write(b",\"to\":");
        self.write_number(to.get());
        self.write(b"}");
        self.end(Kind::Lost, 0.0, start);
    }

    /// Adds a record with a number.
    pub(crate) fn push_number(&mut self, kind: Kind, number: u32, element: u32) {
        let start = self.begin();
        self.write_number(element);
        self.end(kind, number.into(), start);
    }

    fn add(&mut self, kind: Kind, number: f64, element: &[u8]) {
        let start = self.begin();
        self.write(element);
        self.end(kind, number, start);
    }

    fn begin(&mut self) -> usize {
        if !self.records.is_empty() {
            self.write(b",");
        }
        self.text.len()
    }

    fn end(&mut self, kind: Kind, number: f64, start: usize) {
        self.records.push([f64::from(kind as u32), number, start as f64, self.text.len() as f64]);
    }

    fn write(&mut self, json: &[u8]) {
        self.text.extend_from_slice(json);
    }

    /// Writes a string that has its escapes already.
    fn write_string(&mut self, text: &[u8]) {
        self.write(b"\"");
        self.write(text);
        self.write(b"\"");
    }

    /// Writes a number. The standard library's way, as serde_json's, would double what the browser downloads.
    fn write_number(&mut self, number: u32) {
        if number > 9 {
            self.write_number(number / 10);
        }
        self.write(&[b'0' + (number % 10) as u8]);
    }
}
