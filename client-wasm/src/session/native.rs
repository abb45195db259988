//! What JavaScript does in WebAssembly's memory, for programs that are none: a simulation runs the very session that pages run.

use super::Session;

/// What the last call has left.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Kind, number, and where in the text the element begins and ends, in bytes.
    pub records: &'a [[f64; 4]],
    /// One JSON array.
    pub text: &'a [u8],
}

impl Session {
    /// Judges a chunk of an event stream.
    pub fn take_chunk(&mut self, now: f64, chunk: &[u8]) {
        self.decoder.spare(chunk.len()).copy_from_slice(chunk);
        self.received(now, chunk.len());
    }

    /// Writes into [`Self::room`].
    pub fn take_text(&mut self, text: &[u8]) {
        self.text.clear();
        self.text.extend_from_slice(text);
    }

    /// What the last call has left.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        self.judge.outputs.view()
    }

    /// When [`Event::Timeout`](crate::Event::Timeout) is due, by the clock that `now` is of.
    #[must_use]
    pub fn next_timeout(&self) -> Option<u64> {
        self.subscription.next_timeout()
    }

    /// The numbers of [`Self::counts`].
    pub fn counted(&mut self) -> [f64; 9] {
        self.counts();
        self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Event, Fate};

    const READY: &[u8] =
        b"event: highwater\nprev: 9\ndata: {\"kind\":\"ready\",\"heartbeat_ms\":15000}\nid: k3x9q7ma-9\n\n";

    fn session(after: &str) -> Session {
        let mut session = Session::new();
        session.take_text(after.as_bytes());
        assert!(session.start(8, 1_000, 8, 20_000, 250, 30_000));
        session.happened(0.0, Event::Open as u32, 0, 0);
        session
    }

    #[test]
    fn what_was_acknowledged_before_the_log_is_known_is_sent_to_it_again() {
        for (after, again) in [("latest", 0), ("k3x9q7ma-3", -1)] {
            let mut session = session(after);
            assert_eq!((session.intend(0), session.next_intent()), (0, 0));
            session.became(0, Fate::Recorded as u32, 7.0);
            assert_eq!(session.next_intent(), -1, "it has its answer");
            session.take_chunk(1.0, READY);
            assert_eq!(session.next_intent(), again, "{after}");
        }
    }
}
