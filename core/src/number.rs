//! Numbers in text. The standard library reads each type of them by code of its own, and all of it is downloaded by browsers.

/// A whole number: digits alone. `None` also above [`u64::MAX`].
pub(crate) fn whole_number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        // `checked_mul` would multiply 128 bits where a browser runs it.
        if number > u64::MAX / 10 { None } else { (number * 10).checked_add(digit) }
    })
}

/// The number that a text begins with, up to eight digits of it, and what is left. `None` also of fewer than eight bytes.
// A call would hand its answer on through memory, twice in a verdict.
#[inline(always)]
pub(crate) fn leading_number(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = Digits::of(*text.first_chunk()?);
    let len = digits.others().trailing_zeros() / 8;
    let first = digits.0.checked_shl(u64::BITS - 8 * len)?;
    Some((Digits(first).number(), text.get(len as usize..)?))
}

/// The number of sixteen digits.
pub(crate) fn sixteen_digits(text: [u8; 16]) -> Option<u64> {
    let ([high, low], []) = text.as_chunks() else { return None };
    let (high, low) = (Digits::of(*high), Digits::of(*low));
    (high.others() | low.others() == 0).then(|| high.number() * 100_000_000 + low.number())
}

/// The values of eight digits, the first one lowest. What is no digit has another value.
struct Digits(u64);

impl Digits {
    fn of(text: [u8; 8]) -> Self {
        Self(u64::from_le_bytes(text) ^ 0x3030_3030_3030_3030)
    }

    /// Of each byte that is no digit the highest bit; of those above the first one it may be wrong.
    fn others(&self) -> u64 {
        (self.0 | self.0.wrapping_add(0x7676_7676_7676_7676)) & 0x8080_8080_8080_8080
    }

    /// [All at once](https://lemire.me/blog/2022/01/21/swar-explained-parsing-eight-digits/): each two make a number, then each four, then all.
    fn number(&self) -> u64 {
        let twos = (self.0 * 10 + (self.0 >> 8)) & 0x00ff_00ff_00ff_00ff;
        let fours = (twos * 100 + (twos >> 16)) & 0x0000_ffff_0000_ffff;
        (fours * 10_000 + (fours >> 32)) & 0xffff_ffff
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_what_the_standard_library_reads(text in "[0-9+-]{0,22}") {
            let is_whole = text.bytes().all(|byte| byte.is_ascii_digit());
            prop_assert_eq!(whole_number(text.as_bytes()), text.parse().ok().filter(|_| is_whole));
        }

        #[test]
        fn it_ends_where_the_type_does(number in (u64::MAX - 20)..) {
            prop_assert_eq!(whole_number(number.to_string().as_bytes()), Some(number));
            prop_assert_eq!(whole_number((u128::from(number) + 21).to_string().as_bytes()), None);
        }

        #[test]
        fn what_goes_on_behind_a_number_is_left(digits in "[0-9]{0,10}", rest in "([^0-9].*)?") {
            let text = format!("{digits}{rest}");
            let (first, rest) = text.split_at(digits.len().min(8));
            let number = first.parse().ok().map(|number| (number, rest.as_bytes())).filter(|_| text.len() >= 8);
            prop_assert_eq!(leading_number(text.as_bytes()), number);
        }

        #[test]
        fn all_at_once_or_one_by_one(text: [u8; 16], number in 0..10_u64.pow(16), at in 0..16_usize) {
            let mut digits_and_another = *format!("{number:016}").as_bytes().first_chunk().unwrap();
            prop_assert_eq!(sixteen_digits(digits_and_another), Some(number));
            digits_and_another[at] = text[0];
            prop_assert_eq!(sixteen_digits(digits_and_another), whole_number(&digits_and_another));
            prop_assert_eq!(sixteen_digits(text), whole_number(&text));
        }
    }
}
