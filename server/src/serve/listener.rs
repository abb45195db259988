//! [`Listener`]: where connections come from.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};

use super::{limits::Connections, tls::Tls};
use crate::config::Settings;

/// How long to let be when the system has no socket for a connection.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// How many connections may wait to be accepted, as far as the system allows: all clients come back at once after a
/// restart, and who is left out then has to wait for a retransmission.
const BACKLOG: i32 = 4096;
/// How often at most the same trouble is told of.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// Where connections come from, and how many there may be.
pub struct Listener {
    socket: TcpListener,
    pub(super) tls: Option<Tls>,
    pub(super) settings: Settings,
    pub(super) connections: Connections,
    starving: Occasional,
}

impl Listener {
    /// Takes connections from this socket, as many and for as long as the settings allow.
    #[must_use]
    pub fn new(socket: TcpListener, settings: &Settings) -> Self {
        // It listens already: once more only sets the backlog.
        if let Err(error) = SockRef::from(&socket).listen(BACKLOG) {
            tracing::debug!("the backlog stays as it was: {error}");
        }
        Self {
            socket,
            tls: None,
            settings: settings.clone(),
            connections: Connections::new(settings.connections_max, settings.connections_per_address_max),
            starving: Occasional::default(),
        }
    }

    /// The same with TLS, which is then all that is spoken.
    #[must_use]
    pub fn with_tls(self, tls: Tls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// The connections that are open.
    #[must_use]
    pub fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Whether only this machine can connect.
    pub(crate) fn is_on_loopback(&self) -> bool {
        self.socket.local_addr().is_ok_and(|address| address.ip().is_loopback())
    }

    /// The next connection. Where the system can't give one, it waits until it can.
    pub(super) async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.socket.accept().await {
                Ok((socket, peer)) => match self.tune(&socket) {
                    Ok(()) => return (socket, peer),
                    Err(error) => tracing::debug!("a connection broke at once: {error}"),
                },
                Err(error) if is_of_the_connection(&error) => tracing::debug!("a connection broke at once: {error}"),
                Err(error) => {
                    if self.starving.is_due() {
                        tracing::warn!("cannot accept connections: {error}");
                    }
                    sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }

    fn tune(&self, socket: &TcpStream) -> io::Result<()> {
        // What is written is whole frames: they shall not wait for more.
        socket.set_nodelay(true)?;
        // The kernel knows best what has arrived: this ends those who vanish as well as those who don't read.
        #[cfg(target_os = "linux")]
        SockRef::from(socket).set_tcp_user_timeout(Some(Duration::from_millis(self.settings.stall_timeout_ms)))?;
        Ok(())
    }
}

/// Whether only this one connection failed, and the next may be taken at once.
fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Something that may happen often and is told of now and then.
#[derive(Default)]
pub(super) struct Occasional {
    last: Option<Instant>,
}

impl Occasional {
    pub(super) fn is_due(&mut self) -> bool {
        let is_due = self.last.is_none_or(|last| last.elapsed() >= REPORT_INTERVAL);
        if is_due {
            self.last = Some(Instant::now());
        }
        is_due
    }
}
