//! Whether the checker sees: every switch of `core/src/mutation.rs` breaks some of SPEC.md's invariants, and a bounded number of seeds has to
//! show one of just these. What else goes wrong on the way, a panic above all, proves nothing.

use highwater_core::mutation::Mutation;

/// By which invariants each has to be seen.
#[must_use]
pub const fn breaks(mutation: Mutation) -> &'static [u32] {
    match mutation {
        Mutation::MissTheKnown | Mutation::KeepMarks => &[7],
        Mutation::AcceptJudged
        | Mutation::ForgetEpoch
        | Mutation::IgnoreVersion
        | Mutation::ReleaseEarly
        | Mutation::KeepTornFrame
        | Mutation::ChunkEndsLine
        | Mutation::WaitForever
        | Mutation::NeverPoll
        | Mutation::KeepAcknowledged
        | Mutation::TakeOthers => &[8],
        Mutation::IgnorePrev | Mutation::OthersAreCursor => &[8, 10],
        Mutation::HeartbeatIsCursor | Mutation::CursorOverHeld => &[10],
        Mutation::HoldUnbounded => &[11],
        Mutation::BeginAtFirst => &[12],
        Mutation::ResetTwice => &[13],
        Mutation::CountTheLog => &[15],
        Mutation::ShowUnsynced => &[16],
        Mutation::AnswerFirst | Mutation::ShowFirst | Mutation::TakeAnyCursor => &[17],
        Mutation::KeepRefused | Mutation::ExpectNothing => &[18],
        Mutation::ForgetEvents => &[19],
        Mutation::ForgetCause => &[20],
        Mutation::TimeGoesBack => &[21],
        Mutation::NoWitness | Mutation::TrustAnyLog => &[22],
        Mutation::LiveTooEarly
        | Mutation::SkipOverrun
        | Mutation::SendBatchWhole
        | Mutation::TellHead
        | Mutation::PrevOfLog => &[24],
        Mutation::LeaveInSilence => &[26],
        Mutation::NeverAgain => &[40],
        Mutation::AskAtOnce => &[41],
        Mutation::SettleByAnswer => &[43],
        Mutation::SendAtOnce => &[45],
        Mutation::FedConnects => &[46],
        Mutation::FedIsSilent => &[8, 46],
        Mutation::MoveByStale | Mutation::TakeStaleReports | Mutation::ClearAllReports => &[57],
        Mutation::RaiseNothing => &[58],
        Mutation::ForgetCommands => &[60],
        Mutation::TakeAnyCommand => &[61],
        Mutation::PastIsPresent => &[65],
        Mutation::StateGoesBack => &[68],
        Mutation::UnknownIsRefusal => &[82],
    }
}

#[cfg(feature = "mutations")]
mod trial {
    use std::{collections::BTreeMap, panic};

    use highwater_core::mutation::{Mutation, mutate};

    use super::breaks;
    use crate::seeds::{Failure, first_failure_of};

    /// So many seeds must be enough for each.
    pub const SEEDS_MAX: u64 = 500;

    /// What came of a switch.
    pub struct Trial {
        /// The first seed that shows one of the invariants that it breaks.
        pub seen: Option<Failure>,
        /// What other numbers seeds before it have shown, and how often.
        pub others: BTreeMap<u32, usize>,
    }

    /// Turns one switch on, and looks for the first seed that shows what it breaks.
    #[must_use]
    pub fn try_out(mutation: Mutation) -> Trial {
        let quiet = panic::take_hook();
        panic::set_hook(Box::new(|_| {}));
        mutate(Some(mutation));
        let (seen, others) = first_failure_of(1..1 + SEEDS_MAX, Some(breaks(mutation)));
        mutate(None);
        panic::set_hook(quiet);
        Trial { seen, others }
    }
}

#[cfg(feature = "mutations")]
pub use trial::{SEEDS_MAX, Trial, try_out};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::invariants::told;

    #[test]
    fn every_invariant_that_is_held_is_broken_by_something() {
        let broken: BTreeSet<u32> = Mutation::ALL.iter().flat_map(|mutation| breaks(*mutation)).copied().collect();
        assert_eq!(broken, told().collect());
    }
}
