//! Control frames: what a server says about the stream itself, as the JSON body of an SSE frame with `event: highwater`.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    envelope::{JsonText, text_member},
    version::Sequence,
};

/// The body of a control frame.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Control<'a> {
    /// History is done, the stream is live.
    Ready {
        /// The longest silence to expect: a heartbeat comes at least this often, in milliseconds.
        heartbeat_ms: u64,
    },
    /// The reader has been sent everything up to the frame's id.
    Heartbeat,
    /// The reader was too slow and chose to lose events rather than time: none of those after `from` up to `to`, which is
    /// the frame's id, is sent.
    Skipped {
        /// Where the reader was.
        from: Sequence,
        /// Where the stream goes on.
        to: Sequence,
    },
    /// The reader's cursor is of no use; the stream goes on from the frame's id.
    Reset {
        /// Why.
        reason: ResetReason,
    },
    /// The server closes the stream: reconnect with the cursor.
    Goodbye {
        /// How long to wait before that, in milliseconds.
        retry_ms: u64,
    },
    /// The stream cannot go on.
    Error {
        /// A problem document (RFC 9457).
        problem: &'a RawValue,
    },
}

/// Why a cursor is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetReason {
    /// The log is another one than the cursor is of.
    EpochChanged,
    /// The events after the cursor are no longer kept.
    CursorExpired,
    /// The cursor lies beyond the log's end.
    CursorAhead,
}

impl Control<'_> {
    /// The body as JSON, one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a control frame is JSON")
    }
}

impl ResetReason {
    /// The reason's name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EpochChanged => "epoch_changed",
            Self::CursorExpired => "cursor_expired",
            Self::CursorAhead => "cursor_ahead",
        }
    }
}

impl fmt::Display for ResetReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a reader does about a control frame, known without parsing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlKind {
    /// See [`Control::Ready`].
    Ready,
    /// See [`Control::Heartbeat`].
    Heartbeat,
    /// See [`Control::Reset`].
    Reset(ResetReason),
    /// See [`Control::Goodbye`].
    Goodbye,
    /// See [`Control::Error`].
    Error,
}

impl ControlKind {
    /// Reads the kind of a control frame's body. `None` is a kind of a later protocol, to be passed over.
    #[must_use]
    pub fn scan(body: &[u8]) -> Option<Self> {
        let kind = text_member(body, "kind")?.as_bytes();
        let reason = text_member(body, "reason").map(JsonText::as_bytes);
        let is_meant = |(name, known, _): &&(&str, &str, Self)| {
            name.as_bytes() == kind && (known.is_empty() || reason == Some(known.as_bytes()))
        };
        KINDS.iter().find(is_meant).map(|(.., meaning)| *meaning)
    }
}

/// What a reader knows: a kind, a reason where it has one, and what they mean.
const KINDS: [(&str, &str, ControlKind); 7] = [
    ("heartbeat", "", ControlKind::Heartbeat),
    ("ready", "", ControlKind::Ready),
    ("goodbye", "", ControlKind::Goodbye),
    ("error", "", ControlKind::Error),
    ("reset", ResetReason::EpochChanged.as_str(), ControlKind::Reset(ResetReason::EpochChanged)),
    ("reset", ResetReason::CursorExpired.as_str(), ControlKind::Reset(ResetReason::CursorExpired)),
    ("reset", ResetReason::CursorAhead.as_str(), ControlKind::Reset(ResetReason::CursorAhead)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_recognised() {
        let problem = RawValue::from_string(r#"{"kind":"decoy","status":503}"#.to_owned()).unwrap();
        for (control, kind) in [
            (Control::Ready { heartbeat_ms: 15_000 }, ControlKind::Ready),
            (Control::Heartbeat, ControlKind::Heartbeat),
            (Control::Reset { reason: ResetReason::CursorAhead }, ControlKind::Reset(ResetReason::CursorAhead)),
            (Control::Goodbye { retry_ms: 500 }, ControlKind::Goodbye),
            (Control::Error { problem: &problem }, ControlKind::Error),
        ] {
            let body = control.to_json();
            assert_eq!(ControlKind::scan(body.as_bytes()), Some(kind), "{body}");
        }
    }

    #[test]
    fn what_a_later_protocol_says_is_passed_over() {
        let skipped = Control::Skipped { from: Sequence::ZERO, to: Sequence::MAX }.to_json();
        assert_eq!(skipped, r#"{"kind":"skipped","from":0,"to":9007199254740991}"#);
        for body in [&*skipped, r#"{"kind":"compacted"}"#, r#"{"kind":"reset","reason":"bored"}"#, "{}", "", "[1"] {
            assert_eq!(ControlKind::scan(body.as_bytes()), None, "{body}");
        }
    }
}
