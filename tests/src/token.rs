//! Tokens as somebody else's issuer makes them: JWTs written by hand and signed by ring, and the files that a server
//! knows their keys from.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64URL},
};
use ring::{
    hmac, rand,
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
        RsaPublicKeyComponents,
    },
};
use serde_json::{Value, json};

const RSA: &[u8] = include_bytes!("../keys/rsa2048.der");
const RSA_PUBLIC: &str = include_str!("../keys/rsa2048.pub.pem");
/// What stands before the key in the DER of a public one (RFC 5480, RFC 8410).
const P256_DER: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const ED25519_DER: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Somebody who signs tokens.
pub enum Issuer {
    /// With a secret.
    Hs256(Vec<u8>),
    /// With the RSA key of the tests.
    Rs256(Box<RsaKeyPair>),
    /// With a P-256 key.
    Es256(EcdsaKeyPair),
    /// With an Ed25519 key.
    EdDsa(Ed25519KeyPair),
}

impl Issuer {
    /// One with a new secret.
    #[must_use]
    pub fn hs256() -> Self {
        let random: [u8; 32] = rand::generate(&SystemRandom::new()).expect("randomness").expose();
        Self::Hs256(random.to_vec())
    }

    /// One of each kind, with new keys (but for RSA).
    #[must_use]
    pub fn all() -> [Self; 4] {
        let random = SystemRandom::new();
        let p256 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
        let p256 = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, p256.as_ref(), &random);
        let ed25519 = Ed25519KeyPair::generate_pkcs8(&random).expect("a key");
        let ed25519 = Ed25519KeyPair::from_pkcs8(ed25519.as_ref());
        let rsa = RsaKeyPair::from_der(RSA);
        [
            Self::hs256(),
            Self::Rs256(Box::new(rsa.expect("the tests' key"))),
            Self::Es256(p256.expect("the key just made")),
            Self::EdDsa(ed25519.expect("the key just made")),
        ]
    }

    /// Its name in a token's header.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Hs256(_) => "HS256",
            Self::Rs256(_) => "RS256",
            Self::Es256(_) => "ES256",
            Self::EdDsa(_) => "EdDSA",
        }
    }

    /// The file that a server knows its tokens by: the secret, or a public key in PEM.
    #[must_use]
    pub fn key_file(&self) -> Vec<u8> {
        match self {
            Self::Hs256(secret) => format!("base64:{}\n", BASE64.encode(secret)).into(),
            Self::Rs256(_) => RSA_PUBLIC.into(),
            Self::Es256(key) => pem(&P256_DER, key.public_key().as_ref()),
            Self::EdDsa(key) => pem(&ED25519_DER, key.public_key().as_ref()),
        }
    }

    /// The same key in a set of keys.
    #[must_use]
    pub fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Hs256(secret) => json!({ "kty": "oct", "kid": kid, "k": BASE64URL.encode(secret) }),
            Self::Rs256(key) => {
                let RsaPublicKeyComponents::<Vec<u8>> { n, e } = key.public().into();
                json!({ "kty": "RSA", "kid": kid, "n": BASE64URL.encode(n), "e": BASE64URL.encode(e) })
            }
            Self::Es256(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "kid": kid, "crv": "P-256", "x": BASE64URL.encode(x), "y": BASE64URL.encode(y) })
            }
            Self::EdDsa(key) => {
                json!({ "kty": "OKP", "kid": kid, "crv": "Ed25519", "x": BASE64URL.encode(key.public_key()) })
            }
        }
    }

    /// A token of these rights, good for a minute.
    #[must_use]
    pub fn token(&self, rights: Value) -> String {
        self.token_until(now_s() + 60, rights)
    }

    /// A token of these rights, good until then.
    #[must_use]
    pub fn token_until(&self, exp: u64, rights: Value) -> String {
        self.sign(&json!({ "alg": self.algorithm() }), &json!({ "sub": "tester", "exp": exp, "highwater": rights }))
    }

    /// A token of these rights for somebody by name, good for a minute.
    #[must_use]
    pub fn token_of(&self, sub: &str, rights: Value) -> String {
        self.sign(&json!({ "alg": self.algorithm() }), &json!({ "sub": sub, "exp": now_s() + 60, "highwater": rights }))
    }

    /// A token of this header and these claims, whatever they say.
    #[must_use]
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let [header, claims] = [header, claims].map(|part| BASE64URL.encode(part.to_string()));
        let message = format!("{header}.{claims}");
        let signature = self.signature(message.as_bytes());
        format!("{message}.{}", BASE64URL.encode(signature))
    }

    fn signature(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Hs256(secret) => hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec(),
            Self::Rs256(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).expect("room for it");
                signature
            }
            Self::Es256(key) => key.sign(&random, message).expect("a signature").as_ref().to_vec(),
            Self::EdDsa(key) => key.sign(message).as_ref().to_vec(),
        }
    }
}

/// Now, as tokens say it.
#[must_use]
pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn pem(before: &[u8], key: &[u8]) -> Vec<u8> {
    let der = BASE64.encode([before, key].concat());
    format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n").into()
}
