//! Extractions: what they are asked for is read, and what is found is proposed.

use highwater_core::{
    decider::Decider,
    domain::knowledge::{Extracted, ExtractionFailed, ExtractionPhase, Knowledge, KnowledgeCommand, KnowledgeState},
    stream::StreamName,
};

use super::{Cause, Work, WorkError, WorkOutcome};

impl Work {
    pub(super) async fn extract(&self, cause: &Cause) -> Result<WorkOutcome, WorkError> {
        let knowledge = self.state::<Knowledge>(&cause.stream).await?;
        let KnowledgeState::Extraction(extraction) = knowledge.state() else {
            return Ok(WorkOutcome::Nothing);
        };
        if extraction.phase != ExtractionPhase::Requested {
            return Ok(WorkOutcome::Nothing);
        }
        let heard = self.heard(extraction, cause).await?;
        let id = cause.stream.segments().last().unwrap_or_default();
        let found = {
            let _place = self.reading.acquire().await.map_err(|_| WorkError::ShuttingDown)?;
            self.extractor.extract(id, &heard).await
        };
        let recorded = match found {
            Ok(proposals) => {
                let found = KnowledgeCommand::RecordExtraction(Extracted { proposals });
                self.say(Knowledge::ENTITY, cause, "extract", &found).await
            }
            Err(error) => return self.fail_extraction(cause, error.to_string()).await,
        };
        match recorded {
            Err(error) if error.may_pass() => Err(error.into()),
            // What an extractor proposes may be what nobody can propose, or too much for the log: that, too, is told.
            Err(error) => self.fail_extraction(cause, error.to_string()).await,
            Ok(()) => Ok(WorkOutcome::Done),
        }
    }

    async fn fail_extraction(&self, cause: &Cause, reason: String) -> Result<WorkOutcome, WorkError> {
        let failed = KnowledgeCommand::FailExtraction(ExtractionFailed { reason });
        self.say(Knowledge::ENTITY, cause, "fail", &failed).await?;
        Ok(WorkOutcome::Failed)
    }
}

/// The space that a stream `space:{space}:…` is in.
pub(super) fn space(stream: &StreamName) -> &str {
    stream.segments().nth(1).unwrap_or_default()
}
