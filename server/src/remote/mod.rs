//! A server as the commands and the demo see it, over HTTP: [`Remote`] asks, a [`Follower`] reads on and on.

mod backoff;
mod follow;
mod token;

use std::{
    error::Error,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anyhow::{Context, ensure};
use bytes::Bytes;
use highwater_core::{
    event::EventId,
    stream::StreamName,
    topic::Topics,
    version::{After, Position, Revision},
};
use reqwest::{Client, RequestBuilder, Response, Url, header};
use serde::Deserialize;

pub(crate) use self::{
    backoff::Backoff,
    follow::{Follower, Told, Via},
    token::Token,
};

/// The most bytes of an answer that are taken into memory; no server sends as much unless its settings are extreme.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;
const EVENT: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an answer may take. An append that takes longer is sent again: it is stored once.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// How often a request is sent again before it is given up: about a minute of trying.
const RETRIES_MAX: u32 = 10;

/// A server, and the connection to it that is kept alive.
#[derive(Debug)]
pub(crate) struct Remote {
    base: Url,
    http: Client,
    /// Whether the server has ever answered. One that never did is not waited for.
    reached: AtomicBool,
}

/// Why a request brought nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("cannot reach {base}: is the server running? Start it with: highwater serve ({cause})")]
    Unreachable { base: String, cause: String },
    #[error("the connection to {base} broke off ({cause})")]
    Broken { base: String, cause: String },
    #[error("{base} is going away")]
    Leaving { base: String, retry_after: Duration },
    #[error("{base} does not answer as a Highwater server does ({cause})")]
    Unintelligible { base: String, cause: String },
    #[error("{}", .0.text())]
    Refused(Problem),
}

/// A problem document, as far as it says anything to us.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    #[serde(skip)]
    status: u16,
    #[serde(skip)]
    retry_after: Option<Duration>,
    code: String,
    detail: String,
    /// Which event of a batch it is about, from 0.
    pub(crate) index: Option<usize>,
}

/// The answer to an append.
#[derive(Debug, Deserialize)]
pub(crate) struct Appended {
    pub(crate) position: String,
    pub(crate) events: Vec<Placed>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Placed {
    pub(crate) sequence: u64,
}

/// Reads the URL of a server.
pub(crate) fn parse_url(text: &str) -> anyhow::Result<Url> {
    let url: Url = text.parse().context("must be a URL such as http://127.0.0.1:4848")?;
    ensure!(matches!(url.scheme(), "http" | "https"), "must begin with http:// or https://");
    Ok(url)
}

impl Remote {
    /// A server at the URL that this text is, which asks for no token.
    pub(crate) fn new(url: &str) -> anyhow::Result<Self> {
        Self::at(parse_url(url)?, None)
    }

    /// A server at this URL, which is told by a token who asks. It is not asked anything yet.
    pub(crate) fn at(base: Url, token: Option<&Token>) -> anyhow::Result<Self> {
        // Where a provider is installed already, that one serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = Client::builder().connect_timeout(CONNECT_TIMEOUT);
        if is_loopback(&base) {
            http = http.no_proxy();
        }
        if let Some(authorization) = token.map(Token::authorization).transpose()?.flatten() {
            http = http.default_headers([(header::AUTHORIZATION, authorization)].into_iter().collect());
        }
        Ok(Self { base, http: http.build().context("cannot make an HTTP client")?, reached: AtomicBool::new(false) })
    }

    /// Does something again for as long as its failure may pass. What it waits for is told. What is done must be such
    /// that doing it twice is doing it once: a read, or an append of events that have ids.
    pub(crate) async fn persist<T>(
        &self,
        tell: impl Fn(&str),
        request: impl AsyncFn() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut backoff = Backoff::default();
        loop {
            let failure = match request().await {
                Err(failure) if failure.may_pass() && backoff.attempts() < RETRIES_MAX => failure,
                other => return other,
            };
            if !self.reached.load(Ordering::Relaxed) {
                return Err(failure);
            }
            let wait = backoff.next_wait().max(failure.retry_after());
            tell(&format!("{failure}; trying again in {:.1} s", wait.as_secs_f32()));
            tokio::time::sleep(wait).await;
        }
    }

    /// Appends an event.
    pub(crate) async fn append(&self, body: Bytes, monotonic: bool) -> Result<Appended, Failure> {
        let mut request = self.http.post(self.url(["v1", "events"])).header(header::CONTENT_TYPE, EVENT);
        if monotonic {
            request = request.header("Highwater-Require", "monotonic");
        }
        self.appended(request.body(body)).await
    }

    /// Appends a batch of events, all or none: also to streams that take commands, for who may.
    pub(crate) async fn import(&self, body: Bytes) -> Result<Appended, Failure> {
        let request = self.http.post(self.url(["v1", "events"])).header(header::CONTENT_TYPE, BATCH);
        self.appended(request.header("Highwater-Import", "true").body(body)).await
    }

    async fn appended(&self, request: RequestBuilder) -> Result<Appended, Failure> {
        let answer = self.text(request).await?;
        serde_json::from_str(&answer).map_err(|error| self.unintelligible(error))
    }

    /// Gives a command to a stream of an entity; or, where that is wanted, only if the stream has no event yet.
    pub(crate) async fn command(
        &self,
        entity: &str,
        stream: &StreamName,
        id: &EventId,
        body: Bytes,
        is_first: bool,
    ) -> Result<(), Failure> {
        let mut request = self.http.post(self.url(["v1", "commands", entity, stream.as_str()]));
        request = request.header(header::CONTENT_TYPE, "application/json").header("Idempotency-Key", id.as_str());
        if is_first {
            request = request.header(header::IF_NONE_MATCH, "*");
        }
        self.text(request.body(body)).await.map(drop)
    }

    /// A page of the log, as JSON.
    pub(crate) async fn page(&self, topics: &Topics, after: After, limit_events: usize) -> Result<String, Failure> {
        let request = self.read(topics, after).query(&[("limit", limit_events)]);
        self.text(request.header(header::ACCEPT, "application/json")).await
    }

    /// A page of one stream, as JSON.
    pub(crate) async fn stream_page(&self, stream: &str, from: Revision) -> Result<String, Failure> {
        let url = self.url(["v1", "streams", stream]);
        self.text(self.http.get(url).query(&[("from_revision", from.get())])).await
    }

    /// The log's end.
    pub(crate) async fn head(&self) -> Result<Position, Failure> {
        let everything = Topics::new(["**"]).expect("this is a topic");
        let page = self.page(&everything, After::Latest, 1).await?;
        self.head_of(&page)
    }

    /// The log's end as a page tells it.
    pub(crate) fn head_of(&self, page: &str) -> Result<Position, Failure> {
        #[derive(Deserialize)]
        struct Head {
            head: String,
        }
        let head: Head = serde_json::from_str(page).map_err(|error| self.unintelligible(error))?;
        head.head.parse().map_err(|error| self.unintelligible(error))
    }

    /// Opens an event stream.
    async fn subscribe(&self, topics: &Topics, after: After) -> Result<Response, Failure> {
        let request = self.read(topics, after).header(header::ACCEPT, "text/event-stream");
        let opening = async { self.accepted(request.send().await.map_err(|error| self.broken(&error))?).await };
        let timeout = || Failure::Broken { base: self.name(), cause: "no answer in time".into() };
        let response = tokio::time::timeout(ANSWER_TIMEOUT, opening).await.map_err(|_| timeout())??;
        match response.headers().get(header::CONTENT_TYPE).map(header::HeaderValue::as_bytes) {
            Some(media_type) if media_type.starts_with(b"text/event-stream") => Ok(response),
            _ => Err(self.unintelligible("no event stream")),
        }
    }

    /// The next chunk of an answer; `None` at its end.
    async fn chunk(&self, response: &mut Response) -> Result<Option<Bytes>, Failure> {
        response.chunk().await.map_err(|error| self.broken(&error))
    }

    /// The connection is of no use any more.
    fn broken_off(&self, cause: impl ToString) -> Failure {
        Failure::Broken { base: self.name(), cause: cause.to_string() }
    }

    fn leaving(&self, retry_after: Duration) -> Failure {
        Failure::Leaving { base: self.name(), retry_after }
    }

    pub(crate) fn unintelligible(&self, cause: impl ToString) -> Failure {
        Failure::Unintelligible { base: self.name(), cause: cause.to_string() }
    }

    fn read(&self, topics: &Topics, after: After) -> RequestBuilder {
        let topics: Vec<(&str, &str)> = topics.iter().map(|topic| ("topic", topic.as_str())).collect();
        self.http.get(self.url(["v1", "events"])).query(&topics).query(&[("after", after.to_string())])
    }

    /// A path below the base, each of its segments encoded.
    fn url<const N: usize>(&self, segments: [&str; N]) -> Url {
        let mut url = self.base.clone();
        url.path_segments_mut().expect("http URLs have a path").pop_if_empty().extend(segments);
        url
    }

    async fn text(&self, request: RequestBuilder) -> Result<String, Failure> {
        let response = request.timeout(ANSWER_TIMEOUT).send().await.map_err(|error| self.broken(&error))?;
        let mut response = self.accepted(response).await?;
        self.body(&mut response).await
    }

    async fn body(&self, response: &mut Response) -> Result<String, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk(response).await? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(self.unintelligible(format_args!("an answer of more than {ANSWER_BYTES_MAX} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        String::from_utf8(body).map_err(|error| self.unintelligible(error))
    }

    async fn accepted(&self, mut response: Response) -> Result<Response, Failure> {
        self.reached.store(true, Ordering::Relaxed);
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let seconds = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let retry_after = seconds.map(Duration::from_secs);
        let body = self.body(&mut response).await?;
        // What is no problem document comes from something between us and the server.
        let problem: Problem = serde_json::from_str(&body).unwrap_or_default();
        let detail = if problem.detail.is_empty() { format!("answered {status}") } else { problem.detail };
        Err(Failure::Refused(Problem { status: status.as_u16(), retry_after, detail, ..problem }))
    }

    /// The server as people write it.
    fn name(&self) -> String {
        self.base.as_str().trim_end_matches('/').to_owned()
    }

    fn broken(&self, error: &reqwest::Error) -> Failure {
        let (base, cause) = (self.name(), root_cause(error));
        if error.is_connect() { Failure::Unreachable { base, cause } } else { Failure::Broken { base, cause } }
    }
}

impl Failure {
    /// Whether the same request may be answered well later.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Broken { .. } | Self::Leaving { .. } => true,
            Self::Unintelligible { .. } => false,
            Self::Refused(problem) => matches!(problem.status, 408 | 429 | 500 | 502..=504),
        }
    }

    /// Whether a smaller request may be taken where this one was not: its body came too slowly, or was too large as a whole.
    pub(crate) fn asks_for_less(&self) -> bool {
        matches!(self, Self::Refused(Problem { status: 408 | 413, index: None, .. }))
    }

    /// Whether the log is not the one that a cursor is of, or does not reach from there: a subscription tells how to go
    /// on.
    fn is_about_cursor(&self) -> bool {
        let codes = ["epoch_changed", "cursor_expired", "cursor_ahead"];
        matches!(self, Self::Refused(problem) if codes.contains(&problem.code.as_str()))
    }

    /// How long the server asks to wait, within reason.
    pub(crate) fn retry_after(&self) -> Duration {
        const LONGEST: Duration = Duration::from_secs(60);
        let asked = match self {
            Self::Refused(problem) => problem.retry_after.unwrap_or_default(),
            Self::Leaving { retry_after, .. } => *retry_after,
            Self::Unreachable { .. } | Self::Broken { .. } | Self::Unintelligible { .. } => Duration::ZERO,
        };
        asked.min(LONGEST)
    }
}

impl Problem {
    /// What programs tell problems apart by.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    fn text(&self) -> String {
        let code = if self.code.is_empty() { String::new() } else { format!(" ({})", self.code) };
        format!("{}{code}", self.detail)
    }
}

/// What lies at the bottom of an error, which says more than "error sending request".
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_go_below_the_base() {
        let url = |base| Remote::new(base).unwrap().url(["v1", "streams", "a:b%20/c?d#é"]).to_string();
        assert_eq!(url("http://127.0.0.1:4848"), "http://127.0.0.1:4848/v1/streams/a:b%2520%2Fc%3Fd%23%C3%A9");
        assert_eq!(url("https://example.com/log/"), "https://example.com/log/v1/streams/a:b%2520%2Fc%3Fd%23%C3%A9");
    }

    #[test]
    fn what_is_no_url_is_refused_with_a_hint() {
        for url in ["127.0.0.1:4848", "localhost", "file:///tmp", ""] {
            assert!(Remote::new(url).is_err(), "{url}");
        }
    }

    #[test]
    fn this_machine_is_asked_without_a_proxy() {
        for (url, loopback) in
            [("http://localhost:1", true), ("http://127.0.0.2", true), ("http://[::1]:1", true), ("http://a.b", false)]
        {
            assert_eq!(is_loopback(&url.parse().unwrap()), loopback, "{url}");
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let refused = |status| Failure::Refused(Problem { status, ..Problem::default() }).may_pass();
        assert!([408, 429, 500, 502, 503, 504].into_iter().all(refused));
        assert!(![400, 404, 409, 412, 413, 501].into_iter().any(refused));
    }
}
