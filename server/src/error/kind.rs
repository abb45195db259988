//! The table of all kinds of problems.

use axum::http::StatusCode;

/// One kind of problem: what all of them have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) status: StatusCode,
    /// Its stable name.
    pub(crate) code: &'static str,
    pub(crate) title: &'static str,
}

/// The kinds that an entity's refusals are of, by status: each has its own code in place of this one.
pub(crate) const REFUSALS: [Kind; 3] = [INVALID_COMMAND, UNKNOWN_ENTITY, UNKNOWN_VERSION];

macro_rules! kinds {
    ($($name:ident: $status:ident, $code:literal, $title:literal;)*) => {
        $(pub(crate) const $name: Kind = Kind { status: StatusCode::$status, code: $code, title: $title };)*

        #[cfg(test)]
        pub(crate) const ALL: &[Kind] = &[$($name),*];
    };
}

kinds! {
    INVALID_REQUEST: BAD_REQUEST, "invalid_request", "Not a valid request";
    INVALID_EVENT: BAD_REQUEST, "invalid_event", "Not an event that the log can take";
    INVALID_STREAM: BAD_REQUEST, "invalid_stream", "Not a stream's name";
    INVALID_TOPIC: BAD_REQUEST, "invalid_topic", "Not a topic";
    INVALID_COMMAND: BAD_REQUEST, "invalid_command", "Not a command that can be right";
    WRONG_STREAM: BAD_REQUEST, "wrong_stream", "Not a command that can be right";
    UNAUTHORIZED: UNAUTHORIZED, "unauthorized", "Not known who asks";
    FORBIDDEN: FORBIDDEN, "forbidden", "Not for who asks";
    ENTITY_STREAM: FORBIDDEN, "entity_stream", "A stream that takes commands only";
    FOREIGN_ORIGIN: FORBIDDEN, "foreign_origin", "Not for another site's pages";
    UNKNOWN_STREAM: NOT_FOUND, "unknown_stream", "No such stream";
    UNKNOWN_ENTITY: NOT_FOUND, "unknown_entity", "No such thing";
    NO_ENTITY: NOT_FOUND, "no_entity", "Not a stream of an entity";
    NOT_FOUND: NOT_FOUND, "not_found", "Nothing here";
    METHOD_NOT_ALLOWED: METHOD_NOT_ALLOWED, "method_not_allowed", "Not a method of this path";
    BODY_TIMEOUT: REQUEST_TIMEOUT, "body_timeout", "The body took too long";
    STALE_VERSION: CONFLICT, "stale_version", "About a version that is superseded";
    VERSION_JUMP: CONFLICT, "version_jump", "A version too far above the stream's";
    CLOCK_REUSED: CONFLICT, "clock_reused", "A counter that stands on another event";
    CLOCK_FULL: CONFLICT, "clock_full", "A clock that can hold no more";
    ID_CONFLICT: CONFLICT, "id_conflict", "An id that is taken";
    UNKNOWN_VERSION: CONFLICT, "unknown_version", "Not as things stand";
    CURSOR_AHEAD: CONFLICT, "cursor_ahead", "A cursor beyond the log's end";
    EPOCH_CHANGED: GONE, "epoch_changed", "A position in another log";
    CURSOR_EXPIRED: GONE, "cursor_expired", "Events after the cursor are no longer kept";
    REVISION_CONFLICT: PRECONDITION_FAILED, "revision_conflict", "The stream is not where it was believed";
    IDEMPOTENCY_KEY_REUSED: UNPROCESSABLE_ENTITY, "idempotency_key_reused", "A command's id that is taken";
    TOO_LARGE: PAYLOAD_TOO_LARGE, "payload_too_large", "Too much at once";
    UNSUPPORTED_MEDIA_TYPE: UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "Not a media type that is taken here";
    MISDIRECTED: MISDIRECTED_REQUEST, "misdirected", "Not a name of this server";
    OVERLOADED: SERVICE_UNAVAILABLE, "overloaded", "Too much to do";
    UNAVAILABLE: SERVICE_UNAVAILABLE, "unavailable", "The log is not available";
    BEHIND: SERVICE_UNAVAILABLE, "behind", "Not yet there";
}
