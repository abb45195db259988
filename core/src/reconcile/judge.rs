//! What an event means by the protocol's table, and what it moves in its stream.

use super::{Reconciler, Verdict, marks::Place};
use crate::{
    envelope::{Header, scan},
    mutation::{Mutation, mutated},
    version::{HighWater, Revision, Sequence, Version},
};

/// What an event is judged by, taken from its envelope.
pub(super) struct Subject<'a> {
    pub(super) stream: &'a [u8],
    pub(super) sequence: Sequence,
    pub(super) revision: Revision,
    pub(super) version: Version,
}

/// A verdict, and where the mark is by which it was made.
pub(super) struct Judgement {
    pub(super) verdict: Verdict,
    pub(super) place: Place,
}

impl<'a> Subject<'a> {
    /// `None` where the header can't be read.
    pub(super) fn scan(envelope: &'a [u8]) -> Option<Self> {
        let Header { stream, sequence, revision, version } = scan(envelope).ok()?;
        Some(Self { stream: stream.as_bytes(), sequence, revision, version })
    }

    /// `None` also where it says another place than the frame.
    pub(super) fn scan_at(envelope: &'a [u8], sequence: Sequence) -> Option<Self> {
        Self::scan(envelope).filter(|subject| subject.sequence == sequence)
    }
}

impl Reconciler {
    /// The protocol's table, but for what is discarded or held already.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(super) fn judge(&self, sequence: Sequence, prev: Sequence, subject: Option<&Subject<'_>>) -> Judgement {
        let place = self.streams.place(subject.map_or(&[][..], |subject| subject.stream));
        let known = self.streams.at(place).or(self.from_start.then_some(HighWater::default()));
        let mark = subject.zip(known);
        let judged_before = match &mark {
            Some((subject, mark)) => subject.revision <= mark.revision,
            None => sequence <= self.cursor,
        };
        let verdict = match mark {
            _ if judged_before && mutated(Mutation::MissTheKnown) => Verdict::Gap,
            _ if judged_before && !mutated(Mutation::AcceptJudged) => Verdict::Duplicate,
            _ if prev > self.cursor && !mutated(Mutation::IgnorePrev) => Verdict::Gap,
            Some((subject, mark))
                if Some(subject.revision) > mark.revision.next() && !mutated(Mutation::IgnorePrev) =>
            {
                Verdict::Gap
            }
            Some((subject, mark)) if subject.version < mark.version && !mutated(Mutation::IgnoreVersion) => {
                Verdict::Stale
            }
            _ if subject.is_some() => Verdict::Apply,
            _ => Verdict::Unreadable,
        };
        Judgement { verdict, place }
    }

    /// Counts a final verdict and moves the stream's marks.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(super) fn settle(&mut self, judgement: &Judgement, subject: Option<&Subject<'_>>) {
        let count = match judgement.verdict {
            Verdict::Apply => &mut self.counts.applied,
            Verdict::Stale => &mut self.counts.stale,
            Verdict::Duplicate => &mut self.counts.duplicate,
            Verdict::Unreadable => &mut self.counts.unreadable,
            Verdict::Gap => &mut self.counts.gap,
        };
        *count += 1;
        let Some(&Subject { stream, sequence, revision, version }) = subject else { return };
        let place = judgement.place;
        let mark = match judgement.verdict {
            Verdict::Apply => HighWater { revision, version, sequence },
            Verdict::Stale => HighWater { revision, ..self.streams.at(place).unwrap_or_default() },
            _ => return,
        };
        self.streams.put(place, stream, mark);
    }
}
