//! What a client is like, and what it says.

use bytes::Bytes;
use highwater_client::{Kind, StatusCode};

use super::device::Shared;
use crate::process::ConnId;

/// What a client is like.
#[derive(Clone, Debug)]
pub struct Nature {
    /// What it follows.
    pub topics: Vec<String>,
    /// `earliest` or `latest`.
    pub origin: &'static str,
    /// What its clock is ahead of the run's, in milliseconds.
    pub skew_ms: i64,
    /// How many events it holds at most.
    pub held_max: usize,
    /// Whether a proxy keeps event streams back from it.
    pub is_kept_back: bool,
    /// When it connects first, in milliseconds of the run.
    pub opens_at: u64,
    /// The device that it is a tab of, where there are several.
    pub device: Option<Shared>,
}

/// What a client says, for the checker.
#[derive(Clone, Debug)]
pub enum Tell {
    /// An event was judged.
    Judged {
        /// What it is.
        kind: Kind,
        /// The log that it is of.
        epoch: String,
        /// Its place there.
        sequence: u64,
        /// All of it.
        envelope: Bytes,
    },
    /// It begins anew after this place.
    Reset {
        /// The log.
        epoch: String,
        /// The place there.
        sequence: u64,
    },
    /// Revisions of a stream are said to be lost.
    Lost(String),
    /// An intent is settled.
    Settled {
        /// The overlay's number.
        number: u32,
        /// Whether it is confirmed, and not dropped.
        is_confirmed: bool,
    },
    /// Its subscription stands so; and whether it leads a device as it says this.
    Status(StatusCode, u32, bool),
    /// A connection begins, with this request.
    Began(ConnId),
    /// From now on it is given what this connection of another tab brings.
    Fed {
        /// The term of the tab that leads, and the number of its connection.
        connection: (u64, u64),
        /// After this position; empty where the frames say so.
        after: String,
    },
    /// It takes something that this one brings.
    Takes((u64, u64)),
    /// A page in place of a stream, or what another tab gives, begins with what comes after this place.
    Page {
        /// The log.
        epoch: String,
        /// The place there.
        prev: u64,
    },
}

/// By the numbers that records have.
pub(super) const KINDS: [Kind; 16] = [
    Kind::Apply,
    Kind::Stale,
    Kind::Duplicate,
    Kind::Gap,
    Kind::Unreadable,
    Kind::Unplaced,
    Kind::Epoch,
    Kind::Reset,
    Kind::Error,
    Kind::FetchLog,
    Kind::FetchStream,
    Kind::Lost,
    Kind::Connect,
    Kind::Disconnect,
    Kind::Status,
    Kind::Settled,
];

/// By the numbers that records have.
pub(super) const STATUSES: [StatusCode; 8] = [
    StatusCode::Connecting,
    StatusCode::Replaying,
    StatusCode::Live,
    StatusCode::BackingOff,
    StatusCode::Closed,
    StatusCode::Refused,
    StatusCode::Unfit,
    StatusCode::ResetLoop,
];
