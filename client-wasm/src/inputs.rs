//! What JavaScript tells: the kinds of things that happen outside.

#[cfg(doc)]
use highwater_core::{overlay, subscription};
use wasm_bindgen::prelude::wasm_bindgen;

/// Gives the one with this number. A generated argument of such a type would be compared with each of them.
macro_rules! by_number {
    ($name:ident: $($variant:ident),*) => {
        impl From<u32> for $name {
            fn from(number: u32) -> Self {
                [$(Self::$variant),*][number as usize]
            }
        }
    };
}

by_number!(Event: Open, Answered, Heard, Paused, Fetching, Lost, Refused, Unfit, Restart, Awake, Timeout, Close);
by_number!(Fate: Recorded, Refused, Conflict, Unknown, Rebased, Judged, GivenUp);
by_number!(PageKind: Log, Stream, Poll, Added, AddedSince);

/// What happens outside.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// See [`subscription::Input::Open`].
    Open,
    /// See [`subscription::Input::Answered`].
    Answered,
    /// See [`subscription::Input::Heard`].
    Heard,
    /// See [`subscription::Input::Paused`].
    Paused,
    /// See [`subscription::Input::Fetching`].
    Fetching,
    /// See [`subscription::Cause::Lost`].
    Lost,
    /// See [`subscription::Cause::Refused`]: with the status, and the delay in milliseconds.
    Refused,
    /// See [`subscription::Cause::Unfit`].
    Unfit,
    /// See [`subscription::Input::Restart`].
    Restart,
    /// See [`subscription::Input::Awake`].
    Awake,
    /// See [`subscription::Input::Timeout`].
    Timeout,
    /// See [`subscription::Input::Close`].
    Close,
}

/// What became of an intent.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// See [`overlay::Answer::Recorded`]: with the sequence.
    Recorded,
    /// See [`overlay::Answer::Refused`].
    Refused,
    /// See [`overlay::Answer::Conflict`].
    Conflict,
    /// See [`overlay::Answer::Unknown`].
    Unknown,
    /// See [`overlay::Overlay::rebased`].
    Rebased,
    /// See [`overlay::Overlay::judged`].
    Judged,
    /// See [`overlay::Overlay::give_up`].
    GivenUp,
}

/// What a page is.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    /// Of the log, as [`crate::Kind::FetchLog`] asks for.
    Log,
    /// Of a stream, as [`crate::Kind::FetchStream`] asks for.
    Stream,
    /// Of the log, in place of an event stream.
    Poll,
    /// Of a topic that is being added, from the log's beginning on.
    Added,
    /// The same, from a later place on.
    AddedSince,
}
