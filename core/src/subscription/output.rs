//! What a subscription asks for and tells.

/// How events come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// As an event stream.
    Stream,
    /// As a page of what there is now.
    Page,
    /// As pages, each asked for when the one before is judged, and held back by the server until there is something.
    Poll,
}

/// What is to be done and told, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    /// End the connection, if it still is there. The number says how long nothing was heard, in milliseconds, where that is
    /// why; else it is 0.
    pub disconnect: Option<u64>,
    /// The status has changed.
    pub status: Option<Status>,
    /// Connect from the cursor, with a token that is asked for anew.
    pub connect: Option<Transport>,
}

impl Outputs {
    pub(super) const NONE: Self = Self { disconnect: None, status: None, connect: None };
}

/// How a subscription stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It waits for the server's answer.
    Connecting,
    /// It is told what it has missed.
    Replaying,
    /// It is told what happens.
    Live,
    /// It waits before it connects anew.
    BackingOff {
        /// For how long, in milliseconds.
        delay_ms: u32,
    },
    /// It is over, because going on would be of no use.
    Failed(Failure),
    /// It is over, because it was closed.
    Closed,
}

/// Why a subscription gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The server refused the request, and would again.
    Refused,
    /// Connection after connection broke the protocol.
    Unfit,
    /// Connection after connection began with a reset.
    ResetLoop,
}
