//! Whether a report is still about the current code, by what the report says of it: its version, what its actor knew, its hash.
//!
//! The three are asked in this order, and the answer says which of them decided. What is absent decides nothing. Clocks that know nothing of
//! each other are an answer of their own: they prove neither.

use serde::{Deserialize, Serialize};

use crate::{
    clock::{self, VectorClock},
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// The versions.
    Version,
    /// The vector clocks.
    Clock,
    /// The hashes.
    Hash,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
