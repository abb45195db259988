//! [`Decider`]: an entity as two pure functions, after Jérémie Chassaing's pattern. `decide` says which events a command makes,
//! `evolve` what an event makes of the state. Server and browser run the same ones, so a page predicts its own writes with the very rules
//! that will judge them.
//!
//! A command is decided on the state of its stream, and of whatever other streams it asks its [`Context`] for. Where one is not at hand,
//! the answer is [`Rejection::Needs`]: whoever runs the decider loads it and has it decide again. All that was loaded is expected to be
//! where it was when the events are recorded, so that one commit can span several streams.
//!
//! Adding an entity is one file with a `Decider` in it, and one [`Entities::with`].

mod context;
mod entities;
mod events;
mod projection;
pub mod testing;

pub use self::{
    context::{Context, Origin, Streams},
    entities::{Decision, Entities, Entity},
    events::{DomainEvent, EventData},
    projection::{Applied, Folded, InvalidSnapshot, Projection, SetAside},
};
use crate::{
    event::{Event, NewEvent},
    json::Json,
    stream::StreamName,
    upcast::Upcast,
};

/// An entity. See the [module](self).
pub trait Decider: Sized + 'static {
    /// Its name, as in `POST /v1/commands/{entity}/{stream}`; its events' types begin with it.
    const ENTITY: &'static str;
    /// The topic of its streams, such as `space:*:tasks:*`. No two entities' topics may match one stream.
    const STREAMS: &'static str;
    /// To be raised whenever the shape of the state changes, or what `evolve` makes of any event. A snapshot of another schema is not used.
    const SCHEMA: u32;
    /// The older schemas of its events, one step each.
    const UPCASTS: &'static [Upcast] = &[];
    /// The types of those events that may raise their stream's version, which one does by one.
    const RAISING: &'static [&'static str] = &[];

    /// What is so, as far as commands depend on it or somebody shows it. The default is before the first event.
    type State: Clone + Default + PartialEq + Json + Send + Sync;
    /// What may be asked of it: an enum that is `{"type":"…","data":{…}}` as JSON.
    type Command: Json;
    /// What may happen to it. See [`events!`](crate::events).
    type Event: DomainEvent;

    /// Says which events a command makes: none where there is nothing left to do.
    ///
    /// # Errors
    /// [`Rejection`] where it may not be, or depends on what is not loaded.
    fn decide(command: Self::Command, context: &Context<'_>) -> Result<Vec<NewEvent>, Rejection>;

    /// Says what becomes of the state by an event. It is called only for events that the stream's [high-water mark](crate::version::HighWater)
    /// lets pass. `recorded` is the same event with its attributes.
    fn evolve(state: Self::State, event: Self::Event, recorded: &Event) -> Self::State;
}

/// Why a command makes no events.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// It depends on this stream: load it, and decide again.
    #[error("the state of '{0}' is needed to decide")]
    Needs(StreamName),
    /// It may not be.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// What a command is refused for, told to whoever gave it. It is handed through many functions, so it is one word wide.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.detail())]
pub struct Refusal(Box<Reason>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Reason {
    kind: RefusalKind,
    code: &'static str,
    detail: Box<str>,
}

/// What kind of refusal it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The command can't be right, whatever the state.
    Invalid,
    /// There is no such thing.
    NotFound,
    /// The state does not allow it.
    Conflict,
}

impl Refusal {
    /// The command can't be right, whatever the state.
    pub fn invalid(code: &'static str, detail: impl Into<Box<str>>) -> Self {
        Self::new(RefusalKind::Invalid, code, detail.into())
    }

    /// There is no such thing.
    pub fn not_found(code: &'static str, detail: impl Into<Box<str>>) -> Self {
        Self::new(RefusalKind::NotFound, code, detail.into())
    }

    /// The state does not allow it.
    pub fn conflict(code: &'static str, detail: impl Into<Box<str>>) -> Self {
        Self::new(RefusalKind::Conflict, code, detail.into())
    }

    fn new(kind: RefusalKind, code: &'static str, detail: Box<str>) -> Self {
        Self(Box::new(Reason { kind, code, detail }))
    }

    /// Whose fault it is.
    #[must_use]
    pub fn kind(&self) -> RefusalKind {
        self.0.kind
    }

    /// A stable name, for programs: lower-case letters and `_`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// What is in the way and what to do, in a sentence.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }
}

#[cfg(test)]
mod tests;
