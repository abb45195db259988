//! Taking an input apart.

/// The first byte, and the text behind it. `None` where it is no UTF-8.
pub(crate) fn choice_and_text(input: &[u8]) -> Option<(u8, &str)> {
    let (choice, rest) = input.split_first()?;
    Some((*choice, str::from_utf8(rest).ok()?))
}

/// Cuts bytes into pieces, of one byte each for the choice `0`, and of various lengths for any other.
pub(crate) fn pieces(bytes: &[u8], choice: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    let mut state = u32::from(choice);
    std::iter::from_fn(move || {
        // A linear congruential generator, with the constants of "Numerical Recipes".
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let len = if choice == b'0' { 1 } else { 1 + (state >> 24) as usize % 40 };
        let (piece, tail) = rest.split_at(len.min(rest.len()));
        rest = tail;
        (!piece.is_empty()).then_some(piece)
    })
}
