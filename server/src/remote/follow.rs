//! [`Follower`]: a reader of a set of topics who misses nothing: the core's reconciler, fed from a server over HTTP.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use highwater_core::{
    control::{ControlKind, ResetReason},
    envelope::{JsonText, scan, scan_page},
    reconcile::{Arrival, Attempt, Counts, Handled, HoldLimits, Message, Missing, Output, Reconciler, Verdict},
    sse::Decoder,
    topic::Topics,
    version::{After, Position, Revision},
};
use reqwest::Response;
use serde::Deserialize;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{Backoff, Failure, Remote};

/// A connection that says nothing for this many of its heartbeats is given up,
const SILENT_HEARTBEATS: u32 = 3;
/// but not before this: a heartbeat may take its time on the way.
const SILENCE_MIN: Duration = Duration::from_secs(5);
/// However rare a server's heartbeats, nobody waits longer.
const SILENCE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest silence before the server has said how long it may be, by the protocol.
const FIRST_SILENCE: Duration = Duration::from_secs(20);
/// The most events asked for at once.
const PAGE_EVENTS: usize = 1_000;

/// Reads on by [`next`](Self::next), which may be dropped at any time and called again: nothing is lost.
pub(crate) struct Follower {
    remote: Arc<Remote>,
    topics: Topics,
    reconciler: Reconciler,
    connection: Option<Connection>,
    backoff: Backoff,
    /// Not before this is the next connection opened.
    connect_at: Option<Instant>,
    /// Asked for by the reconciler and not yet here.
    missing: Option<Missing>,
    /// What one frame or one page has brought.
    told: VecDeque<Told>,
}

struct Connection {
    attempt: Attempt,
    response: Response,
    decoder: Decoder,
    silence: Duration,
    silent_until: Instant,
    /// When it became live, or first brought something new.
    useful_since: Option<Instant>,
}

/// What a follower tells, in the order that it happened.
#[derive(Debug)]
pub(crate) enum Told {
    /// An event has come and been judged. After [`Verdict::Gap`] it is told again with its final verdict.
    Event {
        verdict: Verdict,
        /// Unknown only where an event can't be read and what brought it does not tell its place.
        position: Option<Position>,
        envelope: Box<str>,
        via: Via,
    },
    /// A connection stands.
    Connected,
    /// There is no connection. The next one is tried after this wait, from this place on.
    Disconnected { why: Failure, wait: Duration, after: After },
    /// The server has spoken of the connection itself.
    Control(ControlKind),
    /// The cursor was of no use to the server, which goes on from another place. What is known is void.
    Reset(ResetReason),
    /// These revisions of a stream can't be had.
    Lost { stream: Box<str>, from: Revision, to: Revision },
}

/// Which way an event has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// In the event stream, just now.
    Stream,
    /// In a page that was asked for to fill a gap.
    Page,
    /// It was held until a gap was filled.
    Hold,
}

impl Follower {
    /// A reader of these topics who starts after this place and has seen nothing.
    pub(crate) fn new(remote: Arc<Remote>, topics: Topics, after: After) -> Self {
        Self {
            remote,
            topics,
            reconciler: Reconciler::new(after, HoldLimits::default()),
            connection: None,
            backoff: Backoff::default(),
            connect_at: None,
            missing: None,
            told: VecDeque::new(),
        }
    }

    /// Up to where everything has been judged.
    pub(crate) fn cursor(&self) -> Option<Position> {
        match self.reconciler.resume() {
            After::Position(position) => Some(position),
            After::Earliest | After::Latest => None,
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.reconciler.counts()
    }

    /// What happens next. Trouble with the network is told and waited out.
    ///
    /// # Errors
    /// [`Failure`] where the server refuses and will go on to, or can't be understood.
    pub(crate) async fn next(&mut self) -> Result<Told, Failure> {
        loop {
            if let Some(told) = self.told.pop_front() {
                return Ok(told);
            }
            if let Err(failure) = self.step().await {
                self.disconnect(failure)?;
            }
        }
    }

    async fn step(&mut self) -> Result<(), Failure> {
        if self.connection.is_none() {
            self.connect().await
        } else if self.missing.is_some() {
            self.fetch().await
        } else if self.judge_frame()? {
            Ok(())
        } else {
            self.receive().await
        }
    }

    async fn connect(&mut self) -> Result<(), Failure> {
        if let Some(at) = self.connect_at {
            sleep_until(at).await;
        }
        let response = self.remote.subscribe(&self.topics, self.reconciler.resume()).await?;
        self.connect_at = None;
        self.missing = None;
        self.connection = Some(Connection {
            attempt: self.reconciler.connect(),
            response,
            decoder: Decoder::new(),
            silence: FIRST_SILENCE,
            silent_until: Instant::now() + FIRST_SILENCE,
            useful_since: None,
        });
        self.told.push_back(Told::Connected);
        Ok(())
    }

    /// Gives the connection up for the next one, if that may do better.
    fn disconnect(&mut self, why: Failure) -> Result<(), Failure> {
        // Where a page is refused for its cursor, the next connection tells how to go on.
        let cursor_refused = self.connection.is_some() && why.is_about_cursor();
        if !why.may_pass() && !cursor_refused {
            return Err(why);
        }
        if let Some(useful_since) = self.connection.take().and_then(|connection| connection.useful_since) {
            self.backoff.served(useful_since.elapsed());
        }
        let wait = self.backoff.next_wait().max(why.retry_after());
        tracing::debug!("{why}; connecting again in {wait:?}");
        self.connect_at = Some(Instant::now() + wait);
        self.told.push_back(Told::Disconnected { why, wait, after: self.reconciler.resume() });
        Ok(())
    }

    async fn receive(&mut self) -> Result<(), Failure> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        let chunk = match timeout_at(connection.silent_until, self.remote.chunk(&mut connection.response)).await {
            Ok(chunk) => chunk?,
            Err(_) => return Err(self.remote.broken_off(format_args!("silent for {:?}", connection.silence))),
        };
        let Some(chunk) = chunk else { return Err(self.remote.broken_off("ended")) };
        connection.heard();
        connection.decoder.push(&chunk);
        Ok(())
    }

    /// Judges the next frame, if one has arrived whole.
    fn judge_frame(&mut self) -> Result<bool, Failure> {
        let Some(connection) = &mut self.connection else { return Ok(false) };
        let frame = connection.decoder.next_frame().map_err(|error| self.remote.unintelligible(error))?;
        let Some(frame) = frame else { return Ok(false) };
        let message = Message::read(&frame);
        match (self.reconciler.handle(connection.attempt, &message), &message) {
            (Handled::Event(verdict), Message::Event(arrival)) => {
                if verdict == Verdict::Apply {
                    connection.useful_since.get_or_insert_with(Instant::now);
                }
                self.told.push_back(Told::event(verdict, arrival, Via::Stream));
            }
            (Handled::Control(kind), _) => {
                if kind == ControlKind::Ready {
                    connection.useful_since.get_or_insert_with(Instant::now);
                }
                self.told.push_back(match kind {
                    ControlKind::Reset(reason) => Told::Reset(reason),
                    kind => Told::Control(kind),
                });
                let body = ControlBody::read(frame.data);
                match kind {
                    ControlKind::Ready if body.heartbeat_ms > 0 => {
                        connection.expect_heartbeats(Duration::from_millis(body.heartbeat_ms));
                    }
                    ControlKind::Goodbye => return Err(self.remote.leaving(Duration::from_millis(body.retry_ms))),
                    ControlKind::Error => return Err(self.remote.broken_off(body.problem.detail)),
                    ControlKind::Ready | ControlKind::Heartbeat | ControlKind::Reset(_) => {}
                }
            }
            (Handled::Unplaced, _) => self.told.push_back(Told::unplaced(frame.data, Via::Stream)),
            _ => {}
        }
        self.drain()?;
        Ok(true)
    }

    async fn fetch(&mut self) -> Result<(), Failure> {
        let (Some(connection), Some(missing)) = (&mut self.connection, &self.missing) else { return Ok(()) };
        let attempt = connection.attempt;
        let json = match missing {
            Missing::Log { after } => self.remote.page(&self.topics, After::Position(*after), PAGE_EVENTS).await?,
            Missing::Stream { stream, from } => self.remote.stream_page(&name(stream), *from).await?,
        };
        // Nobody has listened meanwhile.
        connection.heard();
        let of_log = matches!(missing, Missing::Log { .. });
        self.missing = None;
        let unintelligible = || self.remote.unintelligible("no page of events");
        let page = scan_page(json.as_bytes()).ok_or_else(unintelligible)?;
        if of_log {
            let (arrivals, end) = page.arrivals().ok_or_else(unintelligible)?;
            let mut last = page.prev.unwrap_or_default();
            for arrival in arrivals {
                last = arrival.position.sequence;
                if let Some(verdict) = self.reconciler.event(attempt, &arrival) {
                    self.told.push_back(Told::event(verdict, &arrival, Via::Page));
                }
                self.drain()?;
            }
            self.reconciler.caught_up(attempt, end, last);
        } else {
            for envelope in page.events {
                self.judge_of_stream(attempt, envelope);
                self.drain()?;
            }
        }
        self.reconciler.fetched(attempt);
        self.drain()
    }

    fn judge_of_stream(&mut self, attempt: Attempt, envelope: &[u8]) {
        if let Some(verdict) = self.reconciler.stream_event(attempt, envelope) {
            let place = |cursor: Position| Some(Position::new(cursor.epoch, scan(envelope).ok()?.sequence));
            let position = self.cursor().and_then(place);
            self.told.push_back(Told::Event { verdict, position, envelope: text(envelope), via: Via::Page });
        }
    }

    /// Does what the reconciler asks for, as far as that needs no network.
    fn drain(&mut self) -> Result<(), Failure> {
        while let Some(output) = self.reconciler.poll() {
            match output {
                Output::Released { verdict, position, envelope } => {
                    let envelope = text(&envelope);
                    self.told.push_back(Told::Event { verdict, position: Some(position), envelope, via: Via::Hold });
                }
                Output::Lost { stream, from, to } => {
                    self.told.push_back(Told::Lost { stream: name(&stream), from, to });
                }
                Output::Fetch(wanted) => self.missing = Some(wanted),
                Output::Reconnect => return Err(self.remote.broken_off("what it says does not fit together")),
            }
        }
        Ok(())
    }
}

impl Connection {
    /// The silence begins anew.
    fn heard(&mut self) {
        self.silent_until = Instant::now() + self.silence;
    }

    fn expect_heartbeats(&mut self, every: Duration) {
        self.silence = every.saturating_mul(SILENT_HEARTBEATS).clamp(SILENCE_MIN, SILENCE_MAX);
        self.heard();
    }
}

impl Told {
    fn event(verdict: Verdict, arrival: &Arrival<'_>, via: Via) -> Self {
        Self::Event { verdict, position: Some(arrival.position), envelope: text(arrival.envelope), via }
    }

    fn unplaced(data: &[u8], via: Via) -> Self {
        Self::Event { verdict: Verdict::Unreadable, position: None, envelope: text(data), via }
    }
}

/// What came, as text.
fn text(bytes: &[u8]) -> Box<str> {
    String::from_utf8_lossy(bytes).into()
}

/// The stream's name that stands so in JSON.
fn name(json: &[u8]) -> Box<str> {
    JsonText::from_bytes(json).decode().unwrap_or_default().into()
}

/// What a control frame says beside what the reconciler has made of it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ControlBody {
    heartbeat_ms: u64,
    retry_ms: u64,
    problem: ProblemBody,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ProblemBody {
    detail: String,
}

impl ControlBody {
    /// What can't be read says nothing.
    fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
