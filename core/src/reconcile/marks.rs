//! The high-water marks of all known streams.

use std::cmp::Ordering;

use crate::version::HighWater;

/// As many bits say in which bucket a name is.
const BUCKET_BITS: u32 = 10;

/// Names in buckets, each a sorted list.
#[derive(Debug)]
pub(super) struct Marks {
    /// None, or all.
    buckets: Vec<Vec<Entry>>,
}

/// They are sorted by the ends of their names, then by names.
#[derive(Debug)]
struct Entry {
    end: u64,
    name: Box<[u8]>,
    mark: HighWater,
}

/// Where a stream's mark is, or would be, until the next one is set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    bucket: usize,
    at: usize,
    is_known: bool,
}

impl Marks {
    pub(super) const fn new() -> Self {
        Self { buckets: Vec::new() }
    }

    // Copies of it, and of what is marked so below, are a tenth of a verdict. Browsers would download each.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(super) fn place(&self, stream: &[u8]) -> Place {
        let end = end(stream);
        let bucket = bucket_of(end, stream);
        let entries = self.buckets.get(bucket).map_or(&[][..], Vec::as_slice);
        // `binary_search_by` goes on to the end where it has found it, and is more code.
        let (mut low, mut high) = (0, entries.len());
        while low < high {
            let at = (low + high) / 2;
            let Some(entry) = entries.get(at) else { break };
            match entry.end.cmp(&end).then_with(|| compare(&entry.name, stream)) {
                Ordering::Less => low = at + 1,
                Ordering::Greater => high = at,
                Ordering::Equal => return Place { bucket, at, is_known: true },
            }
        }
        Place { bucket, at: low, is_known: false }
    }

    pub(super) fn at(&self, place: Place) -> Option<HighWater> {
        let bucket = self.buckets.get(place.bucket).filter(|_| place.is_known)?;
        bucket.get(place.at).map(|entry| entry.mark)
    }

    pub(super) fn get(&self, stream: &[u8]) -> Option<HighWater> {
        self.at(self.place(stream))
    }

    /// Sets the mark of the stream that the place is of.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(super) fn put(&mut self, place: Place, stream: &[u8], mark: HighWater) {
        match self.buckets.get_mut(place.bucket).and_then(|bucket| bucket.get_mut(place.at)) {
            Some(entry) if place.is_known => entry.mark = mark,
            _ => self.insert(place, stream, mark),
        }
    }

    #[cold]
    fn insert(&mut self, place: Place, stream: &[u8], mark: HighWater) {
        self.buckets.resize_with(1 << BUCKET_BITS, Vec::new);
        let entry = Entry { end: end(stream), mark, name: stream.into() };
        self.buckets[place.bucket].insert(place.at, entry);
    }

    pub(super) fn set(&mut self, stream: &[u8], mark: HighWater) {
        self.put(self.place(stream), stream, mark);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.buckets.clear();
    }
}

/// A name's last bytes as one number: most names begin alike, and are told apart at once there.
fn end(name: &[u8]) -> u64 {
    name.last_chunk().map_or(0, |end| u64::from_le_bytes(*end))
}

/// Any order, as long as it is one. Whether they are the same is told word by word: browsers compare slices byte by byte.
fn compare(name: &[u8], other: &[u8]) -> Ordering {
    let ((words, rest), (others, other_rest)) = (name.as_chunks(), other.as_chunks());
    let is_same = |(word, other): (&[u8; 8], &[u8; 8])| u64::from_le_bytes(*word) == u64::from_le_bytes(*other);
    let are_same = words.len() == others.len() && rest == other_rest && words.iter().zip(others).all(is_same);
    if are_same { Ordering::Equal } else { name.cmp(other) }
}

/// By [Fibonacci hashing](https://en.wikipedia.org/wiki/Hash_function#Fibonacci_hashing) of each word of the name, turned by as many bits as it has
/// place, added up: no word waits for the one before.
fn bucket_of(end: u64, name: &[u8]) -> usize {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, _) = name.as_chunks();
    let mut sum = end.wrapping_mul(FACTOR);
    for (place, word) in (1..).zip(words) {
        sum = sum.wrapping_add(u64::from_le_bytes(*word).wrapping_mul(FACTOR).rotate_left(7 * place));
    }
    (sum >> (u64::BITS - BUCKET_BITS)) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::version::Revision;

    fn mark(revision: u16) -> HighWater {
        HighWater { revision: Revision::new(revision.into()).unwrap(), ..HighWater::default() }
    }

    #[test]
    fn names_that_end_alike_do_not_share_a_bucket() {
        let mut marks = Marks::new();
        for space in 0..25_600 {
            marks.set(format!("space:{space}:analysis_guard:open").as_bytes(), mark(1));
        }
        assert!(marks.buckets.iter().all(|bucket| (5..60).contains(&bucket.len())));
    }

    #[test]
    fn numbers_of_two_words_do_not_share_a_bucket() {
        let mut marks = Marks::new();
        for (space, task) in (0..100).flat_map(|space| (0..100).map(move |task| (space, task))) {
            marks.set(format!("sp:{space:05}:task:{task:03}").as_bytes(), mark(1));
        }
        assert!(marks.buckets.iter().all(|bucket| bucket.len() < 30));
    }

    proptest! {
        #[test]
        fn it_is_a_map(entries in prop::collection::vec(("[a-c]{1,10}", any::<u16>()), 0..2_000)) {
            let (mut marks, mut map) = (Marks::new(), BTreeMap::new());
            for (stream, revision) in entries {
                prop_assert_eq!(marks.get(stream.as_bytes()), map.get(&stream).copied());
                marks.set(stream.as_bytes(), mark(revision));
                map.insert(stream, mark(revision));
            }
            for (stream, mark) in &map {
                prop_assert_eq!(marks.get(stream.as_bytes()), Some(*mark));
            }
            let keys = |bucket: &Vec<Entry>| bucket.iter().map(|entry| (entry.end, entry.name.clone())).collect::<Vec<_>>();
            prop_assert!(marks.buckets.iter().all(|bucket| keys(bucket).is_sorted_by(|key, next| key < next)));
            prop_assert_eq!(marks.buckets.iter().map(Vec::len).sum::<usize>(), map.len());
        }
    }
}
