//! A subscriber: what it has to get, and a count of what it got.

use anyhow::{Context, Result, ensure};
use mio::{Registry, Token};

use super::{
    answer::Answer,
    transport::{Target, Transport},
};
use crate::event::{PATH, Stamp, TOPIC};

/// An open event stream.
pub(super) struct Subscriber {
    transport: Transport,
    answer: Answer,
    /// The number of the event that has to come next.
    next: u32,
}

impl Subscriber {
    pub(super) fn open(target: &Target, registry: &Registry, token: Token) -> Result<Self> {
        let host = target.host();
        let request = format!("GET {PATH}?topic={TOPIC} HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n\r\n");
        let transport = target.open(request.as_bytes(), registry, token)?;
        Ok(Self { transport, answer: Answer::new(), next: 0 })
    }

    /// Whether the server has begun to answer.
    pub(super) fn has_begun(&self) -> bool {
        self.answer.has_begun()
    }

    /// Takes what has come, and hands on its events.
    ///
    /// # Errors
    /// Where an event is not the one after the last, or the stream ends.
    pub(super) fn go_on(&mut self, buffer: &mut [u8], mut took: impl FnMut(Stamp)) -> Result<()> {
        let Self { transport, answer, next } = self;
        let mut tell = |stamp: Stamp| {
            ensure!(stamp.number == *next, "event {} came where {next} was due", stamp.number);
            *next = next.checked_add(1).context("too many events")?;
            took(stamp);
            Ok(())
        };
        transport.read_all(buffer, |bytes| answer.take(bytes, &mut tell))
    }
}
