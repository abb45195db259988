//! Tokens: JWTs whose claims say what their bearer may. `sub` is who that is, `exp` when it ends, and `highwater` holds
//! the rights.

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use highwater_core::{event::Actor, topic::Topics};
use jsonwebtoken::{
    Algorithm, Validation, decode, decode_header,
    errors::{Error, ErrorKind},
};
use serde::Deserialize;
use tokio::time::Instant;

use super::{
    Access, InvalidKeys, Unauthorized,
    access::{Rights, Sources},
    crypto,
    keys::Keys,
};
use crate::config::Settings;

/// The most bytes of a token.
pub(super) const TOKEN_BYTES_MAX: usize = 16 * 1024;
const PRINCIPAL_BYTES_MAX: usize = 255;
const SOURCES_MAX: usize = 64;
/// No connection lasts longer, nor does a browser keep a cookie for longer.
const VALIDITY_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Judges tokens by the keys of a file.
pub(super) struct Verifier {
    path: PathBuf,
    keys: RwLock<Arc<Keys>>,
    rules: Validation,
}

impl Verifier {
    /// Reads the keys.
    ///
    /// # Errors
    /// [`InvalidKeys`] where there are none to use.
    pub(super) fn load(settings: &Settings) -> Result<Self, InvalidKeys> {
        crypto::install();
        let path = settings.auth_keys.clone();
        let keys = RwLock::new(Arc::new(Keys::read(&path)?));
        Ok(Self { path, keys, rules: rules(settings) })
    }

    /// Reads the keys again. Those of before stay where that fails.
    ///
    /// # Errors
    /// [`InvalidKeys`] where there are none to use.
    pub(super) fn reload(&self) -> Result<(), InvalidKeys> {
        let keys = Arc::new(Keys::read(&self.path)?);
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    /// What a token grants.
    ///
    /// # Errors
    /// [`Unauthorized`] says why it grants nothing.
    pub(super) fn verify(&self, token: &str) -> Result<Access, Unauthorized> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Unauthorized::TooLong);
        }
        let header = decode_header(token).map_err(|_| Unauthorized::Malformed)?;
        // RFC 7515, section 4.1.11: who does not understand what is critical must refuse, and we understand nothing.
        if header.crit.is_some() {
            return Err(Unauthorized::Malformed);
        }
        let keys = Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner));
        let key = keys.find(&header)?;
        let rules = Validation { algorithms: vec![key.algorithm], ..self.rules.clone() };
        let claims = decode::<Claims>(token, &key.key, &rules).map_err(refused)?.claims;
        claims.access(Duration::from_secs(rules.leeway)).map(Access::new)
    }
}

/// What must be true of claims, whatever the algorithm.
fn rules(settings: &Settings) -> Validation {
    let mut rules = Validation::new(Algorithm::HS256);
    let mut required = vec!["exp", "sub"];
    rules.leeway = settings.auth_leeway_s;
    rules.validate_nbf = true;
    if !settings.auth_issuer.is_empty() {
        rules.set_issuer(&[&settings.auth_issuer]);
        required.push("iss");
    }
    // Without an audience of its own the server refuses every token that names one: it is meant for somebody else.
    if !settings.auth_audience.is_empty() {
        rules.set_audience(&[&settings.auth_audience]);
        required.push("aud");
    }
    rules.set_required_spec_claims(&required);
    rules
}

fn refused(error: Error) -> Unauthorized {
    match error.into_kind() {
        ErrorKind::InvalidSignature => Unauthorized::Signature,
        ErrorKind::ExpiredSignature => Unauthorized::Expired,
        ErrorKind::ImmatureSignature => Unauthorized::NotYet,
        ErrorKind::InvalidIssuer => Unauthorized::Issuer,
        ErrorKind::InvalidAudience => Unauthorized::Audience,
        ErrorKind::MissingRequiredClaim(name) => Unauthorized::Claims(format!("'{name}' is missing or malformed")),
        ErrorKind::InvalidClaimFormat(name) => Unauthorized::Claims(format!("'{name}' is malformed")),
        ErrorKind::Json(error) => Unauthorized::Claims(error.to_string()),
        _ => Unauthorized::Malformed,
    }
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: f64,
    /// Without it a token grants nothing.
    #[serde(default)]
    highwater: Granted,
}

/// Strict: a right that is misspelt shall be noticed.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Granted {
    read: Vec<String>,
    append: Vec<String>,
    sources: Vec<String>,
    operate: bool,
    import: bool,
}

impl Claims {
    fn access(self, leeway: Duration) -> Result<Rights, Unauthorized> {
        if self.sub.is_empty() || self.sub.len() > PRINCIPAL_BYTES_MAX {
            return Err(Unauthorized::Claims(format!("'sub' must have 1 to {PRINCIPAL_BYTES_MAX} bytes")));
        }
        let remaining = remaining(self.exp, leeway);
        if remaining.is_zero() {
            return Err(Unauthorized::Expired);
        }
        let Granted { read, append, sources, operate, import } = self.highwater;
        Ok(Rights {
            principal: Some(self.sub.into()),
            read: topics("read", &read)?,
            append: topics("append", &append)?,
            sources: actors(&sources)?,
            operate,
            import,
            expires_at: Some(Instant::now() + remaining),
        })
    }
}

fn topics(name: &str, granted: &[String]) -> Result<Option<Topics>, Unauthorized> {
    if granted.is_empty() {
        return Ok(None);
    }
    let invalid = |error| Unauthorized::Claims(format!("'highwater.{name}' {error}"));
    Topics::new(granted.iter().map(String::as_str)).map(Some).map_err(invalid)
}

fn actors(granted: &[String]) -> Result<Sources, Unauthorized> {
    if granted.iter().any(|source| source == "*") {
        return Ok(Sources::Any);
    }
    if granted.len() > SOURCES_MAX {
        return Err(Unauthorized::Claims(format!("'highwater.sources' has more than {SOURCES_MAX} sources")));
    }
    let actor = |source: &String| {
        Actor::new(source).map_err(|error| Unauthorized::Claims(format!("'highwater.sources': '{source}' {error}")))
    };
    granted.iter().map(actor).collect::<Result<_, _>>().map(Sources::Only)
}

/// How long a token is still good. It is judged to more than the second, so that one whose connection has just ended
/// opens no other.
fn remaining(exp: f64, leeway: Duration) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let end = Duration::try_from_secs_f64(exp).unwrap_or(Duration::MAX).saturating_add(leeway);
    end.saturating_sub(now).min(VALIDITY_MAX)
}
