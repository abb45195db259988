//! [`Cache`]: the states in memory, by stream. A state only ever gives way to a later one of its stream; which streams are kept goes by
//! when they were last asked for.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use highwater_core::{
    decider::{Entity, Folded},
    event::Event,
    mutation::{Mutation, mutated},
    stream::StreamName,
    version::{Revision, Sequence},
};

/// The most states in memory.
const STATES_MAX: usize = 16 * 1024;
/// The most bytes that they may have together, as JSON: in memory they take about as much.
const STATES_BYTES_MAX: usize = 64 * 1024 * 1024;
/// A state is measured once it has been told so much since the last time, and as much as it had.
const MEASURED_EVERY_BYTES: usize = 16 * 1024;

/// A state, and how far it has come.
pub(super) struct Reached {
    pub(super) state: Folded,
    /// The place in the log of its last event.
    pub(super) last: Sequence,
    /// All events of the stream up to here are in it.
    pub(super) head: Sequence,
    weight: Weight,
}

/// How much memory a state takes, about: what it had as JSON when it was measured, and what it was told since.
#[derive(Clone, Copy, Default)]
struct Weight {
    measured: usize,
    since: usize,
}

impl Reached {
    /// Before the first event.
    pub(super) fn initial(entity: &Entity) -> Self {
        Self::new(entity.initial(), Sequence::ZERO, 0)
    }

    /// A state that is stored as so many bytes of JSON.
    pub(super) fn new(state: Folded, last: Sequence, bytes: usize) -> Self {
        Self { state, last, head: last, weight: Weight { measured: bytes, since: 0 } }
    }

    pub(super) fn copy(&self) -> Self {
        Self { state: self.state.clone(), ..*self }
    }

    /// Takes the stream's next event, whose envelope has so many bytes.
    pub(super) fn apply(&mut self, event: &Event, bytes: usize) {
        self.state.apply(event);
        self.last = event.sequence;
        self.head = self.head.max(event.sequence);
        self.weight.since += bytes;
    }

    /// About how many bytes it takes. Measuring costs as much as copying, so it is done each time that it may have doubled.
    fn bytes(&mut self) -> usize {
        if self.weight.since > self.weight.measured.max(MEASURED_EVERY_BYTES) {
            self.weight = Weight { measured: self.state.state_json().get().len(), since: 0 };
        }
        self.weight.measured + self.weight.since
    }

    fn revision(&self) -> Revision {
        self.state.mark().revision
    }
}

/// The states in memory.
pub(super) struct Cache {
    states_max: usize,
    bytes_max: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_stream: HashMap<StreamName, Entry>,
    /// The streams by when they were last asked for.
    by_use: BTreeMap<u64, StreamName>,
    uses: u64,
    bytes: usize,
}

struct Entry {
    reached: Arc<Reached>,
    /// As of [`Reached`], which it may have risen above.
    head: Sequence,
    bytes: usize,
    last_use: u64,
}

/// A state in memory, and up to where it is known to have all events of its stream.
pub(super) struct Known {
    reached: Arc<Reached>,
    pub(super) head: Sequence,
}

impl Known {
    pub(super) fn revision(&self) -> Revision {
        self.reached.revision()
    }

    /// The state, to go on from.
    pub(super) fn copy(&self) -> Reached {
        Reached { head: self.head, ..self.reached.copy() }
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self::new(STATES_MAX, STATES_BYTES_MAX)
    }
}

impl Cache {
    pub(super) fn new(states_max: usize, bytes_max: usize) -> Self {
        Self { states_max, bytes_max, kept: Mutex::default() }
    }

    /// The furthest state of a stream that is in memory.
    pub(super) fn get(&self, stream: &StreamName) -> Option<Known> {
        let mut kept = self.kept();
        let Kept { by_stream, by_use, uses, .. } = &mut *kept;
        let entry = by_stream.get_mut(stream)?;
        let name = by_use.remove(&entry.last_use)?;
        *uses += 1;
        entry.last_use = *uses;
        by_use.insert(*uses, name);
        Some(Known { reached: Arc::clone(&entry.reached), head: entry.head })
    }

    /// Keeps a state, unless a later one of its stream is there.
    pub(super) fn put(&self, stream: &StreamName, reached: &Reached) {
        if !self.kept().moves(stream, reached) {
            return;
        }
        // Copied and measured while nobody waits for it, and so to be held against what is there once more.
        let mut reached = reached.copy();
        let bytes = reached.bytes() + stream.as_str().len();
        let mut kept = self.kept();
        if kept.moves(stream, &reached) {
            kept.remove(stream);
            kept.insert(stream, reached, bytes);
        }
        while kept.by_stream.len() > self.states_max || kept.bytes > self.bytes_max {
            let Some((_, oldest)) = kept.by_use.first_key_value() else { break };
            let oldest = oldest.clone();
            kept.remove(&oldest);
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Whether a state is past the one of its stream that is here. One that is the same may show that this is current for longer.
    fn moves(&mut self, stream: &StreamName, reached: &Reached) -> bool {
        let Some(entry) = self.by_stream.get_mut(stream) else { return true };
        if reached.revision() == entry.reached.revision() || mutated(Mutation::StateGoesBack) {
            entry.head = entry.head.max(reached.head);
        }
        reached.revision() > entry.reached.revision() && !mutated(Mutation::StateGoesBack)
    }

    fn insert(&mut self, stream: &StreamName, reached: Reached, bytes: usize) {
        self.uses += 1;
        self.bytes += bytes;
        self.by_use.insert(self.uses, stream.clone());
        let (head, last_use) = (reached.head, self.uses);
        self.by_stream.insert(stream.clone(), Entry { reached: Arc::new(reached), head, bytes, last_use });
    }

    fn remove(&mut self, stream: &StreamName) {
        if let Some(entry) = self.by_stream.remove(stream) {
            self.by_use.remove(&entry.last_use);
            self.bytes -= entry.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use highwater_core::{
        domain::{self, task::UserIntervened},
        event::{Data, EventType, NewEvent, Recording},
        json,
        time::Timestamp,
        version::Version,
    };

    use super::*;

    fn stream(number: u32) -> StreamName {
        StreamName::new(&format!("space:1:tasks:{number}")).unwrap()
    }

    /// A state of so many events.
    fn reached(stream: &StreamName, events: u32) -> Reached {
        let entities = domain::entities();
        let mut reached = Reached::initial(entities.of(stream).unwrap());
        let data = json::to_string(&UserIntervened { note: "…".into() });
        for number in 1..=events {
            let kind = EventType::new("task.user_intervened.v1").unwrap();
            let event = NewEvent {
                data: Data::json(&data).unwrap(),
                ..NewEvent::new(stream.clone(), "user".parse().unwrap(), kind)
            };
            let recording = Recording {
                id: number.to_string().parse().unwrap(),
                recorded_time: Timestamp::UNIX_EPOCH,
                sequence: Sequence::new(number.into()).unwrap(),
                revision: Revision::new(number.into()).unwrap(),
                version: Version::ZERO,
                clock: "user=1".parse().unwrap(),
            };
            reached.apply(&event.record(recording), 200);
        }
        reached
    }

    fn revision(cache: &Cache, stream: &StreamName) -> Option<u32> {
        cache.get(stream).map(|known| known.revision().get())
    }

    #[test]
    fn a_state_only_gives_way_to_a_later_one() {
        let cache = Cache::default();
        for (events, kept) in [(2, 2), (1, 2), (5, 5), (4, 5)] {
            cache.put(&stream(1), &reached(&stream(1), events));
            assert_eq!(revision(&cache, &stream(1)), Some(kept));
        }
        let confirmed = Reached { head: Sequence::new(9).unwrap(), ..reached(&stream(1), 5) };
        cache.put(&stream(1), &confirmed);
        assert_eq!(
            cache.get(&stream(1)).unwrap().copy().head.get(),
            9,
            "the same state, known to be current for longer"
        );
    }

    #[test]
    fn what_was_not_asked_for_for_longest_goes_first() {
        let cache = Cache::new(3, usize::MAX);
        (1..=3).for_each(|number| cache.put(&stream(number), &reached(&stream(number), 1)));
        assert!(cache.get(&stream(1)).is_some());
        cache.put(&stream(4), &reached(&stream(4), 1));
        let kept: Vec<_> = (1..=4).map(|number| revision(&cache, &stream(number)).is_some()).collect();
        assert_eq!(kept, [true, false, true, true]);
    }

    #[test]
    fn bytes_are_bounded_whatever_comes() {
        let one = reached(&stream(1), 3).bytes() + stream(1).as_str().len();
        let cache = Cache::new(usize::MAX, 2 * one);
        for number in [1, 2, 3, 2, 1, 3] {
            cache.put(&stream(number), &reached(&stream(number), 3));
            let kept = cache.kept();
            assert!(kept.bytes <= 2 * one && kept.bytes == kept.by_stream.len() * one);
            assert_eq!(kept.by_stream.len(), kept.by_use.len());
        }
        cache.put(&stream(9), &reached(&stream(9), 30));
        assert_eq!((revision(&cache, &stream(9)), cache.kept().bytes), (None, 0), "it is larger than all there is");
    }

    #[test]
    fn a_state_that_has_been_told_much_is_measured() {
        let mut reached = reached(&stream(1), 1_000);
        assert_eq!(reached.weight.since, 200_000);
        let bytes = reached.bytes();
        assert!(bytes < 1_000, "{bytes}");
        assert_eq!(bytes, reached.state.state_json().get().len());
    }
}
