//! `highwater serve`: the server on an address and a folder.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use highwater_core::{decider::Entities, domain};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::logging::{Logging, LoggingError};
use crate::{
    app::AppState,
    auth::{Auth, InvalidKeys},
    broker::EventBroker,
    config::{InvalidSetting, Overrides, Settings},
    projection,
    serve::{self, Listener, Tls, TlsError},
    store::sqlite::{OpenError, SqliteStore, StoreOptions},
};

/// Where snapshots are, in the data folder.
const SNAPSHOTS_FILE: &str = "snapshots.sqlite";
/// Open files that are no connections: the log, those to be refused, and what the process itself needs.
const OTHER_FILES: u64 = 128;

/// Where in the data folder it stands how far work has come.
const WORK_OFFSET_FILE: &str = "work.offset";

/// In the data folder. All in it is derived from the log: it may be deleted at any time.
const LISTS_FILE: &str = "lists.sqlite";

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
    #[error("{0}; see --tls-cert and --tls-key")]
    Tls(#[from] TlsError),
    #[error("auth_keys: {0}")]
    Keys(#[from] InvalidKeys),
    #[error("cannot read {}, the telegram_secret_file: {error}", .path.display())]
    TelegramSecret { path: PathBuf, error: io::Error },
    #[error("cannot listen on {address}: {error}{}", listen_advice(.error))]
    Listen { address: String, error: io::Error },
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Lists(#[from] projection::OpenError),
    #[error(transparent)]
    Logging(#[from] LoggingError),
    #[error("cannot wait for signals: {0}")]
    Signals(io::Error),
}

impl ServeError {
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::ConfigUnreadable { .. }
            | Self::ConfigInvalid { .. }
            | Self::Setting(_)
            | Self::Logging(_)
            | Self::Tls(_)
            | Self::Keys(_)
            | Self::TelegramSecret { .. } => 2,
            Self::Listen { .. } => 3,
            Self::Open(_) | Self::Lists(_) => 4,
            Self::Signals(_) => 1,
        }
    }
}

/// Serves until a signal ends it. The first line on standard output says where, once that is so.
pub(super) async fn run(arguments: Arguments) -> Result<(), ServeError> {
    let settings = settings(arguments)?;
    let auth = Auth::load(&settings)?;
    let logging = Logging::begin(&settings)?;
    let shutdown = CancellationToken::new();
    cancel_on_signal(shutdown.clone()).map_err(ServeError::Signals)?;
    reload_on_signal(auth.clone()).map_err(ServeError::Signals)?;
    let tls = match settings.tls_cert.as_os_str().is_empty() {
        true => None,
        false => Some(Tls::load(&settings.tls_cert, &settings.tls_key)?),
    };
    let telegram_secret = read_telegram_secret(&settings.telegram_secret_file)?;
    let listening = |error| ServeError::Listen { address: settings.listen.clone(), error };
    let socket = TcpListener::bind(&settings.listen).await.map_err(listening)?;
    let address = socket.local_addr().map_err(listening)?;
    let options = StoreOptions { limits: settings.limits(), ..StoreOptions::default() };
    let store = SqliteStore::open(&settings.data, options)?;
    raise_open_files_limit(settings.connections_max);
    let mut listener = Listener::new(socket, &settings);
    let mut scheme = "http";
    if let Some(tls) = tls {
        reload_on_hangup(tls.clone()).map_err(ServeError::Signals)?;
        listener = listener.with_tls(tls);
        scheme = "https";
    }
    announce(&format!("listening on {scheme}://{address}"));
    let snapshots = settings.data.join(SNAPSHOTS_FILE);
    let broker = EventBroker::connect(Arc::new(store), &settings);
    let lists = settings.data.join(LISTS_FILE);
    let offset = settings.data.join(WORK_OFFSET_FILE);
    let entities = if settings.entities { domain::entities() } else { Entities::new() };
    let mut state = AppState::new(broker, settings).with_auth(auth).with_entities(entities);
    state = state.with_snapshots(&snapshots).with_lists(&lists)?;
    if let Some(secret) = telegram_secret {
        state = state.with_telegram_secret(&secret);
    }
    let work = tokio::spawn(state.work().with_offset(offset).run());
    serve::run(listener, state, shutdown).await;
    let _ = work.await; // It ends with the broker.
    logging.end().await;
    Ok(())
}

/// Lets the process have as many open files as it may, and says where these are too few for its connections.
fn raise_open_files_limit(connections_max: usize) {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files_max) if files_max < connections_max as u64 + OTHER_FILES => tracing::warn!(
            files_max,
            connections_max,
            "the system allows too few open files for that many connections: raise its limit (ulimit -Hn, or systemd's \
             LimitNOFILE), or lower connections_max"
        ),
        Ok(files_max) => tracing::info!(files_max, "open files"),
        Err(error) => tracing::warn!("cannot raise the limit of open files: {error}"),
    }
}

fn settings(arguments: Arguments) -> Result<Settings, ServeError> {
    let file = arguments.config.as_deref().map(read_config).transpose()?.unwrap_or_default();
    let settings = arguments.settings.over(file.over(Settings::default()));
    settings.check()?;
    Ok(settings)
}

/// The secret of Telegram's webhook, if there is one.
fn read_telegram_secret(path: &Path) -> Result<Option<String>, ServeError> {
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let unreadable = |error| ServeError::TelegramSecret { path: path.to_owned(), error };
    let secret = fs::read_to_string(path).map_err(unreadable)?;
    match secret.trim() {
        "" => Err(unreadable(io::Error::new(io::ErrorKind::InvalidData, "it is empty"))),
        secret => Ok(Some(secret.to_owned())),
    }
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

/// Cancels at the first SIGTERM or SIGINT, and ends the process at the second. Listening for them begins before this
/// returns.
#[cfg(unix)]
pub(super) fn cancel_on_signal(shutdown: CancellationToken) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        let mut signalled = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        signalled().await;
        tracing::info!("shutting down");
        shutdown.cancel();
        signalled().await;
        end_at_once();
    });
    Ok(())
}

/// Reads the keys again at every SIGHUP, where there are any.
#[cfg(unix)]
fn reload_on_signal(auth: Auth) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    if auth.asks_for_tokens() {
        let mut hangup = signal(SignalKind::hangup())?;
        tokio::spawn(async move {
            while hangup.recv().await.is_some() {
                match auth.reload() {
                    Ok(()) => tracing::info!("the keys have been read again"),
                    Err(error) => tracing::error!("{error}; the keys of before stay"),
                }
            }
        });
    }
    Ok(())
}

/// Keys are read at the start only: there is no such signal here.
#[cfg(not(unix))]
fn reload_on_signal(_: Auth) -> io::Result<()> {
    Ok(())
}

/// Cancels at the first Ctrl-C, and ends the process at the second.
#[cfg(not(unix))]
pub(super) fn cancel_on_signal(shutdown: CancellationToken) -> io::Result<()> {
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            shutdown.cancel();
        }
        if tokio::signal::ctrl_c().await.is_ok() {
            end_at_once();
        }
    });
    Ok(())
}

/// What was acknowledged is durable: there is nothing that could be lost.
fn end_at_once() -> ! {
    tracing::warn!("ended before everything was over");
    std::process::exit(1)
}

/// Takes up a renewed certificate at SIGHUP.
#[cfg(unix)]
fn reload_on_hangup(tls: Tls) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            match tls.reload() {
                Ok(()) => tracing::info!("the certificate was read again"),
                Err(error) => tracing::error!("the certificate stays as it was: {error}"),
            }
        }
    });
    Ok(())
}

/// There is no such signal.
#[cfg(not(unix))]
fn reload_on_hangup(_: Tls) -> io::Result<()> {
    Ok(())
}
