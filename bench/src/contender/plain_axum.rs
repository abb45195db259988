//! What most people write: axum's `Sse` over a broadcast channel, deep enough that nobody lags in a burst.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::sse::{Event, KeepAlive, Sse},
    routing::get,
    serve::ListenerExt,
};
use futures_util::Stream;
use tokio::{net::TcpListener, sync::broadcast};
use tokio_stream::wrappers::{BroadcastStream, errors::BroadcastStreamRecvError};

use super::announce;
use crate::event::{PATH, Recorder};

/// More events than any burst has.
const CHANNEL_EVENTS: usize = 8 * 1024;

struct App {
    recorder: Mutex<Recorder>,
    events: broadcast::Sender<Event>,
}

/// Serves on a free port until the input ends.
pub(crate) async fn run() -> Result<()> {
    let app = Arc::new(App { recorder: Mutex::new(Recorder::new()), events: broadcast::Sender::new(CHANNEL_EVENTS) });
    let router = Router::new().route(PATH, get(subscribe).post(publish)).with_state(app);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    announce(listener.local_addr()?)?;
    let listener = listener.tap_io(|socket| drop(socket.set_nodelay(true)));
    Ok(axum::serve(listener, router).await?)
}

async fn subscribe(State(app): State<Arc<App>>) -> Sse<impl Stream<Item = Result<Event, BroadcastStreamRecvError>>> {
    let events = BroadcastStream::new(app.events.subscribe());
    Sse::new(events).keep_alive(KeepAlive::default())
}

async fn publish(State(app): State<Arc<App>>, body: Bytes) -> Result<StatusCode, (StatusCode, String)> {
    // One post after the other, or else events would overtake each other.
    let mut recorder = app.recorder.lock().unwrap_or_else(PoisonError::into_inner);
    let recorded = recorder.record(&body).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
    for event in recorded {
        let envelope = str::from_utf8(&event.envelope).unwrap_or_default();
        // `Sse` has no fields of one's own: a comment stands for `prev`.
        let frame =
            Event::default().comment(format!("prev{}", event.prev)).data(envelope).id(event.position.to_string());
        // Without subscribers there is nobody to send it to, which is no failure.
        let _ = app.events.send(frame);
    }
    Ok(StatusCode::CREATED)
}
