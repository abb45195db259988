//! Where a request carries its token: the `Authorization` header, or a cookie, which a browser sends along unasked and
//! which therefore authorises reading only.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Method, header};

use super::Unauthorized;
use crate::error::Problem;

/// `__Host-` has browsers take it from this very host only, over TLS, for all paths.
pub(crate) const COOKIE: &str = "__Host-highwater";
const COOKIE_ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";
/// What browsers keep of a cookie, name and value.
const COOKIE_BYTES_MAX: usize = 4096;

/// The token of a request.
///
/// # Errors
/// [`Unauthorized`] where there is none, or none that is in its place.
pub(super) fn given<'a>(method: &Method, headers: &'a HeaderMap) -> Result<&'a str, Unauthorized> {
    if headers.contains_key(header::AUTHORIZATION) {
        return bearer(headers);
    }
    if method == Method::GET { cookie(headers).ok_or(Unauthorized::Missing) } else { Err(Unauthorized::Missing) }
}

/// The token in the `Authorization` header (RFC 6750, section 2.1).
///
/// # Errors
/// [`Unauthorized`] where it is not there, or something else.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, Unauthorized> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(Unauthorized::Scheme) };
    let text = value.to_str().map_err(|_| Unauthorized::Scheme)?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim_matches(' ')),
        _ => Err(Unauthorized::Scheme),
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// Has a browser keep a token that was found good, for as long as it is.
///
/// # Errors
/// [`Problem::InvalidRequest`] where it is longer than a cookie can be.
pub(crate) fn session_cookie(token: &str, validity: Duration) -> Result<HeaderValue, Problem> {
    let max = COOKIE_BYTES_MAX - COOKIE.len() - 1;
    if token.len() > max {
        return Err(Problem::InvalidRequest(format!(
            "the token is longer than the {max} bytes that a cookie can hold"
        )));
    }
    Ok(set_cookie(token, validity.as_secs()))
}

/// Has a browser forget the token.
pub(crate) fn expired_cookie() -> HeaderValue {
    set_cookie("", 0)
}

fn set_cookie(value: &str, max_age_s: u64) -> HeaderValue {
    let cookie = format!("{COOKIE}={value}; {COOKIE_ATTRIBUTES}; Max-Age={max_age_s}");
    let mut cookie = HeaderValue::try_from(cookie).expect("a token that was in a header can be in one again");
    cookie.set_sensitive(true);
    cookie
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_bearer_is_one_token_of_one_header() {
        let bearer = |lines| given(&Method::POST, &headers(lines)).map(str::to_owned);
        assert_eq!(bearer(&[("authorization", "Bearer a.b.c")]), Ok("a.b.c".to_owned()));
        assert_eq!(bearer(&[("authorization", "bEARER  a.b.c ")]), Ok("a.b.c".to_owned()));
        assert_eq!(bearer(&[]), Err(Unauthorized::Missing));
        for other in ["Basic YTpi", "Bearer", "a.b.c"] {
            assert_eq!(
                given(&Method::GET, &headers(&[("authorization", other)])),
                Err(Unauthorized::Scheme),
                "{other}"
            );
        }
        let twice = headers(&[("authorization", "Bearer a"), ("authorization", "Bearer b")]);
        assert_eq!(given(&Method::GET, &twice), Err(Unauthorized::Scheme));
    }

    #[test]
    fn a_cookie_serves_get_only_and_after_the_header() {
        let line = [("cookie", "a=1; __Host-highwater=x.y.z; __Host-highwater2=no")];
        assert_eq!(given(&Method::GET, &headers(&line)), Ok("x.y.z"));
        for method in [Method::POST, Method::DELETE, Method::PUT, Method::HEAD] {
            assert_eq!(given(&method, &headers(&line)), Err(Unauthorized::Missing), "{method}");
        }
        let both = headers(&[line[0], ("authorization", "Bearer a.b.c")]);
        assert_eq!(given(&Method::GET, &both), Ok("a.b.c"));
        for other in ["highwater=x", "__Host-highwaterx=y", "__Host-highwater", "__host-highwater=x"] {
            assert_eq!(given(&Method::GET, &headers(&[("cookie", other)])), Err(Unauthorized::Missing), "{other}");
        }
    }

    #[test]
    fn a_cookie_is_kept_as_long_as_the_token_is_good() {
        let cookie = session_cookie("a.b.c", Duration::from_millis(61_900)).unwrap();
        let text = "__Host-highwater=a.b.c; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=61";
        assert_eq!(cookie.to_str().unwrap(), text);
        assert_eq!(format!("{cookie:?}"), "Sensitive");
        assert!(session_cookie(&"x".repeat(COOKIE_BYTES_MAX), Duration::ZERO).is_err());
        assert!(expired_cookie().to_str().unwrap().ends_with("Max-Age=0"));
    }
}
