//! What the process tells of itself: log lines on standard error, and traces for a collector where one is set.

use std::io::{self, IsTerminal};

use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{LevelFilter, ParseError},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::config::{LogFormat, Settings};

/// The setting of the same name, for commands that have no settings.
const LOG_VARIABLE: &str = "HIGHWATER_LOG";

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Why the process can't tell of itself as it is set to.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoggingError {
    #[error("log '{filter}' must be a level, or targets and levels such as info,highwater_server=debug: {error}")]
    Filter { filter: String, error: ParseError },
    #[cfg(feature = "otel")]
    #[error("otlp_endpoint '{endpoint}' can't be used: {reason}")]
    Endpoint { endpoint: String, reason: String },
    #[cfg(not(feature = "otel"))]
    #[error("otlp_endpoint can't be used: this program was built without the feature otel")]
    NoTraces,
}

/// A server's log lines and traces, until [`Self::end`].
pub(super) struct Logging {
    #[cfg(feature = "otel")]
    traces: Option<super::traces::Traces>,
}

impl Logging {
    /// Begins to tell what the settings ask for.
    pub(super) fn begin(settings: &Settings) -> Result<Self, LoggingError> {
        let lines = lines(settings.log_format).with_filter(filter(&settings.log)?).boxed();
        Self::begin_with(settings, lines)
    }

    #[cfg(feature = "otel")]
    fn begin_with(settings: &Settings, lines: BoxedLayer) -> Result<Self, LoggingError> {
        let traces = match settings.otlp_endpoint.as_str() {
            "" => None,
            endpoint => Some(super::traces::Traces::begin(endpoint)?),
        };
        let exported = traces.as_ref().map(super::traces::Traces::layer);
        tracing_subscriber::registry().with(vec![lines].into_iter().chain(exported).collect::<Vec<_>>()).init();
        Ok(Self { traces })
    }

    #[cfg(not(feature = "otel"))]
    fn begin_with(settings: &Settings, lines: BoxedLayer) -> Result<Self, LoggingError> {
        if !settings.otlp_endpoint.is_empty() {
            return Err(LoggingError::NoTraces);
        }
        tracing_subscriber::registry().with(lines).init();
        Ok(Self {})
    }

    /// Sends what has not been sent yet.
    pub(super) async fn end(self) {
        #[cfg(feature = "otel")]
        if let Some(traces) = self.traces {
            traces.end().await;
        }
    }
}

/// Begins to log what the environment asks for, as commands do that people start.
pub(super) fn begin_by_environment() {
    let wanted = std::env::var(LOG_VARIABLE).ok().and_then(|text| filter(&text).ok());
    let wanted = wanted.unwrap_or_else(|| EnvFilter::new(Settings::default().log));
    tracing_subscriber::registry().with(lines(LogFormat::Pretty).with_filter(wanted)).init();
}

/// Log lines go to standard error: what is on standard output is for programs.
fn lines(format: LogFormat) -> BoxedLayer {
    let lines = fmt::layer().with_writer(io::stderr);
    match format {
        LogFormat::Pretty => lines.with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    }
}

/// A level alone means this program's own lines. Of others' it brings no more than `info`: below, some tell what they read
/// off the wire, and with it what is secret. Whoever names them gets them.
fn filter(text: &str) -> Result<EnvFilter, LoggingError> {
    let wanted = match text.parse::<LevelFilter>() {
        Ok(level) if level > LevelFilter::INFO => format!("info,highwater_server={level},highwater_core={level}"),
        _ => text.to_owned(),
    };
    EnvFilter::try_new(wanted).map_err(|error| LoggingError::Filter { filter: text.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_alone_is_ours() {
        for (text, meant) in [
            ("warn", "warn"),
            ("TRACE", "highwater_server=trace,highwater_core=trace,info"),
            ("hyper=trace,info", "hyper=trace,info"),
        ] {
            assert_eq!(filter(text).unwrap().to_string(), meant, "{text}");
        }
        assert!(filter("highwater_server=loud").unwrap_err().to_string().contains("'highwater_server=loud'"));
    }
}
