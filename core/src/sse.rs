//! The event-stream wire codec, both ways: "Server-sent events" in the WHATWG HTML standard, and one field of ours, `prev`.
//!
//! No I/O: the [`Decoder`] takes bytes in chunks cut anywhere and lends [`Frame`]s out of its own buffer; the `encode_*`
//! functions append to a buffer of the caller's. Nothing that is put into a frame can end it or begin another.

mod decode;
mod encode;

pub use decode::{DecodeError, Decoder, Frame};
pub use encode::{encode_comment, encode_control, encode_event, encode_retry};

/// The `event` of the protocol's control frames; its events have none, so that `EventSource.onmessage` sees them.
pub const CONTROL_EVENT: &str = "highwater";

/// The bytes that one frame may span before a decoder refuses it: an event with the most data the protocol allows
/// (256 KiB) and the fullest of clocks fits twice.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;

#[cfg(test)]
mod tests;
