//! Who may: a request's token becomes its [`Access`], which routes ask before they read or append.
//!
//! Without keys everyone may do everything; then the server listens on its own machine only.

mod access;
mod credentials;
mod crypto;
mod keys;
mod token;

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method},
    middleware::Next,
    response::Response,
};

pub(crate) use self::credentials::{COOKIE, bearer, expired_cookie, session_cookie};
pub use self::{
    access::{Access, Forbidden, Principal},
    keys::{InvalidKeys, KeyFault},
};
use self::{credentials::given, token::Verifier};
use crate::{app::AppState, config::Settings, error::Problem};

/// Decides what requests may do. Cloning is cheap.
#[derive(Clone)]
pub struct Auth(Rule);

#[derive(Clone)]
enum Rule {
    Everyone(Access),
    Nobody,
    Bearer(Arc<Verifier>),
}

/// Why it is not known who asks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unauthorized {
    /// Nothing says who asks.
    #[error("a token is needed: send it as 'Authorization: Bearer …' (the cookie serves GET only)")]
    Missing,
    /// The header is not of the one scheme there is.
    #[error("the Authorization header must be 'Bearer' and one token")]
    Scheme,
    /// No token is that long.
    #[error("the token is longer than the {max} bytes allowed", max = token::TOKEN_BYTES_MAX)]
    TooLong,
    /// Not a token, or of an algorithm that is not taken.
    #[error("the token must be a JWT signed by HS256, RS256, ES256 or EdDSA")]
    Malformed,
    /// No key can have signed it.
    #[error("the server has no key for the token's 'alg' and 'kid', or several that the token does not tell apart")]
    Key,
    /// Another key has signed it, or somebody has changed it.
    #[error("the token's signature is not by the server's key")]
    Signature,
    /// Its time is over.
    #[error("the token has expired: get another")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet")]
    NotYet,
    /// Somebody else has made it.
    #[error("the token's 'iss' is not the issuer that the server trusts")]
    Issuer,
    /// It is meant for somebody else.
    #[error("the token's 'aud' does not name this server")]
    Audience,
    /// What it says can't be understood.
    #[error("the token's claims can't be used: {0}")]
    Claims(String),
}

impl Auth {
    /// As the settings say: who has a token of one of the keys in `auth_keys`, or everyone where that is not set.
    ///
    /// # Errors
    /// [`InvalidKeys`] where the keys can't be used.
    pub fn load(settings: &Settings) -> Result<Self, InvalidKeys> {
        if settings.auth_keys.as_os_str().is_empty() {
            return Ok(Self(Rule::Everyone(Access::everything())));
        }
        Verifier::load(settings).map(|verifier| Self(Rule::Bearer(Arc::new(verifier))))
    }

    /// Lets nobody in where the settings ask for tokens, until their keys are loaded.
    pub(crate) fn without_keys(settings: &Settings) -> Self {
        match settings.auth_keys.as_os_str().is_empty() {
            true => Self(Rule::Everyone(Access::everything())),
            false => Self(Rule::Nobody),
        }
    }

    /// Whether tokens are asked for.
    #[must_use]
    pub fn asks_for_tokens(&self) -> bool {
        !matches!(self.0, Rule::Everyone(_))
    }

    /// Reads the keys again, for they may have been changed. Those of before stay where that fails.
    ///
    /// # Errors
    /// [`InvalidKeys`] where the keys can't be used.
    pub fn reload(&self) -> Result<(), InvalidKeys> {
        match &self.0 {
            Rule::Bearer(verifier) => verifier.reload(),
            Rule::Everyone(_) | Rule::Nobody => Ok(()),
        }
    }

    /// What a request may do.
    ///
    /// # Errors
    /// [`Unauthorized`] where it does not say who asks, or not so that it can be believed.
    pub fn access(&self, method: &Method, headers: &HeaderMap) -> Result<Access, Unauthorized> {
        match &self.0 {
            Rule::Everyone(access) => Ok(access.clone()),
            Rule::Nobody => Err(Unauthorized::Key),
            Rule::Bearer(verifier) => verifier.verify(given(method, headers)?),
        }
    }
}

/// The layer over all routes that somebody may use and somebody else may not: gives them their [`Access`].
pub(crate) async fn authenticate(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let access = state.auth.access(request.method(), request.headers()).map_err(Problem::Unauthorized)?;
    request.extensions_mut().insert(access);
    Ok(next.run(request).await)
}

#[cfg(test)]
mod tests;
