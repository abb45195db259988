//! What reviews of a run's proposals are to the run.

use super::{Accuracy, AnalysisRun, AnalysisRunState, Outcome, Phase, ProposalReviewed, Reviewed};
use crate::{
    decider::{Context, Rejection},
    event::NewEvent,
};

/// Counts the review of the proposal that the command is for. The last one that a completed run waits for makes it reviewed. A run that
/// failed or was cancelled has its reviews counted too, and stays what it is.
pub(in crate::domain) fn count_review(
    run: &str,
    outcome: Outcome,
    context: &Context<'_>,
) -> Result<Vec<NewEvent>, Rejection> {
    let stream = context.beside("analysis_runs", run)?;
    let state = context.of::<AnalysisRun>(&stream)?.state();
    let counted = ProposalReviewed { proposal: context.id().to_owned(), outcome };
    let mut events = vec![context.event_in(&stream, &counted)];
    if state.phase == Phase::Completed && state.proposals_pending <= 1 {
        events.push(context.event_in(&stream, &Reviewed {}));
    }
    Ok(events)
}

impl AnalysisRunState {
    pub(super) fn proposal_reviewed(&mut self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Approved => &mut self.proposals_approved,
            Outcome::Rejected => &mut self.proposals_rejected,
            Outcome::Merged => &mut self.proposals_merged,
        };
        *counter = counter.saturating_add(1);
        self.proposals_pending = self.proposals_pending.saturating_sub(1);
    }

    /// How good the proposals were. Of none, nothing can be said.
    pub(super) fn accuracy_now(&self) -> Option<Accuracy> {
        let permille = |count: u32| {
            let share = (u64::from(count) * 1_000).checked_div(self.proposals_total.into())?;
            u32::try_from(share).ok()
        };
        Some(Accuracy {
            approved_permille: permille(self.proposals_approved)?,
            merged_permille: permille(self.proposals_merged)?,
            rejected_permille: permille(self.proposals_rejected)?,
        })
    }
}
