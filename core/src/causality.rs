//! Whether a report is still about the current code, by what the report says of it: its version, what its actor knew, its hash.
//!
//! The three are asked in this order, and the answer says which of them decided. What is absent decides nothing. Clocks that know nothing of
//! each other are an answer of their own: they prove neither.

use crate::{
    clock::{self, VectorClock},
    json::Json,
    version::Version,
};

/// What is known of some code: the code that a report is about, or that is current.
#[derive(Clone, Copy, Debug)]
pub struct Code<'a> {
    /// Its version.
    pub version: Version,
    /// What the actor knew who wrote it, or reports on it.
    pub clock: &'a VectorClock,
    /// Its hash.
    pub hash: Option<&'a str>,
}

/// Whether a report is about the current code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Json)]
pub enum About {
    /// It is.
    Current,
    /// It is about earlier code.
    Earlier,
    /// It is about code that is not there yet.
    Later,
    /// Nothing proves either: whoever reported did not know of the current code, nor whoever wrote it of the report.
    Concurrent,
}

/// What decided it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Json)]
pub enum Evidence {
    /// The versions.
    Version,
    /// The vector clocks.
    Clock,
    /// The hashes.
    Hash,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Json)]
pub struct Causality {
    /// What the report is about.
    pub about: About,
    /// What decided that.
    pub by: Evidence,
}

/// Says whether a report is about the current code.
#[must_use]
pub fn causality(report: Code<'_>, current: Code<'_>) -> Causality {
    let decided = |about, by| Causality { about, by };
    if report.version < current.version {
        return decided(About::Earlier, Evidence::Version);
    }
    if report.version > current.version {
        return decided(About::Later, Evidence::Version);
    }
    let clocks = (!report.clock.is_empty() && !current.clock.is_empty()).then(|| report.clock.compare(current.clock));
    if clocks == Some(clock::Causality::Before) {
        return decided(About::Earlier, Evidence::Clock);
    }
    match (report.hash, current.hash) {
        (Some(report), Some(current)) if report == current => decided(About::Current, Evidence::Hash),
        // Of one version there is one code; that of another hash is what somebody wrote who was not first.
        (Some(_), Some(_)) => decided(About::Earlier, Evidence::Hash),
        _ => match clocks {
            Some(clock::Causality::Concurrent) => decided(About::Concurrent, Evidence::Clock),
            Some(_) => decided(About::Current, Evidence::Clock),
            None => decided(About::Current, Evidence::Version),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is decided about a report of this version, clock and hash. The current code is version 2, by `b` who knew of `a`, and has the hash
    /// `h2`, unless it has none.
    fn answer(version: u64, clock: &str, hash: Option<&str>, current_hash: Option<&str>) -> (About, Evidence) {
        let (clock, current): (VectorClock, VectorClock) = (clock.parse().unwrap(), "a=1,b=1".parse().unwrap());
        let [version, current_version] = [version, 2].map(|number| Version::new(number).unwrap());
        let report = Code { version, clock: &clock, hash };
        let current = Code { version: current_version, clock: &current, hash: current_hash };
        let Causality { about, by } = causality(report, current);
        (about, by)
    }

    fn about(version: u64, clock: &str, hash: Option<&str>) -> (About, Evidence) {
        answer(version, clock, hash, Some("h2"))
    }

    #[test]
    fn the_version_decides_first() {
        assert_eq!(about(1, "a=1,b=1,c=1", Some("h2")), (About::Earlier, Evidence::Version));
        assert_eq!(about(3, "a=1", Some("h1")), (About::Later, Evidence::Version));
    }

    #[test]
    fn a_clock_that_is_before_decides_next() {
        assert_eq!(about(2, "a=1", Some("h2")), (About::Earlier, Evidence::Clock));
    }

    #[test]
    fn a_hash_decides_what_the_clocks_leave_open() {
        for clock in ["a=1,b=1,c=1", "a=1,b=1", "c=1", ""] {
            assert_eq!(about(2, clock, Some("h2")), (About::Current, Evidence::Hash), "{clock}");
            assert_eq!(about(2, clock, Some("h1")), (About::Earlier, Evidence::Hash), "{clock}");
        }
    }

    #[test]
    fn an_absent_hash_decides_nothing() {
        for (hash, current) in [(None, None), (None, Some("h2")), (Some("h2"), None), (Some("h1"), None)] {
            for (clock, decided) in [
                ("a=1,b=1,c=1", (About::Current, Evidence::Clock)),
                ("a=1,b=1", (About::Current, Evidence::Clock)),
                ("a=1", (About::Earlier, Evidence::Clock)),
                ("a=1,c=1", (About::Concurrent, Evidence::Clock)),
                ("", (About::Current, Evidence::Version)),
            ] {
                assert_eq!(answer(2, clock, hash, current), decided, "{hash:?} {current:?} {clock}");
            }
        }
    }
}
