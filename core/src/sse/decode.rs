//! Reading an event stream. Every line is scanned once, however its bytes arrive, and data of one line is never copied.

use std::mem;

use super::FRAME_BYTES_MAX;
use crate::{
    find::find_either,
    mutation::{Mutation, mutated},
    number::whole_number,
};

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// What the stream dispatches: one block of lines that had data. Its fields are bytes as they came: the standard has their
/// text decoded as UTF-8 with U+FFFD for what is none, as [`String::from_utf8_lossy`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The id that this very frame carried.
    pub id: Option<&'a [u8]>,
    /// The id to resume from: this frame's own, or the last one before it; empty if there was none.
    pub last_event_id: &'a [u8],
    /// The type as given; empty stands for the standard's `message`.
    pub event: &'a [u8],
    /// Our field: the sequence of the event before this one in this set of topics. `None` also where it is not a number.
    pub prev: Option<u64>,
    /// The data, its lines joined by `\n`.
    pub data: &'a [u8],
}

/// Why a stream can't be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A frame, or a single line, spans more than the decoder's limit.
    #[error("a frame of the event stream is larger than the {limit_bytes} bytes allowed (frame_bytes_max)")]
    FrameTooLarge {
        /// The limit.
        limit_bytes: usize,
    },
}

/// Turns the chunks of one event stream into frames.
///
/// Give it a chunk with [`push`](Self::push), or let the network write into [`spare`](Self::spare) and
/// [`commit`](Self::commit); then call [`next_frame`](Self::next_frame) until it answers `None`. Drained like that, it
/// holds at most `frame_bytes_max` and the chunk, up to twice over for the room it keeps to work in.
///
/// A frame's bytes are counted from its first data to its end, comments and unknown fields in between included; before
/// the first data, line by line. So no flood of lines costs memory, and the same stream fails or not however it is cut.
#[derive(Debug)]
pub struct Decoder {
    frame_bytes_max: usize,
    /// What was received is `..filled`; the rest is spare.
    buffer: Vec<u8>,
    filled: usize,
    /// Where the current line begins.
    line: usize,
    /// Up to where the current line is known not to end.
    scanned: usize,
    at_start: bool,
    /// The last line ended in CR: an LF that follows belongs to it.
    after_cr: bool,
    failed: bool,
    block: Block,
    last_event_id: Vec<u8>,
    retry_ms: Option<u64>,
}

/// The fields of the block that is being read, or that was dispatched last.
#[derive(Debug)]
struct Block {
    is_over: bool,
    /// Where in the buffer the data stands, as start and end: the lines so far, joined in place.
    data: Option<(usize, usize)>,
    has_id: bool,
    id: Vec<u8>,
    event: Vec<u8>,
    prev: Option<u64>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder at the start of a stream, with the limit [`FRAME_BYTES_MAX`].
    #[must_use]
    pub const fn new() -> Self {
        Self::with_limit(FRAME_BYTES_MAX)
    }

    /// A decoder at the start of a stream whose frames span at most `frame_bytes_max`.
    #[must_use]
    pub const fn with_limit(frame_bytes_max: usize) -> Self {
        Self {
            frame_bytes_max,
            buffer: Vec::new(),
            filled: 0,
            line: 0,
            scanned: 0,
            at_start: true,
            after_cr: false,
            failed: false,
            block: Block { is_over: false, data: None, has_id: false, id: Vec::new(), event: Vec::new(), prev: None },
            last_event_id: Vec::new(),
            retry_ms: None,
        }
    }

    /// Takes a chunk. After an error it is dropped.
    pub fn push(&mut self, chunk: &[u8]) {
        self.spare(chunk.len()).copy_from_slice(chunk);
        self.commit(chunk.len());
    }

    /// Room for a chunk of `len` bytes, to be written in place and then [committed](Self::commit).
    pub fn spare(&mut self, len: usize) -> &mut [u8] {
        let kept = self.kept_from();
        let unread = self.filled - kept;
        let short = self.buffer.len() - self.filled < len;
        // A move is paid for by at least as many bytes read since the last one.
        if unread == 0 || (short && unread <= kept) {
            self.discard(kept);
        }
        let end = self.filled + len;
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        self.buffer.get_mut(self.filled..end).unwrap_or_default()
    }

    /// Takes the first `len` bytes of what [`spare`](Self::spare) lent.
    pub fn commit(&mut self, len: usize) {
        if !self.failed {
            self.filled = self.filled.saturating_add(len).min(self.buffer.len());
        }
    }

    /// The next frame that has arrived whole; `None` when another chunk is needed.
    ///
    /// A block that the end of the stream cuts off is no frame: the standard has it discarded.
    ///
    /// # Errors
    ///
    /// If a frame spans more than the limit; then again until [`reset`](Self::reset).
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, DecodeError> {
        if self.block.is_over {
            self.block.clear();
        }
        while let Some((start, end)) = self.next_line()? {
            if start < end {
                self.take_field(start, end);
                continue;
            }
            // The id counts even where there is no data to dispatch.
            if self.block.has_id {
                set(&mut self.last_event_id, &self.block.id);
            }
            let Some((start, end)) = self.block.data else {
                self.block.clear();
                continue;
            };
            self.block.is_over = true;
            return Ok(Some(Frame {
                id: self.block.has_id.then_some(&self.block.id),
                last_event_id: &self.last_event_id,
                event: &self.block.event,
                prev: self.block.prev,
                data: &self.buffer[start..end],
            }));
        }
        Ok(None)
    }

    /// The id to resume from, also where a block without data brought it; empty if there was none.
    #[must_use]
    pub fn last_event_id(&self) -> &[u8] {
        &self.last_event_id
    }

    /// How long the server asks to wait before a reconnect, if it said so.
    #[must_use]
    pub const fn retry_ms(&self) -> Option<u64> {
        self.retry_ms
    }

    /// The memory that its buffer takes.
    #[must_use]
    pub const fn capacity_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    /// Goes to the start of another stream, a reconnect's: drops what is unread and any error, and keeps the last event
    /// id and the reconnection time, as browsers do.
    pub fn reset(&mut self) {
        if mutated(Mutation::KeepTornFrame) {
            return;
        }
        self.block.clear();
        self.filled = 0;
        self.line = 0;
        self.scanned = 0;
        self.at_start = true;
        self.after_cr = false;
        self.failed = false;
    }

    /// A line's start and end without its end of line, which is LF, CR or CRLF.
    fn next_line(&mut self) -> Result<Option<(usize, usize)>, DecodeError> {
        let limit_bytes = self.frame_bytes_max;
        if self.failed {
            return Err(DecodeError::FrameTooLarge { limit_bytes });
        }
        let received = &self.buffer[..self.filled];
        if self.after_cr
            && let Some(first) = received.get(self.line)
        {
            self.after_cr = false;
            self.line += usize::from(*first == b'\n');
            self.scanned = self.line;
        }
        let unscanned = &received[self.scanned..];
        let found = find_either(b'\n', b'\r', unscanned);
        let (mut start, end) = (self.line, self.scanned + found.unwrap_or(unscanned.len()));
        if end - self.kept_from() > limit_bytes {
            self.reset();
            self.buffer = Vec::new();
            self.failed = true;
            return Err(DecodeError::FrameTooLarge { limit_bytes });
        }
        self.scanned = end;
        if end == self.filled && end > self.line && mutated(Mutation::ChunkEndsLine) {
            let line = (self.line, end);
            self.line = end;
            return Ok(Some(line));
        }
        let Some(end_of_line) = received.get(end) else { return Ok(None) };
        self.after_cr = *end_of_line == b'\r';
        self.line = end + 1;
        self.scanned = self.line;
        if mem::take(&mut self.at_start) && received[start..end].starts_with(BYTE_ORDER_MARK) {
            start += BYTE_ORDER_MARK.len();
        }
        Ok(Some((start, end)))
    }

    fn take_field(&mut self, start: usize, end: usize) {
        let line = &self.buffer[start..end];
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let mut at = line.len().min(colon + 1);
        if line.get(at) == Some(&b' ') {
            at += 1;
        }
        let value = &line[at..];
        match &line[..colon] {
            b"data" => self.add_data(start + at, end),
            b"id" if value.iter().all(|byte| *byte != 0) => {
                set(&mut self.block.id, value);
                self.block.has_id = true;
            }
            b"event" => set(&mut self.block.event, value),
            b"prev" => self.block.prev = whole_number(value),
            b"retry" => self.retry_ms = whole_number(value).or(self.retry_ms),
            _ => {} // A comment (its name is empty), an id with NUL, or a field unknown: all ignored.
        }
    }

    fn add_data(&mut self, start: usize, end: usize) {
        let Some((first, joined_end)) = self.block.data else {
            self.block.data = Some((start, end));
            return;
        };
        // At least the end of the line before and `data` lie between, so there is room for the LF.
        if let Some(gap) = self.buffer.get_mut(joined_end) {
            *gap = b'\n';
        }
        self.buffer.copy_within(start..end, joined_end + 1);
        self.block.data = Some((first, joined_end + 1 + (end - start)));
    }

    /// From where on the buffer's bytes are still needed.
    fn kept_from(&self) -> usize {
        self.block.data.map_or(self.line, |(start, _)| start)
    }

    /// Drops the first `len` bytes, which must not be needed, and moves the rest to the front.
    fn discard(&mut self, len: usize) {
        self.buffer.copy_within(len..self.filled, 0);
        self.filled -= len;
        self.line -= len;
        self.scanned -= len;
        self.block.data = self.block.data.map(|(start, end)| (start - len, end - len));
    }
}

impl Block {
    fn clear(&mut self) {
        self.is_over = false;
        self.data = None;
        self.has_id = false;
        self.event.clear();
        self.prev = None;
    }
}

/// Puts a value in a field, whose memory stays.
fn set(field: &mut Vec<u8>, value: &[u8]) {
    field.clear();
    field.extend_from_slice(value);
}
