//! The page and the npm package, served out of the binary: a table of files made by the build script, and nothing else.

use std::{fmt::Write, sync::LazyLock};

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use sha2::{Digest, Sha256};

use crate::error::Problem;

/// Path and content, sorted by path.
static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/page_files.rs"));
/// The page is of no use without these.
const NEEDED: [&str; 2] = ["/index.html", "/highwater/"];
const MISSING: &str = "<!doctype html><meta charset=utf-8><title>Highwater</title><p>The server is running. Its page \
    is not part of this build: run <code>cargo xtask build</code>, which makes the npm package and the binary with both.";

/// Files by path, with what is derived of their content.
static ASSETS: LazyLock<Vec<Asset>> =
    LazyLock::new(|| FILES.iter().map(|(path, bytes)| Asset::new(path, bytes)).collect());

struct Asset {
    path: &'static str,
    bytes: &'static [u8],
    etag: HeaderValue,
    policy: HeaderValue,
}

/// Answers what no route does: with a file, or with a problem.
pub(crate) async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path();
    let complete = NEEDED.iter().all(|needed| FILES.iter().any(|(path, _)| path.starts_with(needed)));
    let asset = find(path);
    if asset.is_none() && path != "/" {
        return Problem::NotFound(path.to_owned()).into_response();
    }
    if method != Method::GET && method != Method::HEAD {
        let allow = [(header::ALLOW, HeaderValue::from_static("GET, HEAD"))];
        return (allow, Problem::MethodNotAllowed(method.to_string())).into_response();
    }
    match asset {
        Some(asset) if complete || path != "/" => asset.answer(&headers),
        _ => (StatusCode::SERVICE_UNAVAILABLE, Html(MISSING)).into_response(),
    }
}

/// The file at a path, or the `index.html` of the folder there. Pages with an address of their own go without their ending.
/// Only what is in the table can be found.
fn find(path: &str) -> Option<&'static Asset> {
    let rest = match path {
        "/docs" | "/runs" | "/task" => ".html",
        _ if path.ends_with('/') => "index.html",
        _ => "",
    };
    ASSETS.iter().find(|asset| asset.path.strip_prefix(path) == Some(rest))
}

impl Asset {
    fn new(path: &'static str, bytes: &'static [u8]) -> Self {
        let etag = format!("\"{}\"", BASE64.encode(Sha256::digest(bytes)));
        let header = |value: String| HeaderValue::try_from(value).expect("base64 and the policy's words are ASCII");
        Self { path, bytes, etag: header(etag), policy: header(policy(bytes)) }
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let common = [
            (header::ETAG, self.etag.clone()),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (header::CONTENT_SECURITY_POLICY, self.policy.clone()),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer")),
        ];
        let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        if known.flat_map(|value| value.split(',')).any(|tag| tag.trim().trim_start_matches("W/") == self.etag) {
            return (StatusCode::NOT_MODIFIED, common).into_response();
        }
        let content_type = [(header::CONTENT_TYPE, HeaderValue::from_static(content_type(self.path)))];
        (common, content_type, self.bytes).into_response()
    }
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt" | "md") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// What a file may do in a browser: use what is served here, start wasm, and run the scripts that stand in itself, which
/// are named by their hashes.
fn policy(file: &[u8]) -> String {
    let mut policy = String::from("default-src 'self'; script-src 'self' 'wasm-unsafe-eval'");
    for script in inline_scripts(file) {
        // Writing to a string does not fail.
        let _ = write!(policy, " 'sha256-{}'", BASE64.encode(Sha256::digest(script)));
    }
    policy.push_str(
        "; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    );
    policy
}

/// The contents of the `<script>` elements that have one. Only our own files come here: lower-case tags, no comments
/// around them.
fn inline_scripts(file: &[u8]) -> impl Iterator<Item = &str> {
    let html = str::from_utf8(file).unwrap_or_default();
    let html = if html.trim_start().starts_with("<!") { html } else { "" };
    html.split("<script").skip(1).filter_map(|element| {
        let (_, content) = element.split_once('>')?;
        let (script, _) = content.split_once("</script>")?;
        (!script.is_empty()).then_some(script)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_scripts_are_allowed_by_hash() {
        let page = b"<!doctype html><script src=\"x.js\"></script><script type=\"importmap\">{}</script>";
        assert_eq!(inline_scripts(page).collect::<Vec<_>>(), ["{}"]);
        let hash = "RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=";
        assert!(policy(page).contains(&format!("'wasm-unsafe-eval' 'sha256-{hash}';")), "{}", policy(page));
        assert_eq!(inline_scripts(b"let tag = '<script>x</script>'").count(), 0);
    }

    #[test]
    fn every_file_has_its_own_path_and_type() {
        for (path, _) in FILES {
            assert_eq!(find(path).map(|asset| asset.path), Some(*path));
            assert_ne!(content_type(path), "application/octet-stream", "{path}");
        }
        for (short, path) in
            [("/", "/index.html"), ("/docs", "/docs.html"), ("/runs", "/runs.html"), ("/task", "/task.html")]
        {
            assert_eq!(find(short).map(|asset| asset.path), Some(path));
        }
        for outside in ["/../Cargo.toml", "//index.html", "/highwater", "/docs/", "/index", "/nothing/", ""] {
            assert!(find(outside).is_none(), "{outside}");
        }
    }
}
