//! Subscriptions over a WebSocket, by a client that is a library of its own.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::header::AUTHORIZATION},
};

use crate::server::PATIENCE;

/// An open WebSocket.
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// Opens one at a URL of HTTP, with a token if need be.
    ///
    /// # Panics
    /// Where the server refuses.
    pub async fn open(url: &str, token: Option<&str>) -> Self {
        let mut request = url.replacen("http", "ws", 1).into_client_request().expect("a URL");
        if let Some(token) = token {
            let bearer = format!("Bearer {token}").parse().expect("a token can be in a header");
            request.headers_mut().insert(AUTHORIZATION, bearer);
        }
        Self(connect_async(request).await.expect("a handshake").0)
    }

    /// Sends a message.
    ///
    /// # Panics
    /// Where the socket is closed.
    pub async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.expect("the socket is open");
    }

    /// Asks for a topic.
    pub async fn subscribe(&mut self, sub: u32, topic: &str, after: &str) {
        self.say(json!({ "op": "subscribe", "sub": sub, "topics": [topic], "after": after })).await;
    }

    /// The next message but heartbeats; `None` at the end.
    ///
    /// # Panics
    /// Where neither comes.
    pub async fn hear(&mut self) -> Option<Value> {
        loop {
            let message = timeout(PATIENCE, self.0.next()).await.expect("a message or the end")?;
            match message.expect("a whole message") {
                Message::Text(text) => {
                    let message: Value = serde_json::from_str(&text).expect("messages are JSON");
                    if message["kind"] != "heartbeat" {
                        return Some(message);
                    }
                }
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    /// The next message, which must be of this kind.
    ///
    /// # Panics
    /// Where it is not.
    pub async fn expect(&mut self, kind: &str) -> Value {
        let message = self.hear().await.expect("the socket stays open");
        assert_eq!(message["kind"], kind, "{message}");
        message
    }
}
