//! Instants: a text is one where the `time` crate reads it as one, and the same; it is written in one way, as short as it can be. Only what
//! stands between date and time may be anything there, and is `T`, `t` or a space here.

use highwater_core::time::Timestamp;
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

/// See the [module](self).
pub fn check(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    if !matches!(input.get(10), Some(b'T' | b't' | b' ')) {
        return assert!(text.parse::<Timestamp>().is_err());
    }
    let timestamp = text.parse::<Timestamp>().ok();
    let by_library = OffsetDateTime::parse(text, &Rfc3339).ok();
    let utc =
        by_library.and_then(|at| at.checked_to_offset(UtcOffset::UTC)).filter(|at| (0..=9999).contains(&at.year()));
    assert_eq!(timestamp.is_some(), utc.is_some(), "{text:?}");
    let (Some(timestamp), Some(utc)) = (timestamp, utc) else { return };
    let written = timestamp.to_string();
    assert_eq!(OffsetDateTime::parse(&written, &Rfc3339), Ok(utc), "{text:?}");
    assert_eq!(written.parse(), Ok(timestamp));
    assert!(!written.trim_end_matches('Z').ends_with("000") || !written.contains('.'), "{written}");

    let micros = timestamp.unix_micros();
    assert_eq!(i128::from(micros), utc.unix_timestamp_nanos().div_euclid(1_000));
    let rounded = Timestamp::from_unix_micros(micros).expect("it is in range");
    assert!(rounded <= timestamp && rounded.unix_micros() == micros);
    assert!(timestamp.plus_ms(1) > timestamp || timestamp.plus_ms(1) == Timestamp::MAX);
}
