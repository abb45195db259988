//! `GET /v1/events`: the log by topics, as a page of JSON or, for who asks for it, as an event stream.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, Uri, header},
    response::{IntoResponse, Response},
};
use highwater_core::{
    topic::Topics,
    version::{After, Position, Sequence},
};
use tokio::time::{Instant, sleep_until};

use super::{accept, query::Query, read, subscribe};
use crate::{
    app::AppState,
    auth::Access,
    error::Problem,
    feed,
    store::{LogPage, ReadLimit, Unavailable},
};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Pages start at `earliest` unless told otherwise, subscriptions at `latest`.
pub(super) async fn read(
    State(state): State<AppState>,
    access: Access,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut query = Query::parse(&uri)?;
    let topics = query.all("topic");
    let topics = Topics::new(topics.iter().map(String::as_str)).map_err(Problem::InvalidTopic)?;
    access.read(&topics)?;
    let named = query.one::<After>("after")?;
    let after = last_event_id(&headers)?.map(After::Position).or(named);
    let mut response = if accept::wants_event_stream(&headers) {
        let lagging = query.one("lagging")?.unwrap_or_default();
        query.finish()?;
        read::reach_min_position(&state, &headers).await?;
        subscribe::response(&state, &access, topics, after.unwrap_or(After::Latest), lagging)?
    } else {
        let limit = read::page_limit(&state, &mut query)?;
        let wait = wait(&state, &mut query)?;
        query.finish()?;
        read::reach_min_position(&state, &headers).await?;
        let wait = access.remaining().map_or(wait, |remaining| wait.min(remaining));
        let _place = if wait.is_zero() { None } else { subscribe::place(&state, &access)? };
        let json = page(&state, &topics, after.unwrap_or(After::Earliest), limit, wait).await?;
        let content_type = HeaderValue::from_static("application/json");
        let no_store = HeaderValue::from_static("no-store");
        ([(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, no_store)], json).into_response()
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

/// The position that a reconnecting reader has: it wins over the one in the URL, which is as old as the subscription.
fn last_event_id(headers: &HeaderMap) -> Result<Option<Position>, Problem> {
    match headers.get(LAST_EVENT_ID).map(|value| value.to_str().map(str::parse)) {
        Some(Ok(Ok(position))) => Ok(Some(position)),
        Some(Ok(Err(_))) if headers[LAST_EVENT_ID].is_empty() => Ok(None),
        Some(_) => Err(Problem::InvalidRequest("Last-Event-ID must be a position, such as k3x9q7ma-42".into())),
        None => Ok(None),
    }
}

fn wait(state: &AppState, query: &mut Query) -> Result<Duration, Problem> {
    let max_s = state.settings.long_poll_max_s;
    let wait_s = query.one("wait")?.unwrap_or(0);
    if wait_s > max_s {
        return Err(Problem::InvalidRequest(format!("parameter 'wait' must be at most {max_s} (seconds)")));
    }
    Ok(Duration::from_secs(wait_s))
}

async fn page(
    state: &AppState,
    topics: &Topics,
    after: After,
    limit: ReadLimit,
    wait: Duration,
) -> Result<Bytes, Problem> {
    let cursor = feed::locate(&*state.store, after).map_err(|lost| read::lost(state, lost))?;
    let page = read_until(state, topics, cursor, limit, Instant::now() + wait).await?;
    let (next, head) = (state.position(page.next), state.position(page.head));
    let members = format!(r#""prev":{cursor},"next":"{next}","head":"{head}""#);
    Ok(read::page_json(&page.events, &members))
}

/// Reads one page, and as long as that is empty and there is time, waits for the log to grow.
async fn read_until(
    state: &AppState,
    topics: &Topics,
    mut cursor: Sequence,
    limit: ReadLimit,
    deadline: Instant,
) -> Result<LogPage, Unavailable> {
    let mut head = state.store.head();
    loop {
        let page = state.store.read_log(topics, cursor, limit).await?;
        if !page.events.is_empty() || Instant::now() >= deadline {
            return Ok(page);
        }
        cursor = page.next;
        tokio::select! {
            biased;
            grown = head.wait_for(|head| *head > cursor) => if grown.is_err() { return Ok(page) },
            () = sleep_until(deadline) => return Ok(page),
            () = state.shutdown.cancelled() => return Ok(page),
        }
    }
}
