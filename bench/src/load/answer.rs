//! An endless answer, taken apart as it comes: head, chunks, frames; of each frame its stamp.
//!
//! It does as little as it can, for the generator shares the machine with what it measures: bytes are looked at where
//! they were read, and copied only where a frame is cut.

use std::sync::LazyLock;

use anyhow::{Context, Result, bail, ensure};
use httparse::Status;
use memchr::memmem::{Finder, FinderRev};

use crate::event::{MARK, Stamp};

/// The most bytes of a head, or of a frame.
const PART_BYTES_MAX: usize = 64 * 1024;
/// The most bytes of a line between chunks.
const LINE_BYTES_MAX: usize = 64;

static FRAME_MARK: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(MARK));
static FRAME_END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\n\n"));
static LAST_FRAME_END: LazyLock<FinderRev<'static>> = LazyLock::new(|| FinderRev::new(b"\n\n"));

/// How far the answer has come.
pub(super) struct Answer {
    stage: Stage,
    /// The beginning of a head or of a line between chunks.
    part: Vec<u8>,
    /// The beginning of a frame, which may go on in the next chunk.
    frame: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Head,
    ChunkSize,
    Chunk {
        left: usize,
    },
    /// The end of line behind a chunk.
    ChunkEnd,
}

impl Answer {
    pub(super) fn new() -> Self {
        Self { stage: Stage::Head, part: Vec::new(), frame: Vec::new() }
    }

    /// Whether its head was read, and was a good one.
    pub(super) fn has_begun(&self) -> bool {
        !matches!(self.stage, Stage::Head)
    }

    /// Takes the next bytes, and tells the stamp of each frame that they complete.
    ///
    /// # Errors
    /// Where the answer is another than an endless event stream in chunks, or `tell` fails.
    pub(super) fn take(&mut self, mut bytes: &[u8], tell: &mut impl FnMut(Stamp) -> Result<()>) -> Result<()> {
        while !bytes.is_empty() {
            bytes = match self.stage {
                Stage::Head => self.head(bytes)?,
                Stage::ChunkSize => self.chunk_size(bytes)?,
                Stage::Chunk { left } => {
                    let (chunk, rest) = bytes.split_at(left.min(bytes.len()));
                    self.frames(chunk, tell)?;
                    let left = left - chunk.len();
                    self.stage = if left == 0 { Stage::ChunkEnd } else { Stage::Chunk { left } };
                    rest
                }
                Stage::ChunkEnd => {
                    let Some(rest) = self.line(bytes)? else { break };
                    ensure!(self.part == b"\r", "a chunk is longer than it says");
                    self.part.clear();
                    self.stage = Stage::ChunkSize;
                    rest
                }
            };
        }
        Ok(())
    }

    fn head<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8]> {
        let before = self.part.len();
        self.part.extend_from_slice(bytes);
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut headers);
        let Status::Complete(head_bytes) = response.parse(&self.part)? else {
            ensure!(self.part.len() < PART_BYTES_MAX, "a head without an end");
            return Ok(&[]);
        };
        let chunked = |header: &httparse::Header<'_>| {
            header.name.eq_ignore_ascii_case("transfer-encoding") && header.value.eq_ignore_ascii_case(b"chunked")
        };
        ensure!(response.code == Some(200), "a subscriber was answered {}", response.code.unwrap_or_default());
        ensure!(response.headers.iter().any(chunked), "an event stream that does not come in chunks");
        self.part = Vec::new();
        self.stage = Stage::ChunkSize;
        Ok(&bytes[head_bytes - before..])
    }

    fn chunk_size<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8]> {
        let Some(rest) = self.line(bytes)? else { return Ok(&[]) };
        let digits = self.part.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
        let left = str::from_utf8(digits).ok().and_then(|digits| usize::from_str_radix(digits, 16).ok());
        let left = left.with_context(|| format!("not a chunk's size: {}", self.part.escape_ascii()))?;
        ensure!(left > 0, "the stream has ended");
        self.part.clear();
        self.stage = Stage::Chunk { left };
        Ok(rest)
    }

    /// Puts the line that ends in these bytes into `part`, without its LF, and answers what comes behind it. `None` where
    /// it has not ended yet.
    fn line<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<&'a [u8]>> {
        let end = memchr::memchr(b'\n', bytes);
        self.part.extend_from_slice(&bytes[..end.unwrap_or(bytes.len())]);
        ensure!(self.part.len() <= LINE_BYTES_MAX, "a chunk's size without an end");
        Ok(end.map(|end| &bytes[end + 1..]))
    }

    fn frames(&mut self, chunk: &[u8], tell: &mut impl FnMut(Stamp) -> Result<()>) -> Result<()> {
        if self.frame.is_empty() {
            self.frame.extend_from_slice(whole_frames(chunk, tell)?);
        } else {
            self.frame.extend_from_slice(chunk);
            let rest = whole_frames(&self.frame, tell)?.len();
            self.frame.drain(..self.frame.len() - rest);
        }
        ensure!(self.frame.len() < PART_BYTES_MAX, "a frame without an end");
        Ok(())
    }
}

/// Tells the stamps of the frames that are whole. What is left is the beginning of one.
fn whole_frames<'a>(mut bytes: &'a [u8], tell: &mut impl FnMut(Stamp) -> Result<()>) -> Result<&'a [u8]> {
    while let Some(mark) = FRAME_MARK.find(bytes) {
        let Some(end) = FRAME_END.find(&bytes[mark..]) else { break };
        let Some(stamp) = Stamp::read(&bytes[mark + MARK.len()..]) else { bail!("an event without a stamp") };
        tell(stamp)?;
        bytes = &bytes[mark + end + b"\n\n".len()..];
    }
    // Frames about the stream itself have no stamp.
    let told = match FRAME_MARK.find(bytes) {
        Some(mark) => LAST_FRAME_END.rfind(&bytes[..mark]),
        None => LAST_FRAME_END.rfind(bytes),
    };
    Ok(told.map_or(bytes, |end| &bytes[end + b"\n\n".len()..]))
}

#[cfg(test)]
mod tests {
    use highwater_core::sse::encode_control;
    use proptest::prelude::*;

    use super::*;
    use crate::event::{Recorder, batch};

    const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: Chunked\r\n\r\n";

    /// An answer with these stamps and what else a stream may hold, its frames cut into chunks.
    fn answer(stamps: &[Stamp], chunk_bytes: usize) -> Vec<u8> {
        let mut frames = Vec::new();
        for recorded in Recorder::new().record(batch(stamps.iter().copied()).as_bytes()).unwrap() {
            frames.extend(recorded.frame());
            encode_control(&mut frames, None, None, r#"{"kind":"heartbeat"}"#);
        }
        let mut answer = HEAD.as_bytes().to_vec();
        for chunk in frames.chunks(chunk_bytes) {
            answer.extend(format!("{:x};x=y\r\n", chunk.len()).bytes());
            answer.extend_from_slice(chunk);
            answer.extend_from_slice(b"\r\n");
        }
        answer
    }

    fn told(pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Result<Vec<Stamp>> {
        let (mut answer, mut told) = (Answer::new(), Vec::new());
        for piece in pieces {
            answer.take(piece.as_ref(), &mut |stamp| {
                told.push(stamp);
                Ok(())
            })?;
        }
        Ok(told)
    }

    proptest! {
        #[test]
        fn every_frame_is_told_once_however_it_is_cut(chunk_bytes in 1_usize..2_000, read_bytes in 1_usize..2_000) {
            let stamps: Vec<_> = (0..9).map(|number| Stamp { number, sent_us: 7 * u64::from(number) }).collect();
            let answer = answer(&stamps, chunk_bytes);
            prop_assert_eq!(told(answer.chunks(read_bytes)).unwrap(), stamps);
        }
    }

    #[test]
    fn a_frame_counts_once_it_has_ended() {
        let stamp = Stamp { number: 3, sent_us: 4 };
        let frame = Recorder::new().record(batch([stamp]).as_bytes()).unwrap()[0].frame();
        let cut = frame.len() - 1;
        let chunk = |bytes: &[u8]| [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
        let begun = [HEAD.as_bytes(), &chunk(&frame[..cut])].concat();
        assert_eq!(told([&begun]).unwrap(), []);
        assert_eq!(told([begun, chunk(&frame[cut..])]).unwrap(), [stamp]);
    }

    #[test]
    fn another_answer_is_an_error() {
        for (answer, error) in [
            ("HTTP/1.1 503 Busy\r\n\r\n", "answered 503"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n", "not come in chunks"),
            (&format!("{HEAD}0\r\n\r\n"), "has ended"),
            (&format!("{HEAD}-1\r\n"), "not a chunk's size"),
            (&format!("{HEAD}1\r\nab\r\n"), "longer than it says"),
        ] {
            let told = told([answer]).unwrap_err().to_string();
            assert!(told.contains(error), "{told}");
        }
    }
}
