//! [`Keys`]: what tokens may be signed with, read from one file. A key has one algorithm, whatever a token says of
//! itself.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use jsonwebtoken::{
    Algorithm, DecodingKey, DecodingKeyKind, Header,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

use super::Unauthorized;

/// The most bytes of a file of keys.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// The most keys of a file.
const KEYS_MAX: usize = 64;
/// RFC 7518, section 3.2: a secret is at least as long as the hash.
const SECRET_BYTES_MIN: usize = 32;
/// RFC 7518, section 3.3: 2048 bits.
const RSA_BYTES_MIN: usize = 256;
const P256_POINT_BYTES: usize = 65;
const ED25519_BYTES: usize = 32;
/// Before a secret that is written in base64.
const BASE64_PREFIX: &str = "base64:";

/// The keys of a file. Where there are several, each has an id.
pub(super) struct Keys(Vec<Key>);

pub(super) struct Key {
    id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

/// Why a file of keys can't be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidKeys {
    /// It can't be read.
    #[error("cannot read the keys in {}: {error}", .path.display())]
    Unreadable {
        /// Where it is.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It holds no keys to check tokens with.
    #[error("the keys in {}: {fault}", .path.display())]
    Invalid {
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        fault: KeyFault,
    },
}

/// What is wrong with a file of keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// It is longer than any set of keys.
    #[error("the file is longer than {FILE_BYTES_MAX} bytes")]
    TooLong,
    /// A private key would be at risk here, and is of no use.
    #[error("this is a private key: give the server the public one (openssl pkey -in KEY -pubout)")]
    Private,
    /// PEM that holds no public key, or more than one.
    #[error(
        "PEM must hold one public key, RSA, P-256 or Ed25519, as 'openssl pkey -pubout' writes it; several keys go \
         into a JWKS file"
    )]
    Pem,
    /// An RSA key that can be broken, or is beyond all measure.
    #[error("an RSA key must have 2048 to 8192 bits")]
    RsaSize,
    /// Not a key of its kind.
    #[error("a key is none of its kind")]
    Malformed,
    /// A secret that can be guessed.
    #[error("a secret for HS256 must have at least {SECRET_BYTES_MIN} bytes; this one has {bytes}")]
    ShortSecret {
        /// How long it is.
        bytes: usize,
    },
    /// What follows the prefix is no base64.
    #[error("what follows '{BASE64_PREFIX}' must be base64")]
    Base64,
    /// JSON that is no set of keys.
    #[error("JSON must be a set of keys (JWKS), {{\"keys\":[…]}}: {0}")]
    Jwks(String),
    /// Keys that can't be told apart.
    #[error("several keys need each a 'kid' of its own")]
    KeyIds,
    /// Nothing in the set can be used.
    #[error("no key of the set is for signatures by RS256, ES256, EdDSA or HS256")]
    NoneUsable,
    /// More keys than anybody has.
    #[error("more than {KEYS_MAX} keys")]
    TooMany,
}

impl Keys {
    /// Reads a file: PEM, a JWKS, or a secret.
    ///
    /// # Errors
    /// [`InvalidKeys`] says what is wrong with the file.
    pub(super) fn read(path: &Path) -> Result<Self, InvalidKeys> {
        let mut content = Vec::new();
        let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut content));
        read.map_err(|error| InvalidKeys::Unreadable { path: path.to_owned(), error })?;
        Self::parse(&content).map_err(|fault| InvalidKeys::Invalid { path: path.to_owned(), fault })
    }

    pub(super) fn parse(content: &[u8]) -> Result<Self, KeyFault> {
        if content.len() as u64 > FILE_BYTES_MAX {
            return Err(KeyFault::TooLong);
        }
        match str::from_utf8(content).map(str::trim) {
            Ok(text) if text.contains("-----BEGIN ") => pem(text).map(|key| Self(vec![key])),
            Ok(text) if text.starts_with('{') => set(text).map(Self),
            Ok(text) => match text.strip_prefix(BASE64_PREFIX) {
                Some(encoded) => secret(&BASE64.decode(encoded).map_err(|_| KeyFault::Base64)?),
                None => secret(text.as_bytes()),
            }
            .map(|key| Self(vec![key])),
            Err(_) => secret(content).map(|key| Self(vec![key])),
        }
    }

    /// The one key that a token can be signed with: of its algorithm, and of its id where both have one.
    pub(super) fn find(&self, header: &Header) -> Result<&Key, Unauthorized> {
        let fits = |key: &&Key| {
            let named = key.id.is_none() || header.kid.is_none() || key.id == header.kid;
            named && key.algorithm == header.alg
        };
        let mut fitting = self.0.iter().filter(fits);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            _ => Err(Unauthorized::Key),
        }
    }
}

fn pem(text: &str) -> Result<Key, KeyFault> {
    if text.contains("PRIVATE KEY-----") {
        return Err(KeyFault::Private);
    }
    if text.matches("-----BEGIN ").count() > 1 || !text.contains("PUBLIC KEY-----") {
        return Err(KeyFault::Pem);
    }
    let bytes = text.as_bytes();
    let (algorithm, key) = DecodingKey::from_rsa_pem(bytes)
        .map(|key| (Algorithm::RS256, key))
        .or_else(|_| DecodingKey::from_ec_pem(bytes).map(|key| (Algorithm::ES256, key)))
        .or_else(|_| DecodingKey::from_ed_pem(bytes).map(|key| (Algorithm::EdDSA, key)))
        .map_err(|_| KeyFault::Pem)?;
    Key::new(None, algorithm, key)
}

fn secret(secret: &[u8]) -> Result<Key, KeyFault> {
    Key::new(None, Algorithm::HS256, DecodingKey::from_secret(secret))
}

/// The keys of a JWKS (RFC 7517) that are for signatures which are taken here. Others may stand beside them.
fn set(text: &str) -> Result<Vec<Key>, KeyFault> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Value>,
    }
    let Set { keys: all } = serde_json::from_str(text).map_err(|error| KeyFault::Jwks(error.to_string()))?;
    if all.len() > KEYS_MAX {
        return Err(KeyFault::TooMany);
    }
    if all.iter().any(|key| key.get("d").is_some()) {
        return Err(KeyFault::Private);
    }
    let mut keys = Vec::new();
    for (at, jwk) in all.into_iter().enumerate() {
        match Jwk::deserialize(jwk).ok().and_then(|jwk| Some((algorithm(&jwk)?, jwk))) {
            Some((algorithm, jwk)) => {
                let key = DecodingKey::from_jwk(&jwk).map_err(|_| KeyFault::Malformed)?;
                keys.push(Key::new(jwk.common.key_id, algorithm, key)?);
            }
            None => tracing::warn!("key {at} of the set is for nothing that is taken here: it is left out"),
        }
    }
    let ids: HashSet<_> = keys.iter().filter_map(|key| key.id.as_deref()).collect();
    match keys.len() {
        0 => Err(KeyFault::NoneUsable),
        1 => Ok(keys),
        several if ids.len() == several => Ok(keys),
        _ => Err(KeyFault::KeyIds),
    }
}

/// The algorithm of a key that is for signatures, if tokens may have it.
fn algorithm(jwk: &Jwk) -> Option<Algorithm> {
    let common = &jwk.common;
    let for_signatures = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature))
        && common.key_operations.as_ref().is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    let (algorithm, name) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        AlgorithmParameters::OctetKey(_) => (Algorithm::HS256, KeyAlgorithm::HS256),
        _ => return None,
    };
    (for_signatures && common.key_algorithm.is_none_or(|given| given == name)).then_some(algorithm)
}

impl Key {
    /// Takes a key that is as strong as its algorithm asks.
    fn new(id: Option<String>, algorithm: Algorithm, key: DecodingKey) -> Result<Self, KeyFault> {
        let bytes = match key.kind() {
            DecodingKeyKind::SecretOrDer(bytes) | DecodingKeyKind::RsaModulusExponent { n: bytes, .. } => bytes,
        };
        match algorithm {
            Algorithm::HS256 if bytes.len() < SECRET_BYTES_MIN => {
                return Err(KeyFault::ShortSecret { bytes: bytes.len() });
            }
            // A few bytes of DER may stand around the modulus. ring is exact, but only once there is a signature.
            Algorithm::RS256 if !(RSA_BYTES_MIN..=4 * RSA_BYTES_MIN + 64).contains(&bytes.len()) => {
                return Err(KeyFault::RsaSize);
            }
            Algorithm::ES256 if bytes.len() != P256_POINT_BYTES || bytes[0] != 4 => return Err(KeyFault::Malformed),
            Algorithm::EdDSA if bytes.len() != ED25519_BYTES => return Err(KeyFault::Malformed),
            _ => {}
        }
        Ok(Self { id, algorithm, key })
    }
}
