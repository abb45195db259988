//! What a subscription may be told: as a Rust value, or as JavaScript has it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::future::Future;

use highwater_core::reconcile::HoldLimits;
use highwater_core::subscription;
use highwater_core::topic::{InvalidTopics, Topics};
use highwater_core::version::After;
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;

use super::request::{Requests, TokenSource};
use super::verdicts::Verdicts;

/// What to follow, and how. In JavaScript it is an object with the names that the npm package's options have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Options {
    /// The server's base URL, without a query: `headers` are for what the server is to know. Default: the page's own origin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The streams to follow: names, or patterns such as `space:42:**`.
    pub topics: Vec<String>,
    /// Where to start. Default: [`After::Latest`].
    #[serde(with = "after_as_text")]
    pub after: After,
    /// Sent with each request.
    pub headers: BTreeMap<String, String>,
    /// How many events wait for what is missing before them. Default: 1,024.
    pub held_events_max: u32,
    /// How many bytes of them. Default: 4 MiB.
    pub held_bytes_max: u32,
    /// How many events of what is missing to ask for at once. Default: 256.
    pub page_events_max: u32,
    /// How long a connection may be silent until it is live, and a page of what is missing, in milliseconds. Default: 20 s.
    pub connect_timeout_ms: u32,
    /// The first delay before a reconnect is at most this, each further one at most twice the one before, in milliseconds.
    /// Default: 250 ms.
    pub backoff_base_ms: u32,
    /// The longest delay before a reconnect, unless the server asks for more, in milliseconds. Default: 30 s.
    pub backoff_max_ms: u32,
}

impl Default for Options {
    fn default() -> Self {
        let (hold, times) = (HoldLimits::default(), subscription::Options::default());
        let limit = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX);
        Self {
            url: None,
            topics: Vec::new(),
            after: After::Latest,
            headers: BTreeMap::new(),
            held_events_max: limit(hold.events_max),
            held_bytes_max: limit(hold.bytes_max),
            page_events_max: 256,
            connect_timeout_ms: times.connect_timeout_ms,
            backoff_base_ms: times.backoff_base_ms,
            backoff_max_ms: times.backoff_max_ms,
        }
    }
}

/// Why nothing can be followed with these options.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidOptions {
    /// A value in JavaScript does not have the shape of [`Options`].
    #[error("the options are wrong: {0}")]
    Shape(String),
    /// There is no such server.
    #[error("url {0}")]
    Url(&'static str),
    /// The topics are none.
    #[error(transparent)]
    Topics(#[from] InvalidTopics),
    /// A header is none that a request could have.
    #[error("'{0}' is no header, or its value is none")]
    Header(String),
    /// A limit is 0.
    #[error("{0} must be at least 1")]
    Limit(&'static str),
}

impl Options {
    /// Options for a server and topics, all else by default.
    pub fn new(url: impl Into<String>, topics: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let topics = topics.into_iter().map(Into::into).collect();
        Self { url: Some(url.into()), topics, ..Self::default() }
    }

    /// Follows the topics, from the first time that the stream is polled.
    ///
    /// # Errors
    /// [`InvalidOptions`] names the option which can't be.
    pub fn subscribe(&self) -> Result<Verdicts, InvalidOptions> {
        self.open(None)
    }

    /// Follows the topics with a bearer token for each request: asked for every time, so that none is ever stale. A server
    /// that refuses one is shown another, once.
    ///
    /// # Errors
    /// [`InvalidOptions`] names the option which can't be.
    pub fn subscribe_with_token<Answer, Error>(
        &self,
        token: impl Fn() -> Answer + 'static,
    ) -> Result<Verdicts, InvalidOptions>
    where
        Answer: Future<Output = Result<String, Error>> + 'static,
        Error: Display,
    {
        self.open(Some(TokenSource::new(token)))
    }

    fn open(&self, token: Option<TokenSource>) -> Result<Verdicts, InvalidOptions> {
        let topics = self.check()?;
        Ok(Verdicts::new(self, Requests::new(self, topics, token)?))
    }

    /// Checks all that can be known without a browser.
    fn check(&self) -> Result<Topics, InvalidOptions> {
        let limits = [
            ("held_events_max", self.held_events_max),
            ("held_bytes_max", self.held_bytes_max),
            ("page_events_max", self.page_events_max),
            ("connect_timeout_ms", self.connect_timeout_ms),
            ("backoff_base_ms", self.backoff_base_ms),
            ("backoff_max_ms", self.backoff_max_ms),
        ];
        if let Some((name, _)) = limits.iter().find(|(_, limit)| *limit == 0) {
            return Err(InvalidOptions::Limit(name));
        }
        Ok(Topics::new(self.topics.iter().map(String::as_str))?)
    }

    pub(super) fn hold_limits(&self) -> HoldLimits {
        let limit = |limit: u32| usize::try_from(limit).unwrap_or(usize::MAX);
        HoldLimits { events_max: limit(self.held_events_max), bytes_max: limit(self.held_bytes_max) }
    }

    pub(super) fn times(&self) -> subscription::Options {
        let Self { connect_timeout_ms, backoff_base_ms, backoff_max_ms, .. } = *self;
        subscription::Options { connect_timeout_ms, backoff_base_ms, backoff_max_ms }
    }
}

impl TryFrom<JsValue> for Options {
    type Error = InvalidOptions;

    /// Takes an object. What it leaves out is by default.
    fn try_from(value: JsValue) -> Result<Self, InvalidOptions> {
        serde_wasm_bindgen::from_value(value).map_err(|error| InvalidOptions::Shape(error.to_string()))
    }
}

impl TryFrom<&Options> for JsValue {
    type Error = serde_wasm_bindgen::Error;

    fn try_from(options: &Options) -> Result<Self, Self::Error> {
        options.serialize(&serde_wasm_bindgen::Serializer::json_compatible())
    }
}

/// `earliest`, `latest` or a position.
mod after_as_text {
    use highwater_core::version::After;
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    pub(super) fn serialize<S: Serializer>(after: &After, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(after)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<After, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(|error| D::Error::custom(format_args!("after {error}")))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json, to_value};

    use super::*;

    #[test]
    fn options_have_the_npm_package_s_names_and_survive_both_ways() {
        let written = json!({
            "url": "https://example.org/log",
            "topics": ["space:42:**"],
            "after": "k3x9q7ma-42",
            "headers": { "x-tenant": "a" },
            "heldEventsMax": 1,
            "heldBytesMax": 2,
            "pageEventsMax": 3,
            "connectTimeoutMs": 4,
            "backoffBaseMs": 5,
            "backoffMaxMs": 6,
        });
        let options: Options = from_value(written.clone()).unwrap();
        assert_eq!(options.after, "k3x9q7ma-42".parse().unwrap());
        assert_eq!(options.hold_limits(), HoldLimits { events_max: 1, bytes_max: 2 });
        assert_eq!(to_value(options).unwrap(), written);
    }

    #[test]
    fn what_is_left_out_is_by_default() {
        let options: Options = from_value(json!({ "topics": ["a:*"] })).unwrap();
        assert_eq!(options, Options { topics: vec!["a:*".into()], ..Options::default() });
        assert_eq!((options.hold_limits(), options.times()), Default::default());
    }

    #[test]
    fn an_option_that_can_t_be_is_named() {
        let error = from_value::<Options>(json!({ "after": "yesterday" })).unwrap_err();
        assert!(error.to_string().starts_with("after must be a position"), "{error}");
        let good = Options::new("https://example.org", ["a:*"]);
        assert_eq!(Options { topics: vec![], ..good.clone() }.check(), Err(InvalidTopics::Empty.into()));
        let never = Options { backoff_max_ms: 0, ..good };
        assert_eq!(never.check().unwrap_err().to_string(), "backoff_max_ms must be at least 1");
    }
}
