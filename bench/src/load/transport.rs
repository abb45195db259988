//! A connection to the server that is measured, plain or with TLS, that never blocks once it is open.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream as BlockingStream},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use mio::{Interest, Registry, Token, net::TcpStream};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

/// How long connecting, and with TLS its handshake, may take.
const OPENING_TIME_MAX: Duration = Duration::from_secs(30);

/// Where a server is, and how it is spoken to.
#[derive(Clone)]
pub(super) struct Target {
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
}

impl Target {
    /// The server at an address. It is spoken to in TLS if its certificate is given.
    pub(super) fn new(address: SocketAddr, certificate: Option<&Path>) -> Result<Self> {
        Ok(Self { address, tls: certificate.map(trusting).transpose()? })
    }

    /// What a request names as its host.
    pub(super) fn host(&self) -> SocketAddr {
        self.address
    }

    /// Opens a connection, sends `request` on it, and has `registry` tell what comes back.
    pub(super) fn open(&self, request: &[u8], registry: &Registry, token: Token) -> Result<Transport> {
        let socket = BlockingStream::connect_timeout(&self.address, OPENING_TIME_MAX)
            .with_context(|| format!("cannot connect to {}", self.address))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(OPENING_TIME_MAX))?;
        let Some(tls) = &self.tls else {
            (&socket).write_all(request)?;
            socket.set_nonblocking(true)?;
            let mut socket = TcpStream::from_std(socket);
            registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
            return Ok(Transport::Plain(socket));
        };
        let session = ClientConnection::new(Arc::clone(tls), ServerName::from(self.address.ip()))?;
        let mut blocking = StreamOwned::new(session, socket);
        while blocking.conn.is_handshaking() {
            blocking.conn.complete_io(&mut blocking.sock).context("no TLS")?;
        }
        blocking.write_all(request)?;
        blocking.flush()?;
        let (session, socket) = blocking.into_parts();
        socket.set_nonblocking(true)?;
        let mut socket = TcpStream::from_std(socket);
        registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Transport::Tls(Box::new(StreamOwned::new(session, socket))))
    }
}

/// TLS that trusts one certificate and speaks HTTP/1.1.
fn trusting(certificate: &Path) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).context("cannot read the certificate")?)?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// An open connection.
pub(super) enum Transport {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Transport {
    /// Reads all there is into `buffer`, as often as it takes, and hands it on.
    ///
    /// # Errors
    /// Where the connection has ended, and what `take` answers.
    pub(super) fn read_all(&mut self, buffer: &mut [u8], mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        loop {
            let read = match self {
                Self::Plain(socket) => socket.read(buffer),
                Self::Tls(stream) => stream.read(buffer),
            };
            let Some(bytes) = done(read)? else { return Ok(()) };
            ensure!(bytes > 0, "the server has ended a connection");
            take(&buffer[..bytes])?;
            // Of a plain socket a short read has taken all; what comes later is told anew. See epoll(7), question 9.
            if bytes < buffer.len() && matches!(self, Self::Plain(_)) {
                return Ok(());
            }
        }
    }

    /// Writes as much as goes now; answers how much. With TLS some of it may stay here until this is called again.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let written = match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(stream) => {
                done(stream.flush().map(|()| 0))?;
                stream.write(bytes)
            }
        };
        Ok(done(written)?.unwrap_or(0))
    }
}

/// `None` where there is nothing to do yet.
fn done(result: io::Result<usize>) -> Result<Option<usize>> {
    match result {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error.into()),
    }
}
