//! The server's clock.

use std::time::{SystemTime, UNIX_EPOCH};

use highwater_core::time::Timestamp;

use crate::failpoint;

/// The time, to the microsecond; what lies outside the calendar counts as its beginning.
pub(crate) fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let micros = i64::try_from(since_1970.as_micros()).unwrap_or_default() + failpoint::clock_skew_micros();
    Timestamp::from_unix_micros(micros).unwrap_or(Timestamp::UNIX_EPOCH)
}
