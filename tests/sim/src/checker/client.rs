//! [`Watch`]: what a client says, against what it must say.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use highwater_client::Kind;

use super::{Check, Logs, broken, hold};

/// So many connections in a row on which nothing comes, begun at random below a ceiling that doubles from 250 ms, take longer than
/// [`UNHEARD_MS`] in all but one of a hundred million cases.
const UNHEARD_MAX: usize = 9;
const UNHEARD_MS: u64 = 1_000;

/// What is known of one client.
pub struct Watch {
    topics: Vec<String>,
    /// The log that it follows, and after which place it began.
    pub base: Option<(String, u64)>,
    /// The same of what it has stored.
    stored_base: Option<(String, u64)>,
    beginning: Option<(String, u64)>,
    /// Up to here it has told everything.
    last: u64,
    /// Revision and version of the streams that it knows.
    marks: BTreeMap<String, (u64, u64)>,
    from_start: bool,
    /// Whether it has just begun at `latest`: what it misses now, its beginning has cost.
    has_just_begun: bool,
    held: BTreeSet<u64>,
    has_reset: bool,
    /// How many it holds at most.
    held_max: usize,
    /// When connections began since something has come.
    unheard: VecDeque<u64>,
}

impl Watch {
    /// Of one that has not begun.
    #[must_use]
    pub fn new(topics: Vec<String>, held_max: usize) -> Self {
        Self {
            topics,
            base: None,
            stored_base: None,
            beginning: None,
            last: 0,
            marks: BTreeMap::new(),
            from_start: false,
            has_just_begun: false,
            held: BTreeSet::new(),
            has_reset: false,
            held_max,
            unheard: VecDeque::new(),
        }
    }

    /// It is loaded, and goes on from a place that it has stored; without one it begins at `earliest` or, later, where it is told.
    pub fn loaded(&mut self, stored: Option<(String, u64)>, is_latest: bool) {
        (self.marks, self.held, self.beginning) = Default::default();
        self.last = stored.as_ref().map_or(0, |(_, sequence)| *sequence);
        self.from_start = self.last == 0 && (stored.is_some() || !is_latest);
        self.has_just_begun = false;
        match stored {
            // Before its first word it may not know of which log it is.
            None => self.base = (!is_latest).then(Default::default),
            Some((epoch, sequence)) => {
                let known = self.stored_base.clone().filter(|(of, _)| *of == epoch);
                self.base = known.or(Some((epoch, sequence)));
            }
        }
    }

    /// It stores what it knows, and where.
    pub fn stores(&mut self) {
        self.stored_base.clone_from(&self.base);
    }

    /// A connection begins. Those that come to nothing may not follow each other at once.
    ///
    /// # Errors
    /// [`Violation`](super::Violation)
    pub fn connected(&mut self, now: u64) -> Check {
        self.fed();
        self.unheard.push_back(now);
        if self.unheard.len() > UNHEARD_MAX {
            self.unheard.pop_front();
        }
        let is_full = self.unheard.len() == UNHEARD_MAX;
        let since = self.unheard.front().copied().unwrap_or_default();
        hold(41, !is_full || now >= since + UNHEARD_MS, || {
            format!("{UNHEARD_MAX} connections in {} ms, and nothing came on any", now - since)
        })
    }

    /// What another tab hands on of its connection begins.
    pub fn fed(&mut self) {
        self.has_reset = false;
    }

    /// Something has come on the connection.
    pub fn heard(&mut self) {
        self.unheard.clear();
    }

    /// What it reads from now on begins after this place, if it has not begun.
    pub fn may_begin(&mut self, place: (String, u64)) {
        self.beginning = Some(place);
    }

    fn begin(&mut self) {
        if self.base.is_none()
            && let Some((epoch, sequence)) = self.beginning.take()
        {
            self.last = sequence;
            self.held.retain(|held| *held > sequence);
            self.base = Some((epoch, sequence));
            self.has_just_begun = true;
        }
    }

    /// It says that it begins anew.
    ///
    /// # Errors
    /// [`Violation`](super::Violation)
    pub fn reset(&mut self, epoch: &str, sequence: u64) -> Check {
        hold(13, !self.has_reset, || format!("a second reset, to {epoch}-{sequence}, on one connection"))?;
        self.has_reset = true;
        self.base = Some((epoch.to_owned(), sequence));
        self.last = sequence;
        self.from_start = sequence == 0;
        self.has_just_begun = false;
        (self.marks, self.held) = Default::default();
        Ok(())
    }

    /// It says what it makes of an event.
    ///
    /// # Errors
    /// [`Violation`](super::Violation)
    pub fn judged(&mut self, kind: Kind, epoch: &str, sequence: u64, envelope: &[u8], logs: &Logs) -> Check {
        if kind == Kind::Gap {
            self.held.insert(sequence);
            return hold(7, self.base.is_none() || sequence > self.last, || {
                format!("{sequence} is a gap after {}", self.last)
            });
        }
        if kind == Kind::Duplicate {
            let passed = self.beginning.as_ref().filter(|_| self.base.is_none()).map_or(self.last, |(_, after)| *after);
            let is_known = sequence <= passed || self.held.contains(&sequence);
            return hold(7, is_known, || format!("{sequence} is a duplicate after {}", self.last));
        }
        self.begin();
        let Some((own, base)) = &mut self.base else {
            return broken(12, format!("{sequence} is judged before the reader has begun"));
        };
        if own.is_empty() && *base == 0 {
            epoch.clone_into(own);
        }
        hold(8, *own == *epoch, || format!("{epoch}-{sequence} is judged by a reader of {own}"))?;
        let Some(log) = logs.get(epoch) else { return broken(8, format!("there never was a log {epoch}")) };
        let Some(recorded) = log.at(sequence) else { return broken(8, format!("{epoch} has nothing at {sequence}")) };
        hold(8, recorded.envelope.as_bytes() == envelope, || format!("{sequence} is told with other content"))?;
        hold(8, sequence > self.last, || format!("{sequence} is judged again, or late: {} was before it", self.last))?;
        let next = log.next(&self.topics, self.last).map(|event| event.sequence);
        let was_begun = !std::mem::take(&mut self.has_just_begun);
        hold(12, was_begun || next == Some(sequence), || format!("{sequence} is judged first, and {next:?} was next"))?;
        hold(8, next == Some(sequence), || format!("{sequence} is judged after {}, and {next:?} was next", self.last))?;
        let mark = self.marks.get(&recorded.stream).copied();
        let (_, version) = mark.unwrap_or_default();
        let is_stale = (mark.is_some() || self.from_start) && recorded.version < version;
        let right = if is_stale { Kind::Stale } else { Kind::Apply };
        hold(8, kind == right, || {
            format!("{sequence} of version {} is {kind:?}, and the mark is {version}", recorded.version)
        })?;
        self.marks.insert(recorded.stream.clone(), (recorded.revision, version.max(recorded.version)));
        self.last = sequence;
        self.held.remove(&sequence);
        Ok(())
    }

    /// Where it is after each step.
    ///
    /// # Errors
    /// [`Violation`](super::Violation)
    pub fn stands(&mut self, position: Option<(String, u64)>, held: usize, logs: &Logs) -> Check {
        hold(11, held <= self.held_max, || format!("{held} events are held, of {} at most", self.held_max))?;
        let Some((epoch, cursor)) = position else { return Ok(()) };
        self.begin();
        let Some((own, _)) = &mut self.base else {
            return broken(12, "there is a cursor before the reader has begun");
        };
        if own.is_empty() {
            own.clone_from(&epoch);
        }
        if *own != epoch {
            return broken(13, format!("the cursor is of {epoch}, and what was told of {own}"));
        }
        let Some(log) = logs.get(&epoch) else { return Ok(()) };
        let missed = log.next(&self.topics, self.last).filter(|event| event.sequence <= cursor);
        match missed {
            Some(missed) if self.has_just_begun => {
                broken(12, format!("the reader begins at {cursor}, and {} was not judged", missed.sequence))
            }
            Some(missed) => broken(10, format!("the cursor is {cursor}, and {} was not judged", missed.sequence)),
            None => Ok(()),
        }
    }

    /// What it has still to tell.
    #[must_use]
    pub fn behind(&self, logs: &Logs) -> Option<String> {
        let (epoch, log) = logs.current();
        let Some((own, _)) = &self.base else { return Some("it has not begun".to_owned()) };
        if *own != epoch && !own.is_empty() {
            return Some(format!("it follows {own}, and the log is {epoch}"));
        }
        log.next(&self.topics, self.last).map(|next| format!("it has not told {}", next.sequence))
    }
}
