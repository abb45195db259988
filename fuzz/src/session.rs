//! What the npm package calls in WebAssembly, memory and all: an event stream is judged alike however it is cut, whatever else happens
//! between; and what an answer points at is where it says.
//!
//! The first byte says how streams are cut. Behind it stand steps, with the byte 0x1e between: a letter, and what it takes. Numbers are digits
//! from `0` on.

use highwater_client::{Kind, Session};

use crate::input::pieces;

const BETWEEN: u8 = 0x1e;
const STREAM: u8 = b's';
const EVENTS: u8 = 12;
const FATES: u8 = 7;
const PAGES: u8 = 5;
/// The records whose number is a sequence.
const AT_POSITIONS: [Kind; 7] =
    [Kind::Apply, Kind::Stale, Kind::Duplicate, Kind::Gap, Kind::Unreadable, Kind::Reset, Kind::FetchLog];

/// See the [module](self).
pub fn check(input: &[u8]) {
    let Some((choice, steps)) = input.split_first() else { return };
    let whole = run(steps, None);
    assert_eq!(run(steps, Some(*choice)), whole);
}

/// What is told by a record.
#[derive(Debug, PartialEq)]
struct Told {
    kind: u32,
    number: f64,
    element: String,
    /// What positions are of from here on. That has records of its own, which may come later than they must: they are left out.
    epoch: Option<String>,
}

struct Page {
    session: Session,
    epoch: Option<String>,
    cut: Option<u8>,
}

/// Takes the steps, and answers what was told by each and what was counted.
fn run(steps: &[u8], cut: Option<u8>) -> (Vec<Vec<Told>>, Option<String>, Vec<f64>) {
    let mut page = Page { session: Session::new(), epoch: None, cut };
    let steps = steps.split(|byte| *byte == BETWEEN).enumerate();
    let mut told = Vec::new();
    let mut is_over = false;
    for (at, step) in steps {
        let mut by_step = page.take(at as f64 * 1_000.0, step).unwrap_or_default();
        // What comes behind an end is judged only if it came with it, and counts no more for the connection.
        if step.starts_with(&[STREAM])
            && let Some(end) = by_step.iter().position(|told| told.kind == Kind::Disconnect as u32)
        {
            by_step.truncate(end);
            is_over = true;
        }
        told.push(by_step);
        if is_over {
            break;
        }
    }
    // What is confirmed when a reset comes, and not told yet, is sent to the new log: that depends on when it would have been told.
    if told.iter().flatten().any(|told| told.kind == Kind::Reset as u32) {
        told.iter_mut().for_each(|told| told.retain(|told| told.kind != Kind::Settled as u32));
    }
    if is_over {
        return (told, None, Vec::new());
    }
    let counts = page.session.counts();
    (told, page.epoch, memory::read(counts, 9).to_vec())
}

impl Page {
    fn take(&mut self, now: f64, step: &[u8]) -> Option<Vec<Told>> {
        let session = &mut self.session;
        let (kind, rest) = step.split_first()?;
        let digit = |at: usize, below: u8| rest.get(at).map_or(0, |digit| u32::from(digit.wrapping_sub(b'0') % below));
        let view = match kind {
            b'@' => {
                memory::write(session.room(rest.len()), rest);
                session.start(8, 4_096, 4, 10_000, 100, 1_000);
                return None;
            }
            b't' => {
                memory::write(session.room(rest.len()), rest);
                session.share();
                return None;
            }
            b'i' => {
                session.intend(digit(0, 10));
                session.next_intent();
                return None;
            }
            b'l' => {
                session.listen(digit(0, 64));
                return None;
            }
            b'f' => {
                session.feed();
                return None;
            }
            &STREAM if !rest.is_empty() => {
                let mut told = self.receive(now, rest);
                // What is settled is told at the end of a call: after what is judged, and in the order in which it was meant.
                let settled = |told: &Told| (told.kind == Kind::Settled as u32).then_some(told.number as u32);
                told.sort_by_key(settled);
                return Some(told);
            }
            b'p' => {
                let page = rest.get(1..).unwrap_or_default();
                memory::write(session.room(page.len()), page);
                session.fetched(now, digit(0, PAGES))
            }
            b'e' => session.happened(now, digit(0, EVENTS), 100 + 50 * digit(1, 10) as u16, 1_000 * digit(2, 10)),
            b'b' => session.became(digit(0, 10), digit(1, FATES), digit(2, 64).into()),
            b'n' => {
                memory::write(session.room(rest.len()), rest);
                session.stream_of()
            }
            _ => return None,
        };
        Some(self.told(view))
    }

    /// Has the session judge a stream, whole or in pieces.
    fn receive(&mut self, now: f64, stream: &[u8]) -> Vec<Told> {
        let cut = self.cut;
        let mut receive = |piece: &[u8]| {
            memory::write(self.session.spare(piece.len() + 3), piece);
            let view = self.session.received(now, piece.len());
            self.told(view)
        };
        match cut {
            None => receive(stream),
            Some(choice) => pieces(stream, choice).flat_map(receive).collect(),
        }
    }

    /// The records of an answer.
    fn told(&mut self, view: *const f64) -> Vec<Told> {
        let &[count, records, text, text_len, timeout] = memory::read(view, 5) else { unreachable!("these are five") };
        assert!(timeout >= -1.0);
        let text = memory::read(memory::pointer::<u8>(text), text_len as usize);
        assert!(text.starts_with(b"[") && text.ends_with(b"]"));
        let mut from = 1;
        let mut told = Vec::new();
        for &[kind, number, start, end] in memory::read(memory::pointer::<[f64; 4]>(records), count as usize) {
            let (start, end) = (start as usize, end as usize);
            assert!(start == from && end < text.len() && matches!(text[end], b',' | b']'));
            from = end + 1;
            let (kind, element) = (kind as u32, String::from_utf8_lossy(&text[start..end]).into_owned());
            if kind == Kind::Epoch as u32 {
                self.epoch = Some(element);
            } else {
                let epoch = self.epoch.clone().filter(|_| AT_POSITIONS.iter().any(|of| *of as u32 == kind));
                told.push(Told { kind, number, element, epoch });
            }
        }
        assert!(from == text.len() || count == 0.0 && text == b"[]", "all of the text is somebody's");
        told
    }
}

/// Memory that both sides see, as JavaScript sees it: only a build with `--address-sanitizer` finds out whether it is ours.
#[expect(unsafe_code, reason = "to touch memory that a pointer points at is what JavaScript does here")]
mod memory {
    /// Writes where room was lent.
    pub(super) fn write(room: *mut u8, bytes: &[u8]) {
        // SAFETY: the session has lent at least as many bytes, and nothing has happened to it since.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), room, bytes.len()) }
    }

    /// Reads what an answer points at.
    pub(super) fn read<'a, T>(at: *const T, len: usize) -> &'a [T] {
        if len == 0 {
            return &[];
        }
        // SAFETY: so much is there until the session is called again.
        unsafe { std::slice::from_raw_parts(at, len) }
    }

    /// A place that is a number, as all that JavaScript gets.
    pub(super) fn pointer<T>(number: f64) -> *const T {
        std::ptr::with_exposed_provenance(number as usize)
    }
}
