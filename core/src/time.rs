//! [`Timestamp`]: an instant as RFC 3339 writes it. Core never asks what time it is: instants are given to it.

use std::{fmt, num::NonZeroU32, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::json::json_text;

const NANOS_PER_SECOND: u32 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
/// The first second of the year 0, and the last of the year 9999, since 1970.
const SECONDS: std::ops::RangeInclusive<i64> = -62_167_219_200..=253_402_300_799;

/// An instant to the nanosecond, in UTC, in the years 0 to 9999.
///
/// Its text is [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339) in UTC with no, three, six or nine digits of a
/// second's fraction: as few as say it exactly.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp {
    /// Since 1970.
    seconds: i64,
    /// Nanoseconds of the second, and one more: so an `Option` takes no more room.
    nanos_and_one: NonZeroU32,
}

/// The text is not an RFC 3339 date and time, or lies outside the years 0 to 9999 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an RFC 3339 date and time such as 2026-11-20T12:23:40.199775Z")]
pub struct InvalidTimestamp;

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Self = Self::at(0, 0);
    /// The last nanosecond of the year 9999.
    pub const MAX: Self = Self::at(*SECONDS.end(), NANOS_PER_SECOND - 1);

    /// The instant this many microseconds after 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// [`InvalidTimestamp`] outside the years 0 to 9999.
    pub fn from_unix_micros(micros: i64) -> Result<Self, InvalidTimestamp> {
        Self::in_range(micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000) as u32 * 1_000)
    }

    /// Microseconds since 1970-01-01T00:00:00Z, rounded down.
    #[must_use]
    pub fn unix_micros(self) -> i64 {
        self.seconds * 1_000_000 + i64::from(self.nanos() / 1_000)
    }

    /// This many milliseconds later, or the last instant that there is.
    #[must_use]
    pub fn plus_ms(self, ms: u32) -> Self {
        let nanos = self.nanos() + ms % 1_000 * 1_000_000;
        let seconds = self.seconds + i64::from(ms / 1_000) + i64::from(nanos / NANOS_PER_SECOND);
        Self::in_range(seconds, nanos % NANOS_PER_SECOND).unwrap_or(Self::MAX)
    }

    fn in_range(seconds: i64, nanos: u32) -> Result<Self, InvalidTimestamp> {
        if SECONDS.contains(&seconds) { Ok(Self::at(seconds, nanos)) } else { Err(InvalidTimestamp) }
    }

    const fn at(seconds: i64, nanos: u32) -> Self {
        Self { seconds, nanos_and_one: NonZeroU32::MIN.saturating_add(nanos) }
    }

    const fn nanos(self) -> u32 {
        self.nanos_and_one.get() - 1
    }
}

json_text!(Timestamp, Self::UNIX_EPOCH, |timestamp, to| to.text(&timestamp.to_string()), "2026-01-01T00:00:00Z");

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Scan(text.as_bytes()).date_time().ok_or(InvalidTimestamp)
    }
}

/// What is left of a text.
struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    /// `date-time` of RFC 3339, in UTC; digits of a fraction beyond the ninth are passed over.
    fn date_time(&mut self) -> Option<Timestamp> {
        let (text, rest) = self.0.split_first_chunk::<19>()?;
        self.0 = rest;
        if !matches!(text, [_, _, _, _, b'-', _, _, b'-', _, _, b'T' | b't' | b' ', _, _, b':', _, _, b':', _, _]) {
            return None;
        }
        let (year, month, day) = (number(&text[..4])?, number(&text[5..7])?, number(&text[8..10])?);
        let (hour, minute, second) = (number(&text[11..13])?, number(&text[14..16])?, number(&text[17..])?);
        let nanos = self.fraction()?;
        let offset_minutes = self.offset_minutes()?;
        if !self.0.is_empty() || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let days = Date { year: year.into(), month, day }.days()?;
        let of_day = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
        let seconds = days * SECONDS_PER_DAY + of_day - offset_minutes * 60;
        if second == 60 { Self::before_leap(seconds) } else { Timestamp::in_range(seconds, nanos).ok() }
    }

    /// Leap seconds come at the end of a month's last day, the very last one included. One is told as the last instant before it.
    fn before_leap(seconds: i64) -> Option<Timestamp> {
        let may_be = seconds % SECONDS_PER_DAY == 0 && Date::of(seconds / SECONDS_PER_DAY).day == 1;
        Timestamp::in_range(seconds - 1, NANOS_PER_SECOND - 1).ok().filter(|_| may_be)
    }

    /// The next byte, if it is one of these.
    fn one_of(&mut self, bytes: &[u8]) -> Option<u8> {
        let (next, rest) = self.0.split_first().filter(|(next, _)| bytes.contains(next))?;
        self.0 = rest;
        Some(*next)
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
        let (text, rest) = self.0.split_first_chunk::<5>()?;
        self.0 = rest;
        let (hours, minutes) = (number(&text[..2])?, number(&text[3..]).filter(|_| text[2] == b':')?);
        (hours < 24 && minutes < 60).then_some(sign * i64::from(hours * 60 + minutes))
    }
}

/// A day of the Gregorian calendar.
struct Date {
    year: i64,
    month: u32,
    day: u32,
}

/// The calendar repeats itself after so many years, and so many days.
const CYCLE: (i64, i64) = (400, 146_097);
/// From 0000-03-01, with which its cycles are counted, to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;

/// Howard Hinnant's [algorithms](https://howardhinnant.github.io/date_algorithms.html): years begin with March here, so that a leap day is
/// the last of its year.
impl Date {
    /// The days from 1970-01-01 to it. `None` where there is no such day.
    fn days(&self) -> Option<i64> {
        let &Self { year, month, day } = self;
        if !(1..=12).contains(&month) || !(1..=self.days_of_month()).contains(&day) {
            return None;
        }
        let since_march = (i64::from(month) + 9) % 12;
        let year = if month > 2 { year } else { year - 1 };
        let of_cycle = year.rem_euclid(CYCLE.0);
        let of_year = (153 * since_march + 2) / 5 + i64::from(day) - 1;
        let days = of_cycle * 365 + of_cycle / 4 - of_cycle / 100 + of_year;
        Some(year.div_euclid(CYCLE.0) * CYCLE.1 + days - DAYS_TO_1970)
    }

    fn days_of_month(&self) -> u32 {
        let is_leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        match self.month {
            2 => 28 + u32::from(is_leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    /// So many days after 1970-01-01.
    fn of(days: i64) -> Self {
        let days = days + DAYS_TO_1970;
        let of_cycle = days.rem_euclid(CYCLE.1);
        let year_of_cycle = (of_cycle - of_cycle / 1_460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
        let of_year = of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
        let since_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * since_march + 2) / 5 + 1;
        let month = (since_march + 2) % 12 + 1;
        let year = days.div_euclid(CYCLE.1) * CYCLE.0 + year_of_cycle + i64::from(month <= 2);
        Self { year, month: month as u32, day: day as u32 }
    }
}

/// A few digits.
fn number(digits: &[u8]) -> Option<u32> {
    let mut number = 0;
    for digit in digits {
        number = number * 10 + u32::from(digit.is_ascii_digit().then(|| digit - b'0')?);
    }
    Some(number)
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
        let Date { year, month, day } = Date::of(self.seconds.div_euclid(SECONDS_PER_DAY));
        let of_day = self.seconds.rem_euclid(SECONDS_PER_DAY) as u32;
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        for (end, number) in
            [(4, year as u32), (7, month), (10, day), (13, of_day / 3_600), (16, of_day / 60 % 60), (19, of_day % 60)]
        {
            write_digits(&mut text[..end], number);
        }
        write_digits(&mut text[..29], self.nanos());
        let end = match self.nanos() {
            0 => 19,
            nanos if nanos % 1_000_000 == 0 => 23,
            nanos if nanos % 1_000 == 0 => 26,
            _ => 29,
        };
        text[end] = b'Z';
        f.write_str(str::from_utf8(&text[..=end]).map_err(|_| fmt::Error)?)
    }
}

/// Writes a number so that it ends where the text does.
fn write_digits(text: &mut [u8], mut number: u32) {
    for digit in text.iter_mut().rev() {
        if number == 0 {
            break;
        }
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// As its text: numbers of seconds say nothing to anybody.
impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

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
        let utc = OffsetDateTime::parse(text, &Rfc3339).ok()?.checked_to_offset(UtcOffset::UTC)?;
        let is_in_range = (0..=9999).contains(&utc.year());
        is_in_range.then(|| Timestamp::at(utc.unix_timestamp(), utc.nanosecond()))
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
    fn each_day_is_named_as_a_library_names_it() {
        for days in SECONDS.start() / SECONDS_PER_DAY..=SECONDS.end() / SECONDS_PER_DAY {
            let of_library = OffsetDateTime::from_unix_timestamp(days * SECONDS_PER_DAY).unwrap().date();
            let date = Date::of(days);
            let named = (date.year, date.month, date.day);
            assert_eq!(named, (of_library.year().into(), u8::from(of_library.month()).into(), of_library.day().into()));
            assert_eq!(date.days(), Some(days));
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
