//! Extractions: what they are asked for is read, and what is found is proposed.

use highwater_core::{
    decider::Decider,
    domain::knowledge::{Extracted, ExtractionFailed, ExtractionPhase, Knowledge, KnowledgeCommand, KnowledgeState},
    event::EventId,
    stream::StreamName,
};

use super::{Work, WorkError, follows_from};
use crate::commands::CommandError;

impl Work {
    pub(super) async fn extract(&self, stream: &StreamName, cause: &EventId) -> Result<(), WorkError> {
        let knowledge = self.state::<Knowledge>(stream).await?;
        let KnowledgeState::Extraction(extraction) = knowledge.state() else { return Ok(()) };
        if extraction.phase != ExtractionPhase::Requested {
            return Ok(());
        }
        let _place = self.reading.acquire().await.map_err(|_| WorkError::ShuttingDown)?;
        let heard = self.heard(extraction, space(stream)).await?;
        let id = stream.segments().last().unwrap_or_default();
        let found = match self.extractor.extract(id, &heard).await {
            Ok(proposals) => KnowledgeCommand::RecordExtraction(Extracted { proposals }),
            Err(error) => KnowledgeCommand::FailExtraction(ExtractionFailed { reason: error.to_string() }),
        };
        match self.say(Knowledge::ENTITY, stream, follows_from(cause, "extract"), &found).await {
            // What an extractor proposes may be what nobody can propose: that, too, is told in the log.
            Err(CommandError::Refused(refusal)) if matches!(found, KnowledgeCommand::RecordExtraction(_)) => {
                let failed = KnowledgeCommand::FailExtraction(ExtractionFailed { reason: refusal.detail });
                Ok(self.say(Knowledge::ENTITY, stream, follows_from(cause, "fail"), &failed).await?)
            }
            other => Ok(other?),
        }
    }
}

/// The space that a stream `space:{space}:…` is in.
pub(super) fn space(stream: &StreamName) -> &str {
    stream.segments().nth(1).unwrap_or_default()
}
