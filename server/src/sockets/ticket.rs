//! [`Ticket`]: lets a transport take a response's subscription instead of its body.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{body::Body, http::Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};

use super::head;
use crate::feed::Subscription;

/// A response's subscription, to be had once: by whoever takes the ticket out of the response, or by its body.
#[derive(Clone)]
pub(crate) struct Ticket(Arc<Mutex<Option<Subscription>>>);

impl Ticket {
    /// The ticket, and the body of the response that is to carry it.
    pub(crate) fn new(subscription: Subscription) -> (Self, Body) {
        let ticket = Self(Arc::new(Mutex::new(Some(subscription))));
        let body = Body::from_stream(ticket.clone().frames().map(Ok::<_, Infallible>));
        (ticket, body)
    }

    /// Exchanges the ticket of a response, if it has one, for its subscription and what `take` takes. Where that takes
    /// nothing, the body still has all.
    pub(super) fn redeem<B, T>(
        response: &mut Response<B>,
        take: impl FnOnce() -> Option<T>,
    ) -> Option<(Subscription, T)> {
        let ticket = response.extensions_mut().remove::<Self>().filter(|_| head::is_plain(response.headers()))?;
        let mut subscription = ticket.lock();
        subscription.as_ref()?;
        let taken = take()?;
        Some((subscription.take()?, taken))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Subscription>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the body sends, from when it is first asked for it.
    fn frames(self) -> impl Stream<Item = Bytes> + Send {
        let frames = async move { stream::iter(self.lock().take().map(Subscription::frames)).flatten() };
        stream::once(frames).flatten()
    }
}
