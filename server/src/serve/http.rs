//! HTTP on one connection: HTTP/1.1 (and 1.0), or HTTP/2 where a client over TLS prefers it.

use std::{
    convert::Infallible,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
};
use bytes::Buf;
use hyper::{
    Request, Response,
    body::{Frame, Incoming, SizeHint},
    server::conn::{http1, http2},
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{net::TcpStream, time::sleep};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::{
    Served,
    connection::{Connection, Turn},
    limits::Full,
    tls,
};
use crate::{
    config::Settings,
    guard::OverTls,
    sockets::{Slot, TakeSocket},
    telemetry::{ConnectionId, Held, Wire},
};

/// What is read ahead, or held back to be written, of an HTTP/1.1 connection.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// What a client may send ahead of its being read, in one HTTP/2 stream and in all of a connection.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;
/// What is held back to be written of one HTTP/2 stream.
const STREAM_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// How much of an answer is given away at a time: HTTP/2 would hold all it is given until its client takes it.
const PIECE_BYTES_MAX: usize = 64 * 1024;
/// How long an HTTP/2 client may take to say that it lives.
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// How long the ends of an unused connection may take to part.
const PARTING_TIMEOUT: Duration = Duration::from_secs(1);

/// What a connection's bytes go through.
pub(super) enum Transport {
    /// Nothing.
    Plain(TcpStream),
    /// Encryption.
    Tls(Box<TlsStream<TcpStream>>),
}

/// Serves connections, one by one, until `shutdown` is cancelled.
pub(super) struct HttpServer {
    served: Served,
    /// How many there have been.
    connections: AtomicU64,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    stall_timeout: Duration,
    shutdown: CancellationToken,
}

impl HttpServer {
    pub(super) fn new(served: Served, settings: &Settings, shutdown: CancellationToken) -> Self {
        let mut http1 = http1::Builder::new();
        http1
            .max_header_size(settings.header_bytes_max)
            .max_buf_size(BUFFER_BYTES_MAX.max(settings.header_bytes_max))
            // Its clock would run between requests too: `Connection` has a better one.
            .header_read_timeout(None);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(settings.header_bytes_max).unwrap_or(u32::MAX))
            .max_concurrent_streams(settings.http2_streams_max)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_send_buf_size(STREAM_BUFFER_BYTES_MAX)
            .keep_alive_interval(Duration::from_millis(settings.http2_ping_ms))
            .keep_alive_timeout(PING_TIMEOUT);
        let stall_timeout = Duration::from_millis(settings.stall_timeout_ms);
        Self { served, connections: AtomicU64::new(0), http1, http2, stall_timeout, shutdown }
    }

    /// Counts a connection that was turned away.
    pub(super) fn refused(&self, full: Full) {
        self.served.metrics.refused(full.into());
    }

    /// One connection: its requests until either side ends it. One without requests ends with the server.
    pub(super) fn serve(
        &self,
        transport: Transport,
        connection: Connection,
    ) -> impl Future<Output = ()> + Send + use<> {
        let router = TakeSocket::new(self.served.router.clone());
        let id = ConnectionId(self.connections.fetch_add(1, Ordering::Relaxed) + 1);
        let wire;
        let http: Http = match transport {
            Transport::Plain(socket) => {
                let (io, slot) = Slot::new(socket, Box::new(connection.clone()));
                let service = service(router.from(slot, self.served.sockets.clone()), connection.clone(), id, None);
                wire = Wire::Http1;
                Box::pin(self.http1.serve_connection(TokioIo::new(io), service).with_upgrades())
            }
            Transport::Tls(stream) => {
                let is_http2 = tls::is_http2(&stream);
                let (io, service) = (TokioIo::new(stream), service(router, connection.clone(), id, Some(OverTls)));
                wire = if is_http2 { Wire::TlsHttp2 } else { Wire::TlsHttp1 };
                match is_http2 {
                    true => Box::pin(self.http2.serve_connection(io, service)),
                    false => Box::pin(self.http1.serve_connection(io, service).with_upgrades()),
                }
            }
        };
        let (counted, stall_timeout) = (self.served.metrics.connected(wire), self.stall_timeout);
        drive(http, connection, counted, stall_timeout, self.shutdown.clone())
    }
}

/// A connection as hyper drives it. On the heap each is as large as it must be, and not as the largest of them.
type Http = Pin<Box<dyn Graceful + Send>>;

async fn drive(
    mut http: Http,
    connection: Connection,
    _counted: Held,
    stall_timeout: Duration,
    shutdown: CancellationToken,
) {
    let mut stalled = pin!(connection.stalled(stall_timeout));
    let (mut is_ending, mut is_overdue) = (false, false);
    let ended = loop {
        tokio::select! {
            biased;
            ended = http.as_mut() => break ended,
            () = &mut stalled => {
                tracing::debug!("a client takes nothing of its answer");
                break Ok(());
            }
            () = shutdown.cancelled(), if !is_ending => is_ending = true,
            () = connection.overdue(), if !is_overdue => is_overdue = true,
            () = sleep(PARTING_TIMEOUT), if is_overdue => {
                if connection.is_at_rest() {
                    break Ok(());
                }
                continue;
            }
        }
        http.as_mut().graceful_shutdown();
    };
    if let Err(error) = ended {
        tracing::debug!("a connection broke: {error}");
    }
}

/// A connection that can be asked to end after what is under way.
trait Graceful: Future<Output = hyper::Result<()>> {
    fn graceful_shutdown(self: Pin<&mut Self>);
}

impl<I, S> Graceful for http1::UpgradeableConnection<I, S>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<Answer>, Error = Infallible>,
{
    fn graceful_shutdown(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S> Graceful for http2::Connection<I, S, TokioExecutor>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<Answer>, Error = Infallible, Future: Send + 'static>,
{
    fn graceful_shutdown(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// The routes, as one connection sees them.
fn service(
    router: TakeSocket<Router>,
    connection: Connection,
    id: ConnectionId,
    over_tls: Option<OverTls>,
) -> impl Service<Request<Incoming>, Response = Response<Answer>, Error = Infallible, Future: Send + 'static> {
    let router = TowerToHyperService::new(router);
    service_fn(move |mut request: Request<Incoming>| {
        let under_way = connection.begin();
        request.extensions_mut().insert(connection.clone());
        request.extensions_mut().insert(id);
        if let Some(over_tls) = over_tls {
            request.extensions_mut().insert(over_tls);
        }
        let answer = router.call(request);
        async move {
            let answer = answer.await?;
            Ok(answer.map(|body| Answer { body, rest: Bytes::new(), turn: Arc::new(under_way.answered()) }))
        }
    })
}

/// An answer's body. Until all of it is on its way, or its connection has broken, the request is under way.
struct Answer {
    body: Body,
    /// What the body has given and is not given away yet.
    rest: Bytes,
    turn: Arc<Turn>,
}

/// A piece of an answer. HTTP keeps it until it is written, which may be long after it has let go of the body: so long it is
/// the client's turn.
struct Piece {
    bytes: Bytes,
    _turn: Arc<Turn>,
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}

impl Answer {
    fn next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Piece>, axum::Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)).transpose()?.map(Frame::into_data) {
                Some(Ok(bytes)) => self.rest = bytes,
                Some(Err(frame)) => return Poll::Ready(frame.into_trailers().ok().map(Frame::trailers).map(Ok)),
                None => return Poll::Ready(None),
            }
        }
        let bytes = self.rest.split_to(self.rest.len().min(PIECE_BYTES_MAX));
        Poll::Ready(Some(Ok(Frame::data(Piece { bytes, _turn: Arc::clone(&self.turn) }))))
    }
}

impl HttpBody for Answer {
    type Data = Piece;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, axum::Error>>> {
        let next = self.next(context);
        match &next {
            Poll::Pending => self.turn.is_ours(),
            Poll::Ready(_) => self.turn.is_theirs(),
        }
        next
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (body, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower() + rest);
        if let Some(upper) = body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}
