//! Pages that are fetched beside the connection: of one stream or one topic they move the marks of streams, never the cursor of the set.

use super::{
    Attempt, Missing, Output, Reconciler, Verdict,
    judge::{Judgement, Subject},
};
use crate::version::{Epoch, HighWater, Revision, Sequence};

impl Reconciler {
    /// Takes one event of a fetched page of a single stream: it moves the stream's marks, never the cursor. What the
    /// set brings in its place is discarded, and so is what belongs to a stream that was not asked for.
    pub fn stream_event(&mut self, attempt: Attempt, envelope: &[u8]) -> Option<Verdict> {
        if attempt != self.attempt {
            self.counts.discarded += 1;
            return None;
        }
        let Some(subject) = Subject::scan(envelope) else {
            self.counts.unreadable += 1;
            return Some(Verdict::Unreadable);
        };
        if !self.is_missing(&subject) {
            self.counts.discarded += 1;
            return None;
        }
        let mut judgement = self.judge(subject.sequence, Sequence::ZERO, Some(&subject));
        if judgement.verdict == Verdict::Gap {
            self.lose(subject.stream, subject.revision);
            judgement = self.judge(subject.sequence, Sequence::ZERO, Some(&subject));
        }
        self.settle(&judgement, Some(&subject));
        Some(judgement.verdict)
    }

    /// Takes one event of a topic that is being added to the set, of a page of that topic alone; `from_start` says whether such
    /// pages were read from the log's beginning on. It moves the stream's marks, never the cursor: the next connection brings
    /// what overlaps, as duplicates. `None` means that it is of another log.
    pub fn added_event(&mut self, epoch: Epoch, from_start: bool, envelope: &[u8]) -> Option<Verdict> {
        if *self.epoch.get_or_insert(epoch) != epoch {
            self.counts.discarded += 1;
            return None;
        }
        let Some(subject) = Subject::scan(envelope) else {
            self.counts.unreadable += 1;
            return Some(Verdict::Unreadable);
        };
        let mark = self.known(subject.stream);
        let verdict = match mark.revision {
            known if subject.revision <= known => Verdict::Duplicate,
            _ if subject.version < mark.version => Verdict::Stale,
            _ => Verdict::Apply,
        };
        // Before a stream's first event in pages that begin later there may be others.
        if verdict != Verdict::Duplicate && (from_start || self.streams.get(subject.stream).is_some()) {
            self.lose(subject.stream, subject.revision);
        }
        self.settle(&Judgement { verdict, place: self.streams.place(subject.stream) }, Some(&subject));
        Some(verdict)
    }

    /// What is lost before the event of a page that was taken last: it is to be told before that.
    pub fn lost(&mut self) -> Option<Output> {
        self.lost.take()
    }

    /// Takes word that a fetch is at its end, whatever it brought. One that failed is no reason to call this: connect anew.
    pub fn fetched(&mut self, attempt: Attempt) {
        if attempt != self.attempt {
            return;
        }
        match self.fetching.take() {
            // The server says there is more and does not give it.
            Some(Missing::Log { after }) if after.sequence == self.cursor && self.wanted > self.cursor => {
                self.reconnect = true;
            }
            Some(Missing::Stream { stream, from }) if self.first_missing(&stream) == from => {
                let first = self.hold.first().and_then(|(_, held)| Subject::scan(&held.envelope));
                if let Some(before) = first.filter(|first| *first.stream == *stream).map(|first| first.revision) {
                    self.lose(&stream, before);
                }
            }
            _ => {}
        }
    }
}

impl Reconciler {
    /// Whether a stream's event can be what the fetch of that stream is for: it lies before what waits for it.
    fn is_missing(&self, subject: &Subject<'_>) -> bool {
        let asked_for = match &self.fetching {
            Some(Missing::Stream { stream, .. }) => **stream == *subject.stream,
            _ => false,
        };
        let awaited = self.hold.first().is_some_and(|(held, _)| subject.sequence < held);
        asked_for && (awaited || subject.sequence <= self.cursor)
    }

    /// Goes on before this revision of a stream without what lies between: it is not to be had.
    fn lose(&mut self, stream: &[u8], before: Revision) {
        let mark = self.known(stream);
        let from = mark.revision.next().unwrap_or(Revision::MAX);
        if let Some(last) = before.previous().filter(|last| from <= *last) {
            self.lost = Some(Output::Lost { stream: stream.into(), from, to: last });
            self.streams.set(stream, HighWater { revision: last, ..mark });
        }
    }
}
