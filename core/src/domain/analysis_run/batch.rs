//! What a window gave: each proposal on a stream of its own, and the run's progress, in one commit.

use super::{super::proposal, AnalysisRunState, Batch, BatchProposal, ProgressUpdated, ProposalsCreated};
use crate::{
    decider::{Context, Refusal, Rejection},
    domain::{at_most, not_blank},
    event::NewEvent,
    time::Timestamp,
};

/// The most proposals of one batch.
pub const BATCH_PROPOSALS_MAX: usize = 100;

pub(super) fn record(
    state: &AnalysisRunState,
    batch: Batch,
    context: &Context<'_>,
) -> Result<Vec<NewEvent>, Rejection> {
    state.is_executed_by(&context.origin.actor)?;
    if batch.index < state.batches {
        return Ok(Vec::new());
    }
    check(state, &batch)?;
    let Batch { index, proposals, done, total } = batch;
    let (mut events, mut ids) = (Vec::new(), Vec::new());
    for proposal in proposals {
        ids.push(proposal.id.clone());
        events.push(created(index, proposal, context)?);
    }
    if !ids.is_empty() {
        events.push(context.event(&ProposalsCreated { batch: index, proposals: ids }));
    }
    events.push(context.event(&ProgressUpdated { batch: index, done, total }));
    Ok(events)
}

fn check(state: &AnalysisRunState, batch: &Batch) -> Result<(), Refusal> {
    if batch.index > state.batches {
        let detail = format!("batch {} comes next, and this is {}: record them in order", state.batches, batch.index);
        return Err(Refusal::conflict("batch_out_of_order", detail));
    }
    if batch.done > batch.total || batch.done < state.windows_done {
        let detail = format!("'done' has to be from {} to 'total', which is {}", state.windows_done, batch.total);
        return Err(Refusal::invalid("invalid_progress", detail));
    }
    at_most("proposals", &batch.proposals, BATCH_PROPOSALS_MAX)?;
    for (at, BatchProposal { id, task }) in batch.proposals.iter().enumerate() {
        not_blank("title", &task.title)?;
        at_most("sources", &task.sources, proposal::SOURCES_MAX)?;
        if task.confidence_percent.is_some_and(|percent| percent > 100) {
            return Err(Refusal::invalid("invalid_confidence", "'confidence_percent' has to be 0 to 100"));
        }
        if batch.proposals[..at].iter().any(|other| other.id == *id) {
            return Err(Refusal::invalid("duplicate_id", format!("two proposals have the id '{id}'")));
        }
    }
    Ok(())
}

fn created(batch: u32, proposed: BatchProposal, context: &Context<'_>) -> Result<NewEvent, Rejection> {
    let BatchProposal { id, task } = proposed;
    let stream = context.beside("proposals", &id)?;
    if context.of::<proposal::Proposal>(&stream)?.exists() {
        let detail = format!("there is a proposal '{id}' already: give this one another id");
        return Err(Refusal::conflict("proposal_exists", detail).into());
    }
    let created = proposal::Created { run: context.id().to_owned(), batch, task };
    Ok(context.event_in(&stream, &created))
}

impl AnalysisRunState {
    pub(super) fn proposals_created(&mut self, data: ProposalsCreated, at: Timestamp) {
        let count = u32::try_from(data.proposals.len()).unwrap_or(u32::MAX);
        self.proposals_total = self.proposals_total.saturating_add(count);
        self.proposals_pending = self.proposals_pending.saturating_add(count);
        self.renew_lease(at);
    }

    pub(super) fn progress_updated(&mut self, data: &ProgressUpdated, at: Timestamp) {
        self.batches = data.batch.saturating_add(1);
        (self.windows_done, self.windows_total) = (data.done, data.total);
        let percent = (u64::from(data.done) * 100).checked_div(data.total.into()).unwrap_or(0);
        self.progress_percent = u32::try_from(percent).unwrap_or(u32::MAX);
        self.renew_lease(at);
    }
}
