//! [`Request`]: a command, and all that goes with it.

use highwater_core::{decider::Origin, stream::StreamName, version::Revision};

use crate::{
    auth::Access,
    store::{CommandKey, CommitError, Expected},
    telemetry::TraceParent,
};

/// A command, and all that goes with it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The entity's name.
    pub entity: String,
    /// The stream that it is for.
    pub stream: StreamName,
    /// `{"type":"…","data":{…}}`. The same command has to be the same text again.
    pub command: String,
    /// Who gives it, and what they say of it. With its id it is carried out once.
    pub origin: Origin,
    /// Where its own stream must be: what whoever gives it has seen. Where it is elsewhere, that is told, and nobody decides again.
    pub expected: Vec<Expected>,
    /// What whoever gives it may append.
    pub access: Access,
    /// The trace that it is part of.
    pub trace: Option<TraceParent>,
}

impl Request {
    /// A command of the program itself, which may everything and expects nothing.
    #[must_use]
    pub fn new(entity: impl Into<String>, stream: StreamName, command: impl Into<String>, origin: Origin) -> Self {
        let (entity, command) = (entity.into(), command.into());
        Self { entity, stream, command, origin, expected: Vec::new(), access: Access::everything(), trace: None }
    }

    /// What the log will know it by. What it expects is not part of it: it may be given again on top of what it lost against.
    pub(super) fn key(&self) -> CommandKey {
        fn text(given: Option<&impl ToString>) -> String {
            given.map(ToString::to_string).unwrap_or_default()
        }
        let origin = &self.origin;
        let said = [
            text(origin.time.as_ref()),
            text(origin.version.as_ref()),
            text(origin.clock.as_ref()),
            text(origin.causation_id.as_ref()),
            text(origin.correlation_id.as_ref()),
        ];
        let asked = [self.entity.as_str(), self.stream.as_str(), self.command.as_str()];
        CommandKey::new(&origin.actor, &origin.command_id, asked.into_iter().chain(said.iter().map(String::as_str)))
    }

    /// Holds what is expected of the own stream against its last revision.
    pub(super) fn check_expected(&self, current: Revision) -> Result<(), CommitError> {
        match self.expected.iter().find(|expected| **expected != Expected::At(current)) {
            None => Ok(()),
            Some(&expected) => Err(CommitError::RevisionConflict { stream: self.stream.clone(), expected, current }),
        }
    }
}
