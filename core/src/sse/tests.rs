use super::*;

/// A frame that outlives its decoder.
#[derive(Debug, PartialEq)]
struct Owned {
    id: Option<String>,
    last_event_id: String,
    event: String,
    prev: Option<u64>,
    data: String,
}

fn drain(decoder: &mut Decoder) -> Vec<Owned> {
    let mut frames = Vec::new();
    while let Some(frame) = decoder.next_frame().expect("within the limit") {
        frames.push(Owned {
            id: frame.id.map(text),
            last_event_id: text(frame.last_event_id),
            event: text(frame.event),
            prev: frame.prev,
            data: text(frame.data),
        });
    }
    frames
}

/// A field as the standard decodes it.
fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(field).into_owned()
}

fn data_of(frames: &[Owned]) -> Vec<&str> {
    frames.iter().map(|frame| frame.data.as_str()).collect()
}

/// Decodes in one chunk and byte by byte, and sees that both agree.
fn decode(stream: &[u8]) -> Vec<Owned> {
    let mut whole = Decoder::new();
    whole.push(stream);
    let frames = drain(&mut whole);

    let mut dribbled = Decoder::new();
    let one_by_one: Vec<_> = stream
        .iter()
        .flat_map(|byte| {
            dribbled.push(&[*byte]);
            drain(&mut dribbled)
        })
        .collect();
    assert_eq!(frames, one_by_one, "byte by byte differs");
    assert_eq!(whole.last_event_id(), dribbled.last_event_id());
    assert_eq!(whole.retry_ms(), dribbled.retry_ms());
    frames
}

#[test]
fn an_event_of_ours() {
    let mut stream = Vec::new();
    encode_event(&mut stream, "k3x9q7ma-42", 39, r#"{"specversion":"1.0"}"#);
    let text = "prev: 39\ndata: {\"specversion\":\"1.0\"}\nid: k3x9q7ma-42\n\n";
    assert_eq!(str::from_utf8(&stream), Ok(text));

    let mut decoder = Decoder::new();
    decoder.push(&stream);
    let expected = Frame {
        id: Some(b"k3x9q7ma-42"),
        last_event_id: b"k3x9q7ma-42",
        event: b"",
        prev: Some(39),
        data: br#"{"specversion":"1.0"}"#,
    };
    assert_eq!(decoder.next_frame(), Ok(Some(expected)));
    assert_eq!(decoder.next_frame(), Ok(None));
}

#[test]
fn control_frames_comments_and_retry() {
    let mut stream = Vec::new();
    encode_retry(&mut stream, 3000);
    encode_comment(&mut stream, "still here\nand here");
    encode_control(&mut stream, Some(&"k3x9q7ma-42"), Some(41), r#"{"kind":"ready"}"#);
    encode_control(&mut stream, None, None, r#"{"kind":"goodbye"}"#);
    assert_eq!(
        str::from_utf8(&stream).unwrap(),
        "retry: 3000\n\n: still here\n: and here\n\n\
         event: highwater\nprev: 41\ndata: {\"kind\":\"ready\"}\nid: k3x9q7ma-42\n\n\
         event: highwater\ndata: {\"kind\":\"goodbye\"}\n\n"
    );

    let mut decoder = Decoder::new();
    decoder.push(&stream);
    let frames = drain(&mut decoder);
    assert_eq!(decoder.retry_ms(), Some(3000));
    assert_eq!(frames.len(), 2);
    assert!(frames.iter().all(|frame| frame.event == CONTROL_EVENT));
    assert_eq!((frames[0].id.as_deref(), frames[0].prev), (Some("k3x9q7ma-42"), Some(41)));
    assert_eq!((frames[1].id.as_deref(), frames[1].prev), (None, None));
    assert_eq!(frames[1].last_event_id, "k3x9q7ma-42");
}

#[test]
fn nothing_put_into_a_frame_ends_it() {
    let mut stream = Vec::new();
    encode_event(&mut stream, "a\r\n\n\0data: id\n\n", 1, "x\n\ndata: y\r\rid: z\r\n\r\n");
    encode_control(&mut stream, Some(&"b\n\ndata: 1"), None, "");
    encode_comment(&mut stream, "\n\ndata: comment\r\rdata: comment\n\n");
    let frames = decode(&stream);
    assert_eq!(data_of(&frames), ["x\n\ndata: y\n\nid: z\n\n", ""]);
    assert_eq!(frames[0].id.as_deref(), Some("adata: id"));
    assert_eq!(frames[1].id.as_deref(), Some("bdata: 1"));
}

#[test]
fn an_id_lasts_and_counts_without_data() {
    let frames = decode(b"id: 1\ndata: a\n\ndata: b\n\nid: 2\n\ndata: c\n\nid\ndata: d\n\nid: x\0\ndata: e\n\n");
    let ids: Vec<_> = frames.iter().map(|f| (f.id.as_deref(), &*f.last_event_id)).collect();
    assert_eq!(ids, [(Some("1"), "1"), (None, "1"), (None, "2"), (Some(""), ""), (None, "")]);
}

#[test]
fn an_unterminated_block_is_no_frame() {
    let mut decoder = Decoder::new();
    decoder.push(b"id: 1\ndata: a\n\nid: 2\ndata: b\n");
    assert_eq!(drain(&mut decoder).len(), 1);
    assert_eq!(decoder.last_event_id(), b"1");
}

#[test]
fn fields_do_not_leak_into_the_next_frame() {
    let frames = decode(b"event: x\nprev: 7\n\ndata: a\n\nprev: 8\nevent: y\ndata: b\n\ndata: c\n\n");
    let fields: Vec<_> = frames.iter().map(|f| (&*f.event, f.prev, &*f.data)).collect();
    assert_eq!(fields, [("", None, "a"), ("y", Some(8), "b"), ("", None, "c")]);
}

#[test]
fn numbers_are_digits_only() {
    for (value, number) in [
        ("0", Some(0)),
        ("039", Some(39)),
        ("18446744073709551615", Some(u64::MAX)),
        ("18446744073709551616", None),
        ("", None),
        ("+1", None),
        ("1x", None),
        (" 1", None),
        ("\u{663}", None),
    ] {
        let mut decoder = Decoder::new();
        decoder.push(format!("retry: {value}\nprev: {value}\ndata\n\n").as_bytes());
        assert_eq!(decoder.next_frame().unwrap().unwrap().prev, number, "{value:?}");
        assert_eq!(decoder.retry_ms(), number, "{value:?}");
    }
    let mut decoder = Decoder::new();
    decoder.push(b"retry: 5\nretry: x\n");
    assert_eq!(decoder.next_frame(), Ok(None));
    assert_eq!(decoder.retry_ms(), Some(5), "a wrong one leaves the last");
}

#[test]
fn what_is_not_utf_8_is_replaced() {
    let frames = decode(b"id: \xFF\nevent: \xC3\ndata: \xF0\x9F\ndata: ok \xE2\x80\xA6\xE2\x80\n\n");
    assert_eq!(frames[0].id.as_deref(), Some("\u{FFFD}"));
    assert_eq!(frames[0].event, "\u{FFFD}");
    assert_eq!(frames[0].data, "\u{FFFD}\nok …\u{FFFD}");
}

#[test]
fn a_byte_order_mark_counts_at_the_start_only() {
    assert_eq!(data_of(&decode("\u{FEFF}data: a\n\n\u{FEFF}data: b\n\ndata: c\n\n".as_bytes())), ["a", "c"]);
    assert_eq!(data_of(&decode(b"\xEF\xBBdata: a\n\ndata: b\n\n")), ["b"]);
    let mut decoder = Decoder::new();
    for _ in 0..2 {
        decoder.push("\u{FEFF}data: a\n\n".as_bytes());
        assert_eq!(drain(&mut decoder).len(), 1);
        decoder.reset();
    }
}

#[test]
fn a_reset_drops_what_was_begun_and_keeps_where_it_was() {
    let mut decoder = Decoder::new();
    decoder.push(b"retry: 9\nid: 1\ndata: a\n\nid: 2\nevent: x\nprev: 3\ndata: b\r");
    drain(&mut decoder);
    decoder.reset();
    decoder.push(b"\ndata: c\n\n");
    let frames = drain(&mut decoder);
    assert_eq!(data_of(&frames), ["c"]);
    assert_eq!((&*frames[0].event, frames[0].prev, &*frames[0].last_event_id), ("", None, "1"));
    assert_eq!(decoder.retry_ms(), Some(9));
}

#[test]
fn the_limit_holds_alike_however_the_stream_is_cut() {
    let too_large = Err(DecodeError::FrameTooLarge { limit_bytes: 64 });
    let long = "x".repeat(65);
    for (stream, frames) in [
        (format!("data: {}\n\n", "x".repeat(58)), Some(1)),
        (format!("data: {}\n\n", "x".repeat(59)), None),
        (format!("data: ok\n\ndata: {long}"), None),
        (format!(": {long}\n"), None),
        (format!("data: a\n{}\n", ": keep-alive\n".repeat(5)), None),
        (format!("{}data: a\n\n", ": keep-alive\nid: 1\nevent: x\n".repeat(50)), Some(1)),
        ("data: a\r\n\r\n".repeat(50), Some(50)),
        ("data\n".repeat(20), None),
    ] {
        for chunk_bytes in [1, 2, 7, stream.len()] {
            let mut decoder = Decoder::with_limit(64);
            let mut count = 0;
            let mut error = None;
            for chunk in stream.as_bytes().chunks(chunk_bytes) {
                decoder.push(chunk);
                loop {
                    match decoder.next_frame() {
                        Ok(Some(_)) => count += 1,
                        Ok(None) => break,
                        Err(e) => {
                            error = Some(e);
                            break;
                        }
                    }
                }
            }
            match frames {
                Some(frames) => assert_eq!((count, error), (frames, None), "{stream:?}"),
                None => {
                    assert!(error.is_some(), "{stream:?} in chunks of {chunk_bytes}");
                    decoder.push(b"data: later\n\n");
                    assert_eq!(decoder.next_frame(), too_large, "it stays failed");
                    decoder.reset();
                    decoder.push(b"data: later\n\n");
                    assert_eq!(drain(&mut decoder).len(), 1);
                }
            }
        }
    }
}

#[test]
fn a_chunk_is_written_in_place_and_only_what_is_committed_counts() {
    let mut decoder = Decoder::new();
    for chunk in ["da", "ta: a\n", "\ndata: b\n\nda", "ta: c\n\n"] {
        let spare = decoder.spare(chunk.len() + 100);
        assert_eq!(spare.len(), chunk.len() + 100);
        spare[..chunk.len()].copy_from_slice(chunk.as_bytes());
        decoder.commit(chunk.len());
    }
    assert_eq!(data_of(&drain(&mut decoder)), ["a", "b", "c"]);
    decoder.commit(usize::MAX);
    assert_eq!(decoder.next_frame(), Ok(None), "a commit beyond the spare is cut");
}

/// Neither ends in time, or in memory, if a byte that arrives has earlier ones scanned or moved again.
#[test]
fn a_large_frame_and_a_long_stream_cost_what_they_are_long() {
    let mut decoder = Decoder::new();
    decoder.push(b"data: ");
    for _ in 0..FRAME_BYTES_MAX - 6 {
        decoder.push(b"x");
        assert_eq!(decoder.next_frame(), Ok(None));
    }
    decoder.push(b"\n\n");
    assert_eq!(drain(&mut decoder)[0].data.len(), FRAME_BYTES_MAX - 6);

    let mut decoder = Decoder::new();
    let stream = "data: some event\n\n".repeat(1000);
    let mut count = 0;
    for _ in 0..100 {
        for chunk in stream.as_bytes().chunks(1400) {
            decoder.push(chunk);
            count += drain(&mut decoder).len();
        }
    }
    assert_eq!(count, 100_000);
    assert!(decoder.spare(0).is_empty());
    assert!(decoder.capacity_bytes() <= 4 * 1400, "{}", decoder.capacity_bytes());
}
