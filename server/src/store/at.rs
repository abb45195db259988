//! [`At`]: a moment in the life of a stream.

use std::str::FromStr;

use highwater_core::{
    time::Timestamp,
    version::{Sequence, Version},
};

/// A moment in the life of a stream. What a stream is at a moment is always a prefix of its events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum At {
    /// With all its events.
    #[default]
    Now,
    /// With all events up to this place in the log.
    Sequence(Sequence),
    /// With all events that were recorded by this time, going by `recordedtime`: producers' clocks lie.
    Time(Timestamp),
    /// With all events before the first one of a version above this. That is the last moment at which the stream's version was this
    /// one, late reports on it included; where the stream skipped the number, or has not come to it, the version is a lower one.
    Version(Version),
}

/// The text is no moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be 'now', a sequence such as 42, an RFC 3339 date and time such as 2026-11-20T12:23:40Z, or a version such as version:2"
)]
pub struct InvalidAt;

impl FromStr for At {
    type Err = InvalidAt;

    fn from_str(text: &str) -> Result<Self, InvalidAt> {
        if text == "now" {
            return Ok(Self::Now);
        }
        if let Some(version) = text.strip_prefix("version:") {
            return version.parse().map(Self::Version).map_err(|_| InvalidAt);
        }
        let sequence = text.parse().map(Self::Sequence);
        sequence.or_else(|_| text.parse().map(Self::Time)).map_err(|_| InvalidAt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_moment_is_read() {
        for (text, at) in [
            ("now", At::Now),
            ("0", At::Sequence(Sequence::ZERO)),
            ("42", At::Sequence(Sequence::new(42).unwrap())),
            ("version:2", At::Version(Version::new(2).unwrap())),
            ("1970-01-01T00:00:00Z", At::Time(Timestamp::UNIX_EPOCH)),
            ("1970-01-01T02:00:00+02:00", At::Time(Timestamp::UNIX_EPOCH)),
        ] {
            assert_eq!(text.parse(), Ok(at), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for bad in ["", "Now", "-1", "1.5", "version:", "version:-1", "version:now", "v2", "2026-11-20", "k3x9q7ma-42"] {
            assert_eq!(bad.parse::<At>(), Err(InvalidAt), "{bad}");
        }
        assert_eq!("9007199254740992".parse::<At>(), Err(InvalidAt), "above every sequence");
    }
}
