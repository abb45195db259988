//! All that was ever learnt of a log. Nothing is summed up: every question is answered by looking through all of it.

use highwater_core::{
    reconcile::Verdict,
    version::{HighWater, Revision, Sequence, Version},
};

use crate::reference::Subject;

/// Something that was learnt.
pub(crate) enum Fact {
    /// Everything up to here is judged.
    Reached(Sequence),
    /// An event got its verdict, `Apply` or `Stale`.
    Judged(Verdict, Subject),
    /// Revisions up to this one are not to be had.
    Lost(&'static str, Revision),
    /// A state was loaded.
    Loaded(&'static str, HighWater),
}

pub(crate) struct History(Vec<Fact>);

impl From<Sequence> for History {
    /// One that begins here.
    fn from(sequence: Sequence) -> Self {
        Self(vec![Fact::Reached(sequence)])
    }
}

impl History {
    pub(crate) fn push(&mut self, fact: Fact) {
        self.0.push(fact);
    }

    pub(crate) fn cursor(&self) -> Sequence {
        let reached = |fact: &Fact| if let Fact::Reached(sequence) = fact { Some(*sequence) } else { None };
        self.0.iter().filter_map(reached).max().unwrap_or_default()
    }

    pub(crate) fn has_seen(&self, stream: &str) -> bool {
        self.of(stream).next().is_some()
    }

    pub(crate) fn last_revision(&self, stream: &str) -> Revision {
        self.of(stream).map(|mark| mark.revision).max().unwrap_or_default()
    }

    pub(crate) fn next_revision(&self, stream: &str) -> Revision {
        self.last_revision(stream).next().unwrap_or(Revision::MAX)
    }

    pub(crate) fn version(&self, stream: &str) -> Version {
        self.of(stream).map(|mark| mark.version).max().unwrap_or_default()
    }

    /// Where a stream stands, if anything of it is known.
    pub(crate) fn mark(&self, stream: &str) -> Option<HighWater> {
        self.has_seen(stream).then(|| HighWater {
            revision: self.last_revision(stream),
            version: self.version(stream),
            sequence: self.of(stream).map(|mark| mark.sequence).max().unwrap_or_default(),
        })
    }

    /// All that is known of a stream. What is stale moves its revision alone.
    fn of(&self, stream: &str) -> impl Iterator<Item = HighWater> {
        self.0.iter().filter_map(move |fact| {
            let (of, mark) = match *fact {
                Fact::Reached(_) => return None,
                Fact::Judged(Verdict::Apply, Subject { stream, sequence, revision, version }) => {
                    (stream, HighWater { revision, version, sequence })
                }
                Fact::Judged(_, Subject { stream, revision, .. }) | Fact::Lost(stream, revision) => {
                    (stream, HighWater { revision, ..HighWater::default() })
                }
                Fact::Loaded(stream, state) => (stream, state),
            };
            (of == stream).then_some(mark)
        })
    }
}
