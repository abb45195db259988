//! Why a connection ended, and why a subscription gave up.

use highwater_core::control::ResetReason;
use highwater_core::version::Position;
use serde::{Deserialize, Serialize};

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum Cause {
    /// There was none.
    #[error("it was never open")]
    NeverOpen,
    /// The server answered with something else than events.
    #[error("{0}")]
    Refused(Refusal),
    /// The request or its answer failed on the way. The browser says no more than this, on purpose.
    #[error("the request failed: {message}")]
    Network {
        /// In the browser's words.
        message: Box<str>,
    },
    /// Whoever was asked for a token gave none.
    #[error("there is no token: {message}")]
    NoToken {
        /// In the words of whoever was asked.
        message: Box<str>,
    },
    /// The server ended the stream.
    #[error("the server ended the stream")]
    Ended,
    /// Nothing was heard for too long.
    #[error("nothing was heard for {silent_ms} ms")]
    Silent {
        /// For so long, in milliseconds.
        silent_ms: u64,
    },
    /// The server said goodbye.
    #[error("the server said goodbye")]
    Goodbye,
    /// The server answered with something else than an event stream.
    #[error("the server answered {media_type} instead of an event stream")]
    NoEventStream {
        /// What it said that it is.
        media_type: Box<str>,
    },
    /// A page is longer than anyone would read.
    #[error("an answer is longer than {bytes_max} bytes")]
    TooLong {
        /// What it may have.
        bytes_max: usize,
    },
    /// The stream does not fit what is known of the log.
    #[error("the stream does not fit what is known of the log")]
    Misfit,
    /// What arrived is not of the protocol.
    #[error("what arrived is not of the protocol")]
    Broken,
    /// The log was replaced by another one.
    #[error("the log was replaced by another")]
    Replaced,
    /// What is missing could not be fetched.
    #[error("what is missing could not be fetched: {cause}")]
    Missing {
        /// Why not.
        cause: Box<Cause>,
    },
}

impl Cause {
    /// What the server answered, where it refused something.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Missing { cause } => cause.refusal(),
            _ => None,
        }
    }
}

/// What a server answered instead of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{}", self.describe())]
#[non_exhaustive]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The problem's stable name, if the server told one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Box<str>>,
    /// What to do about it, if the server told that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Box<str>>,
    /// How long the server asks to wait, in milliseconds.
    pub retry_after_ms: u32,
    /// What a stream would have said, where the cursor was of no use.
    #[serde(skip)]
    pub(super) reset: Option<(ResetReason, Position)>,
}

/// What we read of a problem document (RFC 9457).
#[derive(Default, Deserialize)]
struct Problem {
    status: Option<u16>,
    title: Option<Box<str>>,
    detail: Option<Box<str>>,
    code: Option<Box<str>>,
    earliest: Option<Box<str>>,
    head: Option<Box<str>>,
}

impl Refusal {
    /// The refusal that an answer's status and body stand for. A body that is no problem document says nothing.
    pub(super) fn read(status: u16, retry_after_ms: u32, body: &[u8]) -> Self {
        Self::of(status, retry_after_ms, serde_json::from_slice(body).unwrap_or_default())
    }

    /// The refusal in the body of a control frame, where a stream can't go on.
    pub(super) fn in_control(body: &[u8]) -> Self {
        #[derive(Default, Deserialize)]
        struct Body {
            problem: Problem,
        }
        let Body { problem } = serde_json::from_slice(body).unwrap_or_default();
        Self::of(problem.status.unwrap_or(500), 0, problem)
    }

    fn of(status: u16, retry_after_ms: u32, problem: Problem) -> Self {
        let reset = problem.reset();
        let Problem { title, detail, code, .. } = problem;
        Self { status, code, detail: detail.or(title), retry_after_ms, reset }
    }

    /// Whether the same request may succeed later, perhaps with another token.
    pub(super) fn may_pass(&self) -> bool {
        !(400..500).contains(&self.status) || matches!(self.status, 401 | 408 | 425 | 429)
    }

    fn describe(&self) -> String {
        match &self.detail {
            Some(detail) => detail.to_string(),
            None => format!("the server answered {}", self.status),
        }
    }
}

impl Problem {
    fn reset(&self) -> Option<(ResetReason, Position)> {
        let (reason, position) = match self.code.as_deref()? {
            "epoch_changed" => (ResetReason::EpochChanged, &self.earliest),
            "cursor_expired" => (ResetReason::CursorExpired, &self.earliest),
            "cursor_ahead" => (ResetReason::CursorAhead, &self.head),
            _ => return None,
        };
        Some((reason, position.as_deref()?.parse().ok()?))
    }
}

/// Why a subscription gave up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum Failure {
    /// The server refused the request, and would again.
    #[error("{cause}")]
    Refused {
        /// With what.
        cause: Cause,
    },
    /// Connection after connection broke the protocol.
    #[error("again and again: {cause}")]
    Unfit {
        /// How the last one ended.
        cause: Cause,
    },
    /// Connection after connection began with a reset, as where two servers with two logs take turns.
    #[error("the log is another one at every connection")]
    ResetLoop,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_document_is_read_and_anything_else_is_its_status() {
        let problem = br#"{"status":403,"title":"Forbidden","detail":"ask for more","code":"forbidden","more":[1]}"#;
        let refusal = Refusal::read(403, 0, problem);
        assert_eq!((refusal.code.as_deref(), refusal.to_string().as_str()), (Some("forbidden"), "ask for more"));
        for body in [&b""[..], b"<html>", b"[]", br#"{"detail":7}"#, b"\xff"] {
            assert_eq!(Refusal::read(502, 3, body).to_string(), "the server answered 502");
        }
    }

    #[test]
    fn a_cursor_of_no_use_tells_where_to_go_on() {
        let reset = |body: &[u8]| Refusal::read(410, 0, body).reset;
        let earliest = br#"{"code":"epoch_changed","earliest":"k3x9q7ma-0","head":"k3x9q7ma-7"}"#;
        assert_eq!(reset(earliest), Some((ResetReason::EpochChanged, "k3x9q7ma-0".parse().unwrap())));
        let head = br#"{"code":"cursor_ahead","earliest":"k3x9q7ma-0","head":"k3x9q7ma-7"}"#;
        assert_eq!(reset(head), Some((ResetReason::CursorAhead, "k3x9q7ma-7".parse().unwrap())));
        for body in [&br#"{"code":"cursor_ahead","head":"?"}"#[..], br#"{"code":"cursor_ahead"}"#, b"{}"] {
            assert_eq!(reset(body), None);
        }
    }

    #[test]
    fn a_control_frame_tells_its_problem() {
        let refusal = Refusal::in_control(br#"{"kind":"error","problem":{"status":401,"code":"unauthorized"}}"#);
        assert_eq!((refusal.status, refusal.code.as_deref()), (401, Some("unauthorized")));
        assert_eq!(Refusal::in_control(b"{}").status, 500);
    }
}
