//! What can be set: [`Settings`], each with its unit in its name, and [`Overrides`], what one source says of them.

use std::{fmt, path::PathBuf};

use highwater_core::{
    event::{Limits, TEXT_BYTES_MAX},
    sse::FRAME_BYTES_MAX,
};
use serde::Deserialize;

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
    /// The most seconds that a reader may ask an empty page to be held back
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
    /// How long subscribers shall wait before they come back after a shutdown
    goodbye_retry_ms ("HIGHWATER_GOODBYE_RETRY_MS"): u64 = 1_000,
    /// The most connections at a time; who comes then is turned away
    connections_max ("HIGHWATER_CONNECTIONS_MAX"): usize = 10_000,
    /// How long an append may take to send its body
    body_timeout_ms ("HIGHWATER_BODY_TIMEOUT_MS"): u64 = 30_000,
    /// How long a shutdown waits for requests under way
    shutdown_grace_ms ("HIGHWATER_SHUTDOWN_GRACE_MS"): u64 = 10_000,

    /// The most appends under way at a time; who comes then is told to retry
    appends_max ("HIGHWATER_APPENDS_MAX"): usize = 4_096,
    /// The most bytes of appends under way at a time; at least batch_bytes_max
    append_bytes_max ("HIGHWATER_APPEND_BYTES_MAX"): usize = 64 * 1024 * 1024,

    /// Which log lines are wanted: a level, or targets and levels such as info,highwater_server=debug
    log ("HIGHWATER_LOG"): String = "info".to_owned(),
    /// How log lines are written, to standard error
    log_format ("HIGHWATER_LOG_FORMAT"): LogFormat = LogFormat::Pretty,
    /// OpenTelemetry collector that gets traces over OTLP/HTTP, such as http://127.0.0.1:4318; empty for none
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
    let default = format!("{default:?}");
    match default.trim_matches('"') {
        "" => doc.trim().to_owned(),
        default => format!("{} [default: {default}]", doc.trim()),
    }
}

/// What a frame needs beside data and extensions: the fullest clock (256 actors of 255 bytes that are all
/// percent-encoded, with counters of 16 digits: 200,448 bytes), the other attributes with every character that can be
/// escaped (under 17 kB), and the frame's own fields.
const FRAME_REST_BYTES_MAX: usize = 220 * 1024;
/// An extension: a name of 64 bytes and a text of which each byte is an escape of six.
const EXTENSION_BYTES_MAX: usize = 64 + 6 * TEXT_BYTES_MAX + r#","":"""#.len();

/// Until a stream is live and has said otherwise, clients wait 20 seconds for a sign of life.
const HEARTBEAT_MS_CEILING: u64 = 15_000;

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
        ];
        if let Some((name, _)) = at_least_one.into_iter().find(|(_, value)| *value == 0) {
            return Err(InvalidSetting { name, rule: "at least 1" });
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
        if self.head_heartbeat_ms > 1_000 {
            return Err(InvalidSetting { name: "head_heartbeat_ms", rule: "at most 1000: readers count on it" });
        }
        Ok(())
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
}
