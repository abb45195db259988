//! [`Timestamp`]: an instant as RFC 3339 writes it. Core never asks what time it is: instants are given to it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use time::{Date, Duration, Month, OffsetDateTime, Time, UtcOffset, format_description::well_known::Rfc3339};

use crate::json::json_text;

/// An instant to the nanosecond, in UTC, in the years 0 to 9999.
///
/// Its text is [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339) in UTC with no, three, six or nine digits of a
/// second's fraction: as few as say it exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(OffsetDateTime);

/// The text is not an RFC 3339 date and time, or lies outside the years 0 to 9999 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an RFC 3339 date and time such as 2026-11-20T12:23:40.199775Z")]
pub struct InvalidTimestamp;

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Self = Self(OffsetDateTime::UNIX_EPOCH);
    /// The last nanosecond of the year 9999.
    pub const MAX: Self = Self(OffsetDateTime::UNIX_EPOCH.saturating_add(Duration::new(253_402_300_799, 999_999_999)));

    /// The instant this many microseconds after 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// [`InvalidTimestamp`] outside the years 0 to 9999.
    pub fn from_unix_micros(micros: i64) -> Result<Self, InvalidTimestamp> {
        let instant =
            OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).map_err(|_| InvalidTimestamp)?;
        Self::in_range(instant)
    }

    /// Microseconds since 1970-01-01T00:00:00Z, rounded down.
    #[must_use]
    pub fn unix_micros(self) -> i64 {
        let micros = self.0.unix_timestamp_nanos().div_euclid(1_000);
        i64::try_from(micros).expect("ten thousand years are fewer than 2^63 microseconds")
    }

    /// This many milliseconds later, or the last instant that there is.
    #[must_use]
    pub fn plus_ms(self, ms: u32) -> Self {
        let later = self.0.checked_add(Duration::milliseconds(ms.into()));
        later.and_then(|later| Self::in_range(later).ok()).unwrap_or(Self::MAX)
    }

    fn in_range(instant: OffsetDateTime) -> Result<Self, InvalidTimestamp> {
        match instant.checked_to_offset(UtcOffset::UTC) {
            Some(utc) if (0..=9999).contains(&utc.year()) => Ok(Self(utc)),
            _ => Err(InvalidTimestamp),
        }
    }
}

json_text!(Timestamp, |timestamp, to| to.text(&timestamp.to_string()), "2026-01-01T00:00:00Z");

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(instant) = read_own(text.as_bytes()) {
            return Ok(Self(instant));
        }
        Self::in_range(OffsetDateTime::parse(text, &Rfc3339).map_err(|_| InvalidTimestamp)?)
    }
}

/// Reads the form in which instants are written here. What is of another form, or wrong, is for the full parser to judge.
fn read_own(text: &[u8]) -> Option<OffsetDateTime> {
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to)?.iter();
        digits
            .copied()
            .try_fold(0_u32, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))
    };
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if text.last() != Some(&b'Z') || separators.iter().any(|(at, separator)| text.get(*at) != Some(separator)) {
        return None;
    }
    let nanos = match text.len().checked_sub(b"0000-00-00T00:00:00Z".len())? {
        0 => 0,
        length @ (4 | 7 | 10) if text[19] == b'.' => number(20, 19 + length)? * 10_u32.pow(10 - length as u32),
        _ => return None,
    };
    let small = |from: usize| u8::try_from(number(from, from + 2)?).ok();
    let year = i32::try_from(number(0, 4)?).ok()?;
    let date = Date::from_calendar_date(year, Month::try_from(small(5)?).ok()?, small(8)?).ok()?;
    let time = Time::from_hms_nano(small(11)?, small(14)?, small(17)?, nanos).ok()?;
    Some(OffsetDateTime::new_utc(date, time))
}

impl TryFrom<String> for Timestamp {
    type Error = InvalidTimestamp;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.to_string()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.0;
        write!(f, "{:04}-{:02}-{:02}", at.year(), u8::from(at.month()), at.day())?;
        write!(f, "T{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())?;
        match at.nanosecond() {
            0 => f.write_str("Z"),
            nanos if nanos % 1_000_000 == 0 => write!(f, ".{:03}Z", nanos / 1_000_000),
            nanos if nanos % 1_000 == 0 => write!(f, ".{:06}Z", nanos / 1_000),
            nanos => write!(f, ".{nanos:09}Z"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_utc_and_as_short_as_exact() {
        for (given, written) in [
            ("2026-11-20T12:23:40.199775Z", "2026-11-20T12:23:40.199775Z"),
            ("2015-09-11T00:46:58.771Z", "2015-09-11T00:46:58.771Z"),
            ("2015-09-11T00:46:58.770000000Z", "2015-09-11T00:46:58.770Z"),
            ("2026-11-20T14:23:40+02:00", "2026-11-20T12:23:40Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("2026-11-20T12:23:40.123456789Z", "2026-11-20T12:23:40.123456789Z"),
        ] {
            assert_eq!(given.parse::<Timestamp>().unwrap().to_string(), written);
        }
    }

    #[test]
    fn what_is_not_rfc_3339_is_refused() {
        for bad in ["", "now", "2026-11-20", "2026-13-20T12:23:40Z", "2026-11-20T12:23:40", "0000-01-01T00:00:00+01:00"]
        {
            assert_eq!(bad.parse::<Timestamp>(), Err(InvalidTimestamp), "{bad}");
        }
    }

    #[test]
    fn time_goes_on_to_its_end() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(at("2026-11-20T12:23:40.5Z").plus_ms(1_500), at("2026-11-20T12:23:42Z"));
        assert_eq!(Timestamp::MAX, at("9999-12-31T23:59:59.999999999Z"));
        assert_eq!(at("9999-12-31T23:59:58Z").plus_ms(2_000), Timestamp::MAX);
    }

    #[test]
    fn what_is_written_here_is_read_as_the_full_parser_reads_it() {
        for text in [
            "2026-11-20T12:23:40Z",
            "2026-11-20T12:23:40.199Z",
            "2026-11-20T12:23:40.199775Z",
            "2026-11-20T12:23:40.000000001Z",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999999999Z",
        ] {
            let full = OffsetDateTime::parse(text, &Rfc3339).unwrap();
            assert_eq!(read_own(text.as_bytes()), Some(full), "{text}");
        }
        for other in
            ["", "Z", "2026-11-20T12:23:40.1Z", "2026-11-20T12:23:60Z", "2026-02-30T12:23:40Z", "2026-11-20t12:23:40Z"]
        {
            assert_eq!(read_own(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn microseconds_go_both_ways() {
        for micros in [-1, 0, 1, 1_795_177_420_199_775] {
            assert_eq!(Timestamp::from_unix_micros(micros).unwrap().unix_micros(), micros);
        }
        assert!(Timestamp::from_unix_micros(i64::MAX).is_err());
    }
}
