//! The high-water marks of all known streams.

use std::cmp::Ordering;

use crate::version::HighWater;

/// A block with more marks than this is split: a new mark moves at most as many.
const BLOCK_MARKS_MAX: usize = 256;

/// A sorted list in blocks. It keeps the order of names whoever chooses them, as a tree would, in a fifth of the code: the
/// browser downloads this.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// None is empty.
    blocks: Vec<Vec<(Box<str>, HighWater)>>,
}

impl Marks {
    pub(super) fn get(&self, stream: &str) -> Option<HighWater> {
        let block = self.blocks.get(self.block_of(stream))?;
        let at = place(block, stream).ok()?;
        block.get(at).map(|(_, mark)| *mark)
    }

    pub(super) fn set(&mut self, stream: &str, mark: HighWater) {
        let block_at = self.block_of(stream);
        let Some(block) = self.blocks.get_mut(block_at) else {
            self.blocks.push(vec![(stream.into(), mark)]);
            return;
        };
        match place(block, stream) {
            Ok(at) => {
                if let Some((_, known)) = block.get_mut(at) {
                    *known = mark;
                }
            }
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
    fn block_of(&self, stream: &str) -> usize {
        let begins_before =
            |block: &Vec<(Box<str>, HighWater)>| block.first().is_some_and(|(first, _)| order(first, stream).is_le());
        self.blocks.partition_point(begins_before).saturating_sub(1)
    }
}

fn place(block: &[(Box<str>, HighWater)], stream: &str) -> Result<usize, usize> {
    block.binary_search_by(|(name, _)| order(name, stream))
}

/// By their ends: most begin alike, and are told apart at once there.
#[inline(never)]
fn order(name: &str, other: &str) -> Ordering {
    name.as_bytes().iter().rev().cmp(other.as_bytes().iter().rev())
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
            let (mut marks, mut map) = (Marks::default(), BTreeMap::new());
            for (stream, revision) in entries {
                prop_assert_eq!(marks.get(&stream), map.get(&stream).copied());
                marks.set(&stream, mark(revision));
                map.insert(stream, mark(revision));
            }
            for (stream, mark) in &map {
                prop_assert_eq!(marks.get(stream), Some(*mark));
            }
            prop_assert!(marks.blocks.iter().all(|block| (1..=BLOCK_MARKS_MAX).contains(&block.len())));
            let names: Vec<&str> = marks.blocks.iter().flatten().map(|(name, _)| &**name).collect();
            prop_assert!(names.is_sorted_by(|name, next| order(name, next).is_lt()));
            prop_assert_eq!(names.len(), map.len());
        }
    }
}
