//! Writing an event stream. Each function appends one whole block.

use std::fmt::{self, Display, Write};

use super::CONTROL_EVENT;
use crate::find::find_either;

/// Appends an event: the sequence of the one before it as `prev`, its JSON as `data`, its position as `id`.
///
/// The standard gives the order of fields no meaning, but there are clients that believe an `id` as soon as they read it.
/// Behind the data it can't be read of a frame that was cut off, and so can't make such a client skip that event.
pub fn encode_event(out: &mut Vec<u8>, id: impl Display, prev: u64, data: impl AsRef<[u8]>) {
    field(out, "prev", &prev);
    data_lines(out, data.as_ref());
    field(out, "id", &id);
    out.push(b'\n');
}

/// Appends a control frame with its JSON `body`. One with an `id` carries `prev` too.
pub fn encode_control(out: &mut Vec<u8>, id: Option<&dyn Display>, prev: Option<u64>, body: impl AsRef<[u8]>) {
    field(out, "event", &CONTROL_EVENT);
    if let Some(prev) = prev {
        field(out, "prev", &prev);
    }
    data_lines(out, body.as_ref());
    if let Some(id) = id {
        field(out, "id", id);
    }
    out.push(b'\n');
}

/// Appends a comment, which every reader ignores: it shows that the connection lives.
pub fn encode_comment(out: &mut Vec<u8>, text: &str) {
    for line in lines(text.as_bytes()) {
        prefixed(out, b": ", line);
    }
    out.push(b'\n');
}

/// Appends how long a client shall wait before it reconnects.
pub fn encode_retry(out: &mut Vec<u8>, retry_ms: u64) {
    field(out, "retry", &retry_ms);
    out.push(b'\n');
}

fn field(out: &mut Vec<u8>, name: &str, value: &dyn Display) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    // Fails only if the value's own `Display` does, and then what it wrote until then stands.
    let _ = write!(OneLine(out), "{value}");
    out.push(b'\n');
}

/// Data is one line of JSON. Should there be more, each line gets its own field, which the reader joins again by LF: an
/// end of line never ends the frame.
fn data_lines(out: &mut Vec<u8>, data: &[u8]) {
    out.reserve(data.len() + b"data: \n\n".len());
    for line in lines(data) {
        prefixed(out, b"data: ", line);
    }
}

fn prefixed(out: &mut Vec<u8>, prefix: &[u8], line: &[u8]) {
    out.extend_from_slice(prefix);
    out.extend_from_slice(line);
    out.push(b'\n');
}

/// The lines between LF, CR and CRLF; at least one, if only an empty one.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = find_either(b'\n', b'\r', text) else {
            rest = None;
            return Some(text);
        };
        let (line, tail) = text.split_at(end);
        rest = tail.strip_prefix(b"\r\n").or_else(|| tail.get(1..));
        Some(line)
    })
}

/// Leaves out what would end a field's line, and NUL, which would have an id ignored.
struct OneLine<'a>(&'a mut Vec<u8>);

impl Write for OneLine<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend(text.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r' | 0)));
        Ok(())
    }
}
