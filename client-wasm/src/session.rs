//! [`Session`]: one reader of a set of topics.

use std::mem;

use highwater_core::control::ControlKind;
use highwater_core::envelope::{Page, scan, scan_page};
use highwater_core::reconcile::{Attempt, Handled, HoldLimits, Message, Missing, Output, Reconciler, Verdict};
use highwater_core::sse::Decoder;
use highwater_core::version::{After, Position};

use crate::outputs::{Kind, Outputs};

/// A reader of a set of topics, over all its connections.
///
/// Texts come in as the chunks do: JavaScript writes them into the room that a method lends. A method that judges answers
/// where its view stands, which is good until the next such call.
#[derive(Debug)]
pub struct Session {
    decoder: Decoder,
    reconciler: Reconciler,
    attempt: Attempt,
    /// The kinds told only to whoever listens, a bit each.
    listened: u32,
    outputs: Outputs,
    /// A page or an event that JavaScript hands in.
    text: Vec<u8>,
    /// How much data came that has no place; the reconciler does not count it.
    unplaced: u64,
    counts: [f64; 9],
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

impl Session {
    /// A reader of what is recorded from now on.
    #[must_use]
    pub fn new() -> Self {
        let mut reconciler = Reconciler::new(After::Latest, HoldLimits::default());
        Self {
            decoder: Decoder::new(),
            attempt: reconciler.connect(),
            reconciler,
            listened: 0,
            outputs: Outputs::default(),
            text: Vec::new(),
            unplaced: 0,
            counts: [0.0; 9],
        }
    }

    /// Starts after what stands in [`Self::room`] instead: a position, `earliest` or `latest`. `false` where it is none.
    pub fn start(&mut self, held_events_max: usize, held_bytes_max: usize) -> bool {
        let Some(after) = str::from_utf8(&self.text).ok().and_then(|text| text.parse().ok()) else { return false };
        self.reconciler = Reconciler::new(after, HoldLimits { events_max: held_events_max, bytes_max: held_bytes_max });
        true
    }

    /// Which kinds of events are told besides those that always are, a bit each. All are counted.
    pub fn listen(&mut self, kinds: u32) {
        self.listened = kinds;
    }

    /// Begins a connection; what is left of the one before is dropped.
    pub fn connect(&mut self) {
        self.decoder.reset();
        self.attempt = self.reconciler.connect();
    }

    /// Room for a chunk of `len` bytes.
    pub fn spare(&mut self, len: usize) -> *mut u8 {
        self.decoder.spare(len).as_mut_ptr()
    }

    /// Judges the chunk that was written into what [`Self::spare`] lent.
    pub fn received(&mut self, len: usize) -> *const f64 {
        self.outputs.clear();
        self.decoder.commit(len);
        loop {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => {
                    let message = Message::read(&frame);
                    let handled = self.reconciler.handle(self.attempt, &message);
                    self.unplaced += u64::from(handled == Handled::Unplaced);
                    tell(&mut self.outputs, self.listened, &message, handled, frame.data);
                }
                Ok(None) => break,
                Err(_) => {
                    self.outputs.push_bare(Kind::Broken);
                    break;
                }
            }
            self.drain();
        }
        self.finish()
    }

    /// Room for a text of `len` bytes.
    pub fn room(&mut self, len: usize) -> *mut u8 {
        self.text.clear();
        self.text.resize(len, 0);
        self.text.as_mut_ptr()
    }

    /// Judges the page in [`Self::room`], which [`Kind::FetchLog`] or [`Kind::FetchStream`] asked for.
    pub fn fetched(&mut self, of_log: bool) -> *const f64 {
        self.outputs.clear();
        let text = mem::take(&mut self.text);
        let page = str::from_utf8(&text).ok().and_then(scan_page);
        if page.and_then(|page| if of_log { self.judge_log(&page) } else { self.judge_stream(&page) }).is_none() {
            self.outputs.push_bare(Kind::Broken);
        }
        self.finish()
    }

    /// Leaves one record that names the stream of the event in [`Self::room`], or none where even that can't be read.
    pub fn stream_of(&mut self) -> *const f64 {
        self.outputs.clear();
        let header = str::from_utf8(&self.text).ok().and_then(|event| scan(event).ok());
        if let Some(stream) = header.and_then(|header| header.stream.decode()) {
            self.outputs.push_name(Kind::Unreadable, 0, &stream);
        }
        self.outputs.finish()
    }

    /// Where nine numbers stand: applied, stale, duplicate, gap, unreadable, discarded, dropped, held, and the cursor's
    /// sequence, below 0 while there is no cursor.
    pub fn counts(&mut self) -> *const f64 {
        let counts = self.reconciler.counts();
        let cursor = match self.reconciler.resume() {
            After::Position(position) => position.sequence.get() as f64,
            After::Earliest | After::Latest => -1.0,
        };
        self.counts = [
            counts.applied,
            counts.stale,
            counts.duplicate,
            counts.gap,
            counts.unreadable + self.unplaced,
            counts.discarded,
            counts.dropped,
            self.reconciler.held() as u64,
            0,
        ]
        .map(|count| count as f64);
        self.counts[8] = cursor;
        self.counts.as_ptr()
    }
}

impl Session {
    fn judge_log(&mut self, page: &Page<'_>) -> Option<()> {
        let (arrivals, end) = page.arrivals()?;
        let mut last = page.prev?;
        for arrival in arrivals {
            last = arrival.position.sequence;
            let message = Message::Event(arrival);
            let handled = self.reconciler.handle(self.attempt, &message);
            tell(&mut self.outputs, self.listened, &message, handled, arrival.envelope);
            self.drain();
        }
        self.reconciler.caught_up(self.attempt, end, last);
        self.reconciler.fetched(self.attempt);
        Some(())
    }

    fn judge_stream(&mut self, page: &Page<'_>) -> Option<()> {
        let After::Position(cursor) = self.reconciler.resume() else { return None };
        for envelope in &page.events {
            if let Some(verdict) = self.reconciler.stream_event(self.attempt, envelope) {
                match scan(envelope) {
                    Ok(header) => {
                        let position = Position::new(cursor.epoch, header.sequence);
                        tell_event(&mut self.outputs, self.listened, verdict, position, envelope);
                    }
                    Err(_) => self.outputs.push(Kind::Unplaced, envelope),
                }
            }
            self.drain();
        }
        self.reconciler.fetched(self.attempt);
        Some(())
    }

    fn drain(&mut self) {
        while let Some(output) = self.reconciler.poll() {
            match output {
                Output::Released { verdict, position, envelope } => {
                    tell_event(&mut self.outputs, self.listened, verdict, position, &envelope);
                }
                Output::Lost { stream, from, to } => self.outputs.push_lost(&stream, from, to),
                Output::Fetch(Missing::Log { after }) => self.outputs.push_at(Kind::FetchLog, after, "0"),
                Output::Fetch(Missing::Stream { stream, from }) => {
                    self.outputs.push_name(Kind::FetchStream, from.get(), &stream);
                }
                Output::Reconnect => self.outputs.push_bare(Kind::Reconnect),
            }
        }
    }

    fn finish(&mut self) -> *const f64 {
        self.drain();
        if let After::Position(position) = self.reconciler.resume() {
            self.outputs.tell_epoch(position.epoch);
        }
        self.outputs.finish()
    }
}

/// Leaves a record of what a message meant.
fn tell(outputs: &mut Outputs, listened: u32, message: &Message<'_>, handled: Handled, data: &str) {
    match (handled, message) {
        (Handled::Event(verdict), Message::Event(arrival)) => {
            tell_event(outputs, listened, verdict, arrival.position, data);
        }
        (Handled::Control(ControlKind::Reset(_)), Message::Control { position: Some(position), .. }) => {
            outputs.push_at(Kind::Reset, *position, data);
        }
        (Handled::Control(ControlKind::Ready), _) => outputs.push(Kind::Ready, data),
        (Handled::Control(ControlKind::Goodbye), _) => outputs.push(Kind::Goodbye, data),
        (Handled::Control(ControlKind::Error), _) => outputs.push(Kind::Error, data),
        (Handled::Unplaced, _) => outputs.push(Kind::Unplaced, data),
        _ => {}
    }
}

fn tell_event(outputs: &mut Outputs, listened: u32, verdict: Verdict, position: Position, envelope: &str) {
    let kind = Kind::from(verdict);
    let always = matches!(verdict, Verdict::Apply | Verdict::Unreadable);
    if always || listened & (1 << kind as u32) != 0 {
        outputs.push_at(kind, position, envelope);
    }
}
