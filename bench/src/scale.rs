//! How much is measured.

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Scale {
    /// The figures as they are defined
    Full,
    /// The same with fewer rounds and shorter: to look how a change did
    Quick,
    /// Too little to mean anything: that the measuring works
    Smoke,
}

impl Scale {
    /// One of three, by the scale.
    pub(crate) fn choose<T>(self, full: T, quick: T, smoke: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
            Self::Smoke => smoke,
        }
    }

    /// How often everything is measured, each contender in turn. Odd, for there is a median.
    pub(crate) fn rounds(self) -> usize {
        self.choose(5, 1, 1)
    }
}
