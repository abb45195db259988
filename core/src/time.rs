//! [`Timestamp`]: an instant as RFC 3339 writes it. Core never asks what time it is: instants are given to it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use time::{Date, Duration, Month, OffsetDateTime, Time, UtcOffset};

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
        Self::in_range(Scan(text.as_bytes()).date_time().ok_or(InvalidTimestamp)?)
    }
}

/// What is left of a text.
struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    /// `date-time` of RFC 3339, in UTC; digits of a fraction beyond the ninth are passed over.
    fn date_time(&mut self) -> Option<OffsetDateTime> {
        let year = self.number(4)?;
        let month = self.after(b"-")?;
        let day = self.after(b"-")?;
        let hour = self.after(b"Tt ")?;
        let minute = self.after(b":")?;
        let second = self.after(b":")?;
        let is_leap = second == 60;
        let (second, nanos) = if is_leap { (59, 999_999_999) } else { (second, 0) };
        let nanos = self.fraction()?.max(nanos);
        let offset_minutes = self.offset_minutes()?;
        if !self.0.is_empty() {
            return None;
        }
        let date = Date::from_calendar_date(year.into(), Month::try_from(month).ok()?, day).ok()?;
        let time = Time::from_hms_nano(hour, minute, second, nanos).ok()?;
        let utc = OffsetDateTime::new_utc(date, time).checked_sub(Duration::minutes(offset_minutes))?;
        (!is_leap || Self::may_be_leap(utc)).then_some(utc)
    }

    /// Leap seconds come at the end of a month's last day, the very last one included. One is told as the last instant before it.
    fn may_be_leap(before: OffsetDateTime) -> bool {
        let after = before.checked_add(Duration::NANOSECOND);
        after.is_none_or(|after| (after.day(), after.hour(), after.minute()) == (1, 0, 0))
    }

    fn number(&mut self, digits: usize) -> Option<u16> {
        let (text, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        let mut number = 0;
        for digit in text {
            if !digit.is_ascii_digit() {
                return None;
            }
            number = number * 10 + u16::from(digit - b'0');
        }
        Some(number)
    }

    /// The next byte, if it is one of these.
    fn one_of(&mut self, bytes: &[u8]) -> Option<u8> {
        let (next, rest) = self.0.split_first().filter(|(next, _)| bytes.contains(next))?;
        self.0 = rest;
        Some(*next)
    }

    /// Two digits after one of these.
    fn after(&mut self, separators: &[u8]) -> Option<u8> {
        self.one_of(separators)?;
        self.number(2)?.try_into().ok()
    }

    /// Nanoseconds.
    fn fraction(&mut self) -> Option<u32> {
        if self.one_of(b".").is_none() {
            return Some(0);
        }
        let digits = self.0.iter().position(|byte| !byte.is_ascii_digit()).filter(|digits| *digits > 0)?;
        let (fraction, rest) = self.0.split_at(digits);
        self.0 = rest;
        let of_ten = (0..9).map(|at| fraction.get(at).map_or(0, |digit| u32::from(digit - b'0')));
        Some(of_ten.fold(0, |nanos, digit| nanos * 10 + digit))
    }

    /// How far the time is ahead of UTC.
    fn offset_minutes(&mut self) -> Option<i64> {
        let sign = match self.one_of(b"Zz+-")? {
            b'+' => 1,
            b'-' => -1,
            _ => return Some(0),
        };
        let hours = i64::from(self.number(2)?);
        let minutes = i64::from(self.after(b":")?);
        (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
    }
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
    use proptest::prelude::*;
    use time::format_description::well_known::Rfc3339;

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

    /// As a library reads it.
    fn as_a_library(text: &str) -> Option<Timestamp> {
        Timestamp::in_range(OffsetDateTime::parse(text, &Rfc3339).ok()?).ok()
    }

    #[test]
    fn leap_seconds_are_where_they_may_be() {
        for text in [
            "2016-12-31T23:59:60Z",
            "2016-12-31T15:59:60-08:00",
            "2016-12-31T23:59:60.5Z",
            "2016-12-30T23:59:60Z",
            "2016-12-31T22:59:60Z",
            "9999-12-31T23:59:60Z",
        ] {
            assert_eq!(text.parse().ok(), as_a_library(text), "{text}");
        }
        assert!("2016-12-31T23:59:60Z".parse::<Timestamp>().is_ok());
    }

    proptest! {
        #[test]
        fn all_is_read_as_a_library_reads_it(
            text in "[0-9]{4}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,11})?([Zz]|[+-][0-2][0-9]:[0-6][0-9]|)",
            dropped in 0_usize..60,
        ) {
            prop_assert_eq!(text.parse().ok(), as_a_library(&text), "{}", text);
            let shorter: String = text.chars().enumerate().filter(|(at, _)| *at != dropped).map(|(_, c)| c).collect();
            prop_assert_eq!(shorter.parse().ok(), as_a_library(&shorter), "{}", shorter);
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
