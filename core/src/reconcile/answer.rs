//! What a reconciler answers and asks for.

use crate::{
    control::ControlKind,
    version::{Position, Revision},
};

/// What an event means, in the protocol's order of tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It was judged before, or is held already. It is dropped.
    Duplicate,
    /// Something before it is missing. It is held, and gets its final verdict later.
    Gap,
    /// Its version is below the stream's mark. It is dropped from state.
    Stale,
    /// The state moves.
    Apply,
    /// Its header can't be read, so the state can't move. It is set aside.
    Unreadable,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    /// It belongs to a superseded attempt or to another log, or is a `reset` told again or without its place, and means
    /// nothing.
    Discarded,
    /// It was an event.
    Event(Verdict),
    /// It was a control frame, and what it means for cursor and marks is done.
    Control(ControlKind),
    /// It was data without a position, which nothing can be made of.
    Unplaced,
    /// It was something that this version of the protocol does not know.
    Unknown,
}

/// What the reconciler wants told or done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A held event has got its final verdict.
    Released {
        /// The verdict; never [`Verdict::Gap`].
        verdict: Verdict,
        /// The event's position.
        position: Position,
        /// The event.
        envelope: Box<[u8]>,
    },
    /// These revisions of a stream are not in the log any more: the state goes on without them.
    Lost {
        /// The stream's name, as it stands in JSON.
        stream: Box<[u8]>,
        /// The first revision lost.
        from: Revision,
        /// The last revision lost.
        to: Revision,
    },
    /// Fetch what is missing, hand it in, and say [`Reconciler::fetched`](super::Reconciler::fetched).
    Fetch(Missing),
    /// The connection serves another log, or does not say or give what it should: connect anew.
    Reconnect,
}

/// What is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Events of the set of topics: fetch a page after this position.
    Log {
        /// The cursor.
        after: Position,
    },
    /// Events of one stream, although nothing is missing in the set: fetch a page of that stream.
    Stream {
        /// The stream's name, as it stands in JSON.
        stream: Box<[u8]>,
        /// The first revision that is missing.
        from: Revision,
    },
}

/// How many messages got which answer. But for `gap` these are final: together with [`Reconciler::held`](super::Reconciler::held) they add up to
/// all events handed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Final verdicts [`Verdict::Apply`].
    pub applied: u64,
    /// Final verdicts [`Verdict::Stale`].
    pub stale: u64,
    /// Final verdicts [`Verdict::Duplicate`].
    pub duplicate: u64,
    /// Final verdicts [`Verdict::Unreadable`].
    pub unreadable: u64,
    /// Events of superseded attempts and of other logs.
    pub discarded: u64,
    /// Held events dropped without a verdict, because the hold overflowed or the log was reset. They are fetched anew.
    pub dropped: u64,
    /// Events that had to be held, each besides its final verdict.
    pub gap: u64,
}

impl Counts {
    pub(super) const ZERO: Self =
        Self { applied: 0, stale: 0, duplicate: 0, unreadable: 0, discarded: 0, dropped: 0, gap: 0 };
}
