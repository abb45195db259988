//! Numbers in text. The standard library reads each type of them by code of its own, and all of it is downloaded by browsers.

/// A whole number: digits alone. `None` also above [`u64::MAX`].
pub(crate) fn whole_number(digits: &str) -> Option<u64> {
    let mut number = 0_u64;
    for digit in digits.bytes() {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
    }
    (!digits.is_empty()).then_some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_what_the_standard_library_reads(text in "[0-9+-]{0,22}") {
            let is_whole = text.bytes().all(|byte| byte.is_ascii_digit());
            prop_assert_eq!(whole_number(&text), text.parse().ok().filter(|_| is_whole));
        }

        #[test]
        fn it_ends_where_the_type_does(number in (u64::MAX - 20)..) {
            prop_assert_eq!(whole_number(&number.to_string()), Some(number));
            prop_assert_eq!(whole_number(&(u128::from(number) + 21).to_string()), None);
        }
    }
}
