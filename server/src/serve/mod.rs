//! Puts the routes on a socket, and takes them off it again without leaving anybody in the dark.
//!
//! [`Listener`] takes connections as far as [`Connections`] has places, each is served by a task of its own, and who is
//! beyond the limits gets an answer that costs next to nothing.

mod connection;
mod http;
mod limits;
mod listener;
mod refuse;
mod tls;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use tokio::{
    net::TcpStream,
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

pub use self::{
    connection::Connection,
    limits::{Caps, ConnectionGuard, Connections, Full, Place},
    listener::Listener,
    tls::{Tls, TlsError},
};
use self::{
    http::{HttpServer, Transport},
    listener::Occasional,
};
use crate::{
    app::{AppState, app},
    sockets::Sockets,
    telemetry::HttpMetrics,
};

/// Serves an app until `shutdown` is cancelled. Then it is not ready any more, and after `drain_delay_ms` it says goodbye to
/// subscribers, finishes the requests under way as long as `shutdown_grace_ms` allows, and closes its broker.
pub async fn run(listener: Listener, mut state: AppState, shutdown: CancellationToken) {
    let (broker, ending) = (state.broker.clone(), state.shutdown.clone());
    let lists = state.lists.clone();
    let drain_delay = Duration::from_millis(state.settings.drain_delay_ms);
    state.draining = shutdown.clone();
    state.on_loopback = listener.is_on_loopback();
    let delayed = async {
        shutdown.cancelled().await;
        sleep(drain_delay).await;
        ending.cancel();
    };
    let served = Served { sockets: broker.sockets(), metrics: state.metrics.http.clone(), router: app(state) };
    tokio::join!(serve(listener, served, ending.clone()), delayed);
    if let Some(lists) = lists {
        lists.close().await;
    }
    broker.close().await;
}

/// What connections get.
pub(crate) struct Served {
    router: Router,
    /// Where sockets go that HTTP is done with.
    sockets: Option<Sockets>,
    metrics: HttpMetrics,
}

impl From<Router> for Served {
    /// Any routes, and nothing around them.
    fn from(router: Router) -> Self {
        Self { router, sockets: None, metrics: HttpMetrics::default() }
    }
}

/// Serves until `shutdown` is cancelled and the connections have ended, or the grace is over.
pub(crate) async fn serve(mut listener: Listener, served: Served, shutdown: CancellationToken) {
    let connections = listener.connections.clone();
    let grace = Duration::from_millis(listener.settings.shutdown_grace_ms);
    let server = Arc::new(Server {
        tls: listener.tls.clone(),
        http: HttpServer::new(served, &listener.settings, shutdown.clone()),
        header_timeout: Duration::from_millis(listener.settings.header_timeout_ms),
        idle_timeout: Duration::from_millis(listener.settings.idle_timeout_ms),
        shutdown: shutdown.clone(),
    });
    let refusals = Arc::new(Semaphore::new(refuse::ANSWERED_MAX));
    let mut refusing = Occasional::default();
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(_) = tasks.join_next() => {}
            (socket, peer) = listener.accept() => match connections.admit(peer.ip()) {
                Ok(guard) => {
                    tasks.spawn(Arc::clone(&server).connection(socket, peer, guard));
                }
                Err(full) => {
                    server.http.refused(full);
                    if refusing.is_due() {
                        tracing::warn!(refused = connections.refused(), "connections are refused: {full}");
                    }
                    if let Ok(permit) = Arc::clone(&refusals).try_acquire_owned() {
                        let refusal = refuse::refuse(socket, server.tls.clone(), full);
                        tasks.spawn(async move {
                            let _permit = permit;
                            refusal.await;
                        });
                    }
                }
            },
        }
    }
    drop(listener);
    if timeout(grace, connections.all_closed()).await.is_err() {
        tracing::warn!(connections = connections.open(), "requests still under way are cut off");
    }
    tasks.shutdown().await;
}

/// What all connections are served by.
struct Server {
    tls: Option<Tls>,
    http: HttpServer,
    header_timeout: Duration,
    idle_timeout: Duration,
    shutdown: CancellationToken,
}

impl Server {
    /// One connection, from its first byte to its last.
    async fn connection(self: Arc<Self>, socket: TcpStream, peer: SocketAddr, guard: ConnectionGuard) {
        let first_by = Instant::now() + self.header_timeout;
        let transport = match &self.tls {
            None => Transport::Plain(socket),
            Some(tls) => {
                let handshake = self.shutdown.run_until_cancelled(timeout_at(first_by, tls.accept(socket)));
                match Box::pin(handshake).await {
                    Some(Ok(Ok(stream))) => Transport::Tls(Box::new(stream)),
                    Some(Ok(Err(error))) => return tracing::debug!(%peer, "no TLS with a client: {error}"),
                    Some(Err(_)) | None => return,
                }
            }
        };
        self.http.serve(transport, Connection::new(peer, guard, first_by, self.idle_timeout)).await;
    }
}
