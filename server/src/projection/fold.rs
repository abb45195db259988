//! [`Fold`]: the events of one stream, one after the other, with whatever can't be folded set aside. What an entity does with an event is
//! its author's code: it may panic, and stops nothing by it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use highwater_core::{
    decider::{Applied, Entity, Folded},
    envelope::{parse_event, scan},
    event::Event,
    stream::StreamName,
    time::Timestamp,
    version::{HighWater, Sequence},
};

use crate::store::Stored;

/// How many events are folded anew at most where one panics.
const CHECKPOINT_EVENTS: usize = 256;
/// The longest reason that is kept, in bytes.
const REASON_BYTES_MAX: usize = 500;

/// Something in the log, as far as it can be read.
#[derive(Clone)]
pub(super) enum Arrival {
    /// An event.
    Event(Arc<Event>),
    /// What has a place in a stream, and is no event.
    Malformed { stream: StreamName, place: HighWater, reason: String },
    /// What says not even that.
    Nowhere { sequence: Sequence, reason: String },
}

impl Arrival {
    pub(super) fn read(stored: &Stored) -> Self {
        let reason = match parse_event(&stored.envelope) {
            Ok(event) => return Self::Event(Arc::new(event)),
            Err(error) => format!("it {error}"),
        };
        let header = scan(&stored.envelope).ok().filter(|header| header.sequence == stored.sequence);
        let place = header.and_then(|header| {
            let mark = HighWater { revision: header.revision, version: header.version, sequence: header.sequence };
            Some((StreamName::new(&header.stream.decode()?).ok()?, mark))
        });
        match place {
            Some((stream, place)) => Self::Malformed { stream, place, reason },
            None => Self::Nowhere { sequence: stored.sequence, reason },
        }
    }

    /// The stream that it is in, as far as that is known.
    pub(super) fn stream(&self) -> Option<&StreamName> {
        match self {
            Self::Event(event) => Some(&event.stream),
            Self::Malformed { stream, .. } => Some(stream),
            Self::Nowhere { .. } => None,
        }
    }

    /// Its place in the log.
    pub(super) fn sequence(&self) -> Sequence {
        match self {
            Self::Event(event) => event.sequence,
            Self::Malformed { place, .. } => place.sequence,
            Self::Nowhere { sequence, .. } => *sequence,
        }
    }

    /// When the log took it.
    pub(super) fn recorded(&self) -> Option<Timestamp> {
        match self {
            Self::Event(event) => Some(event.recorded_time),
            Self::Malformed { .. } | Self::Nowhere { .. } => None,
        }
    }

    /// Sets it aside.
    pub(super) fn poisoned(&self, reason: &str) -> Poisoned {
        let kind = match self {
            Self::Event(event) => Some(event.kind.to_string()),
            Self::Malformed { .. } | Self::Nowhere { .. } => None,
        };
        let stream = self.stream().map(ToString::to_string);
        Poisoned { sequence: self.sequence(), stream, kind, reason: shortened(reason) }
    }
}

/// What could not be folded, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Poisoned {
    pub(super) sequence: Sequence,
    pub(super) stream: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) reason: String,
}

/// What the events of a stream have come to.
pub(super) struct Fold {
    folded: Folded,
    /// The state of before `since`, to go back to where an event panics and leaves half a state.
    checkpoint: Folded,
    since: Vec<Arc<Event>>,
    /// Whether each state is written, to find the event that makes one which can't be.
    is_thorough: bool,
    /// The first and the last event taken.
    pub(super) span: Option<(Place, Place)>,
    /// How many events moved the mark.
    pub(super) taken: u64,
    /// In the order of the log.
    pub(super) poisoned: Vec<Poisoned>,
}

/// When and where something was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) sequence: Sequence,
    pub(super) recorded: Timestamp,
}

impl Fold {
    /// Folds these events onto a state.
    ///
    /// # Errors
    /// Where not even the state of before can be written: nothing can be folded onto it.
    pub(super) fn of(start: &Folded, arrivals: &[Arrival]) -> Result<(Self, String), String> {
        let mut last = String::new();
        for is_thorough in [false, true] {
            let mut fold = Self::onto(start.clone(), is_thorough);
            arrivals.iter().for_each(|arrival| fold.take(arrival));
            match fold.snapshot() {
                Ok(snapshot) => return Ok((fold, snapshot)),
                Err(reason) => last = reason,
            }
        }
        Err(last)
    }

    /// Begins to fold onto a state.
    pub(super) fn onto(start: Folded, is_thorough: bool) -> Self {
        let checkpoint = start.clone();
        Self { folded: start, checkpoint, since: Vec::new(), is_thorough, span: None, taken: 0, poisoned: Vec::new() }
    }

    /// Takes the next event of the stream.
    pub(super) fn take(&mut self, arrival: &Arrival) {
        let applied = match arrival {
            Arrival::Event(event) => self.apply(event),
            Arrival::Malformed { place, reason, .. } => self.pass(*place, reason),
            Arrival::Nowhere { .. } => return,
        };
        match applied {
            Applied::Duplicate => return,
            Applied::Unreadable(reason) => self.poisoned.push(arrival.poisoned(&reason)),
            Applied::Applied | Applied::Stale | Applied::Unknown => {}
        }
        self.taken += 1;
        let before = self.span.map(|(_, last)| last.recorded);
        let recorded = arrival.recorded().or(before).unwrap_or(Timestamp::UNIX_EPOCH);
        let place = Place { sequence: arrival.sequence(), recorded };
        self.span = Some((self.span.map_or(place, |(first, _)| first), place));
    }

    fn apply(&mut self, event: &Arc<Event>) -> Applied {
        let (folded, is_thorough) = (&mut self.folded, self.is_thorough);
        let applied = caught(|| {
            let applied = folded.apply(event);
            if is_thorough {
                drop(folded.snapshot());
            }
            applied
        });
        match applied {
            Ok(applied) => {
                self.since.push(Arc::clone(event));
                if self.since.len() >= CHECKPOINT_EVENTS {
                    self.keep();
                }
                applied
            }
            Err(reason) => {
                self.folded = self.checkpoint.clone();
                for earlier in &self.since {
                    self.folded.apply(earlier);
                }
                let place = HighWater { revision: event.revision, version: event.version, sequence: event.sequence };
                self.pass(place, &format!("folding it panics: {reason}"))
            }
        }
    }

    fn pass(&mut self, place: HighWater, reason: &str) -> Applied {
        let applied = self.folded.pass(place, reason);
        self.keep();
        applied
    }

    fn keep(&mut self) {
        self.checkpoint = self.folded.clone();
        self.since.clear();
    }

    /// The state so far.
    pub(super) fn folded(&self) -> &Folded {
        &self.folded
    }

    /// The state so far, as text.
    ///
    /// # Errors
    /// Where it can't be written, which is its author's mistake.
    pub(super) fn snapshot(&self) -> Result<String, String> {
        caught(|| self.folded.snapshot()).map_err(|reason| format!("its state can't be written: {reason}"))
    }
}

/// The state that was written, or the initial one.
///
/// # Errors
/// Where what was written can't be read again, which is its author's mistake.
pub(super) fn restore(entity: &Entity, snapshot: Option<&str>) -> Result<Folded, String> {
    let Some(snapshot) = snapshot else { return caught(|| entity.initial()) };
    let restored = caught(|| entity.restore(snapshot)).and_then(|restored| restored.map_err(|error| error.to_string()));
    restored.map_err(|reason| format!("the state of before {reason}"))
}

/// Runs what may panic.
fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it says nothing").to_owned()
    })
}

fn shortened(reason: &str) -> String {
    if reason.len() <= REASON_BYTES_MAX {
        return reason.to_owned();
    }
    let whole = reason.char_indices().map(|(at, _)| at).take_while(|at| *at <= REASON_BYTES_MAX).last();
    format!("{}…", &reason[..whole.unwrap_or(0)])
}
