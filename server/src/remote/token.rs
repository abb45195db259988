//! [`Token`]: what a server is told by who asks. It is never shown.

use std::{convert::Infallible, fmt, str::FromStr};

use anyhow::Context;
use reqwest::header::HeaderValue;

/// A bearer token as it was given. It may be nonsense: an error at the command line would show it.
#[derive(Clone)]
pub(crate) struct Token(String);

impl Token {
    /// The `Authorization` header; none where the token is empty.
    pub(super) fn authorization(&self) -> anyhow::Result<Option<HeaderValue>> {
        let token = self.0.trim();
        if token.is_empty() {
            return Ok(None);
        }
        let header = HeaderValue::try_from(format!("Bearer {token}"));
        let mut header = header.context("the token has characters that no token has")?;
        header.set_sensitive(true);
        Ok(Some(header))
    }
}

impl FromStr for Token {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_sent_and_never_shown() {
        let Ok(token) = " a.b.c\n".parse::<Token>();
        let header = token.authorization().unwrap().unwrap();
        assert_eq!(header.to_str().unwrap(), "Bearer a.b.c");
        assert!(![format!("{token:?}"), format!("{header:?}")].iter().any(|shown| shown.contains("a.b.c")));
        let Ok(none) = "".parse::<Token>();
        assert!(none.authorization().unwrap().is_none());
        let Ok(broken) = "a\nb".parse::<Token>();
        let error = format!("{:#}", broken.authorization().unwrap_err());
        assert!(!error.contains("a\nb") && error.contains("token"), "{error}");
    }
}
