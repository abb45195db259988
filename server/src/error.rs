//! How requests fail: [`Problem`], one enum for everything that is answered with a problem document (RFC 9457).

pub(crate) mod kind;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use highwater_core::{
    control::ResetReason,
    decider::{Refusal, RefusalKind},
    envelope::InvalidBatch,
    event::InvalidEvent,
    stream::{InvalidName, StreamName},
    topic::InvalidTopics,
    version::Position,
};
use serde_json::{Map, Value, json, value::RawValue};

use self::kind::Kind;
use crate::{
    auth::{Forbidden, Unauthorized},
    commands::CommandError,
    serve::Full,
    store::{CommitError, Unavailable},
};

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// How long who met a passing problem shall wait.
const RETRY_AFTER_S: u32 = 1;
/// Places become free when connections end, which is not a matter of moments.
pub(crate) const RETRY_AFTER_FULL_S: u32 = 5;

/// Why a request is refused. Its text is the document's `detail` and says what to do.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Problem {
    /// A header or a parameter is wrong.
    #[error("{0}")]
    InvalidRequest(String),
    /// What was sent is no event.
    #[error("the event {0}")]
    InvalidEvent(InvalidEvent),
    /// What was sent is no batch of events; none of it is stored.
    #[error("the batch {0}; nothing of it is stored")]
    InvalidBatch(InvalidBatch),
    /// The stream's name is none.
    #[error("the stream's name {0}")]
    InvalidStream(InvalidName),
    /// The topics are none.
    #[error("{0}")]
    InvalidTopic(InvalidTopics),
    /// The body is larger than an append may be.
    #[error("the body is larger than the {max_bytes} bytes allowed: send several batches")]
    BodyTooLarge {
        /// What it may have.
        max_bytes: usize,
    },
    /// The body did not come to its end in time.
    #[error("the body was not whole after {timeout_ms} ms: retry with the same ids, in smaller batches")]
    BodyTimeout {
        /// How long it had.
        timeout_ms: u64,
    },
    /// The body is none of the media types that it may have.
    #[error("the body must be {wanted}, in UTF-8; it is {given}")]
    UnsupportedMediaType {
        /// What it may be.
        wanted: &'static str,
        /// What it is.
        given: String,
    },
    /// An entity decides against the command.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The stream takes commands, and no events from outside.
    #[error(
        "event {index}: stream '{stream}' takes commands only: POST /v1/commands/{entity}/{stream}, or import with \
         Highwater-Import: true"
    )]
    EntityStream {
        /// Which event of the request, from 0.
        index: usize,
        /// Its stream.
        stream: StreamName,
        /// The entity that the stream is of.
        entity: &'static str,
    },
    /// So many others write to the stream that a command never finds it as it was when it was decided.
    #[error("too many write to stream '{0}': retry with the same Idempotency-Key")]
    Contended(StreamName),
    /// The store refuses the commit.
    #[error("{}", commit_detail(.0))]
    Commit(CommitError),
    /// The stream has no event, or none that may be read: who may not read it is told no more.
    #[error("stream '{0}' has no event, or none for you to read")]
    UnknownStream(StreamName),
    /// The stream is of no entity, so its events come to nothing that could be told.
    #[error("stream '{0}' is of no entity that this server knows, so there is no state of it: read its events")]
    NoEntity(StreamName),
    /// It is not known who asks.
    #[error("{0}")]
    Unauthorized(Unauthorized),
    /// Who asks does not show the secret that was agreed on.
    #[error("the header {0} must say what the webhook was set up with")]
    WebhookSecret(&'static str),
    /// Who asks may not.
    #[error("{0}")]
    Forbidden(#[from] Forbidden),
    /// Another site's page asks.
    #[error("pages of {0} may not do this here: an operator may add their origin to cors_origins")]
    ForeignOrigin(String),
    /// The request is for somebody else.
    #[error("nothing is served here as '{0}': ask for localhost, or have an operator add the name to hosts")]
    Misdirected(String),
    /// Nothing is at this path.
    #[error("nothing is at {0}")]
    NotFound(String),
    /// The path does not know the method.
    #[error("this path does not take {0}: the Allow header says what it takes")]
    MethodNotAllowed(String),
    /// The cursor is of no use in this log.
    #[error("{}", cursor_detail(*.reason))]
    Cursor {
        /// Why.
        reason: ResetReason,
        /// The earliest place to read on from.
        earliest: Position,
        /// The log's end.
        head: Position,
    },
    /// This server has not got the position that the reader wants to see.
    #[error("this server is at {head}, not yet at the position asked for: retry")]
    Behind {
        /// Where it is.
        head: Position,
    },
    /// The log can't be read.
    #[error("{0}")]
    Unavailable(#[from] Unavailable),
    /// There is no place for one more.
    #[error("{0}: retry after the seconds that Retry-After says")]
    Full(#[from] Full),
    /// The server is about to end.
    #[error("the server is shutting down: retry, and be answered by its successor")]
    ShuttingDown,
}

/// Left in the answer's extensions, for whoever counts: the `code` of the problem that it tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProblemCode(pub(crate) &'static str);

impl Problem {
    /// The stable name of its kind.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.kind().code
    }

    /// The document, one line of JSON.
    #[must_use]
    pub fn document(&self) -> Box<RawValue> {
        let Kind { status, code, title } = self.kind();
        let mut document = self.members();
        document.insert("type".into(), format!("urn:highwater:problem:{code}").into());
        document.insert("title".into(), title.into());
        document.insert("status".into(), status.as_u16().into());
        document.insert("code".into(), code.into());
        document.insert("detail".into(), self.to_string().into());
        serde_json::value::to_raw_value(&document).expect("a map with text keys is JSON")
    }

    /// What all problems of its kind have in common.
    pub(crate) fn kind(&self) -> Kind {
        use CommitError as C;
        match self {
            Self::InvalidRequest(_) => kind::INVALID_REQUEST,
            Self::InvalidEvent(error)
            | Self::InvalidBatch(InvalidBatch::Event { error, .. })
            | Self::Commit(C::Invalid { error, .. }) => match error {
                InvalidEvent::DataTooLarge { .. } => kind::TOO_LARGE,
                InvalidEvent::ClockFull => kind::CLOCK_FULL,
                InvalidEvent::Json(_) | InvalidEvent::Attribute { .. } | InvalidEvent::TooManyExtensions { .. } => {
                    kind::INVALID_EVENT
                }
            },
            Self::InvalidBatch(InvalidBatch::TooManyEvents { .. }) | Self::BodyTooLarge { .. } => kind::TOO_LARGE,
            Self::InvalidBatch(InvalidBatch::Json(_) | InvalidBatch::Empty) => kind::INVALID_EVENT,
            Self::BodyTimeout { .. } => kind::BODY_TIMEOUT,
            Self::InvalidStream(_) => kind::INVALID_STREAM,
            Self::InvalidTopic(_) => kind::INVALID_TOPIC,
            Self::UnsupportedMediaType { .. } => kind::UNSUPPORTED_MEDIA_TYPE,
            Self::Refused(refusal) => Kind { code: refusal.code(), ..refused(refusal.kind()) },
            Self::EntityStream { .. } => kind::ENTITY_STREAM,
            Self::Commit(C::RevisionConflict { .. }) => kind::REVISION_CONFLICT,
            Self::Commit(C::StaleVersion { .. }) => kind::STALE_VERSION,
            Self::Commit(C::VersionJump { .. }) => kind::VERSION_JUMP,
            Self::Commit(C::ClockReused { .. }) => kind::CLOCK_REUSED,
            Self::Commit(C::ClockFull { .. } | C::CounterSpent { .. }) => kind::CLOCK_FULL,
            Self::Commit(C::IdConflict { .. }) => kind::ID_CONFLICT,
            Self::Commit(C::CommandConflict) => kind::IDEMPOTENCY_KEY_REUSED,
            Self::Commit(C::Overloaded) | Self::Contended(_) | Self::Full(_) => kind::OVERLOADED,
            Self::Commit(C::Unavailable(_)) | Self::Unavailable(_) | Self::ShuttingDown => kind::UNAVAILABLE,
            Self::UnknownStream(_) => kind::UNKNOWN_STREAM,
            Self::NoEntity(_) => kind::NO_ENTITY,
            Self::Unauthorized(_) | Self::WebhookSecret(_) => kind::UNAUTHORIZED,
            Self::Forbidden(_) => kind::FORBIDDEN,
            Self::ForeignOrigin(_) => kind::FOREIGN_ORIGIN,
            Self::Misdirected(_) => kind::MISDIRECTED,
            Self::NotFound(_) => kind::NOT_FOUND,
            Self::MethodNotAllowed(_) => kind::METHOD_NOT_ALLOWED,
            Self::Cursor { reason: ResetReason::EpochChanged, .. } => kind::EPOCH_CHANGED,
            Self::Cursor { reason: ResetReason::CursorExpired, .. } => kind::CURSOR_EXPIRED,
            Self::Cursor { reason: ResetReason::CursorAhead, .. } => kind::CURSOR_AHEAD,
            Self::Behind { .. } => kind::BEHIND,
        }
    }

    /// What a program needs to go on, beside the members that every document has.
    fn members(&self) -> Map<String, Value> {
        use CommitError as C;
        let members = match self {
            Self::InvalidBatch(InvalidBatch::Event { index, .. })
            | Self::Commit(
                C::Invalid { index, .. } | C::ClockFull { index } | C::CounterSpent { index } | C::IdConflict { index },
            ) => json!({ "index": index }),
            Self::Forbidden(
                Forbidden::Append { index, .. } | Forbidden::Source { index, .. } | Forbidden::Import { index, .. },
            ) => json!({ "index": index }),
            Self::EntityStream { index, stream, entity } => {
                json!({ "index": index, "stream": stream, "entity": entity })
            }
            Self::Commit(C::ClockReused { index, counter }) => json!({ "index": index, "counter": counter }),
            Self::Commit(C::StaleVersion { index, current, .. } | C::VersionJump { index, current, .. }) => {
                json!({ "index": index, "version": current })
            }
            Self::Commit(C::RevisionConflict { stream, current, .. }) => {
                json!({ "stream": stream, "revision": current })
            }
            Self::BodyTooLarge { max_bytes } => json!({ "max_bytes": max_bytes }),
            Self::BodyTimeout { timeout_ms } => json!({ "timeout_ms": timeout_ms }),
            Self::Cursor { earliest, head, .. } => {
                json!({ "earliest": earliest.to_string(), "head": head.to_string() })
            }
            Self::Behind { head } => json!({ "head": head.to_string() }),
            _ => Value::Null,
        };
        match members {
            Value::Object(members) => members,
            _ => Map::new(),
        }
    }

    /// What a client has to present (RFC 6750, section 3).
    fn challenge(&self) -> Option<HeaderValue> {
        Some(HeaderValue::from_static(match self {
            Self::Unauthorized(Unauthorized::Missing) => r#"Bearer realm="highwater""#,
            Self::Unauthorized(Unauthorized::Scheme) => r#"Bearer realm="highwater", error="invalid_request""#,
            Self::Unauthorized(_) => r#"Bearer realm="highwater", error="invalid_token""#,
            Self::Forbidden(_) => r#"Bearer realm="highwater", error="insufficient_scope""#,
            _ => return None,
        }))
    }
}

impl From<CommitError> for Problem {
    fn from(error: CommitError) -> Self {
        Self::Commit(error)
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Refused(refusal) => Self::Refused(refusal),
            CommandError::Forbidden(forbidden) => Self::Forbidden(forbidden),
            CommandError::Contended(stream) => Self::Contended(stream),
            CommandError::Commit(error) => Self::Commit(error),
            CommandError::Unavailable(unavailable) => Self::Unavailable(unavailable),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Kind { status, code, .. } = self.kind();
        if let Self::Unavailable(_) | Self::Commit(CommitError::Unavailable(_)) = self {
            tracing::warn!("{self}");
        }
        let headers = [(header::CONTENT_TYPE, PROBLEM_JSON), (header::CACHE_CONTROL, NO_STORE)];
        let (challenge, is_full) = (self.challenge(), matches!(self, Self::Full(_)));
        let document: Box<str> = self.document().into();
        let mut response = (status, headers, document.into_string()).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let seconds = if is_full { RETRY_AFTER_FULL_S } else { RETRY_AFTER_S };
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(challenge) = challenge {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response.extensions_mut().insert(ProblemCode(code));
        response
    }
}

/// What all refusals of a kind have in common but their code, which is the entity's own.
fn refused(kind: RefusalKind) -> Kind {
    match kind {
        RefusalKind::Invalid => kind::INVALID_COMMAND,
        RefusalKind::NotFound => kind::UNKNOWN_ENTITY,
        RefusalKind::Conflict => kind::UNKNOWN_VERSION,
    }
}

fn commit_detail(error: &CommitError) -> String {
    let advice = match error {
        CommitError::Invalid { .. } => "nothing is stored",
        CommitError::RevisionConflict { .. } => "read the stream and decide anew",
        CommitError::StaleVersion { .. } => "its subject has moved on",
        CommitError::VersionJump { .. } => "check the number, or raise version_jump_max",
        CommitError::ClockReused { .. } => "count on, or leave the clock out",
        CommitError::ClockFull { .. } => "use fewer actors in one stream",
        CommitError::CounterSpent { .. } => "go on under another source",
        CommitError::IdConflict { .. } => "give another id",
        CommitError::CommandConflict => "make an Idempotency-Key for each command, and send it again unchanged",
        CommitError::Overloaded | CommitError::Unavailable(_) => "retry with the same ids",
    };
    format!("{error}: {advice}")
}

fn cursor_detail(reason: ResetReason) -> &'static str {
    match reason {
        ResetReason::EpochChanged => "the position is of another generation of the log: start again from 'earliest'",
        ResetReason::CursorExpired => {
            "events after the cursor are no longer kept: load state, then read from 'earliest'"
        }
        ResetReason::CursorAhead => "the cursor lies beyond the log's end: start again from 'head'",
    }
}
