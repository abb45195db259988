//! The event stream: the feed's frames as an answer, with a ticket for transports that can do without its body.

use std::time::Duration;

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use highwater_core::{topic::Topics, version::After};
use tokio::time::Instant;

use crate::{
    app::AppState,
    auth::{Access, Principal},
    error::Problem,
    feed::{Lagging, Subscription},
    serve::{Full, Place},
    sockets::Ticket,
};

/// Subscribes to these topics. A cursor that is of no use is told in the stream, which goes on from where it can.
pub(super) fn response(
    state: &AppState,
    access: &Access,
    topics: Topics,
    after: After,
    lagging: Lagging,
) -> Result<Response, Problem> {
    let (ticket, body) = Ticket::new(to(state, access, topics, after, lagging)?);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform")),
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    let mut response = (headers, body).into_response();
    response.extensions_mut().insert(ticket);
    Ok(response)
}

/// A subscription that lasts as long as one may, and not longer than the token of who asks for it.
pub(super) fn to(
    state: &AppState,
    access: &Access,
    topics: Topics,
    after: After,
    lagging: Lagging,
) -> Result<Subscription, Problem> {
    let place = place(state, access)?;
    let longest = Instant::now() + lifetime(state.settings.subscription_max_s, state.broker.host().random());
    let ends_at = access.expires_at().map_or(longest, |expires_at| expires_at.min(longest));
    Ok(state.broker.frames(topics, after, lagging, Some(ends_at)).with_place(place))
}

/// A place among the subscriptions of who asks. Who needs no token has none: addresses have a bound of their own.
pub(super) fn place(state: &AppState, access: &Access) -> Result<Option<Place<Principal>>, Problem> {
    let (Some(places), Some(principal)) = (&state.by_principal, access.principal()) else { return Ok(None) };
    let place = places.take(Principal::clone(principal));
    let full = Full::Principal { max: places.max() };
    place.map(Some).ok_or(full).inspect_err(|full| state.metrics.http.refused((*full).into())).map_err(Problem::Full)
}

/// Up to a fifth less than the longest, so that those who came together don't come back together.
fn lifetime(max_s: u64, random: u64) -> Duration {
    Duration::from_secs(max_s) * (800 + (random % 201) as u32) / 1_000
}
