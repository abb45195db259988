//! The text of a position: what is read is what its grammar says, and is written in one way.

use highwater_core::version::{After, Epoch, Position, Revision, Sequence, Version};

/// See the [module](self).
pub fn check(input: &[u8]) {
    let position = Position::read(input);
    assert_eq!(position, meaning(input));
    let after = match input {
        b"earliest" => Some(After::Earliest),
        b"latest" => Some(After::Latest),
        _ => position.map(After::Position),
    };
    assert_eq!(After::read(input), after);
    if let Some(after) = after {
        assert_eq!(after.to_string().parse(), Ok(after));
    }
    if let Some(position) = position {
        let written = position.to_string();
        assert_eq!(written.parse(), Ok(position));
        assert_eq!(written.as_bytes() == input, is_short(&input[9..]));
    }
    let Ok(text) = str::from_utf8(input) else { return };
    assert_eq!(text.parse().ok(), position);
    assert_eq!(text.parse::<Sequence>().ok().map(Sequence::get), number(input, Sequence::MAX.get()));
    assert_eq!(text.parse::<Revision>().ok().map(u64::from), number(input, Revision::MAX.into()));
    assert_eq!(text.parse::<Version>().ok().map(u64::from), number(input, Version::MAX.into()));
    assert_eq!(text.parse::<Epoch>().is_ok(), is_epoch(input));
}

fn meaning(text: &[u8]) -> Option<Position> {
    let (epoch, rest) = text.split_at_checked(8).filter(|(epoch, _)| is_epoch(epoch))?;
    let sequence = number(rest.strip_prefix(b"-")?, Sequence::MAX.get())?;
    let epoch = str::from_utf8(epoch).ok()?.parse().ok()?;
    Some(Position::new(epoch, Sequence::new(sequence).ok()?))
}

fn is_epoch(text: &[u8]) -> bool {
    text.len() == 8 && text.iter().all(|byte| b"0123456789abcdefghjkmnpqrstvwxyz".contains(byte))
}

/// Decimal digits, with as many zeros in front as one likes.
fn number(digits: &[u8], max: u64) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let number = str::from_utf8(digits).ok().filter(|_| is_number)?.trim_start_matches('0');
    let number = if number.is_empty() { 0 } else { number.parse().ok()? };
    (number <= max).then_some(number)
}

fn is_short(digits: &[u8]) -> bool {
    digits == b"0" || !digits.starts_with(b"0")
}
