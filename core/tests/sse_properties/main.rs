//! The event-stream decoder against a plain transcription of the standard, and against the encoder, on generated input
//! in generated chunks.

mod standard;

use highwater_core::sse::{self, Decoder};
use proptest::collection::vec;
use proptest::prelude::*;

use standard::{Event, interpret, text};

/// Cuts the stream where `cuts` says and takes every frame as soon as it is whole.
fn decode<T>(stream: &[u8], cuts: &[usize], mut take: impl FnMut(sse::Frame<'_>) -> T) -> Vec<T> {
    let mut decoder = Decoder::new();
    let mut taken = Vec::new();
    let mut rest = stream;
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() {
        let (chunk, tail) = rest.split_at(rest.len().min(*cuts.next().expect("a cycle of one at least")));
        rest = tail;
        decoder.push(chunk);
        while let Some(frame) = decoder.next_frame().expect("within the limit") {
            taken.push(take(frame));
        }
    }
    taken
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![vec(1usize..4, 1..8), vec(1usize..40, 1..8), Just(vec![usize::MAX])]
}

/// Pieces that make frames, nearly make them, or break them.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => proptest::sample::select(vec!["\n", "\r", "\r\n", "data:", "data: ", "data", "id: ", "id", "event:", ":", " ", "\u{FEFF}"])
            .prop_map(|piece| piece.as_bytes().to_vec()),
        2 => "[a-c…é🌊 :]{0,6}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..4),
        1 => proptest::sample::select(vec![&b"\xE2\x80"[..], b"\xF0\x9F\x8C", b"\xEF\xBB", b"\xC3", b"\0"]).prop_map(<[u8]>::to_vec),
    ];
    vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn decodes_as_the_standard_says(stream in stream(), cuts in cuts()) {
        let events = decode(&stream, &cuts, |frame| Event {
            last_event_id: text(frame.last_event_id),
            event: text(frame.event),
            data: text(frame.data),
        });
        prop_assert_eq!(events, interpret(&stream));
    }

    #[test]
    fn what_is_encoded_comes_back(
        frames in vec(("[a-z0-9-]{1,12}", any::<u64>(), "(?s:.){0,40}|[\\r\\n a:]{0,12}", any::<bool>()), 0..12),
        cuts in cuts(),
    ) {
        let mut stream = Vec::new();
        let mut expected = Vec::new();
        for (id, prev, data, is_control) in &frames {
            if *is_control {
                sse::encode_control(&mut stream, Some(id), Some(*prev), data);
            } else {
                sse::encode_event(&mut stream, id, *prev, data);
            }
            sse::encode_comment(&mut stream, data);
            let event = if *is_control { sse::CONTROL_EVENT } else { "" };
            let data = data.replace("\r\n", "\n").replace('\r', "\n");
            expected.push((Some(id.clone()), Some(*prev), event.to_owned(), data));
        }
        let decoded = decode(&stream, &cuts, |frame| {
            (frame.id.map(text), frame.prev, text(frame.event), text(frame.data))
        });
        prop_assert_eq!(decoded, expected);
    }
}
