//! TLS for tests: an [`Authority`] that only its own clients trust.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    sync::Arc,
};

use highwater_server::serve::Tls;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use reqwest::ClientBuilder;
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Issues certificates for servers on this machine, as files.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    /// A new one that has issued a certificate.
    ///
    /// # Panics
    /// Where keys can't be made or files not be written.
    #[must_use]
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let authority = Self { issuer, folder: tempfile::tempdir().expect("a folder") };
        authority.issue();
        authority
    }

    /// Issues a certificate in place of the last one.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    pub fn issue(&self) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        fs::write(self.cert(), [certificate.pem(), self.issuer.pem()].concat()).expect("the file is written");
        fs::write(self.key(), key.serialize_pem()).expect("the file is written");
        certificate.der().clone()
    }

    /// The file of the last certificate and its chain.
    #[must_use]
    pub fn cert(&self) -> PathBuf {
        self.folder.path().join("chain.pem")
    }

    /// The file of its key.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    /// The folder of the files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// TLS with the last certificate.
    ///
    /// # Panics
    /// Where its files were spoilt.
    #[must_use]
    pub fn tls(&self) -> Tls {
        Tls::load(&self.cert(), &self.key()).expect("good files")
    }

    /// A client that trusts this authority alone.
    ///
    /// # Panics
    /// Where the authority's own certificate is none.
    pub fn client(&self) -> ClientBuilder {
        let root = reqwest::Certificate::from_pem(self.issuer.pem().as_bytes()).expect("a certificate");
        crate::http::client_builder().tls_certs_only([root])
    }

    /// A connection to an address and port that speaks one of these versions of TLS and one of these protocols.
    ///
    /// # Errors
    /// Where the two ends don't come to terms.
    pub async fn connect(
        &self,
        address: &str,
        versions: &[&'static SupportedProtocolVersion],
        protocols: &[&str],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("a certificate");
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .expect("versions that the provider has")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::from(IpAddr::V4(Ipv4Addr::LOCALHOST));
        TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(address).await?).await
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}
