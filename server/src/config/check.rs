//! What values settings may have.

use std::{net::SocketAddr, ops::RangeInclusive};

use highwater_core::{event::TEXT_BYTES_MAX, sse::FRAME_BYTES_MAX};

use super::Settings;
use crate::guard;

/// What a frame needs beside data and extensions: the fullest clock (256 actors of 255 bytes that are all
/// percent-encoded, with counters of 16 digits: 200,448 bytes), the other attributes with every character that can be
/// escaped (under 17 kB), and the frame's own fields.
const FRAME_REST_BYTES_MAX: usize = 220 * 1024;
/// An extension: a name of 64 bytes and a text of which each byte is an escape of six.
const EXTENSION_BYTES_MAX: usize = 64 + 6 * TEXT_BYTES_MAX + r#","":"""#.len();

/// What is added to a clock's time must not be beyond what that can tell.
const DURATION_MS_CEILING: u64 = 366 * 24 * 60 * 60 * 1_000;

/// Until a stream is live and has said otherwise, clients wait 20 seconds for a sign of life.
const HEARTBEAT_MS_CEILING: u64 = 15_000;

/// How long a page may be held back by the protocol: clients and what lies between give up on an answer some time.
const LONG_POLL_S_CEILING: u64 = 30;

/// Nobody should be away for longer only because a server was started anew; a browser's timer could not count 2^31.
const GOODBYE_RETRY_MS_CEILING: u64 = 60_000;

/// Room for a browser's usual head at least, and a bound that is one.
const HEADER_BYTES_RANGE: RangeInclusive<usize> = 1024..=1024 * 1024;

/// More seldom, and a state of the past takes long to come to; more often, and the snapshots are larger than the log.
const SNAPSHOT_EVENTS_RANGE: RangeInclusive<u32> = 100..=1_000;

/// A setting has a value that it can't have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} must be {rule}")]
pub struct InvalidSetting {
    /// Which one.
    pub name: &'static str,
    /// What it must be.
    pub rule: &'static str,
}

impl Settings {
    /// Holds every value against what it may be.
    ///
    /// # Errors
    /// [`InvalidSetting`] names the first that is wrong.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        let at_least_one = [
            ("data_bytes_max", self.data_bytes_max as u64),
            ("batch_bytes_max", self.batch_bytes_max as u64),
            ("batch_events_max", self.batch_events_max as u64),
            ("page_events_default", self.page_events_default as u64),
            ("page_events_max", self.page_events_max as u64),
            ("page_bytes_max", self.page_bytes_max as u64),
            ("connections_max", self.connections_max as u64),
            ("body_timeout_ms", self.body_timeout_ms),
            ("appends_max", self.appends_max as u64),
            ("heartbeat_ms", self.heartbeat_ms),
            ("head_heartbeat_ms", self.head_heartbeat_ms),
            ("subscriber_bytes_max", self.subscriber_bytes_max as u64),
            ("subscriber_events_max", self.subscriber_events_max as u64),
            ("subscription_max_s", self.subscription_max_s),
            ("header_timeout_ms", self.header_timeout_ms),
            ("idle_timeout_ms", self.idle_timeout_ms),
            ("stall_timeout_ms", self.stall_timeout_ms),
            ("http2_streams_max", self.http2_streams_max.into()),
            ("http2_ping_ms", self.http2_ping_ms),
            ("lists_batch_events_max", self.lists_batch_events_max as u64),
            ("lists_set_aside_max", self.lists_set_aside_max as u64),
            ("socket_subscriptions_max", self.socket_subscriptions_max as u64),
        ];
        if let Some((name, _)) = at_least_one.into_iter().find(|(_, value)| *value == 0) {
            return Err(InvalidSetting { name, rule: "at least 1" });
        }
        let durations_ms = [
            ("subscription_max_s", self.subscription_max_s.saturating_mul(1_000)),
            ("header_timeout_ms", self.header_timeout_ms),
            ("idle_timeout_ms", self.idle_timeout_ms),
            ("stall_timeout_ms", self.stall_timeout_ms),
            ("body_timeout_ms", self.body_timeout_ms),
            ("http2_ping_ms", self.http2_ping_ms),
            ("min_position_wait_ms", self.min_position_wait_ms),
            ("shutdown_grace_ms", self.shutdown_grace_ms),
            ("drain_delay_ms", self.drain_delay_ms),
        ];
        if let Some((name, _)) = durations_ms.into_iter().find(|(_, ms)| *ms > DURATION_MS_CEILING) {
            return Err(InvalidSetting { name, rule: "at most a year" });
        }
        if self.append_bytes_max < self.batch_bytes_max {
            return Err(InvalidSetting {
                name: "append_bytes_max",
                rule: "at least batch_bytes_max, or else no append of that size could ever get in",
            });
        }
        if self.frame_bytes_max() > FRAME_BYTES_MAX {
            return Err(InvalidSetting {
                name: "data_bytes_max",
                rule: "smaller, or else extensions_max: with both full an event exceeds the 1 MiB that clients take",
            });
        }
        if self.heartbeat_ms > HEARTBEAT_MS_CEILING {
            return Err(InvalidSetting {
                name: "heartbeat_ms",
                rule: "at most 15000: until a stream is live, clients wait 20 seconds for a sign of life",
            });
        }
        if self.long_poll_max_s > LONG_POLL_S_CEILING {
            return Err(InvalidSetting { name: "long_poll_max_s", rule: "at most 30, as the protocol says" });
        }
        if self.goodbye_retry_ms > GOODBYE_RETRY_MS_CEILING {
            return Err(InvalidSetting {
                name: "goodbye_retry_ms",
                rule: "at most 60000: clients stay away that long",
            });
        }
        if self.head_heartbeat_ms > 1_000 {
            return Err(InvalidSetting { name: "head_heartbeat_ms", rule: "at most 1000: readers count on it" });
        }
        if !HEADER_BYTES_RANGE.contains(&self.header_bytes_max) {
            return Err(InvalidSetting { name: "header_bytes_max", rule: "1024 to 1048576" });
        }
        if !SNAPSHOT_EVENTS_RANGE.contains(&self.snapshot_every_events) {
            return Err(InvalidSetting { name: "snapshot_every_events", rule: "100 to 1000" });
        }
        match (self.tls_cert.as_os_str().is_empty(), self.tls_key.as_os_str().is_empty()) {
            (false, true) => return Err(InvalidSetting { name: "tls_key", rule: "given with tls_cert" }),
            (true, false) => return Err(InvalidSetting { name: "tls_cert", rule: "given with tls_key" }),
            _ => {}
        }
        self.check_access()
    }

    /// Holds who may against where the server listens.
    fn check_access(&self) -> Result<(), InvalidSetting> {
        if self.auth_keys.as_os_str().is_empty() && !self.listens_on_loopback() {
            return Err(InvalidSetting {
                name: "listen",
                rule: "a loopback address such as 127.0.0.1:4848, or else auth_keys be set: without keys everyone who \
                       can connect may read and append everything (docs/auth.md says how to make keys and tokens)",
            });
        }
        if self.auth_leeway_s > 300 {
            return Err(InvalidSetting { name: "auth_leeway_s", rule: "at most 300: set the clocks instead" });
        }
        if !self.cors_origins.iter().all(|origin| guard::is_origin(origin)) {
            return Err(InvalidSetting {
                name: "cors_origins",
                rule: "origins such as https://app.example.com, without a path; '*' would let every page act for \
                       whoever sees it",
            });
        }
        if self.hosts.iter().any(|host| host.contains(['/', ':'])) {
            return Err(InvalidSetting {
                name: "hosts",
                rule: "names such as log.example.com, without scheme and port",
            });
        }
        Ok(())
    }

    /// Whether only this machine can connect, as far as the address tells.
    fn listens_on_loopback(&self) -> bool {
        match self.listen.parse::<SocketAddr>() {
            Ok(address) => address.ip().is_loopback(),
            Err(_) => self.listen.rsplit_once(':').is_some_and(|(host, _)| host == "localhost"),
        }
    }

    /// No frame of an event within these settings is larger.
    fn frame_bytes_max(&self) -> usize {
        let base64 = self.data_bytes_max.div_ceil(3).saturating_mul(4);
        let extensions = self.extensions_max.saturating_mul(EXTENSION_BYTES_MAX);
        FRAME_REST_BYTES_MAX.saturating_add(base64).saturating_add(extensions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_values_are_named() {
        assert_eq!(Settings::default().check(), Ok(()));
        let silent = Settings { heartbeat_ms: 0, ..Settings::default() };
        assert_eq!(silent.check().unwrap_err().to_string(), "heartbeat_ms must be at least 1");
        let rare = Settings { heartbeat_ms: HEARTBEAT_MS_CEILING + 1, ..Settings::default() };
        let rule = rare.check().unwrap_err().rule;
        assert!(rule.contains(&HEARTBEAT_MS_CEILING.to_string()), "{rule}");
        let late = Settings { head_heartbeat_ms: 1_001, ..Settings::default() };
        assert_eq!(late.check().unwrap_err().name, "head_heartbeat_ms");
        let forever = Settings { long_poll_max_s: u64::MAX, ..Settings::default() };
        assert_eq!(
            forever.check().unwrap_err().to_string(),
            "long_poll_max_s must be at most 30, as the protocol says"
        );
        let never = Settings { goodbye_retry_ms: GOODBYE_RETRY_MS_CEILING + 1, ..Settings::default() };
        assert_eq!(never.check().unwrap_err().name, "goodbye_retry_ms");
        for (name, nothing) in [
            ("data_bytes_max", Settings { data_bytes_max: 0, ..Settings::default() }),
            ("batch_bytes_max", Settings { batch_bytes_max: 0, ..Settings::default() }),
            ("batch_events_max", Settings { batch_events_max: 0, ..Settings::default() }),
        ] {
            assert_eq!(nothing.check(), Err(InvalidSetting { name, rule: "at least 1" }));
        }
        let half = Settings { tls_cert: "chain.pem".into(), ..Settings::default() };
        assert_eq!(half.check().unwrap_err().to_string(), "tls_key must be given with tls_cert");
        for bytes in [HEADER_BYTES_RANGE.start() - 1, HEADER_BYTES_RANGE.end() + 1] {
            let head = Settings { header_bytes_max: bytes, ..Settings::default() };
            assert_eq!(head.check().unwrap_err().name, "header_bytes_max");
        }
        for events in [SNAPSHOT_EVENTS_RANGE.start() - 1, SNAPSHOT_EVENTS_RANGE.end() + 1] {
            let snapshots = Settings { snapshot_every_events: events, ..Settings::default() };
            assert_eq!(snapshots.check().unwrap_err().to_string(), "snapshot_every_events must be 100 to 1000");
        }
        let narrow = Settings { append_bytes_max: 1024, ..Settings::default() };
        assert_eq!(narrow.check().unwrap_err().name, "append_bytes_max");
        for too_large in [
            Settings { data_bytes_max: 512 * 1024, ..Settings::default() },
            Settings { data_bytes_max: usize::MAX, ..Settings::default() },
            Settings { extensions_max: 100, ..Settings::default() },
        ] {
            assert_eq!(too_large.check().unwrap_err().name, "data_bytes_max");
        }
    }

    #[test]
    fn others_can_connect_only_where_tokens_are_asked_for() {
        let listening = |listen: &str| Settings { listen: listen.into(), ..Settings::default() };
        for own in ["127.0.0.1:0", "127.0.0.2:80", "[::1]:80", "localhost:4848"] {
            assert_eq!(listening(own).check(), Ok(()), "{own}");
        }
        for open in ["0.0.0.0:4848", "[::]:4848", "10.0.0.1:80", "example.com:80", "localhost.example.com:80", ":80"] {
            let refused = listening(open).check().unwrap_err();
            assert!(refused.name == "listen" && refused.rule.contains("auth_keys"), "{open}");
            let with_keys = Settings { auth_keys: "keys.json".into(), ..listening(open) };
            assert_eq!(with_keys.check(), Ok(()), "{open}");
        }
    }

    #[test]
    fn lists_are_checked_item_by_item() {
        let origins = |origins: [&str; 2]| Settings { cors_origins: origins.into(), ..Settings::default() };
        assert_eq!(origins(["https://a.example", "http://localhost:5173"]).check(), Ok(()));
        assert_eq!(origins(["https://a.example", "*"]).check().unwrap_err().name, "cors_origins");
        let hosts = Settings { hosts: ["log.example.com", "https://log.example.com"].into(), ..Settings::default() };
        assert_eq!(hosts.check().unwrap_err().name, "hosts");
    }

    #[test]
    fn no_time_is_longer_than_clocks_can_tell() {
        let year_s = DURATION_MS_CEILING / 1_000;
        assert_eq!(Settings { subscription_max_s: year_s, ..Settings::default() }.check(), Ok(()));
        for endless in [year_s + 1, u64::MAX] {
            let refused = Settings { subscription_max_s: endless, ..Settings::default() }.check().unwrap_err();
            assert_eq!(refused.name, "subscription_max_s");
        }
        let refused = Settings { stall_timeout_ms: u64::MAX, ..Settings::default() }.check().unwrap_err();
        assert_eq!(refused.name, "stall_timeout_ms");
    }
}
