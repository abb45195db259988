//! A connection whose socket can be taken away from hyper: [`SlotIo`] is what hyper reads and writes, [`Slot`] is what
//! empties it, and [`TakeSocket`] is the service that does so when a response has a ticket.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use axum::{
    body::{Body, HttpBody},
    http::{Method, Request, Response, StatusCode, Version},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tower_service::Service;

use super::{Guard, Sockets, Ticket};

/// What is in the slot.
struct Content {
    /// Gone once it was taken.
    socket: Option<(TcpStream, Guard)>,
    /// Whether hyper has nothing left to write: it flushes only after it has written all it has.
    is_flushed: bool,
    /// Waits to read: it would wait for ever for a socket that is gone.
    reader: Option<Waker>,
}

/// A socket, for hyper. Once the socket is taken, reading finds the end and what is written is lost.
pub(crate) struct SlotIo(Arc<Mutex<Content>>);

/// Takes the socket.
#[derive(Clone)]
pub(crate) struct Slot(Arc<Mutex<Content>>);

impl Slot {
    /// Puts a socket in a slot, with what it has to keep as long as it is open.
    pub(crate) fn new(socket: TcpStream, guard: Guard) -> (SlotIo, Self) {
        let content = Arc::new(Mutex::new(Content { socket: Some((socket, guard)), is_flushed: true, reader: None }));
        (SlotIo(Arc::clone(&content)), Self(content))
    }

    /// Empties the slot, unless hyper still has an earlier answer to write. It learns of that by finding the end.
    fn take(&self) -> Option<(TcpStream, Guard)> {
        let mut content = lock(&self.0);
        if !content.is_flushed {
            return None;
        }
        let taken = content.socket.take()?;
        if let Some(reader) = content.reader.take() {
            reader.wake();
        }
        Some(taken)
    }
}

impl SlotIo {
    fn with_socket<T>(
        &self,
        poll: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<T>>,
        taken: T,
    ) -> Poll<io::Result<T>> {
        match &mut lock(&self.0).socket {
            Some((socket, _)) => poll(Pin::new(socket)),
            None => Poll::Ready(Ok(taken)),
        }
    }
}

impl AsyncRead for SlotIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = self.with_socket(|socket| socket.poll_read(cx, buffer), ());
        lock(&self.0).reader = read.is_pending().then(|| cx.waker().clone());
        read
    }
}

impl AsyncWrite for SlotIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        lock(&self.0).is_flushed = false;
        self.with_socket(|socket| socket.poll_write(cx, bytes), bytes.len())
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        chunks: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        lock(&self.0).is_flushed = false;
        let bytes = chunks.iter().map(|chunk| chunk.len()).sum();
        self.with_socket(|socket| socket.poll_write_vectored(cx, chunks), bytes)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.with_socket(|socket| socket.poll_flush(cx), ());
        lock(&self.0).is_flushed = flushed.is_ready();
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with_socket(|socket| socket.poll_shutdown(cx), ())
    }
}

fn lock(content: &Mutex<Content>) -> MutexGuard<'_, Content> {
    content.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers like the service in it, but keeps from hyper what can be sent without it.
#[derive(Clone)]
pub(crate) struct TakeSocket<S> {
    service: S,
    from: Option<(Slot, Sockets)>,
}

impl<S> TakeSocket<S> {
    /// The service of a connection whose socket stays where it is.
    pub(crate) fn new(service: S) -> Self {
        Self { service, from: None }
    }

    /// The service of the connection whose socket is in the slot.
    pub(crate) fn from(self, slot: Slot, sockets: Option<Sockets>) -> Self {
        Self { from: sockets.map(|sockets| (slot, sockets)), ..self }
    }
}

impl<S, B> Service<Request<B>> for TakeSocket<S>
where
    S: Service<Request<B>, Response = Response<Body>, Future: Send + 'static>,
    B: HttpBody,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let can_take =
            request.version() == Version::HTTP_11 && request.method() == Method::GET && request.body().is_end_stream();
        let from = self.from.clone().filter(|_| can_take);
        let response = self.service.call(request);
        Box::pin(async move {
            let mut response = response.await?;
            if let Some((slot, sockets)) = from
                && response.status() == StatusCode::OK
                && let Some((subscription, (socket, guard))) = Ticket::redeem(&mut response, || slot.take())
            {
                let (head, _) = response.into_parts();
                sockets.adopt(socket, &head, subscription, guard);
                // For nobody: the slot is empty.
                return Ok(Response::new(Body::empty()));
            }
            Ok(response)
        })
    }
}
