//! What a subscription tells.

use highwater_core::control::ResetReason;
use highwater_core::event::{Event, InvalidEvent};
use highwater_core::version::{Position, Revision};
use serde::Serialize;
use wasm_bindgen::JsValue;

use super::{Cause, Failure};

/// What a subscription tells, in the order in which it happened.
///
/// [`Apply`](Self::Apply), [`Unreadable`](Self::Unreadable), [`Lost`](Self::Lost) and [`Reset`](Self::Reset) are all that an
/// application needs for its state to stay true.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Verdict {
    /// An event moves the state: each once, in the log's order.
    Apply {
        /// Its place: what a later subscription starts after, once the event is dealt with.
        position: Position,
        /// The event.
        event: Box<Event>,
    },
    /// An event's version is below one already applied: it must not move the state.
    Stale {
        /// Its place.
        position: Position,
        /// The event.
        event: Box<Event>,
    },
    /// An event came again.
    Duplicate {
        /// Its place.
        position: Position,
    },
    /// Something before an event is missing. The event gets its verdict once that is fetched.
    Gap {
        /// Its place.
        position: Position,
    },
    /// What came is no recorded event. Its place in the log has been passed, and the state has not moved.
    Unreadable {
        /// Its place, where that can be told.
        position: Option<Position>,
        /// Its stream, where that can be read.
        stream: Option<Box<str>>,
        /// As it came.
        text: Box<str>,
        /// What is wrong with it.
        error: InvalidEvent,
    },
    /// The server no longer has these revisions of a stream, both included: load its state anew.
    Lost {
        /// The stream.
        stream: Box<str>,
        /// The first revision that is lost.
        from: Revision,
        /// The last one.
        to: Revision,
    },
    /// The server can't go on from the cursor: forget all state, what follows starts after `position`.
    Reset {
        /// Why.
        reason: ResetReason,
        /// Where it goes on.
        position: Position,
    },
    /// The subscription stands otherwise than before.
    Status(Status),
}

/// How a subscription stands. As a [`JsValue`] it has the shape that the npm package gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case", rename_all_fields = "camelCase")]
#[non_exhaustive]
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
        /// Why the connection before ended.
        cause: Cause,
    },
    /// It gave up. Nothing more comes.
    Failed {
        /// Why.
        error: Failure,
    },
    /// It was closed. Nothing more comes.
    Closed,
}

impl TryFrom<&Status> for JsValue {
    type Error = serde_wasm_bindgen::Error;

    fn try_from(status: &Status) -> Result<Self, Self::Error> {
        status.serialize(&serde_wasm_bindgen::Serializer::json_compatible())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};

    use super::super::Refusal;
    use super::*;

    #[test]
    fn a_status_is_written_as_the_npm_package_has_it() {
        assert_eq!(to_value(Status::Live).unwrap(), json!({ "status": "live" }));
        let waiting = Status::BackingOff { delay_ms: 250, cause: Cause::Silent { silent_ms: 5_000 } };
        assert_eq!(
            to_value(waiting).unwrap(),
            json!({ "status": "backing_off", "delayMs": 250, "cause": { "kind": "silent", "silentMs": 5_000 } })
        );
        let cause = Cause::Refused(Refusal::read(404, 0, b""));
        assert_eq!(
            to_value(Status::Failed { error: Failure::Refused { cause } }).unwrap(),
            json!({ "status": "failed", "error": {
                "kind": "refused",
                "cause": { "kind": "refused", "status": 404, "retryAfterMs": 0 },
            } })
        );
    }
}
