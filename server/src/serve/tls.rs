//! TLS: the certificate, which can be renewed while connections go on, and what is offered.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    server::{ClientHello, NoServerSessionStorage, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

const HTTP_1: &[u8] = b"http/1.1";
const HTTP_2: &[u8] = b"h2";

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read.
    #[error("cannot read {}: {error}", .path.display())]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{} holds no {expected} in PEM: {error}", .path.display())]
    NotPem {
        /// Which one.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
        /// What is wrong.
        error: pem::Error,
    },
    /// The certificate can't be used with the key, or not at all.
    #[error("the certificate in {} can't be used with the key in {}: {error}", .cert.display(), .key.display())]
    Unusable {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        error: rustls::Error,
    },
    /// The system gives no randomness to make keys for tickets from.
    #[error("cannot make keys for TLS tickets: {0}")]
    Tickets(rustls::Error),
}

/// TLS 1.2 and 1.3 with one certificate. All clones have the same.
#[derive(Clone)]
pub struct Tls {
    certificate: Arc<Certificate>,
    acceptor: TlsAcceptor,
    refuser: TlsAcceptor,
}

impl Tls {
    /// Takes the certificate chain and its private key from PEM files.
    ///
    /// # Errors
    /// [`TlsError`] where they can't be read, or don't belong together.
    pub fn load(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let certified = RwLock::new(read_certified(cert, key)?);
        let certificate = Arc::new(Certificate { cert: cert.to_owned(), key: key.to_owned(), certified });
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has cipher suites for both versions")
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&certificate) as _);
        // Clients keep their own sessions, in tickets: nothing is held for those that are gone.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = ring::Ticketer::new().map_err(TlsError::Tickets)?;
        config.send_tls13_tickets = 1;
        config.alpn_protocols = vec![HTTP_1.to_vec()];
        let refuser = TlsAcceptor::from(Arc::new(config.clone()));
        config.alpn_protocols.insert(0, HTTP_2.to_vec());
        Ok(Self { certificate, acceptor: TlsAcceptor::from(Arc::new(config)), refuser })
    }

    /// Reads the files again, for the connections to come. Where that fails, what was read before stays.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn reload(&self) -> Result<(), TlsError> {
        let Certificate { cert, key, certified } = &*self.certificate;
        let renewed = read_certified(cert, key)?;
        *certified.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        Ok(())
    }

    pub(super) async fn accept(&self, socket: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.acceptor.accept(socket).await
    }

    /// Accepts a connection only to say no in HTTP/1.1, whatever else its client speaks.
    pub(super) async fn accept_to_refuse(&self, socket: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.refuser.accept(socket).await
    }
}

/// Whether a connection's ends have agreed on HTTP/2.
pub(super) fn is_http2(stream: &TlsStream<TcpStream>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(HTTP_2)
}

#[derive(Debug)]
struct Certificate {
    cert: PathBuf,
    key: PathBuf,
    certified: RwLock<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.certified.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn read_certified(cert: &Path, key: &Path) -> Result<Arc<CertifiedKey>, TlsError> {
    let not_pem = |path: &Path, expected| {
        let path = path.to_owned();
        move |error| match error {
            pem::Error::Io(error) => TlsError::Unreadable { path, error },
            error => TlsError::NotPem { path, expected, error },
        }
    };
    let chain = CertificateDer::pem_file_iter(cert).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.and_then(|chain| match chain.is_empty() {
        true => Err(pem::Error::NoItemsFound),
        false => Ok(chain),
    });
    let chain = chain.map_err(not_pem(cert, "certificate"))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(not_pem(key, "private key"))?;
    let certified = CertifiedKey::from_der(chain, private, &ring::default_provider());
    let unusable = |error| TlsError::Unusable { cert: cert.to_owned(), key: key.to_owned(), error };
    certified.map(Arc::new).map_err(unusable)
}
