//! [`Blocks`]: an event stream's bytes, cut after each empty line and not changed otherwise.

use bytes::{Bytes, BytesMut};
use highwater_core::sse::FRAME_BYTES_MAX;

/// The longest block that is kept together. What is longer passes in parts.
const BLOCK_BYTES_MAX: usize = 2 * FRAME_BYTES_MAX;

/// Takes chunks and gives blocks: a frame, a comment or another field's lines, each with the empty line at its end. Lines
/// end in LF, CR or CRLF.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    buffer: BytesMut,
    /// Where the current line begins.
    line: usize,
    /// Up to where the current line is known not to end.
    scanned: usize,
}

impl Blocks {
    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The next whole block.
    pub(super) fn next(&mut self) -> Option<Bytes> {
        while let Some((end, next)) = self.line_end() {
            let empty = end == self.line;
            self.line = next;
            self.scanned = next;
            if empty {
                return Some(self.split(next));
            }
        }
        (self.buffer.len() > BLOCK_BYTES_MAX).then(|| self.split(self.buffer.len()))
    }

    /// What is left at the end of the stream: an unfinished block, or nothing.
    pub(super) fn rest(&mut self) -> Bytes {
        self.split(self.buffer.len())
    }

    /// Where the line ends and where the next one begins. A CR at the end of what is there may be half of a CRLF.
    fn line_end(&mut self) -> Option<(usize, usize)> {
        let found = self.buffer[self.scanned..].iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        self.scanned = found.map_or(self.buffer.len(), |at| self.scanned + at);
        let end = self.scanned;
        match (self.buffer.get(end)?, self.buffer.get(end + 1)) {
            (b'\r', None) => None,
            (b'\r', Some(b'\n')) => Some((end, end + 2)),
            _ => Some((end, end + 1)),
        }
    }

    fn split(&mut self, at: usize) -> Bytes {
        self.line = 0;
        self.scanned = 0;
        self.buffer.split_to(at).freeze()
    }
}
