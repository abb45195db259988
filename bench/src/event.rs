//! The one kind of event that is measured with, and what becomes of it on the wire.
//!
//! Its data is a [`Stamp`]: who receives it knows which event it is, so that a lost or repeated one shows, and when it
//! was sent. The floor and the plain server record it as Highwater's log would, so that all send the same frames.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Result;
use highwater_core::{
    clock::VectorClock,
    envelope::{parse_proposed_batch, write_event},
    event::{EventId, Limits, Recording},
    sse::encode_event,
    time::Timestamp,
    version::{Epoch, Position, Revision, Sequence, Version},
};
use uuid::Uuid;

/// Where events are posted and subscribers listen, with every server that is measured.
pub(crate) const PATH: &str = "/v1/events";
/// What subscribers ask for.
pub(crate) const TOPIC: &str = "bench:**";
/// The media type of one event.
pub(crate) const EVENT: &str = "application/cloudevents+json";
/// The media type of several.
pub(crate) const BATCH: &str = "application/cloudevents-batch+json";
/// The most events of one request; every server takes as many.
pub(crate) const BATCH_EVENTS_MAX: u32 = 1_000;

/// Stands before the stamp in an event's data, and nowhere else in a frame.
pub(crate) const MARK: &[u8] = br#""stamp":""#;

/// Which event it is, and when it was sent by its sender's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// From 0.
    pub(crate) number: u32,
    pub(crate) sent_us: u64,
}

impl Stamp {
    /// Reads the text that begins here. `None` where that is none.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        let (number, rest) = text.split_at_checked(NUMBER_DIGITS)?;
        let sent = rest.strip_prefix(b"-")?.get(..SENT_DIGITS)?;
        Some(Self { number: digits(number)?.try_into().ok()?, sent_us: digits(sent)? })
    }
}

const NUMBER_DIGITS: usize = 8;
const SENT_DIGITS: usize = 12;

fn digits(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u64::from(byte - b'0')))
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0NUMBER_DIGITS$}-{:0SENT_DIGITS$}", self.number, self.sent_us)
    }
}

/// A batch to post, with an event for each stamp.
pub(crate) fn batch(stamps: impl IntoIterator<Item = Stamp>) -> String {
    let events: Vec<_> = stamps.into_iter().map(|stamp| event("bench:ticks", stamp)).collect();
    format!("[{}]", events.join(","))
}

/// An event to post.
pub(crate) fn event(stream: &str, stamp: Stamp) -> String {
    format!(
        r#"{{"specversion":"1.0","source":"bench","type":"bench.ticked.v1","subject":"{stream}","data":{{"stamp":"{stamp}"}}}}"#
    )
}

/// The stream of one of many producers.
pub(crate) fn producer_stream(producer: usize) -> String {
    format!("bench:producers:{producer}")
}

/// Makes of what is posted what a log would make of it, and keeps nothing.
pub(crate) struct Recorder {
    epoch: Epoch,
    last: u64,
}

/// A recorded event, in the parts of its frame.
pub(crate) struct Recorded {
    pub(crate) prev: u64,
    pub(crate) position: Position,
    pub(crate) envelope: Vec<u8>,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self { epoch: Epoch::from_bits(0), last: 0 }
    }

    /// Records a batch.
    pub(crate) fn record(&mut self, batch: &[u8]) -> Result<Vec<Recorded>> {
        let recorded_time =
            Timestamp::from_unix_micros(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros().try_into()?)?;
        let mut recorded = Vec::new();
        for proposed in parse_proposed_batch(batch, None, &Limits::default())? {
            let prev = self.last;
            self.last += 1;
            let (sequence, mut clock) = (Sequence::new(self.last)?, VectorClock::default());
            clock.set(proposed.event.source.as_str(), self.last)?;
            let event = proposed.event.record(Recording {
                id: EventId::new(&Uuid::now_v7().to_string())?,
                recorded_time,
                sequence,
                revision: Revision::new(self.last)?,
                version: Version::ZERO,
                clock,
            });
            let mut envelope = Vec::new();
            write_event(&event, &mut envelope);
            recorded.push(Recorded { prev, position: Position::new(self.epoch, sequence), envelope });
        }
        Ok(recorded)
    }
}

impl Recorded {
    /// The frame, as Highwater writes it.
    pub(crate) fn frame(&self) -> Vec<u8> {
        let mut frame = Vec::new();
        encode_event(&mut frame, self.position, self.prev, &self.envelope);
        frame
    }
}

#[cfg(test)]
mod tests {
    use memchr::memmem;

    use super::*;

    #[test]
    fn a_stamp_comes_back_from_its_frame() {
        let stamps = [Stamp { number: 0, sent_us: 0 }, Stamp { number: 99_999_999, sent_us: 999_999_999_999 }];
        let recorded = Recorder::new().record(batch(stamps).as_bytes()).unwrap();
        for (stamp, recorded) in stamps.into_iter().zip(&recorded) {
            let frame = recorded.frame();
            let marks: Vec<_> = memmem::find_iter(&frame, MARK).collect();
            assert_eq!(marks.len(), 1);
            assert_eq!(Stamp::read(&frame[marks[0] + MARK.len()..]), Some(stamp));
        }
        assert_eq!(recorded.iter().map(|event| event.prev).collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn what_is_no_stamp_is_none() {
        for text in
            ["", "0000000", "00000000", "00000000-00000000000", "0000000x-000000000000", "00000000 000000000000"]
        {
            assert_eq!(Stamp::read(text.as_bytes()), None, "{text}");
        }
    }
}
