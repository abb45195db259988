//! [`Stage`]: everything the demo plays on: the log, the server before it, the proxy before that.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::Context;
use axum::middleware::from_fn_with_state;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{
    pace::Pace,
    proxy::{Faults, Proxy},
};
use crate::{
    app::AppState,
    broker::EventBroker,
    config::Settings,
    guard,
    serve::{self, Listener},
    store::sqlite::{SqliteStore, StoreOptions},
};

const LOOPBACK: &str = "127.0.0.1:0";
/// How long the end waits for what is under way.
const GRACE_MS: u64 = 2_000;

/// How a stage is set up.
pub(super) struct Setting {
    /// Where the proxy listens; where that is taken, at a free port of this machine.
    pub(super) listen: String,
    /// Whether another port will do where `listen` is taken.
    pub(super) any_port: bool,
    /// The folder of the log; one of its own that is removed in the end, if not given.
    pub(super) data: Option<PathBuf>,
    pub(super) heartbeat_ms: Option<u64>,
    pub(super) faults: Faults,
    pub(super) pace: Pace,
    pub(super) seed: u64,
}

/// A server and a proxy that run.
pub(super) struct Stage {
    address: SocketAddr,
    server_address: SocketAddr,
    proxy: Proxy,
    shutdown: CancellationToken,
    running: [JoinHandle<()>; 2],
    /// Removed after everything has ended.
    folder: Option<TempDir>,
}

impl Stage {
    /// Sets everything up. Cancelling `shutdown` begins its end; [`strike`](Self::strike) brings it about.
    pub(super) async fn set(setting: Setting, shutdown: CancellationToken) -> anyhow::Result<Self> {
        let listener = listen(&setting.listen, setting.any_port).await?;
        let address = listener.local_addr()?;
        let own = TcpListener::bind(LOOPBACK).await.context("cannot listen on this machine")?;
        let server_address = own.local_addr()?;
        let folder = match setting.data {
            Some(_) => None,
            None => {
                Some(tempfile::Builder::new().prefix("highwater-demo-").tempdir().context("no folder for the log")?)
            }
        };
        let data = match (&folder, setting.data) {
            (Some(folder), _) => folder.path().to_owned(),
            (None, data) => data.unwrap_or_default(),
        };
        let defaults = Settings::default();
        let settings = Settings {
            heartbeat_ms: setting.heartbeat_ms.unwrap_or(defaults.heartbeat_ms),
            data: data.clone(),
            shutdown_grace_ms: GRACE_MS,
            ..defaults
        };
        let store = Arc::new(SqliteStore::open(&data, StoreOptions::default())?);
        let upstream = format!("http://{server_address}").parse().context("an address makes a URL")?;
        let proxy = Proxy::new(upstream, setting.faults, setting.pace, setting.seed, shutdown.clone())?;
        let (page, server) = (Listener::new(listener, &settings), Listener::new(own, &settings));
        // Its faults can be set and its log be read by pages: by its own only, as the server's.
        let rules = guard::Rules { on_loopback: page.is_on_loopback(), settings: Arc::new(settings.clone()) };
        let router = proxy.router().layer(from_fn_with_state(rules, guard::guard));
        let broker = EventBroker::connect(store, &settings);
        let running = [
            tokio::spawn(serve::run(
                server,
                AppState::new(broker, settings).with_entities(highwater_core::domain::entities()),
                shutdown.clone(),
            )),
            tokio::spawn(serve::serve(page, router.into(), shutdown.clone())),
        ];
        Ok(Self { address, server_address, proxy, shutdown, running, folder })
    }

    /// Where the proxy is.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where the server itself is.
    pub(super) fn server_url(&self) -> String {
        format!("http://{}", self.server_address)
    }

    pub(super) fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// Ends everything, and removes what was only there for the while.
    pub(super) async fn strike(self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        for running in self.running {
            running.await.context("the demo's server broke down")?;
        }
        match self.folder {
            Some(folder) => folder.close().context("the demo's folder can't be removed"),
            None => Ok(()),
        }
    }
}

async fn listen(address: &str, any_port: bool) -> anyhow::Result<TcpListener> {
    let listener = match TcpListener::bind(address).await {
        Err(error) if any_port && error.kind() == io::ErrorKind::AddrInUse => TcpListener::bind(LOOPBACK).await,
        other => other,
    };
    listener.with_context(|| format!("cannot listen on {address}"))
}
