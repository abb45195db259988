//! `GET /v1/ws`: several subscriptions on one WebSocket, each with a cursor of its own.
//!
//! What goes out is what goes over an event stream, frame by frame, in JSON with the number of the subscription. While the
//! socket takes nothing, no subscription is asked for more: a slow client falls behind its rings and reads the log.

use std::{pin::Pin, time::Duration};

use axum::{
    Extension,
    extract::{
        State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code, rejection::WebSocketUpgradeRejection},
    },
    response::Response,
};
use futures_util::Stream;
use highwater_core::{
    sse::{CONTROL_EVENT, Decoder, Frame},
    topic::Topics,
    version::After,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_stream::{StreamExt, StreamMap};

use super::subscribe;
use crate::{
    app::AppState,
    auth::Access,
    error::Problem,
    feed::Subscription,
    serve::Connection,
    telemetry::{Transport, Wire},
};

/// A client says which topics it wants: 64 of 512 bytes fit, however they are escaped.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// How long a socket may be open without a subscription.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

pub(super) async fn upgrade(
    State(state): State<AppState>,
    access: Access,
    connection: Option<Extension<Connection>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|error| Problem::InvalidRequest(format!("not a WebSocket handshake: {error}")))?;
    let upgrade = upgrade.max_message_size(MESSAGE_BYTES_MAX).max_frame_size(MESSAGE_BYTES_MAX);
    Ok(upgrade.on_upgrade(|socket| async move {
        // Counted as open until the session is over.
        let _connection = (connection, state.metrics.http.connected(Wire::WebSocket));
        let session =
            Session { state, access, subscriptions: StreamMap::new(), idle_at: Instant::now() + IDLE_TIMEOUT };
        session.run(socket).await;
    }))
}

/// What a client asks for.
#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
enum Request {
    Subscribe { sub: u32, topics: Vec<String>, after: Option<String>, lagging: Option<String> },
    Unsubscribe { sub: u32 },
}

/// Sends a message; `None` if the client is gone or takes nothing for too long.
async fn send(socket: &mut WebSocket, message: Message, patience: Duration) -> Option<()> {
    timeout(patience, socket.send(message)).await.ok()?.ok()
}

/// The messages of one subscription, as they become due.
type Messages = Pin<Box<dyn Stream<Item = Vec<String>> + Send>>;

struct Session {
    state: AppState,
    access: Access,
    subscriptions: StreamMap<u32, Messages>,
    /// When it ends if there is no subscription.
    idle_at: Instant,
}

impl Session {
    async fn run(mut self, mut socket: WebSocket) {
        let patience = Duration::from_millis(self.state.settings.stall_timeout_ms);
        let (code, reason) = loop {
            let is_idle = self.subscriptions.is_empty();
            let messages = tokio::select! {
                // None once the last of them has ended.
                next = self.subscriptions.next(), if !is_idle => next.map(|(_, messages)| messages).unwrap_or_default(),
                received = socket.recv() => match received {
                    Some(Ok(Message::Text(text))) => self.handle(text.as_str()),
                    Some(Ok(Message::Binary(_))) => vec![refusal(None, "messages must be text")],
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Ok(Message::Close(_))) => {
                        // The answer to it goes out as more is read.
                        let _ = timeout(patience, socket.recv()).await;
                        return;
                    }
                    Some(Err(_)) | None => return,
                },
                () = self.state.shutdown.cancelled(), if is_idle => break (close_code::AWAY, "the server is shutting down"),
                () = sleep_until(self.idle_at), if is_idle => break (close_code::NORMAL, "there was no subscription"),
            };
            for message in messages {
                if send(&mut socket, Message::Text(message.into()), patience).await.is_none() {
                    return;
                }
            }
            if !is_idle && self.subscriptions.is_empty() {
                self.idle_at = Instant::now() + IDLE_TIMEOUT;
            }
        };
        // Who doesn't take it now is cut off all the same.
        let _ = send(&mut socket, Message::Close(Some(CloseFrame { code, reason: reason.into() })), patience).await;
    }

    /// Does what is asked for, or says why not.
    fn handle(&mut self, text: &str) -> Vec<String> {
        let request = match serde_json::from_str(text) {
            Ok(request) => request,
            Err(error) => return vec![refusal(None, &format!("the message is not understood: {error}"))],
        };
        match request {
            Request::Subscribe { sub, topics, after, lagging } => {
                match self.subscribe(sub, &topics, after.as_deref(), lagging.as_deref()) {
                    Ok(()) => Vec::new(),
                    Err(problem) => vec![error(Some(sub), &problem.document())],
                }
            }
            Request::Unsubscribe { sub } => match self.subscriptions.remove(&sub) {
                Some(_) => Vec::new(),
                None => vec![refusal(Some(sub), "there is no such subscription")],
            },
        }
    }

    fn subscribe(
        &mut self,
        sub: u32,
        topics: &[String],
        after: Option<&str>,
        lagging: Option<&str>,
    ) -> Result<(), Problem> {
        let invalid = |what: &str, error: &dyn std::fmt::Display| Problem::InvalidRequest(format!("'{what}' {error}"));
        if self.subscriptions.contains_key(&sub) {
            return Err(invalid("sub", &"is in use: unsubscribe it first, or take another number"));
        }
        let max = self.state.settings.socket_subscriptions_max;
        if self.subscriptions.len() >= max {
            return Err(invalid("sub", &format!("is one too many: a socket takes {max} subscriptions")));
        }
        let topics = Topics::new(topics.iter().map(String::as_str)).map_err(Problem::InvalidTopic)?;
        self.access.read(&topics)?;
        let after = after.map_or(Ok(After::Latest), str::parse).map_err(|error| invalid("after", &error))?;
        let lagging = lagging.map(str::parse).transpose().map_err(|error| invalid("lagging", &error))?;
        let mut subscription = subscribe::to(&self.state, &self.access, topics, after, lagging.unwrap_or_default())?;
        subscription.goes_over(Transport::WebSocket);
        self.subscriptions.insert(sub, Box::pin(messages(sub, subscription)));
        Ok(())
    }
}

fn messages(sub: u32, subscription: Subscription) -> impl Stream<Item = Vec<String>> + Send {
    let mut decoder = Decoder::new();
    subscription.frames().map(move |frames| {
        decoder.push(&frames);
        let mut messages = Vec::new();
        // Frames are of a size that the decoder takes: settings that would allow larger ones are refused.
        while let Ok(Some(frame)) = decoder.next_frame() {
            messages.extend(message(sub, &frame));
        }
        messages
    })
}

/// A frame as a message: an event in an object around it, or a control frame's body with what the frame has beside it.
fn message(sub: u32, frame: &Frame<'_>) -> Option<String> {
    let [id, data] = [frame.id.unwrap_or_default(), frame.data].map(String::from_utf8_lossy);
    let mut message = format!(r#"{{"sub":{sub}"#);
    if let (Some(_), Some(prev)) = (frame.id, frame.prev) {
        message += &format!(r#","id":"{id}","prev":{prev}"#);
    }
    match data.strip_prefix('{') {
        Some(members) if frame.event == CONTROL_EVENT.as_bytes() => message += &format!(",{members}"),
        Some(_) => message += &format!(r#","event":{data}}}"#),
        None => return None,
    }
    Some(message)
}

fn refusal(sub: Option<u32>, detail: &str) -> String {
    error(sub, &Problem::InvalidRequest(detail.to_owned()).document())
}

fn error(sub: Option<u32>, problem: &RawValue) -> String {
    let sub = sub.map(|sub| format!(r#""sub":{sub},"#)).unwrap_or_default();
    format!(r#"{{{sub}"kind":"error","problem":{}}}"#, problem.get())
}

#[cfg(test)]
mod tests {
    use highwater_core::{
        control::Control,
        sse::{encode_control, encode_event},
    };
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn frames_become_messages() {
        let mut frames = Vec::new();
        encode_event(&mut frames, "k3x9q7ma-42", 39, r#"{"specversion":"1.0"}"#);
        encode_control(&mut frames, Some(&"k3x9q7ma-50"), Some(42), Control::Heartbeat.to_json());
        encode_control(&mut frames, None, None, Control::Goodbye { retry_ms: 7 }.to_json());
        let mut decoder = Decoder::new();
        decoder.push(&frames);
        for expected in [
            json!({ "sub": 1, "id": "k3x9q7ma-42", "prev": 39, "event": { "specversion": "1.0" } }),
            json!({ "sub": 1, "id": "k3x9q7ma-50", "prev": 42, "kind": "heartbeat" }),
            json!({ "sub": 1, "kind": "goodbye", "retry_ms": 7 }),
        ] {
            let message = message(1, &decoder.next_frame().unwrap().unwrap()).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&message).unwrap(), expected);
        }
    }
}
