//! The requests to the server: the stream of events, and pages of what is missing.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::future::Future;
use std::rc::Rc;

use futures_util::future::{FutureExt, LocalBoxFuture};
use highwater_core::topic::Topics;
use highwater_core::version::{After, Epoch, Revision};
use js_sys::Reflect;
use wasm_bindgen::JsValue;
use web_sys::{Headers, Url};

use super::{Cause, InvalidOptions, Options};

/// How long the server may hold a poll's answer back, in seconds: as long as the subscription's machine thinks.
const POLL_WAIT_S: u32 = highwater_core::subscription::POLL_WAIT_MS / 1_000;

/// What one request asks for, complete but for its token.
pub(super) struct Request {
    pub(super) url: String,
    pub(super) expected: Expected,
    headers: Rc<BTreeMap<String, String>>,
    token: Option<TokenSource>,
}

/// What an answer has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// An event stream.
    Events,
    /// A page of the log.
    Page,
    /// A page of a stream, in this log.
    StreamPage(Epoch),
}

/// Makes requests for one set of topics.
pub(super) struct Requests {
    base: String,
    topics: Topics,
    headers: Rc<BTreeMap<String, String>>,
    token: Option<TokenSource>,
    page_events_max: u32,
}

impl Requests {
    pub(super) fn new(options: &Options, topics: Topics, token: Option<TokenSource>) -> Result<Self, InvalidOptions> {
        let checked = Headers::new().map_err(|_| InvalidOptions::Header(String::new()))?;
        for (name, value) in &options.headers {
            checked.append(name, value).map_err(|_| InvalidOptions::Header(name.clone()))?;
        }
        Ok(Self {
            base: base(options.url.as_deref())?,
            topics,
            headers: Rc::new(options.headers.clone()),
            token,
            page_events_max: options.page_events_max,
        })
    }

    /// The stream of events after a place.
    pub(super) fn events(&self, after: After) -> Request {
        self.request(self.log(after, &[]), Expected::Events)
    }

    /// A page of the log after a place.
    pub(super) fn page(&self, after: After) -> Request {
        self.request(self.log(after, &[("limit", self.page_events_max)]), Expected::Page)
    }

    /// The same, where `waits` held back by the server until there is something, or for a while.
    pub(super) fn poll(&self, after: After, waits: bool) -> Request {
        let wait_s = if waits { POLL_WAIT_S } else { 0 };
        self.request(self.log(after, &[("limit", self.page_events_max), ("wait", wait_s)]), Expected::Page)
    }

    /// A page of a stream of this log from a revision on.
    pub(super) fn stream_page(&self, stream: &str, from: Revision, epoch: Epoch) -> Request {
        let (base, stream, from, limit) = (&self.base, encode(stream), from.get(), self.page_events_max);
        let url = format!("{base}v1/streams/{stream}?from_revision={from}&limit={limit}");
        self.request(url, Expected::StreamPage(epoch))
    }

    fn log(&self, after: After, more: &[(&str, u32)]) -> String {
        let mut url = format!("{}v1/events?after={after}", self.base);
        for topic in self.topics.iter() {
            url.push_str("&topic=");
            url.push_str(&encode(topic.as_str()));
        }
        for (name, value) in more {
            url.push_str(&format!("&{name}={value}"));
        }
        url
    }

    fn request(&self, url: String, expected: Expected) -> Request {
        Request { url, expected, headers: Rc::clone(&self.headers), token: self.token.clone() }
    }
}

impl Request {
    /// The request's headers, with a token that is asked for now.
    pub(super) async fn headers(&self) -> Result<Headers, Cause> {
        let headers = Headers::new().map_err(network)?;
        for (name, value) in self.headers.iter() {
            headers.append(name, value).map_err(network)?;
        }
        let accept = match self.expected {
            Expected::Events => "text/event-stream",
            Expected::Page | Expected::StreamPage(_) => "application/json",
        };
        headers.set("accept", accept).map_err(network)?;
        if let Some(TokenSource(ask)) = &self.token {
            let token = ask().await.map_err(|message| Cause::NoToken { message: message.into() })?;
            headers.set("authorization", &format!("Bearer {token}")).map_err(network)?;
        }
        Ok(headers)
    }
}

/// Whoever is asked for a token.
#[derive(Clone)]
pub(super) struct TokenSource(Rc<dyn Fn() -> LocalBoxFuture<'static, Result<String, String>>>);

impl TokenSource {
    pub(super) fn new<Answer, Error>(ask: impl Fn() -> Answer + 'static) -> Self
    where
        Answer: Future<Output = Result<String, Error>> + 'static,
        Error: Display,
    {
        Self(Rc::new(move || ask().map(|token| token.map_err(|error| error.to_string())).boxed_local()))
    }
}

/// What a browser threw, as the cause of an end.
pub(super) fn network(thrown: JsValue) -> Cause {
    let told = Reflect::get(&thrown, &JsValue::from_str("message")).ok().and_then(|message| message.as_string());
    let message = told.or_else(|| thrown.as_string()).unwrap_or_else(|| "no reason was given".into());
    Cause::Network { message: message.into() }
}

/// The server's URL, complete up to a final slash.
fn base(url: Option<&str>) -> Result<String, InvalidOptions> {
    let url = url.map(str::to_owned).or_else(page_origin);
    let url =
        url.ok_or(InvalidOptions::Url("must be the server's, as there is no page whose origin could stand in"))?;
    let base = Url::new(&url).map_err(|_| InvalidOptions::Url("must be a whole URL, such as https://example.org"))?;
    if !["http:", "https:"].contains(&base.protocol().as_str()) {
        return Err(InvalidOptions::Url("must begin with http:// or https://"));
    }
    if !base.search().is_empty() || !base.hash().is_empty() {
        return Err(InvalidOptions::Url(
            "must have no query and no fragment: what is not part of the path would be lost",
        ));
    }
    let href = base.href();
    Ok(if href.ends_with('/') { href } else { href + "/" })
}

/// The origin of the page, or of the page that a worker belongs to.
fn page_origin() -> Option<String> {
    let location = Reflect::get(&js_sys::global(), &JsValue::from_str("location")).ok()?;
    Reflect::get(&location, &JsValue::from_str("origin")).ok()?.as_string()
}

fn encode(text: &str) -> String {
    String::from(js_sys::encode_uri_component(text))
}
