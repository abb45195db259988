//! What a subscription is told.

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Begin.
    Open,
    /// The server has taken the request: its answer begins.
    Answered,
    /// Something of the answer came. After [`Input::Paused`]: there is room again.
    Heard,
    /// The reader takes no more for now: until the next [`Input::Heard`] silence is its own doing.
    Paused,
    /// Something new was judged.
    Moved,
    /// The server went on from elsewhere than the cursor.
    Reset,
    /// History is done, and the server says something at least this often, in milliseconds.
    Ready {
        /// See there.
        heartbeat_ms: u32,
    },
    /// The page of a poll was judged.
    Polled {
        /// Whether the log has no more of it now.
        is_live: bool,
    },
    /// What is missing is being fetched, and something of it came.
    Fetching,
    /// It is there.
    Fetched,
    /// The connection is over, or has to be.
    Ended(Cause),
    /// The set of topics is another one: go on with it at once.
    Restart,
    /// The device or the page is back from sleep, or has a network again.
    Awake,
    /// The time of [`Subscription::next_timeout`](super::Subscription::next_timeout) has come.
    Timeout,
    /// It is not wanted any more.
    Close,
}

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The network failed, or the stream ended without a word.
    Lost,
    /// The server said goodbye.
    Goodbye {
        /// How long it asks to wait, in milliseconds.
        retry_ms: u32,
    },
    /// The server answered with something else than events.
    Refused {
        /// The HTTP status.
        status: u16,
        /// How long it asks to wait, in milliseconds.
        retry_after_ms: u32,
    },
    /// What came is not of the protocol, or does not fit what is known of the log.
    Unfit,
}
