//! What HTTP tests send and read: a client, events to append, and event streams frame by frame.

use std::{
    collections::{BTreeSet, VecDeque},
    path::Path,
    sync::Once,
};

use highwater_core::sse::{CONTROL_EVENT, Decoder};
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, StatusCode, Version, header::AUTHORIZATION};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::server::PATIENCE;

/// The media type of one event.
pub const EVENT: &str = "application/cloudevents+json";
/// The media type of a batch.
pub const BATCH: &str = "application/cloudevents-batch+json";

/// A client that talks to servers on this machine.
///
/// # Panics
/// Where the system gives it no resources.
#[must_use]
pub fn client() -> Client {
    client_builder().build().expect("a client")
}

/// Such a client, before it is made.
pub fn client_builder() -> ClientBuilder {
    static TLS: Once = Once::new();
    // Not used for http URLs, but the client asks for it. Fails only where one is installed, which is as good.
    TLS.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    Client::builder().no_proxy()
}

/// A client that shows this token with every request.
///
/// # Panics
/// Where the token can't be in a header.
#[must_use]
pub fn client_with(token: &str) -> Client {
    let bearer = format!("Bearer {token}").parse().expect("a token can be in a header");
    client_builder().default_headers([(AUTHORIZATION, bearer)].into_iter().collect()).build().expect("a client")
}

/// Every route there is, as the server's own source names it.
#[must_use]
pub fn routes() -> BTreeSet<String> {
    let read = |path: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/src/routes").join(path);
        std::fs::read_to_string(path).expect("the source is there")
    };
    let sources = [read("mod.rs"), read("api/mod.rs")];
    let named = sources.iter().flat_map(|source| source.split(".route(\"").skip(1));
    named.map(|rest| rest.split('"').next().expect("the end of a string").to_owned()).collect()
}

/// An event to append to the stream that the URL names.
#[must_use]
pub fn event(id: &str) -> Value {
    json!({ "specversion": "1.0", "id": id, "source": "tester", "type": "note.taken.v1", "data": { "text": id } })
}

/// An event to append to a stream of its own choice.
#[must_use]
pub fn event_to(stream: &str, id: &str) -> Value {
    let mut event = event(id);
    event["subject"] = stream.into();
    event
}

/// Posts JSON of a media type.
pub async fn post(client: &Client, url: &str, media_type: &str, body: &Value) -> Answer {
    let request = client.post(url).header("content-type", media_type).body(body.to_string());
    Answer::of(request.send().await.expect("an answer")).await
}

/// Posts events as an import does, which may also go to streams that take commands.
pub async fn import(client: &Client, url: &str, media_type: &str, body: &Value) -> Answer {
    let request = client.post(url).header("content-type", media_type).header("highwater-import", "true");
    Answer::of(request.body(body.to_string()).send().await.expect("an answer")).await
}

/// Gives a command, under a key if there is one, as whoever its `source` says.
pub async fn command(client: &Client, url: &str, key: Option<&str>, command: &Value) -> Answer {
    let mut request = client.post(url).header("content-type", "application/json").body(command.to_string());
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    Answer::of(request.send().await.expect("an answer")).await
}

/// Gets a URL.
pub async fn get(client: &Client, url: &str) -> Answer {
    Answer::of(client.get(url).send().await.expect("an answer")).await
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: reqwest::header::HeaderMap,
    /// Its body, where that is JSON.
    pub json: Value,
}

impl Answer {
    /// Reads it to its end.
    pub async fn of(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.expect("a whole body");
        Self { status, headers, json: serde_json::from_slice(&body).unwrap_or(Value::Null) }
    }

    /// A header's text; empty if there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("visible ASCII"))
    }

    /// The problem's code, after checking that it is a whole problem document.
    #[must_use]
    pub fn code(&self) -> &str {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        assert_eq!(self.json["status"], self.status.as_u16(), "{self:?}");
        for member in ["type", "title", "detail"] {
            assert!(self.json[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {self:?}");
        }
        self.json["code"].as_str().expect("a problem has a code")
    }
}

/// One frame of an event stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The position, where the frame has one.
    pub id: Option<String>,
    /// The sequence of the event before it.
    pub prev: Option<u64>,
    /// Whether it is about the stream itself.
    pub is_control: bool,
    /// Its body.
    pub data: Value,
}

impl Frame {
    /// A control frame's kind; an event has none.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        if self.is_control { self.data["kind"].as_str() } else { None }
    }

    /// The sequence in its id.
    #[must_use]
    pub fn sequence(&self) -> Option<u64> {
        self.id.as_ref()?.split_once('-')?.1.parse().ok()
    }
}

/// Who sends an event stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// The reactor, on the socket that hyper gave away.
    Socket,
    /// hyper, as a body: asked for in HTTP/1.0, whose connections are not given away.
    Body,
}

impl Half {
    fn version(self) -> Version {
        match self {
            Self::Socket => Version::HTTP_11,
            Self::Body => Version::HTTP_10,
        }
    }
}

/// Makes each of these functions a test for both ways that an event stream is sent.
#[macro_export]
macro_rules! on_both_halves {
    ($($test:ident),* $(,)?) => {$(
        mod $test {
            use $crate::http::Half;

            #[tokio::test]
            async fn socket() {
                super::$test(Half::Socket).await;
            }

            #[tokio::test]
            async fn body() {
                super::$test(Half::Body).await;
            }
        }
    )*};
}

/// An open event stream.
pub struct Subscription {
    response: Response,
    decoder: Decoder,
    frames: VecDeque<Frame>,
}

impl Subscription {
    /// Opens an event stream, from a position on if one is given.
    pub async fn open(client: &Client, url: &str, last_event_id: Option<&str>) -> Self {
        Self::begin(client.get(url), last_event_id).await
    }

    /// Opens an event stream that is sent in one of the two ways.
    pub async fn open_on(half: Half, client: &Client, url: &str, last_event_id: Option<&str>) -> Self {
        let subscription = Self::begin(client.get(url).version(half.version()), last_event_id).await;
        // A socket that was given away is not used for anything else.
        let is_taken = subscription.headers().get("connection").is_some_and(|value| value == "close");
        assert_eq!(is_taken, half == Half::Socket, "{:?}", subscription.headers());
        subscription
    }

    async fn begin(request: RequestBuilder, last_event_id: Option<&str>) -> Self {
        let mut request = request.header("accept", "text/event-stream");
        if let Some(position) = last_event_id {
            request = request.header("last-event-id", position);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, decoder: Decoder::new(), frames: VecDeque::new() }
    }

    /// The answer's headers.
    #[must_use]
    pub fn headers(&self) -> &reqwest::header::HeaderMap {
        self.response.headers()
    }

    /// The version of HTTP that it comes over.
    #[must_use]
    pub fn version(&self) -> reqwest::Version {
        self.response.version()
    }

    /// The next frame; `None` at the stream's end.
    pub async fn next(&mut self) -> Option<Frame> {
        while self.frames.is_empty() {
            let chunk = timeout(PATIENCE, self.response.chunk()).await.expect("a frame or the end");
            self.decoder.push(&chunk.expect("a whole stream")?);
            while let Some(frame) = self.decoder.next_frame().expect("frames of a good size") {
                self.frames.push_back(Frame {
                    id: frame.id.map(|id| String::from_utf8_lossy(id).into_owned()),
                    prev: frame.prev,
                    is_control: frame.event == CONTROL_EVENT.as_bytes(),
                    data: serde_json::from_slice(frame.data).expect("a frame's data is JSON"),
                });
            }
        }
        self.frames.pop_front()
    }

    /// The next frame, which must be a control frame of this kind.
    pub async fn expect(&mut self, kind: &str) -> Frame {
        let frame = self.next().await.expect("the stream goes on");
        assert_eq!(frame.kind(), Some(kind), "{frame:?}");
        frame
    }

    /// The next frame, which must be an event.
    pub async fn expect_event(&mut self) -> Frame {
        let frame = self.next().await.expect("the stream goes on");
        assert!(!frame.is_control, "{frame:?}");
        frame
    }
}
