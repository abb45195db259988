//! [`LineIds`]: the ids of lines that bring none, so that importing them again stores nothing twice.

use std::collections::{HashMap, HashSet};

use highwater_core::event::EventId;
use sha2::{Digest, Sha256};

/// How much of the hash an id shows: 128 bits.
const ID_HASH_BYTES: usize = 16;

/// Gives each line an id: a hash of the line and of its number among equal lines.
///
/// To number equal lines it remembers, for as long as the import runs, 8 bytes of the hash of each distinct line and a
/// count for those that came again: some 10 to 20 bytes a line, however long the lines are. Two lines that share those 8
/// bytes share a count and nothing else; their ids differ all the same, and are the same in every import of the file.
#[derive(Debug, Default)]
pub(super) struct LineIds {
    seen: HashSet<u64>,
    repeated: HashMap<u64, u64>,
}

impl LineIds {
    /// The id of the next line of a file.
    pub(super) fn next(&mut self, line: &[u8]) -> EventId {
        let hash = Sha256::new_with_prefix(line);
        let number = self.number_among_equals(&hash.clone().finalize());
        let hash = hash.chain_update(number.to_be_bytes()).finalize();
        let mut id = String::with_capacity(2 * ID_HASH_BYTES);
        for byte in &hash[..ID_HASH_BYTES] {
            id.push(char::from_digit(u32::from(byte >> 4), 16).expect("four bits are a digit"));
            id.push(char::from_digit(u32::from(byte & 15), 16).expect("four bits are a digit"));
        }
        EventId::new(&id).expect("hexadecimal digits are an id")
    }

    fn number_among_equals(&mut self, hash: &[u8]) -> u64 {
        let key = hash.first_chunk().copied().map(u64::from_be_bytes).expect("a hash has 32 bytes");
        if self.seen.insert(key) {
            return 0;
        }
        let number = self.repeated.entry(key).or_default();
        *number += 1;
        *number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lines_have_ids_of_their_own_and_every_import_the_same() {
        let lines = ["a", "b", "a", "a", ""];
        let ids = || {
            let mut ids = LineIds::default();
            lines.map(|line| ids.next(line.as_bytes()))
        };
        let first = ids();
        assert_eq!(first, ids());
        let distinct: HashSet<_> = first.iter().map(EventId::as_str).collect();
        assert_eq!(distinct.len(), lines.len());
        assert!(first.iter().all(|id| id.as_str().len() == 32));
    }

    #[test]
    fn the_order_of_other_lines_does_not_matter() {
        let (mut one, mut other) = (LineIds::default(), LineIds::default());
        let a = one.next(b"a");
        other.next(b"b");
        assert_eq!(a, other.next(b"a"));
    }

    #[test]
    fn an_id_is_the_hash_of_line_and_number() {
        // printf 'a\0\0\0\0\0\0\0\0' | sha256sum | head -c 32
        assert_eq!(LineIds::default().next(b"a").as_str(), "50edc262344620ebd2c9cabf9297150b");
    }
}
