//! [`Access`]: what a request may do. Routes ask it before they read or append, and know no other rule.

use std::{sync::Arc, time::Duration};

use axum::{extract::FromRequestParts, http::request::Parts};
use highwater_core::{
    envelope::Proposed,
    event::Actor,
    stream::StreamName,
    topic::{Topic, Topics},
};
use tokio::time::Instant;

use super::Unauthorized;
use crate::error::Problem;

/// What the names of the server's own streams begin with.
const SERVERS_SEGMENT: &str = "highwater";

/// Who asks: a token's subject. Cloning is cheap.
pub type Principal = Arc<str>;

/// What a request may do, and for how long. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Access(Arc<Rights>);

/// As granted by a token.
#[derive(Debug)]
pub(super) struct Rights {
    pub(super) principal: Option<Principal>,
    /// `None` grants nothing.
    pub(super) read: Option<Topics>,
    /// `None` grants nothing.
    pub(super) append: Option<Topics>,
    pub(super) sources: Sources,
    pub(super) operate: bool,
    pub(super) import: bool,
    pub(super) expires_at: Option<Instant>,
}

/// The sources that events may have.
#[derive(Debug)]
pub(super) enum Sources {
    Any,
    Only(Vec<Actor>),
}

/// What a token does not grant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// To read a topic.
    #[error("the token may not read all of topic '{0}': ask for topics within those that it names")]
    Read(Topic),
    /// To append to a stream.
    #[error("event {index}: the token may not append to stream '{stream}'")]
    Append {
        /// Which event of the request, from 0.
        index: usize,
        /// Its stream.
        stream: StreamName,
    },
    /// To append as a source.
    #[error("event {index}: the token may not append as source '{actor}'")]
    Source {
        /// Which event of the request, from 0.
        index: usize,
        /// Its source.
        actor: Actor,
    },
    /// To put events as they are into a stream that takes commands.
    #[error("event {index}: the token may not import into stream '{stream}', which takes commands")]
    Import {
        /// Which event of the request, from 0.
        index: usize,
        /// Its stream.
        stream: StreamName,
    },
    /// To see how the server does.
    #[error("the token may not operate the server")]
    Operate,
}

impl Access {
    pub(super) fn new(rights: Rights) -> Self {
        Self(Arc::new(rights))
    }

    /// Everything, for ever: what everyone may where no keys are set.
    #[must_use]
    pub fn everything() -> Self {
        let all = Topics::new(["**"]).ok();
        Self::new(Rights {
            principal: None,
            read: all.clone(),
            append: all,
            sources: Sources::Any,
            operate: true,
            import: true,
            expires_at: None,
        })
    }

    /// Who asks: the token's subject. `None` where no token is asked for.
    #[must_use]
    pub fn principal(&self) -> Option<&Principal> {
        self.0.principal.as_ref()
    }

    /// When whatever was begun with this has to end.
    #[must_use]
    pub fn expires_at(&self) -> Option<Instant> {
        self.0.expires_at
    }

    /// How long this holds. `None` is for ever.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.0.expires_at.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Whether all of these topics may be read: each has to lie within one that is granted.
    ///
    /// # Errors
    /// [`Forbidden`] names the first that may not.
    pub fn read(&self, topics: &Topics) -> Result<(), Forbidden> {
        let granted = |topic: &&Topic| self.0.read.as_ref().is_some_and(|granted| granted.contains(topic));
        match topics.iter().find(|topic| !granted(topic)) {
            None => Ok(()),
            Some(topic) => Err(Forbidden::Read(topic.clone())),
        }
    }

    /// Whether a stream may be read. Who may not is answered as if it had no event.
    #[must_use]
    pub fn may_read(&self, stream: &StreamName) -> bool {
        self.0.read.as_ref().is_some_and(|granted| granted.matches(stream.as_str()))
    }

    /// Whether these events may be appended: each to its stream, as its source. What is appended to the server's own streams, operators ask
    /// of it.
    ///
    /// # Errors
    /// [`Forbidden`] names the first that may not.
    pub fn append(&self, events: &[Proposed]) -> Result<(), Forbidden> {
        for (index, Proposed { event, .. }) in events.iter().enumerate() {
            self.append_to(&event.stream, &event.source, index)?;
        }
        Ok(())
    }

    /// Whether an event of this source, at this place in its request, may be appended to a stream.
    ///
    /// # Errors
    /// [`Forbidden`] says what may not be.
    pub fn append_to(&self, stream: &StreamName, source: &Actor, index: usize) -> Result<(), Forbidden> {
        let is_granted = self.0.append.as_ref().is_some_and(|granted| granted.matches(stream.as_str()));
        let is_servers = stream.segments().next() == Some(SERVERS_SEGMENT);
        if !is_granted || is_servers && !self.0.operate {
            return Err(Forbidden::Append { index, stream: stream.clone() });
        }
        if !self.0.sources.contain(source) {
            return Err(Forbidden::Source { index, actor: source.clone() });
        }
        Ok(())
    }

    /// Whether events may be appended, as they are, to streams that take commands.
    #[must_use]
    pub fn may_import(&self) -> bool {
        self.0.import
    }

    /// Whether something may be asked for in an actor's name.
    ///
    /// # Errors
    /// [`Forbidden`] where the token does not name that actor among its sources.
    pub fn act_as(&self, actor: &Actor) -> Result<(), Forbidden> {
        match self.0.sources.contain(actor) {
            true => Ok(()),
            false => Err(Forbidden::Source { index: 0, actor: actor.clone() }),
        }
    }

    /// Whether what is told to operators may be seen.
    ///
    /// # Errors
    /// [`Forbidden`] where it may not.
    pub fn operate(&self) -> Result<(), Forbidden> {
        if self.0.operate { Ok(()) } else { Err(Forbidden::Operate) }
    }
}

impl Sources {
    fn contain(&self, actor: &Actor) -> bool {
        match self {
            Self::Any => true,
            Self::Only(actors) => actors.contains(actor),
        }
    }
}

/// What the layer over the routes has found out. A route that is not under it can't be used.
impl<S: Send + Sync> FromRequestParts<S> for Access {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get().cloned().ok_or(Problem::Unauthorized(Unauthorized::Missing))
    }
}
