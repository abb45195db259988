//! What can be set: [`Settings`], each with its unit in its name, and [`Overrides`], what one source says of them.

mod list;

use std::{fmt, net::SocketAddr, ops::RangeInclusive, path::PathBuf};

use highwater_core::{
    event::{Limits, TEXT_BYTES_MAX},
    sse::FRAME_BYTES_MAX,
};
use serde::Deserialize;

pub use self::list::List;
use crate::guard;

/// Where the server listens unless told otherwise.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:4848";
/// Where clients find a server that was not told otherwise.
pub const DEFAULT_URL: &str = "http://127.0.0.1:4848";

macro_rules! settings {
    ($(#[doc = $doc:expr] $name:ident ($env:literal): $type:ty = $default:expr,)*) => {
        /// Everything that can be set.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Settings {
            $(#[doc = $doc] pub $name: $type,)*
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        /// What one source (flags and environment, or a file) says of the settings.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        #[cfg_attr(feature = "cli", derive(clap::Args))]
        pub struct Overrides {
            $(
                #[doc = $doc]
                #[cfg_attr(feature = "cli", arg(
                    long, env = $env, hide_env_values = true, value_name = "VALUE", help = help($doc, $default),
                ))]
                pub $name: Option<$type>,
            )*
        }

        impl Overrides {
            /// Puts what is set here over other settings.
            #[must_use]
            pub fn over(self, base: Settings) -> Settings {
                Settings { $($name: self.$name.unwrap_or(base.$name),)* }
            }
        }

        #[cfg(test)]
        const NAMES: &[(&str, &str)] = &[$((stringify!($name), $env),)*];
    };
}

settings! {
    /// Address and port to listen on; port 0 takes a free one
    listen ("HIGHWATER_LISTEN"): String = DEFAULT_LISTEN.to_owned(),
    /// Folder that holds the log; it is made if it is missing
    data ("HIGHWATER_DATA"): PathBuf = PathBuf::from("highwater-data"),

    /// The most data of one event
    data_bytes_max ("HIGHWATER_DATA_BYTES_MAX"): usize = Limits::default().data_bytes_max,
    /// The most that one append may carry
    batch_bytes_max ("HIGHWATER_BATCH_BYTES_MAX"): usize = Limits::default().batch_bytes_max,
    /// The most events of one append
    batch_events_max ("HIGHWATER_BATCH_EVENTS_MAX"): usize = Limits::default().batch_events_max,
    /// The most extension attributes of one event
    extensions_max ("HIGHWATER_EXTENSIONS_MAX"): usize = Limits::default().extensions_max,
    /// How far above its stream's version an event's may lie
    version_jump_max ("HIGHWATER_VERSION_JUMP_MAX"): u32 = Limits::default().version_jump_max,

    /// Events of a page for which no limit was asked
    page_events_default ("HIGHWATER_PAGE_EVENTS_DEFAULT"): usize = 100,
    /// The most events of a page; who asks for more gets these
    page_events_max ("HIGHWATER_PAGE_EVENTS_MAX"): usize = 1_000,
    /// The most bytes of a page's events; one event always fits
    page_bytes_max ("HIGHWATER_PAGE_BYTES_MAX"): usize = 1024 * 1024,
    /// The most seconds that a reader may ask an empty page to be held back; at most 30
    long_poll_max_s ("HIGHWATER_LONG_POLL_MAX_S"): u64 = 30,
    /// How long a read waits for the position that it asked for
    min_position_wait_ms ("HIGHWATER_MIN_POSITION_WAIT_MS"): u64 = 2_000,

    /// The longest silence of a subscription; at most 15000
    heartbeat_ms ("HIGHWATER_HEARTBEAT_MS"): u64 = 15_000,
    /// How soon a subscription whose topics are quiet learns that the log has grown; at most 1000
    head_heartbeat_ms ("HIGHWATER_HEAD_HEARTBEAT_MS"): u64 = 500,
    /// The most bytes of events that a subscription holds in memory; one event always fits
    subscriber_bytes_max ("HIGHWATER_SUBSCRIBER_BYTES_MAX"): usize = 256 * 1024,
    /// The most events that a subscription holds in memory
    subscriber_events_max ("HIGHWATER_SUBSCRIBER_EVENTS_MAX"): usize = 512,
    /// The most bytes kept ready for the subscribers of one set of topics; who is slower reads the log
    ring_bytes_max ("HIGHWATER_RING_BYTES_MAX"): usize = 4 * 1024 * 1024,
    /// The most bytes kept ready for all subscribers together
    rings_bytes_max ("HIGHWATER_RINGS_BYTES_MAX"): usize = 64 * 1024 * 1024,
    /// The most seconds that a subscription lasts before its client has to come back; up to a fifth less, by chance
    subscription_max_s ("HIGHWATER_SUBSCRIPTION_MAX_S"): u64 = 3_600,
    /// The most subscriptions of one WebSocket
    socket_subscriptions_max ("HIGHWATER_SOCKET_SUBSCRIPTIONS_MAX"): usize = 32,
    /// The most subscriptions and held pages at a time of tokens with one subject; 0 for no such bound
    subscriptions_per_principal_max ("HIGHWATER_SUBSCRIPTIONS_PER_PRINCIPAL_MAX"): usize = 1_000,
    /// How long subscribers shall wait before they come back after a shutdown; at most 60000
    goodbye_retry_ms ("HIGHWATER_GOODBYE_RETRY_MS"): u64 = 1_000,
    /// The most connections at a time; who comes then is turned away
    connections_max ("HIGHWATER_CONNECTIONS_MAX"): usize = 10_000,
    /// How long an append may take to send its body
    body_timeout_ms ("HIGHWATER_BODY_TIMEOUT_MS"): u64 = 30_000,
    /// How long a shutdown waits for requests under way
    shutdown_grace_ms ("HIGHWATER_SHUTDOWN_GRACE_MS"): u64 = 10_000,

    /// PEM file of the certificate chain, the server's own first; with it and its key, TLS is all that is spoken
    tls_cert ("HIGHWATER_TLS_CERT"): PathBuf = PathBuf::new(),
    /// PEM file of the certificate's private key
    tls_key ("HIGHWATER_TLS_KEY"): PathBuf = PathBuf::new(),
    /// The most connections of one address (with IPv6: of one /64) at a time; 0 for no such bound, as behind a proxy
    connections_per_address_max ("HIGHWATER_CONNECTIONS_PER_ADDRESS_MAX"): usize = 0,
    /// How long a new connection may take to come to its first whole request head, through the TLS handshake
    header_timeout_ms ("HIGHWATER_HEADER_TIMEOUT_MS"): u64 = 15_000,
    /// The most bytes of a request's head
    header_bytes_max ("HIGHWATER_HEADER_BYTES_MAX"): usize = 16 * 1024,
    /// How long a connection may be without a request under way
    idle_timeout_ms ("HIGHWATER_IDLE_TIMEOUT_MS"): u64 = 75_000,
    /// How long a client may leave what it was sent unread, or its receipt unsaid, before its connection is cut
    stall_timeout_ms ("HIGHWATER_STALL_TIMEOUT_MS"): u64 = 120_000,
    /// The most requests under way on one HTTP/2 connection
    http2_streams_max ("HIGHWATER_HTTP2_STREAMS_MAX"): u32 = 100,
    /// How often an HTTP/2 connection is asked whether it lives
    http2_ping_ms ("HIGHWATER_HTTP2_PING_MS"): u64 = 30_000,
    /// How long a shutdown says that it is not ready before it turns anybody away
    drain_delay_ms ("HIGHWATER_DRAIN_DELAY_MS"): u64 = 0,

    /// File of the keys that sign tokens: a public key (PEM), a JWKS or a secret; without it everyone may do everything
    auth_keys ("HIGHWATER_AUTH_KEYS"): PathBuf = PathBuf::new(),
    /// The issuer that tokens must name
    auth_issuer ("HIGHWATER_AUTH_ISSUER"): String = String::new(),
    /// The audience that tokens must name; without it a token that names any is refused
    auth_audience ("HIGHWATER_AUTH_AUDIENCE"): String = String::new(),
    /// How far clocks may differ when a token's time is judged; at most 300
    auth_leeway_s ("HIGHWATER_AUTH_LEEWAY_S"): u64 = 10,
    /// Origins whose pages may use the server from a browser, such as `https://app.example.com`
    cors_origins ("HIGHWATER_CORS_ORIGINS"): List = List::default(),
    /// Names that a server on a loopback address is asked by, beside localhost: those of the proxy before it
    hosts ("HIGHWATER_HOSTS"): List = List::default(),
    /// How long browsers shall insist on TLS once they have seen it; 0 does not ask them to
    hsts_max_age_s ("HIGHWATER_HSTS_MAX_AGE_S"): u64 = 31_536_000,

    /// The most appends under way at a time; who comes then is told to retry
    appends_max ("HIGHWATER_APPENDS_MAX"): usize = 4_096,
    /// The most bytes of appends under way at a time; at least batch_bytes_max
    append_bytes_max ("HIGHWATER_APPEND_BYTES_MAX"): usize = 64 * 1024 * 1024,

    /// Which log lines are wanted: a level, or targets and levels such as info,highwater_server=debug
    log ("HIGHWATER_LOG"): String = "info".to_owned(),
    /// How log lines are written, to standard error
    log_format ("HIGHWATER_LOG_FORMAT"): LogFormat = LogFormat::Pretty,
    /// OpenTelemetry collector that gets traces over OTLP/HTTP, such as `http://127.0.0.1:4318`; empty for none
    otlp_endpoint ("HIGHWATER_OTLP_ENDPOINT"): String = String::new(),
}

/// How log lines are written.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// An object a line, for programs.
    Json,
}

/// As it is set.
impl fmt::Debug for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pretty => "pretty",
            Self::Json => "json",
        })
    }
}

/// A flag's help: what the setting is, and what it is unless set.
#[cfg(feature = "cli")]
fn help(doc: &str, default: impl std::fmt::Debug) -> String {
    let (doc, default) = (doc.trim().replace('`', ""), format!("{default:?}"));
    match default.trim_matches('"') {
        "" => format!("{doc} [default: none]"),
        default => format!("{doc} [default: {default}]"),
    }
}

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

    /// What an append may carry.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            data_bytes_max: self.data_bytes_max,
            batch_bytes_max: self.batch_bytes_max,
            batch_events_max: self.batch_events_max,
            extensions_max: self.extensions_max,
            version_jump_max: self.version_jump_max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_from_each_other() {
        assert_eq!(DEFAULT_URL, format!("http://{DEFAULT_LISTEN}"));
        for (name, env) in NAMES {
            assert_eq!(*env, format!("HIGHWATER_{}", name.to_uppercase()));
        }
    }

    #[test]
    fn the_later_source_wins() {
        let file = Overrides { listen: Some("file".into()), heartbeat_ms: Some(1), ..Overrides::default() };
        let flags = Overrides { listen: Some("flag".into()), ..Overrides::default() };
        let settings = flags.over(file.over(Settings::default()));
        assert_eq!((settings.listen.as_str(), settings.heartbeat_ms), ("flag", 1));
        assert_eq!(settings.data, Settings::default().data);
    }

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
