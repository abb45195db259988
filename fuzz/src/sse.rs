//! The event-stream decoder: it reads what the standard says, however a stream is cut, and fails alike however it is cut; what it has read
//! comes back when it is written. The first byte says how the rest, a stream, is cut.

#[path = "../../core/tests/sse_properties/standard.rs"]
mod standard;

use highwater_core::sse::{CONTROL_EVENT, DecodeError, Decoder, Frame, encode_control, encode_event};

use self::standard::{Event, interpret, text};
use crate::input::pieces;

/// See the [module](self).
pub fn check(input: &[u8]) {
    let Some((choice, stream)) = input.split_first() else { return };
    let (frames, error) = read(Decoder::new(), [stream]);
    assert_eq!(error, None);
    let events = frames.iter().map(Owned::as_event).collect::<Vec<_>>();
    assert_eq!(events, interpret(stream));
    assert_eq!(read(Decoder::new(), pieces(stream, *choice)), (frames.clone(), None));

    let limited = || Decoder::with_limit(usize::from(*choice));
    assert_eq!(read(limited(), pieces(stream, *choice)), read(limited(), [stream]));

    let mut written = Vec::new();
    frames.iter().for_each(|frame| frame.write(&mut written));
    let (again, _) = read(Decoder::new(), [&written[..]]);
    for (again, frame) in again.iter().zip(&frames) {
        assert_eq!((text(&again.data), again.prev), (text(&frame.data), Some(frame.prev.unwrap_or_default())));
        assert_eq!(again.id.as_deref().map(text), Some(text(&frame.last_event_id)));
        assert_eq!(again.event == CONTROL_EVENT.as_bytes(), frame.event == CONTROL_EVENT.as_bytes());
    }
    assert_eq!(again.len(), frames.len());
}

/// All frames of a stream that comes in these pieces, up to the first error.
fn read<'a>(mut decoder: Decoder, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Owned>, Option<DecodeError>) {
    let mut frames = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(Owned::from(frame)),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

#[derive(Clone, Debug, PartialEq)]
struct Owned {
    id: Option<Vec<u8>>,
    last_event_id: Vec<u8>,
    event: Vec<u8>,
    prev: Option<u64>,
    data: Vec<u8>,
}

impl From<Frame<'_>> for Owned {
    fn from(frame: Frame<'_>) -> Self {
        Self {
            id: frame.id.map(<[u8]>::to_vec),
            last_event_id: frame.last_event_id.to_vec(),
            event: frame.event.to_vec(),
            prev: frame.prev,
            data: frame.data.to_vec(),
        }
    }
}

impl Owned {
    fn as_event(&self) -> Event {
        Event { last_event_id: text(&self.last_event_id), event: text(&self.event), data: text(&self.data) }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let (id, prev) = (text(&self.last_event_id), self.prev.unwrap_or_default());
        if self.event == CONTROL_EVENT.as_bytes() {
            encode_control(out, Some(&id), Some(prev), &self.data);
        } else {
            encode_event(out, id, prev, &self.data);
        }
    }
}
