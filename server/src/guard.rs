//! What holds for every request, whoever sends it: that no foreign page acts through a visitor's browser, and what
//! browsers are told to keep from the answers.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::{app::AppState, config::Settings, error::Problem};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// What an answer may do in a browser that takes it for a page: nothing.
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
/// How long a browser may keep the answer to a preflight. None keeps it for longer than two hours.
const PREFLIGHT_MAX_AGE: std::time::Duration = std::time::Duration::from_secs(2 * 60 * 60);

/// In a request's extensions: it has come over TLS. Who serves the routes puts it there.
#[derive(Clone, Copy, Debug)]
pub struct OverTls;

/// What the [`guard`] goes by.
#[derive(Clone)]
pub(crate) struct Rules {
    /// Whether only this machine can connect.
    pub(crate) on_loopback: bool,
    pub(crate) settings: Arc<Settings>,
}

impl From<&AppState> for Rules {
    fn from(state: &AppState) -> Self {
        Self { on_loopback: state.on_loopback, settings: Arc::clone(&state.settings) }
    }
}

/// The outermost layer of the server's own.
pub(crate) async fn guard(State(rules): State<Rules>, mut request: Request, next: Next) -> Response {
    hide_secrets(request.headers_mut());
    let over_tls = request.extensions().get::<OverTls>().is_some();
    let hosts = Hosts::of(request.uri(), request.headers());
    let pins_tls = over_tls && !hosts.0.iter().any(|host| is_loopback(host.host()));
    let allowed = match rules.on_loopback {
        true => hosts.check(&rules.settings.hosts),
        false => Ok(()),
    };
    let allowed = allowed.and_then(|()| check_origin(&request, &hosts, &rules.settings.cors_origins));
    let mut response = match allowed {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    secure(response.headers_mut());
    let max_age_s = rules.settings.hsts_max_age_s;
    if pins_tls && max_age_s > 0 {
        let value = HeaderValue::try_from(format!("max-age={max_age_s}")).expect("a number is visible ASCII");
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
    response
}

/// Lets pages of the origins in the allow-list use the server as its own page does. `None` where the list is empty.
pub(crate) fn cors(settings: &Settings) -> Option<CorsLayer> {
    let origins: Vec<_> =
        settings.cors_origins.iter().filter_map(|origin| HeaderValue::try_from(origin).ok()).collect();
    let exposed =
        [HeaderName::from_static("highwater-position"), header::ETAG, header::RETRY_AFTER, header::WWW_AUTHENTICATE];
    (!origins.is_empty()).then(|| {
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins))
            .allow_credentials(true)
            .allow_methods([Method::GET, Method::POST, Method::DELETE])
            // An extension attribute in binary mode is a header of any name: no list could hold them.
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers(exposed)
            .max_age(PREFLIGHT_MAX_AGE)
    })
}

/// Whether a text is an origin as browsers write it: scheme, host and port, nothing else.
pub(crate) fn is_origin(text: &str) -> bool {
    let parsed = text.parse::<Uri>().ok();
    let parts = parsed.as_ref().and_then(|uri| Some((uri.scheme_str()?, uri.authority()?)));
    parts.is_some_and(|(scheme, authority)| format!("{scheme}://{authority}") == text && text != "*")
}

/// Whether a host is this machine: what a browser can't be made to believe of another one.
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let address: Result<IpAddr, _> = host.trim_start_matches('[').trim_end_matches(']').parse();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Whom a request is for, in all the places where it says so. One that can't be read is an empty one.
struct Hosts(Vec<Authority>);

impl Hosts {
    fn of(uri: &Uri, headers: &HeaderMap) -> Self {
        let unreadable = || Authority::from_static("-");
        let named = headers.get_all(header::HOST).iter();
        let named = named.map(|value| Authority::try_from(value.as_bytes()).unwrap_or_else(|_| unreadable()));
        Self(uri.authority().cloned().into_iter().chain(named).collect())
    }

    /// On a loopback address a request is for this machine, or for a name that is set. Otherwise a page of any site
    /// could have its own name resolve to this machine, and read here as if the answers were its own (DNS rebinding).
    /// Browsers always name a host.
    fn check(&self, names: &[String]) -> Result<(), Problem> {
        let is_ours = |host: &str| is_loopback(host) || names.iter().any(|name| name.eq_ignore_ascii_case(host));
        match self.0.iter().find(|host| !is_ours(host.host())) {
            None => Ok(()),
            Some(host) => Err(Problem::Misdirected(host.host().to_owned())),
        }
    }

    fn are(&self, origin: &str) -> bool {
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        !self.0.is_empty()
            && self.0.iter().all(|host| authority.is_some_and(|own| host.as_str().eq_ignore_ascii_case(own)))
    }
}

/// Whether a request that may change something, or opens a WebSocket, is no other site's doing. Browsers say whose it
/// is in `Sec-Fetch-Site`, older ones by `Origin`; what comes without either is from no browser.
/// (The algorithm of Go's `net/http.CrossOriginProtection`.)
fn check_origin(request: &Request, hosts: &Hosts, allowed: &[String]) -> Result<(), Problem> {
    let headers = request.headers();
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if is_safe && !headers.contains_key(header::UPGRADE) {
        return Ok(());
    }
    let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or_default());
    let origin = text(header::ORIGIN);
    if origin.is_some_and(|origin| allowed.iter().any(|allowed| allowed == origin)) {
        return Ok(());
    }
    let is_own = match (text(SEC_FETCH_SITE), origin) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => hosts.are(origin),
        (None, None) => true,
    };
    if is_own { Ok(()) } else { Err(Problem::ForeignOrigin(origin.unwrap_or("another site").to_owned())) }
}

/// Whoever writes requests into a log writes no tokens.
fn hide_secrets(headers: &mut HeaderMap) {
    for (name, value) in headers.iter_mut() {
        if name == header::AUTHORIZATION || name == header::COOKIE {
            value.set_sensitive(true);
        }
    }
}

fn secure(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(NOTHING);
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn request(method: Method, headers: &[(&'static str, &'static str)]) -> Request {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        request
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        for own in ["localhost", "LocalHost", "a.localhost", "127.0.0.1", "127.9.9.9", "[::1]"] {
            assert!(is_loopback(own), "{own}");
        }
        for other in ["example.com", "localhost.example.com", "127.0.0.1.example.com", "10.0.0.1", "[::2]", "", "-"] {
            assert!(!is_loopback(other), "{other}");
        }
    }

    #[test]
    fn a_host_must_be_ours_wherever_it_is_named() {
        let names = ["log.example.com".to_owned()];
        let check = |uri: &'static str, headers: &[(&'static str, &'static str)]| {
            Hosts::of(&Uri::from_static(uri), request(Method::GET, headers).headers()).check(&names).is_ok()
        };
        assert!(check("/", &[("host", "127.0.0.1:4848")]));
        assert!(check("/", &[("host", "[::1]:4848")]));
        assert!(check("/", &[("host", "Log.Example.com")]));
        assert!(check("/", &[]));
        assert!(check("http://localhost/", &[("host", "localhost")]));
        for evil in ["evil.example", "evil.example:4848", "localhost@evil.example", "", "a b", "evil.example:x"] {
            assert!(!check("/", &[("host", evil)]), "{evil}");
        }
        assert!(!check("/", &[("host", "localhost"), ("host", "evil.example")]));
        assert!(!check("http://evil.example/", &[("host", "localhost")]));
    }

    #[test]
    fn other_sites_change_nothing() {
        let allowed = ["https://app.example.com".to_owned()];
        let check = |method: Method, headers: &[(&'static str, &'static str)]| {
            let headers = [&[("host", "log.example.com")], headers].concat();
            let request = request(method, &headers);
            check_origin(&request, &Hosts::of(request.uri(), request.headers()), &allowed).is_ok()
        };
        let foreign = ("origin", "https://evil.example");
        assert!(check(Method::GET, &[foreign]));
        assert!(!check(Method::GET, &[foreign, ("upgrade", "websocket")]));
        assert!(check(Method::GET, &[("origin", "https://log.example.com"), ("upgrade", "websocket")]));
        for method in [Method::POST, Method::DELETE, Method::PUT, Method::CONNECT] {
            assert!(check(method.clone(), &[]));
            assert!(check(method.clone(), &[("origin", "https://log.example.com")]));
            assert!(check(method.clone(), &[("origin", "https://app.example.com"), ("sec-fetch-site", "same-site")]));
            assert!(check(method.clone(), &[("origin", "null"), ("sec-fetch-site", "same-origin")]));
            for strange in
                ["https://evil.example", "https://log.example.com.evil.example", "null", "", "log.example.com"]
            {
                assert!(!check(method.clone(), &[("origin", strange)]), "{strange}");
            }
            assert!(!check(method.clone(), &[foreign, ("sec-fetch-site", "cross-site")]));
            assert!(!check(method, &[("sec-fetch-site", "same-site")]));
        }
    }

    #[test]
    fn origins_are_written_as_browsers_write_them() {
        for good in ["https://app.example.com", "http://localhost:5173", "tauri://localhost", "http://[::1]:80"] {
            assert!(is_origin(good), "{good}");
        }
        for bad in ["*", "https://a.example/", "https://a.example/x", "a.example", "HTTPS://a.example", "", "null"] {
            assert!(!is_origin(bad), "{bad}");
        }
    }

    #[test]
    fn tokens_are_not_shown() {
        let mut headers = request(Method::GET, &[("authorization", "Bearer a.b.c"), ("cookie", "c=d"), ("x", "e")]);
        hide_secrets(headers.headers_mut());
        let shown = format!("{:?}", headers.headers());
        assert!(!shown.contains("a.b.c") && !shown.contains("c=d") && shown.contains("\"e\""), "{shown}");
    }
}
