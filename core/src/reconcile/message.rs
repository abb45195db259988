//! What a frame of the wire says, before it is judged.

use crate::{
    control::ControlKind,
    envelope::{Page, scan},
    sse::{CONTROL_EVENT, Frame},
    version::{Epoch, Position, Sequence},
};

/// One frame of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// An event of the log.
    Event(Arrival<'a>),
    /// The server speaks of the stream itself.
    Control {
        /// What it says.
        kind: ControlKind,
        /// Where the stream is, if the frame has an id.
        position: Option<Position>,
        /// The last event sent before it.
        prev: Option<Sequence>,
    },
    /// Data without an id that is a position, or without `prev`: nobody can say what it comes after.
    Unplaced,
    /// A frame of another kind, or a control frame of a later protocol.
    Unknown,
}

/// An event as it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival<'a> {
    /// Its place, as the frame says.
    pub position: Position,
    /// The sequence of the event before it in this set of topics, or the cursor that it was asked for with.
    pub prev: Sequence,
    /// The CloudEvent in JSON.
    pub envelope: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads a frame of an event stream.
    #[must_use]
    pub fn read(frame: &Frame<'a>) -> Self {
        let position = frame.id.and_then(Position::read);
        let prev = frame.prev.and_then(|prev| Sequence::new(prev).ok());
        match frame.event {
            event if event == CONTROL_EVENT.as_bytes() => match ControlKind::scan(frame.data) {
                Some(kind) => Self::Control { kind, position, prev },
                None => Self::Unknown,
            },
            b"" | b"message" => match (position, prev) {
                (Some(position), Some(prev)) => Self::Event(Arrival { position, prev, envelope: frame.data }),
                _ => Self::Unplaced,
            },
            _ => Self::Unknown,
        }
    }
}

impl<'a> Page<'a> {
    /// The events of a page of the log, each with the one before it. `None` for a page that does not tell its place.
    #[must_use]
    pub fn arrivals(&self) -> Option<(impl Iterator<Item = Arrival<'a>>, Position)> {
        let end = self.next?;
        let mut prev = self.prev?;
        let arrive = move |envelope: &&'a [u8]| {
            let arrival = Arrival::in_page(envelope, end.epoch, prev);
            prev = arrival.position.sequence;
            arrival
        };
        Some((self.events.iter().map(arrive), end))
    }
}

impl<'a> Arrival<'a> {
    /// An event of a page of the log, after the one with this sequence.
    ///
    /// One whose header can't be read has the lowest place it can have, so that it is told and not passed over.
    #[must_use]
    pub fn in_page(envelope: &'a [u8], epoch: Epoch, prev: Sequence) -> Self {
        let lowest = prev.next().unwrap_or(Sequence::MAX);
        let sequence = scan(envelope).map_or(lowest, |header| header.sequence);
        Self { position: Position::new(epoch, sequence), prev, envelope }
    }
}
