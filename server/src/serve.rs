//! Puts the routes on a socket, and takes them off it again without leaving anybody in the dark.

use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    app::{AppState, app},
    config::Settings,
    store::EventStore,
};

/// How long to let be when the system has no socket for a connection.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Serves the store as [`run_app`] does, to whoever can connect.
pub async fn run(listener: TcpListener, store: Arc<dyn EventStore>, settings: Settings, shutdown: CancellationToken) {
    run_app(listener, AppState::new(store, settings, shutdown)).await;
}

/// Serves a store until the shutdown begins; then says goodbye to subscribers, finishes the requests under way as long as
/// `shutdown_grace_ms` allows, and closes the store.
pub async fn run_app(listener: TcpListener, mut state: AppState) {
    let settings = &state.settings;
    let bounds =
        Bounds { connections_max: settings.connections_max, grace: Duration::from_millis(settings.shutdown_grace_ms) };
    let (store, shutdown) = (Arc::clone(&state.store), state.shutdown.clone());
    state.on_loopback = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
    serve(listener, app(state), bounds, shutdown).await;
    store.close().await;
}

/// What [`serve`] keeps within.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The most connections at a time. One more is closed at once: its client can tell that from a refusal that lasts,
    /// which an `EventSource` would take an error status for.
    pub connections_max: usize,
    /// How long requests under way may take to end.
    pub grace: Duration,
}

/// Serves any routes until `shutdown` is cancelled and the connections have ended, or the grace is over.
pub async fn serve(listener: TcpListener, router: Router, bounds: Bounds, shutdown: CancellationToken) {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut is_full = false;
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok(_) if connections.len() >= bounds.connections_max => {
                    if !std::mem::replace(&mut is_full, true) {
                        tracing::warn!(bounds.connections_max, "no more connections are taken until one ends");
                    }
                }
                Ok((socket, _)) => {
                    is_full = false;
                    connections.spawn(connection(socket, router.clone(), &graceful));
                }
                Err(error) => {
                    tracing::warn!("cannot accept a connection: {error}");
                    sleep(ACCEPT_RETRY).await;
                }
            },
        }
    }
    drop(listener);
    if timeout(bounds.grace, graceful.shutdown()).await.is_err() {
        tracing::warn!(connections = connections.len(), "requests still under way are cut off");
    }
    connections.shutdown().await;
}

/// One connection: its requests one after the other, until either side ends it. An idle one ends with the server.
fn connection(socket: TcpStream, router: Router, graceful: &GracefulShutdown) -> impl Future<Output = ()> + use<> {
    // What is written is whole frames: they shall not wait for more.
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!("a connection keeps its delay: {error}");
    }
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(socket), TowerToHyperService::new(router));
    let connection = graceful.watch(connection);
    async move {
        if let Err(error) = connection.await {
            tracing::debug!("a connection broke: {error}");
        }
    }
}
