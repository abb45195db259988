//! The real client: the same reducer, behind the core's reconciler.

use highwater_core::{
    event::Event,
    reconcile::{Counts, Verdict},
    version::Sequence,
};

use crate::{
    demo::{facts::Fact, fold::Tasks},
    remote::Via,
};

/// What it shows, and every verdict that was given.
#[derive(Debug, Default)]
pub(super) struct RealClient {
    pub(super) tasks: Tasks,
    /// In the order that they were given.
    pub(super) verdicts: Vec<Judged>,
    pub(super) counts: Counts,
}

/// A verdict on one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) sequence: Sequence,
    pub(super) verdict: Verdict,
    pub(super) via: Via,
}

impl RealClient {
    /// Takes an event with its verdict.
    pub(super) fn receive(&mut self, event: &Event, sequence: Sequence, verdict: Verdict, via: Via) {
        self.verdicts.push(Judged { sequence, verdict, via });
        if verdict == Verdict::Apply
            && let Some(fact) = Fact::read(event)
        {
            self.tasks.entry(event.stream.clone()).or_default().evolve(event, &fact);
        }
    }
}
