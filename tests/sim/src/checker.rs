//! What must be so, by SPEC.md's numbers, held against a plain model of the log. It shares no rule with core and server: it reads the
//! database as any program could, the bytes as they leave the server, and what clients say. What events come to it works out by itself.

mod client;
mod commit;
mod fold;
mod log;
mod states;
mod wire;

use std::fmt;

use serde_json::Value;

pub use self::{
    client::Watch,
    commit::Commits,
    fold::fold,
    log::{Log, Logs, Recorded},
    states::{Moment, States},
    wire::Outlet,
};

/// What breaks no invariant of SPEC.md, but the run: a panic, or something that goes on without an end.
pub const NO_INVARIANT: u32 = 0;

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its number in SPEC.md, or [`NO_INVARIANT`].
    pub invariant: u32,
    /// What is wrong.
    pub what: String,
}

/// What a check comes to.
pub type Check<T = ()> = Result<T, Violation>;

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.invariant {
            NO_INVARIANT => f.write_str(&self.what),
            number => write!(f, "I-{number}: {}", self.what),
        }
    }
}

impl std::error::Error for Violation {}

/// Holds one invariant.
pub(crate) fn hold(invariant: u32, is_so: bool, what: impl FnOnce() -> String) -> Check {
    if is_so { Ok(()) } else { Err(Violation { invariant, what: what() }) }
}

pub(crate) fn broken<T>(invariant: u32, what: impl Into<String>) -> Check<T> {
    Err(Violation { invariant, what: what.into() })
}

/// Holds a page of the log, as it leaves the server, against the log: all of the set that lies between its ends, and nothing else.
///
/// # Errors
/// [`Violation`]
pub fn page(topics: &[String], after: &str, body: &[u8], logs: &mut Logs) -> Check {
    let page: Value = serde_json::from_slice(body).unwrap_or_default();
    let place = |member: &str| page[member].as_str().and_then(|text| text.split_once('-'));
    let (Some((epoch, next)), Some((_, head))) = (place("next"), place("head")) else {
        return broken(24, "a page does not tell its place");
    };
    let (next, head): (u64, u64) = (next.parse().unwrap_or_default(), head.parse().unwrap_or_default());
    logs.serve(epoch, next.max(head))?;
    let prev = page["prev"].as_u64().unwrap_or_default();
    let asked = after.split_once('-').map(|(_, sequence)| sequence.parse().unwrap_or_default());
    hold(24, asked.is_none_or(|asked: u64| asked <= prev), || format!("a page after {after} begins after {prev}"))?;
    let (mut last, log) = (asked.unwrap_or(prev), logs.current().1);
    for event in page["events"].as_array().into_iter().flatten() {
        let sequence = event["sequence"].as_str().and_then(|text| text.parse().ok()).unwrap_or_default();
        let right = log.next(topics, last).map(|event| event.sequence);
        hold(24, right == Some(sequence), || format!("a page has {sequence} after {last}, where {right:?} is"))?;
        last = sequence;
    }
    let missing = log.next(topics, last).filter(|event| event.sequence <= next);
    hold(24, missing.is_none(), || format!("a page up to {next} ends with {last}, and {missing:?} is there"))
}

/// Whether one of these topics wants a stream: the protocol's rule, written once more.
pub(crate) fn wants(topics: &[String], stream: &str) -> bool {
    fn fits(topic: &[&str], stream: &[&str]) -> bool {
        match (topic, stream) {
            ([], []) => true,
            (["**"], rest) => !rest.is_empty(),
            ([first, topic @ ..], [segment, stream @ ..]) => (*first == "*" || first == segment) && fits(topic, stream),
            _ => false,
        }
    }
    let stream: Vec<_> = stream.split(':').collect();
    topics.iter().any(|topic| fits(&topic.split(':').collect::<Vec<_>>(), &stream))
}
