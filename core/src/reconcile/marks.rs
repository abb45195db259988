//! The high-water marks of all known streams.

use std::cmp::Ordering;

use crate::version::HighWater;

/// A block with more marks than this is split: a new mark moves at most as many.
const BLOCK_MARKS_MAX: usize = 256;

/// A sorted list in blocks. It keeps the order of names whoever chooses them, as a tree would, in a fifth of the code: the
/// browser downloads this.
#[derive(Debug)]
pub(super) struct Marks {
    /// None stays empty.
    blocks: Vec<Vec<(Box<[u8]>, HighWater)>>,
}

impl Marks {
    pub(super) const fn new() -> Self {
        Self { blocks: Vec::new() }
    }

    pub(super) fn get(&self, stream: &[u8]) -> Option<HighWater> {
        let block = self.blocks.get(self.block_of(stream))?;
        let at = place(block, stream).ok()?;
        Some(block[at].1)
    }

    pub(super) fn set(&mut self, stream: &[u8], mark: HighWater) {
        if self.blocks.is_empty() {
            self.blocks.push(Vec::new());
        }
        let block_at = self.block_of(stream);
        let block = &mut self.blocks[block_at];
        match place(block, stream) {
            Ok(at) => block[at].1 = mark,
            Err(at) => {
                block.insert(at, (stream.into(), mark));
                if block.len() > BLOCK_MARKS_MAX {
                    let upper = block.split_off(BLOCK_MARKS_MAX / 2);
                    self.blocks.insert(block_at + 1, upper);
                }
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.blocks.clear();
    }

    /// The last block that begins at or before a name, or else the first.
    fn block_of(&self, stream: &[u8]) -> usize {
        let begins_before =
            |block: &Vec<(Box<[u8]>, HighWater)>| block.first().is_some_and(|(first, _)| order(first, stream).is_le());
        self.blocks.partition_point(begins_before).saturating_sub(1)
    }
}

fn place(block: &[(Box<[u8]>, HighWater)], stream: &[u8]) -> Result<usize, usize> {
    block.binary_search_by(|(name, _)| order(name, stream))
}

/// By their ends: most begin alike, and are told apart at once there.
#[inline(never)]
fn order(name: &[u8], other: &[u8]) -> Ordering {
    name.iter().rev().cmp(other.iter().rev())
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

    proptest! {
        #[test]
        fn it_is_a_map(entries in prop::collection::vec(("[a-c]{1,6}", any::<u16>()), 0..2_000)) {
            let (mut marks, mut map) = (Marks::new(), BTreeMap::new());
            for (stream, revision) in entries {
                prop_assert_eq!(marks.get(stream.as_bytes()), map.get(&stream).copied());
                marks.set(stream.as_bytes(), mark(revision));
                map.insert(stream, mark(revision));
            }
            for (stream, mark) in &map {
                prop_assert_eq!(marks.get(stream.as_bytes()), Some(*mark));
            }
            prop_assert!(marks.blocks.iter().all(|block| (1..=BLOCK_MARKS_MAX).contains(&block.len())));
            let names: Vec<&[u8]> = marks.blocks.iter().flatten().map(|(name, _)| &**name).collect();
            prop_assert!(names.is_sorted_by(|name, next| order(name, next).is_lt()));
            prop_assert_eq!(names.len(), map.len());
        }
    }
}
