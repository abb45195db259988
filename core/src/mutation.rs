//! Switches that break what the invariants rest on, one at a time. `tests/sim` turns each of them on and has to see it.
//!
//! Only the feature `mutations` makes switches of them, which nothing but that simulation turns on. Without it they are constants.

/// Makes the enum, and a list of all.
macro_rules! mutations {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// One way to be wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mutation {
            $($(#[$doc])* $name,)*
        }

        impl Mutation {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name)),*
                }
            }
        }
    };
}

mutations! {
    /// What was judged is judged again, by reconciler and state.
    AcceptJudged,
    /// What another log says is taken for ours.
    ForgetEpoch,
    /// What is missing in the set, and in its streams, is not missed.
    IgnorePrev,
    /// A control frame's id is the cursor, whatever came before.
    HeartbeatIsCursor,
    /// An older version is like any other.
    IgnoreVersion,
    /// A reset leaves the marks of streams.
    KeepMarks,
    /// A reset that is told again is heeded again.
    ResetTwice,
    /// What is held moves the cursor.
    CursorOverHeld,
    /// The hold has no bound.
    HoldUnbounded,
    /// What is held goes before what it waits for.
    ReleaseEarly,
    /// A reader from `latest` begins with what comes first.
    BeginAtFirst,
    /// The next connection goes on in the frame that the last one cut.
    KeepTornFrame,
    /// A chunk's end is a line's.
    ChunkEndsLine,
    /// Silence is never too long.
    WaitForever,
    /// A stream that is kept back is asked for again and again.
    NeverPoll,
    /// An intent is settled by its answer.
    SettleByAnswer,
    /// Intents are sent without waiting for those before.
    SendAtOnce,
    /// An answer that nobody got is a refusal.
    UnknownIsRefusal,
    /// After a reset, what the old log had is not sent again.
    KeepAcknowledged,
    /// What a shared connection brings for other tabs is taken for ours.
    TakeOthers,
    /// What it brings for other tabs moves the cursor, whatever was missed before.
    OthersAreCursor,
    /// A tab that another one feeds goes on with the connection that it had.
    FedConnects,
    /// A tab that is fed does not say that it lacks something.
    FedIsSilent,
    /// The state moves by what is stale.
    MoveByStale,
    /// A reader is live before its ring has come as far as its history.
    LiveTooEarly,
    /// A ring that has let go of batches goes on with what it has.
    SkipOverrun,
    /// A batch that is half known is sent whole.
    SendBatchWhole,
    /// A heartbeat tells the head, whatever was sent.
    TellHead,
    /// The `prev` of an event is the event before it in the log.
    PrevOfLog,
    /// Any cursor is one of this log.
    TakeAnyCursor,
    /// The answer goes out before anything is durable.
    AnswerFirst,
    /// The head is raised before anything is durable.
    ShowFirst,
    /// The witness is not written.
    NoWitness,
    /// The witness is not asked.
    TrustAnyLog,
    /// A refused commit is not rolled back.
    KeepRefused,
    /// What a commit expects is not looked at.
    ExpectNothing,
    /// The clock of recording follows the machine's, also back.
    TimeGoesBack,
    /// A derived clock knows nothing of its cause.
    ForgetCause,
    /// A command that was carried out is carried out again.
    ForgetCommands,
    /// Another command under a key that is taken is answered as the first one.
    TakeAnyCommand,
    /// An event that is in the log is stored again.
    ForgetEvents,
    /// A stream's revisions count what is in the log.
    CountTheLog,
    /// The head is raised before the disk has what was written.
    ShowUnsynced,
    /// Event streams end without a word.
    LeaveInSilence,
    /// Who has lost a connection waits for nothing.
    NeverAgain,
    /// Who has lost a connection asks again at once, whatever it was told.
    AskAtOnce,
    /// A judged event is missed before it is known.
    MissTheKnown,
    /// A state at a moment is the one of now.
    PastIsPresent,
    /// A state in memory is taken for a later one.
    StateGoesBack,
    /// New code has the version of the code before.
    RaiseNothing,
    /// A report of other code is pending like any other.
    TakeStaleReports,
    /// A correction answers all reports.
    ClearAllReports,
}

#[cfg(feature = "mutations")]
mod switch {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::Mutation;

    /// One more than the number of the one that is on.
    static ON: AtomicU8 = AtomicU8::new(0);

    /// Turns one on in the whole program, and all others off.
    pub fn mutate(mutation: Option<Mutation>) {
        ON.store(mutation.map_or(0, |mutation| mutation as u8 + 1), Ordering::Relaxed);
    }

    /// Whether this one is on.
    #[must_use]
    pub fn mutated(mutation: Mutation) -> bool {
        ON.load(Ordering::Relaxed) == mutation as u8 + 1
    }
}

#[cfg(feature = "mutations")]
pub use switch::{mutate, mutated};

/// Whether this one is on: none is.
#[cfg(not(feature = "mutations"))]
#[must_use]
pub const fn mutated(_: Mutation) -> bool {
    false
}
