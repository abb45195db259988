//! `highwater serve`: the server on an address and a folder.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::logging::{Logging, LoggingError};
use crate::{
    config::{InvalidSetting, Overrides, Settings},
    serve,
    store::sqlite::{OpenError, SqliteStore, StoreOptions},
};

/// Flags win over environment variables, those over the file, and that over the defaults.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// TOML file of settings, named like the flags with '_' for '-'
    #[arg(long, env = "HIGHWATER_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Overrides,
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServeError {
    #[error("cannot read {}: {error}", .path.display())]
    ConfigUnreadable { path: PathBuf, error: io::Error },
    #[error("{}: {error}", .path.display())]
    ConfigInvalid { path: PathBuf, error: Box<toml::de::Error> },
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
    #[error("cannot listen on {address}: {error}{}", listen_advice(.error))]
    Listen { address: String, error: io::Error },
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Logging(#[from] LoggingError),
    #[error("cannot wait for signals: {0}")]
    Signals(io::Error),
}

impl ServeError {
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::ConfigUnreadable { .. } | Self::ConfigInvalid { .. } | Self::Setting(_) | Self::Logging(_) => 2,
            Self::Listen { .. } => 3,
            Self::Open(_) => 4,
            Self::Signals(_) => 1,
        }
    }
}

/// Serves until a signal ends it. The first line on standard output says where, once that is so.
pub(super) async fn run(arguments: Arguments) -> Result<(), ServeError> {
    let settings = settings(arguments)?;
    let logging = Logging::begin(&settings)?;
    let shutdown = CancellationToken::new();
    cancel_on_signal(shutdown.clone()).map_err(ServeError::Signals)?;
    let listening = |error| ServeError::Listen { address: settings.listen.clone(), error };
    let listener = TcpListener::bind(&settings.listen).await.map_err(listening)?;
    let address = listener.local_addr().map_err(listening)?;
    let options = StoreOptions { limits: settings.limits(), ..StoreOptions::default() };
    let store = SqliteStore::open(&settings.data, options)?;
    announce(&format!("listening on http://{address}"));
    serve::run(listener, Arc::new(store), settings, shutdown).await;
    logging.end().await;
    Ok(())
}

fn settings(arguments: Arguments) -> Result<Settings, ServeError> {
    let file = arguments.config.as_deref().map(read_config).transpose()?.unwrap_or_default();
    let settings = arguments.settings.over(file.over(Settings::default()));
    settings.check()?;
    Ok(settings)
}

fn read_config(path: &Path) -> Result<Overrides, ServeError> {
    let unreadable = |error| ServeError::ConfigUnreadable { path: path.to_owned(), error };
    let text = fs::read_to_string(path).map_err(unreadable)?;
    toml::from_str(&text).map_err(|error| ServeError::ConfigInvalid { path: path.to_owned(), error: Box::new(error) })
}

fn listen_advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; is another server running? Choose another with --listen",
        _ => "",
    }
}

/// Whoever started the server may have closed its output: that is no reason not to serve.
fn announce(line: &str) {
    let mut out = io::stdout().lock();
    if let Err(error) = writeln!(out, "{line}").and_then(|()| out.flush()) {
        tracing::warn!("cannot write '{line}' to standard output: {error}");
    }
}

/// Cancels at the first SIGTERM or SIGINT. Listening for them begins before this returns.
#[cfg(unix)]
pub(super) fn cancel_on_signal(shutdown: CancellationToken) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("shutting down");
        shutdown.cancel();
    });
    Ok(())
}

/// Cancels at the first Ctrl-C.
#[cfg(not(unix))]
pub(super) fn cancel_on_signal(shutdown: CancellationToken) -> io::Result<()> {
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            shutdown.cancel();
        }
    });
    Ok(())
}
