//! [`Batch`]: frames made ready once, for every subscriber of a set of topics.

use std::ops::Range;

use bytes::Bytes;
use highwater_core::{
    control::Control,
    mutation::{Mutation, mutated},
    sse::{encode_control, encode_event},
    version::{Epoch, Position, Sequence},
};
use tokio::time::Instant;

use crate::store::Stored;

/// What a frame has beside its event.
pub(super) const FRAME_REST_BYTES: usize = 80;
/// Room for a chunk's header: as many hexadecimal digits as a length can have, and an end of line.
const CHUNK_HEADER_BYTES: usize = 16 + CHUNK_END.len();
const CHUNK_END: &[u8] = b"\r\n";

/// Frames of an event stream, as bytes that any number of readers share: events, or one heartbeat.
#[derive(Debug)]
pub(crate) struct Batch {
    /// All of it as one chunk of HTTP/1.1's chunked coding (RFC 9112, section 7.1).
    chunk: Bytes,
    /// Where the frames are in it.
    frames: Range<usize>,
    /// Where each event's frame begins among the frames.
    starts: Box<[(Sequence, usize)]>,
    /// How far it brings its reader.
    pub(crate) reached: Reached,
    /// When it was made.
    pub(crate) made: Instant,
}

/// How far a reader has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reached {
    /// The last event of the set: the `prev` of what comes next.
    pub(super) last: Sequence,
    /// The position that it knows.
    pub(super) told: Sequence,
}

impl Batch {
    /// A batch of these events. `last` is the event of the set before the first of them.
    pub(crate) fn of_events<'a>(
        epoch: Epoch,
        mut last: Sequence,
        events: impl Iterator<Item = &'a Stored> + Clone,
    ) -> Self {
        let bytes: usize = events.clone().map(|event| event.envelope.len() + FRAME_REST_BYTES).sum();
        let mut chunk = Chunk::with_capacity(bytes);
        let mut starts = Vec::new();
        for event in events {
            starts.push((event.sequence, chunk.frames_bytes()));
            let prev = if mutated(Mutation::PrevOfLog) { event.sequence.get() - 1 } else { last.get() };
            encode_event(&mut chunk.buffer, Position::new(epoch, event.sequence), prev, &event.envelope);
            last = event.sequence;
        }
        Self::new(chunk, starts, Reached { last, told: last })
    }

    /// A batch that says: everything up to `told` has been sent, and `last` was the last event.
    pub(crate) fn of_heartbeat(epoch: Epoch, last: Sequence, told: Sequence) -> Self {
        let mut chunk = Chunk::with_capacity(FRAME_REST_BYTES);
        let id = Position::new(epoch, told);
        encode_control(&mut chunk.buffer, Some(&id), Some(last.get()), Control::Heartbeat.to_json());
        Self::new(chunk, Vec::new(), Reached { last, told })
    }

    fn new(chunk: Chunk, starts: Vec<(Sequence, usize)>, reached: Reached) -> Self {
        let (chunk, frames) = chunk.finish();
        Self { chunk, frames, starts: starts.into(), reached, made: Instant::now() }
    }

    /// The frames as one chunk of HTTP/1.1.
    pub(crate) fn chunk(&self) -> &Bytes {
        &self.chunk
    }

    /// The frames.
    pub(crate) fn frames(&self) -> Bytes {
        self.chunk.slice(self.frames.clone())
    }

    /// How many events it holds.
    pub(crate) fn events(&self) -> usize {
        self.starts.len()
    }

    /// The frames of the events after a sequence, for a reader who knows some of its events and not others.
    pub(super) fn frames_after(&self, known: Sequence) -> Option<Bytes> {
        let unknown = self.starts.partition_point(|(sequence, _)| *sequence <= known);
        let (_, start) = *self.starts.get(unknown).filter(|_| unknown > 0)?;
        Some(self.chunk.slice(self.frames.start + start..self.frames.end))
    }
}

/// These frames as one chunk of HTTP/1.1.
pub(crate) fn chunk_of(frames: &[u8]) -> Bytes {
    let mut chunk = Chunk::with_capacity(frames.len());
    chunk.buffer.extend_from_slice(frames);
    chunk.finish().0
}

/// A chunk being written: the room before its frames takes their length in the end.
struct Chunk {
    buffer: Vec<u8>,
}

impl Chunk {
    fn with_capacity(frames_bytes: usize) -> Self {
        let mut buffer = Vec::with_capacity(CHUNK_HEADER_BYTES + frames_bytes + CHUNK_END.len());
        buffer.resize(CHUNK_HEADER_BYTES, 0);
        Self { buffer }
    }

    fn frames_bytes(&self) -> usize {
        self.buffer.len() - CHUNK_HEADER_BYTES
    }

    /// The whole chunk, and where the frames are in it.
    fn finish(mut self) -> (Bytes, Range<usize>) {
        let frames_bytes = self.frames_bytes();
        let header = format!("{frames_bytes:x}\r\n");
        let begin = CHUNK_HEADER_BYTES - header.len();
        self.buffer[begin..CHUNK_HEADER_BYTES].copy_from_slice(header.as_bytes());
        self.buffer.extend_from_slice(CHUNK_END);
        (Bytes::from(self.buffer).slice(begin..), header.len()..header.len() + frames_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(sequence: u64, envelope: &'static str) -> Stored {
        Stored {
            sequence: Sequence::new(sequence).unwrap(),
            envelope: Bytes::from_static(envelope.as_bytes()),
            is_checked: true,
        }
    }

    #[test]
    fn a_batch_is_one_chunk_and_can_be_entered_between_its_events() {
        let epoch = "k3x9q7ma".parse().unwrap();
        let events = [stored(4, "{}"), stored(7, r#"{"data":1}"#)];
        let batch = Batch::of_events(epoch, Sequence::new(2).unwrap(), events.iter());
        let (first, second) =
            ("prev: 2\ndata: {}\nid: k3x9q7ma-4\n\n", "prev: 4\ndata: {\"data\":1}\nid: k3x9q7ma-7\n\n");
        assert_eq!(batch.frames(), format!("{first}{second}"));
        assert_eq!(batch.chunk(), &format!("{:x}\r\n{first}{second}\r\n", first.len() + second.len()));
        assert_eq!(chunk_of(&batch.frames()), batch.chunk());
        let after = |known| batch.frames_after(Sequence::new(known).unwrap());
        assert_eq!(after(3), None, "a reader who knows none of it takes it whole");
        assert_eq!(after(4).unwrap(), second);
        assert_eq!(after(6).unwrap(), second);
        assert_eq!(after(7), None);
        let end = events[1].sequence;
        assert_eq!((batch.reached, batch.events()), (Reached { last: end, told: end }, 2));
    }

    #[test]
    fn a_heartbeat_moves_the_position_and_not_the_last_event() {
        let batch = Batch::of_heartbeat("k3x9q7ma".parse().unwrap(), Sequence::ZERO, Sequence::new(9).unwrap());
        let frames = "event: highwater\nprev: 0\ndata: {\"kind\":\"heartbeat\"}\nid: k3x9q7ma-9\n\n";
        assert_eq!(batch.frames(), frames);
        assert_eq!(batch.frames_after(Sequence::new(8).unwrap()), None);
    }
}
