//! Searching bytes.

/// The place of the first byte that is one of two.
#[cfg(not(target_family = "wasm"))]
pub(crate) use memchr::memchr2 as find_either;
#[cfg(target_family = "wasm")]
pub(crate) use words::{find_either, is_free_of};
pub(crate) use words::{find_soon, find_special};

/// As much as is looked at in one.
pub(crate) type Block = [u8; 16];

/// Whether none of the bytes is this one. It looks at all of them, as that is quicker than to stop where they are few.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn is_free_of(wanted: u8, blocks: &[Block]) -> bool {
    blocks.as_flattened().iter().fold(true, |is_free, byte| is_free & (*byte != wanted))
}

/// Eight bytes at a time in one number: the browser gets no vectors, and for short texts to begin with vectors is more work than to search. For wasm
/// memchr takes four, in more code.
mod words {
    #[cfg(any(test, target_family = "wasm"))]
    use super::Block;

    const LOWEST_BITS: u64 = 0x0101_0101_0101_0101;

    /// The place of the first byte that may not stand in a JSON string as it is: a quote, a backslash, a control character.
    pub(crate) fn find_special(bytes: &[u8]) -> Option<usize> {
        let is_special = |byte: &u8| *byte < b' ' || matches!(byte, b'"' | b'\\');
        let (words, rest) = bytes.as_chunks();
        for (at, word) in words.iter().enumerate() {
            let word = u64::from_le_bytes(*word);
            let controls = word.wrapping_sub(LOWEST_BITS * u64::from(b' ')) & !word & (LOWEST_BITS << 7);
            let (quotes, backslashes) = (u64::from(b'"') * LOWEST_BITS, u64::from(b'\\') * LOWEST_BITS);
            let found = controls | zeros(word ^ quotes) | zeros(word ^ backslashes);
            if found != 0 {
                return Some(at * size_of::<u64>() + found.trailing_zeros() as usize / 8);
            }
        }
        rest.iter().position(is_special).map(|found| words.len() * size_of::<u64>() + found)
    }

    /// Whether none of the bytes is this one. It looks at all of them, as that is quicker than to stop where they are few.
    #[cfg(any(test, target_family = "wasm"))]
    pub(crate) fn is_free_of(wanted: u8, blocks: &[Block]) -> bool {
        let wanted = u64::from(wanted) * LOWEST_BITS;
        let of_word = |found, word: &[u8; 8]| found | zeros(u64::from_le_bytes(*word) ^ wanted);
        blocks.iter().fold(0, |found, block| block.as_chunks().0.iter().fold(found, of_word)) == 0
    }

    /// The place of the first byte that is this one, which is expected soon: vectors would take longer to begin with.
    pub(crate) fn find_soon(wanted: u8, bytes: &[u8]) -> Option<usize> {
        let (words, rest) = bytes.as_chunks();
        for (at, word) in words.iter().enumerate() {
            let found = zeros(u64::from_le_bytes(*word) ^ (u64::from(wanted) * LOWEST_BITS));
            if found != 0 {
                return Some(at * size_of::<u64>() + found.trailing_zeros() as usize / 8);
            }
        }
        rest.iter().position(|byte| *byte == wanted).map(|found| words.len() * size_of::<u64>() + found)
    }

    #[cfg(any(test, target_family = "wasm"))]
    pub(crate) fn find_either(one: u8, other: u8, bytes: &[u8]) -> Option<usize> {
        let (words, rest) = bytes.as_chunks();
        let (ones, others) = (u64::from(one) * LOWEST_BITS, u64::from(other) * LOWEST_BITS);
        for (at, word) in words.iter().enumerate() {
            let word = u64::from_le_bytes(*word);
            let found = zeros(word ^ ones) | zeros(word ^ others);
            if found != 0 {
                return Some(at * size_of::<u64>() + found.trailing_zeros() as usize / 8);
            }
        }
        let found = rest.iter().position(|byte| *byte == one || *byte == other)?;
        Some(words.len() * size_of::<u64>() + found)
    }

    /// Of each byte that is zero the highest bit; of those above the first one it may be set, too.
    fn zeros(word: u64) -> u64 {
        word.wrapping_sub(LOWEST_BITS) & !word & (LOWEST_BITS << 7)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_find_the_same(bytes in prop::collection::vec(prop::sample::select(vec![0, 1, 2, 127, 128, 129, 255]), 0..40)) {
            for (one, other) in [(0, 1), (128, 127), (255, 0), (2, 129), (1, 1)] {
                let first = bytes.iter().position(|byte| *byte == one || *byte == other);
                prop_assert_eq!(find_either(one, other, &bytes), first);
                prop_assert_eq!(words::find_either(one, other, &bytes), first);
            }
        }

        #[test]
        fn one_byte_is_found_or_is_nowhere(bytes in prop::collection::vec(120_u8..130, 0..40), wanted in 120_u8..130) {
            prop_assert_eq!(find_soon(wanted, &bytes), bytes.iter().position(|byte| *byte == wanted));
            let (blocks, _) = bytes.as_chunks();
            let is_free = !blocks.as_flattened().contains(&wanted);
            prop_assert_eq!(is_free_of(wanted, blocks), is_free);
            prop_assert_eq!(words::is_free_of(wanted, blocks), is_free);
        }

        #[test]
        fn the_first_that_is_special_is_found(
            bytes in prop::collection::vec(
                prop::sample::select(vec![b'a', b' ', 31, 0, b'"', b'!', b'#', b'\\', b'[', 127, 128, 255]),
                0..40,
            )
        ) {
            let first = bytes.iter().position(|byte| *byte < 32 || *byte == b'"' || *byte == b'\\');
            prop_assert_eq!(find_special(&bytes), first);
        }
    }
}
