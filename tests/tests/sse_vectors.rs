//! The event-stream decoder against the cases of web-platform-tests and server-sent-stream, each in several chunkings.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use highwater_core::sse::Decoder;
use highwater_tests::data;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::{Deserialize, Deserializer};

#[derive(Deserialize)]
struct Case {
    id: String,
    chunks_b64: Vec<String>,
    events: Vec<Expected>,
    /// Absent: not told. `null`: the stream sets none.
    #[serde(default, deserialize_with = "told")]
    retry: Option<Option<u64>>,
}

/// Only what is there is compared.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    r#type: Option<String>,
    data: Option<String>,
    #[serde(rename = "lastEventId")]
    last_event_id: Option<String>,
}

#[derive(Debug)]
struct Decoded {
    r#type: String,
    data: String,
    last_event_id: String,
}

fn told<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// The stream cut in every way that it is replayed in, each with its name.
fn chunkings(given: Vec<Vec<u8>>) -> Vec<(String, Vec<Vec<u8>>)> {
    let stream = given.concat();
    let pieces = |len| stream.chunks(len).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let mut chunkings = vec![
        ("one chunk".to_owned(), vec![stream.clone()]),
        ("byte by byte".to_owned(), pieces(1)),
        ("two bytes each".to_owned(), pieces(2)),
        ("seven bytes each".to_owned(), pieces(7)),
    ];
    for seed in 0..8 {
        chunkings.push((format!("random, seed {seed}"), cut_at_random(&stream, seed)));
    }
    chunkings.push(("as given".to_owned(), given));
    chunkings
}

fn cut_at_random(stream: &[u8], seed: u64) -> Vec<Vec<u8>> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut rest = stream;
    let mut chunks = Vec::new();
    while !rest.is_empty() {
        let (chunk, tail) = rest.split_at(random.random_range(0..=rest.len().min(9)));
        chunks.push(chunk.to_vec());
        rest = tail;
    }
    chunks
}

fn decode(chunks: &[Vec<u8>]) -> (Vec<Decoded>, Option<u64>) {
    let mut decoder = Decoder::new();
    let mut decoded = Vec::new();
    for chunk in chunks {
        decoder.push(chunk);
        while let Some(frame) = decoder.next_frame().expect("within the limit") {
            let event: &[u8] = if frame.event.is_empty() { b"message" } else { frame.event };
            let [r#type, data, last_event_id] =
                [event, frame.data, frame.last_event_id].map(|field| String::from_utf8_lossy(field).into_owned());
            decoded.push(Decoded { r#type, data, last_event_id });
        }
    }
    (decoded, decoder.retry_ms())
}

#[test]
fn other_implementations_streams_in_every_chunking() {
    let Some(cases) = data::json::<Vec<Case>>("sse-vectors.json") else { return };
    assert_eq!(cases.len(), 71);
    for Case { id, chunks_b64, events, retry } in cases {
        let given = chunks_b64.iter().map(|chunk| STANDARD.decode(chunk).expect("base64")).collect();
        for (name, chunks) in chunkings(given) {
            let (decoded, retry_ms) = decode(&chunks);
            assert_eq!(decoded.len(), events.len(), "{id}, {name}: {decoded:?} instead of {events:?}");
            for (decoded, expected) in decoded.iter().zip(&events) {
                let pairs = [
                    (&expected.r#type, &decoded.r#type),
                    (&expected.data, &decoded.data),
                    (&expected.last_event_id, &decoded.last_event_id),
                ];
                for (expected, decoded) in pairs {
                    assert!(
                        expected.as_ref().is_none_or(|expected| expected == decoded),
                        "{id}, {name}: {decoded:?} instead of {expected:?}"
                    );
                }
            }
            assert!(retry.is_none_or(|retry| retry == retry_ms), "{id}, {name}: retry is {retry_ms:?}");
        }
    }
}
