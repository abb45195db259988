//! The event stream: what the feed tells, as SSE frames, with the control frames of the protocol.

use std::{convert::Infallible, pin::Pin, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures_util::{Stream, StreamExt, stream};
use highwater_core::{
    control::Control,
    sse::{encode_comment, encode_control, encode_event, encode_retry},
    topic::Topics,
    version::{After, Sequence},
};
use tokio::time::{Instant, sleep_until};

use crate::{
    app::AppState,
    error::Problem,
    feed::{self, Item, Lost},
    store::{ReadLimit, Stored, Unavailable},
    telemetry::{self, Ended, Source, Subscribed, Transport},
};

/// Subscribes to these topics. A cursor that is of no use is told in the stream, which goes on from where it can.
pub(super) fn response(state: AppState, topics: Topics, after: After) -> Response {
    let (cursor, lost) = match feed::locate(&*state.store, after) {
        Ok(cursor) => (cursor, None),
        Err(lost) => (lost.resume, Some(lost)),
    };
    let session = Session::new(state, topics, cursor, lost);
    let frames = stream::unfold(session, |mut session| async {
        let frames = session.next_frames().await?;
        Some((Ok::<_, Infallible>(Bytes::from(frames)), session))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform")),
        (header::HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(frames)).into_response()
}

/// One subscriber. It holds one page of the feed at most, and takes the next when that is on its way.
struct Session {
    state: AppState,
    feed: Pin<Box<dyn Stream<Item = Result<Item, Unavailable>> + Send>>,
    /// To be told first.
    lost: Option<Lost>,
    /// The last event sent, or where the stream began: the `prev` of what comes next.
    last: Sequence,
    /// The highest position told.
    told: Sequence,
    /// The highest position up to which everything has been sent.
    through: Sequence,
    /// Whether history is done.
    ready: bool,
    /// When something must be said at the latest.
    heartbeat_at: Instant,
    ended: bool,
    counted: Subscribed,
}

impl Session {
    fn new(state: AppState, topics: Topics, cursor: Sequence, lost: Option<Lost>) -> Self {
        let limit =
            ReadLimit { events: state.settings.subscriber_events_max, bytes: state.settings.subscriber_bytes_max };
        let heartbeat_at = Instant::now() + Duration::from_millis(state.settings.heartbeat_ms);
        let counted = state.metrics.feed.subscribed(Transport::SseBody);
        let feed = Box::pin(feed::follow(Arc::clone(&state.store), topics, cursor, limit));
        Self {
            state,
            feed,
            lost,
            last: cursor,
            told: cursor,
            through: cursor,
            ready: false,
            heartbeat_at,
            ended: false,
            counted,
        }
    }

    /// The next bytes to send, once there are any. `None` ends the stream.
    async fn next_frames(&mut self) -> Option<Vec<u8>> {
        if self.ended {
            return None;
        }
        if let Some(lost) = self.lost.take() {
            return Some(self.at(lost.resume, &Control::Reset { reason: lost.reason }));
        }
        loop {
            tokio::select! {
                biased;
                () = self.state.shutdown.cancelled() => return Some(self.goodbye()),
                // Before the feed, which a search through a long log may keep busy.
                () = sleep_until(self.heartbeat_at) => return Some(self.heartbeat()),
                item = self.feed.next() => match item? {
                    Ok(Item::Events { prev, events }) => return Some(self.events(prev, &events)),
                    Ok(Item::Scanned(through)) => self.scanned(through),
                    Ok(Item::CaughtUp(through)) => {
                        if let Some(ready) = self.caught_up(through) {
                            return Some(ready);
                        }
                    }
                    Err(error) => return Some(self.error(error)),
                },
            }
        }
    }

    fn events(&mut self, prev: Sequence, events: &[Stored]) -> Vec<u8> {
        let mut frames = Vec::with_capacity(events.iter().map(|event| event.envelope.len() + 64).sum());
        self.last = prev;
        for event in events {
            let position = self.state.position(event.sequence);
            encode_event(&mut frames, position, self.last.get(), &event.envelope);
            self.last = event.sequence;
        }
        self.told = self.last;
        self.through = self.last;
        self.heartbeat_in(self.state.settings.heartbeat_ms);
        self.count(events, frames.len());
        frames
    }

    fn count(&self, events: &[Stored], bytes: usize) {
        let metrics = &self.state.metrics.feed;
        let source = if self.ready { Source::Live } else { Source::History };
        metrics.sent(source, events.len() as u64, bytes as u64);
        if let Some(age) = events.last().and_then(|event| telemetry::age(&event.envelope)) {
            metrics.lag(source, self.state.head().get().saturating_sub(self.last.get()), age);
        }
    }

    /// The end of history is told at once.
    fn caught_up(&mut self, through: Sequence) -> Option<Vec<u8>> {
        if self.ready {
            self.scanned(through);
            return None;
        }
        let heartbeat_ms = self.state.settings.heartbeat_ms;
        self.ready = true;
        self.through = through;
        self.heartbeat_in(heartbeat_ms);
        Some(self.at(through, &Control::Ready { heartbeat_ms }))
    }

    /// That the log was read on without an event is told by a heartbeat soon. So who comes back in the middle of a long
    /// search goes on where it was.
    fn scanned(&mut self, through: Sequence) {
        let quiet = self.through == self.told;
        self.through = through;
        if quiet && through > self.told {
            let soon = Instant::now() + Duration::from_millis(self.state.settings.head_heartbeat_ms);
            self.heartbeat_at = self.heartbeat_at.min(soon);
        }
    }

    /// Before history is done there may be nothing to tell: then a comment shows that the connection lives.
    fn heartbeat(&mut self) -> Vec<u8> {
        self.heartbeat_in(self.state.settings.heartbeat_ms);
        if !self.ready && self.through == self.told {
            let mut comment = Vec::new();
            encode_comment(&mut comment, "reading");
            return comment;
        }
        self.at(self.through, &Control::Heartbeat)
    }

    fn heartbeat_in(&mut self, delay_ms: u64) {
        self.heartbeat_at = Instant::now() + Duration::from_millis(delay_ms);
    }

    /// Plain clients learn from `retry` what ours read in the frame.
    fn goodbye(&mut self) -> Vec<u8> {
        self.ended = true;
        self.counted.end(&self.state.metrics.feed, Ended::Shutdown);
        let retry_ms = self.state.settings.goodbye_retry_ms;
        let mut frames = Vec::new();
        encode_retry(&mut frames, retry_ms);
        encode_control(&mut frames, None, None, Control::Goodbye { retry_ms }.to_json());
        frames
    }

    fn error(&mut self, error: Unavailable) -> Vec<u8> {
        self.ended = true;
        self.counted.end(&self.state.metrics.feed, Ended::Failed);
        let problem = Problem::Unavailable(error);
        self.state.metrics.http.error(problem.code());
        tracing::warn!("a subscription ends: {problem}");
        let mut frame = Vec::new();
        encode_control(&mut frame, None, None, Control::Error { problem: &problem.document() }.to_json());
        frame
    }

    /// A control frame that moves the reader's cursor.
    fn at(&mut self, position: Sequence, control: &Control<'_>) -> Vec<u8> {
        self.told = position;
        let mut frame = Vec::new();
        let id = self.state.position(position);
        encode_control(&mut frame, Some(&id), Some(self.last.get()), control.to_json());
        frame
    }
}
