//! Analysis runs: those that were started here are executed, window after window; those of others are watched.

use std::{collections::BTreeMap, time::Duration};

use highwater_core::{
    decider::Decider,
    domain::{
        analysis_run::{
            AnalysisRun, AnalysisRunState, BATCH_PROPOSALS_MAX, Batch, BatchProposal, Failed, Phase, RunCommand,
            windows::{WINDOW, WINDOW_ITEMS_MAX, windows},
        },
        knowledge::{Item, Knowledge, KnowledgeEvent, Topic},
    },
    time::Timestamp,
    upcast::{self, Read},
};

use super::{Cause, Work, WorkError, WorkOutcome};
use crate::{analysis::Known, commands::CommandError, now::now, store::Unavailable};

/// The most topics and atoms that a run reads: the last ones.
const KNOWN_MAX: usize = 10_000;

/// What is approved, with when it was said; and all topics by their ids.
type Approved = (Vec<(Timestamp, Known)>, BTreeMap<String, Topic>);

impl Work {
    /// Executes a run that was started for this server.
    pub(super) async fn see_to_run(&self, cause: &Cause) -> Result<WorkOutcome, WorkError> {
        let run = self.state::<AnalysisRun>(&cause.stream).await?;
        if run.state().phase != Phase::Running {
            return Ok(WorkOutcome::Nothing);
        }
        if run.state().is_expired(now()) {
            return self.watch(cause).await;
        }
        match self.execute(run.state(), cause).await {
            Err(error) if !error.may_pass() => self.give_up(cause, error.to_string()).await,
            other => other,
        }
    }

    /// Reads window after window. What a window gave is recorded before the next is read.
    async fn execute(&self, run: &AnalysisRunState, cause: &Cause) -> Result<WorkOutcome, WorkError> {
        let (items, topics) = self.known(run, cause).await?;
        let windows = windows(items, WINDOW, WINDOW_ITEMS_MAX);
        let total = u32::try_from(windows.len()).unwrap_or(u32::MAX);
        let id = cause.stream.segments().last().unwrap_or_default();
        for (index, window) in (0..total).zip(windows) {
            // Batches are recorded in their order: after a crash, those before are there already.
            if index < run.batches {
                continue;
            }
            let window: Vec<Known> = window.into_iter().map(|(_, known)| known).collect();
            let patience = Duration::from_millis(u64::from(run.lease_ms) / 2);
            let tasks = {
                let _place = self.reading.acquire().await.map_err(|_| WorkError::ShuttingDown)?;
                tokio::time::timeout(patience, self.analyst.analyze(&window, &topics)).await
            };
            let tasks = match tasks {
                Ok(Ok(tasks)) => tasks,
                Ok(Err(error)) => return self.give_up(cause, error.to_string()).await,
                Err(_) => return self.give_up(cause, format!("window {index} was not read in {patience:?}")).await,
            };
            let proposals = tasks.into_iter().take(BATCH_PROPOSALS_MAX).enumerate();
            let proposals =
                proposals.map(|(at, task)| BatchProposal { id: format!("{id}-{index}-{at}"), task }).collect();
            let command = RunCommand::RecordBatch(Batch { index, proposals, done: index + 1, total });
            self.say(AnalysisRun::ENTITY, cause, &format!("batch {index}"), &command).await?;
        }
        self.say(AnalysisRun::ENTITY, cause, "complete", &RunCommand::Complete {}).await?;
        Ok(WorkOutcome::Done)
    }

    /// Has the run fail, unless it has ended already.
    async fn give_up(&self, cause: &Cause, reason: String) -> Result<WorkOutcome, WorkError> {
        let failed = RunCommand::Fail(Failed { reason });
        match self.say(AnalysisRun::ENTITY, cause, "fail", &failed).await {
            Err(CommandError::Refused(_)) => Ok(WorkOutcome::Nothing),
            other => Ok(other.map(|()| WorkOutcome::Failed)?),
        }
    }

    /// Waits until the run has ended, or its lease has run out: then it fails.
    pub(super) async fn watch(&self, cause: &Cause) -> Result<WorkOutcome, WorkError> {
        loop {
            let run = self.state::<AnalysisRun>(&cause.stream).await?;
            if run.state().phase != Phase::Running {
                return Ok(WorkOutcome::Nothing);
            }
            let until = run.state().lease_until.unwrap_or(Timestamp::UNIX_EPOCH);
            if run.state().is_expired(now()) {
                match self.say(AnalysisRun::ENTITY, cause, &format!("expire {until}"), &RunCommand::Expire {}).await {
                    // It was heard of meanwhile.
                    Err(CommandError::Refused(_)) => continue,
                    other => return Ok(other.map(|()| WorkOutcome::Failed)?),
                }
            }
            let left_us = until.unix_micros().saturating_sub(now().unix_micros()).max(0).unsigned_abs();
            tokio::select! {
                () = tokio::time::sleep(Duration::from_micros(left_us) + Duration::from_millis(1)) => {}
                () = self.broker.closing().cancelled() => return Err(WorkError::ShuttingDown),
            }
        }
    }

    /// What was approved in the run's space by the time that it was started, and said in its period.
    async fn known(&self, run: &AnalysisRunState, cause: &Cause) -> Result<Approved, Unavailable> {
        let (mut items, mut topics) = (Vec::new(), BTreeMap::new());
        self.fold(cause, "knowledge", |stream, event| {
            let item = match upcast::read::<Knowledge>(event) {
                Read::Event(KnowledgeEvent::TopicCreated(created)) => Item::Topic(created.topic),
                Read::Event(KnowledgeEvent::AtomCreated(created)) => Item::Atom(created.atom),
                _ => return,
            };
            if let (Item::Topic(topic), Some(id)) = (&item, stream.segments().last()) {
                topics.insert(id.to_owned(), topic.clone());
            }
            let said = item.said_at();
            if run.since.is_none_or(|since| since <= said) && run.until.is_none_or(|until| said < until) {
                items.push((said, Known { stream: stream.clone(), item }));
            }
        })
        .await?;
        let surplus = items.len().saturating_sub(KNOWN_MAX);
        items.drain(..surplus);
        Ok((items, topics))
    }
}
