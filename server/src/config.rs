//! What can be set: [`Settings`], each with its unit in its name, and [`Overrides`], what one source says of them.

mod check;
mod list;

use std::{fmt, path::PathBuf};

use highwater_core::event::Limits;
use serde::Deserialize;

pub use self::{check::InvalidSetting, list::List};

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

    /// File with the secret of Telegram's webhook, as `setWebhook` was told it; without it there is no webhook
    telegram_secret_file ("HIGHWATER_TELEGRAM_SECRET_FILE"): PathBuf = PathBuf::new(),
    /// The most events that the lists take into one transaction
    lists_batch_events_max ("HIGHWATER_LISTS_BATCH_EVENTS_MAX"): usize = 500,
    /// The most events that the lists set aside by name because they can't be folded
    lists_set_aside_max ("HIGHWATER_LISTS_SET_ASIDE_MAX"): usize = 1_000,
    /// How many events of an entity's stream lie between two snapshots of its state; 100 to 1000
    snapshot_every_events ("HIGHWATER_SNAPSHOT_EVERY_EVENTS"): u32 = 500,

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

impl Settings {
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
}
