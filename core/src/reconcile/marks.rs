//! The high-water marks of all known streams.

use crate::version::HighWater;

/// As many bits say in which bucket a name is.
const BUCKET_BITS: u32 = 8;

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

impl Marks {
    pub(super) const fn new() -> Self {
        Self { buckets: Vec::new() }
    }

    pub(super) fn get(&self, stream: &[u8]) -> Option<HighWater> {
        let end = end(stream);
        let bucket = self.buckets.get(bucket_of(end, stream))?;
        bucket.get(place(bucket, end, stream).ok()?).map(|entry| entry.mark)
    }

    pub(super) fn set(&mut self, stream: &[u8], mark: HighWater) {
        while self.buckets.len() < 1 << BUCKET_BITS {
            self.buckets.push(Vec::new());
        }
        let end = end(stream);
        let bucket = &mut self.buckets[bucket_of(end, stream)];
        match place(bucket, end, stream) {
            Ok(at) => bucket[at].mark = mark,
            Err(at) => bucket.insert(at, Entry { end, mark, name: stream.into() }),
        }
    }

    pub(super) fn clear(&mut self) {
        self.buckets.clear();
    }
}

/// A name's last bytes as one number: most names begin alike, and are told apart at once there.
fn end(name: &[u8]) -> u64 {
    name.last_chunk().map_or(0, |end| u64::from_le_bytes(*end))
}

/// By [Fibonacci hashing](https://en.wikipedia.org/wiki/Hash_function#Fibonacci_hashing) of all of the name, eight bytes at a time.
fn bucket_of(end: u64, name: &[u8]) -> usize {
    let (words, _) = name.as_chunks();
    let folded =
        words.iter().fold(end, |folded, word| (folded ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - BUCKET_BITS)) as usize
}

fn place(bucket: &[Entry], end: u64, name: &[u8]) -> Result<usize, usize> {
    bucket.binary_search_by(|entry| entry.end.cmp(&end).then_with(|| (*entry.name).cmp(name)))
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
        assert!(marks.buckets.iter().all(|bucket| (50..200).contains(&bucket.len())));
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
