//! What a page asks a server, and what it makes of the answers, as `client-wasm/js/requests.ts` and `frames.ts` do.

use highwater_client::PageKind;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::{
    network::{About, Arrival, Ask},
    process::ConnId,
};

/// What has come of a page.
pub(super) struct Page {
    pub(super) id: ConnId,
    pub(super) kind: PageKind,
    pub(super) status: Option<StatusCode>,
    pub(super) etag: String,
    pub(super) retry_after_ms: u32,
    pub(super) body: Vec<u8>,
    pub(super) heard_at: u64,
}

impl Page {
    pub(super) fn new(id: ConnId, kind: PageKind, now: u64) -> Self {
        Self { id, kind, status: None, etag: String::new(), retry_after_ms: 0, body: Vec::new(), heard_at: now }
    }

    /// Whether that was the end, and if so, whether all of it is there.
    pub(super) fn take(&mut self, arrival: Arrival, now: u64) -> Option<bool> {
        self.heard_at = now;
        match arrival {
            Arrival::Head(status, headers) => {
                let etag = headers.get("etag").and_then(|tag| tag.to_str().ok()).unwrap_or_default();
                self.etag = etag.trim_matches('"').split('.').next().unwrap_or_default().to_owned();
                self.retry_after_ms = retry_after_ms(&headers);
                self.status = Some(status);
                None
            }
            Arrival::Bytes(bytes) => {
                self.body.extend_from_slice(&bytes);
                None
            }
            Arrival::End => Some(true),
            Arrival::Lost => Some(false),
        }
    }
}

/// A request of nothing but a path.
#[must_use]
pub fn get(path: String, accept: &str, about: About) -> Ask {
    Ask { method: "GET", path, headers: vec![("accept", accept.to_owned())], body: Vec::new(), about }
}

pub(super) fn page_of_log(topics: &[String], after: &str, wait_s: Option<u32>) -> Ask {
    let wait = wait_s.map(|wait_s| format!("&wait={wait_s}")).unwrap_or_default();
    let path = format!("{}&limit=1000{wait}", events_path(topics, after));
    get(path, "application/json", About::Page(topics.to_vec(), after.to_owned()))
}

pub(super) fn events_path(topics: &[String], after: &str) -> String {
    let topics: Vec<_> = topics.iter().map(|topic| format!("topic={topic}")).collect();
    format!("/v1/events?{}&after={after}", topics.join("&"))
}

pub(super) fn retry_after_ms(headers: &HeaderMap) -> u32 {
    let seconds = headers.get("retry-after").and_then(|value| value.to_str().ok()?.parse::<u32>().ok());
    seconds.unwrap_or_default() * 1_000
}

/// As in `frames.ts`: what a stream would have said where a page is refused because of its cursor.
pub(super) fn reset_of(problem: &[u8]) -> Option<String> {
    let problem = json(problem);
    let code = problem.get("code")?.as_str()?;
    let position = match code {
        "cursor_ahead" => problem.get("head")?,
        "epoch_changed" | "cursor_expired" => problem.get("earliest")?,
        _ => return None,
    };
    Some(control_frame(&format!(r#"{{"kind":"reset","reason":"{code}"}}"#), position.as_str()?))
}

/// A control frame that tells where the stream is.
pub(super) fn control_frame(body: &str, position: &str) -> String {
    let sequence = position.split('-').nth(1).unwrap_or_default();
    format!("event: highwater\nprev: {sequence}\ndata: {body}\nid: {position}\n\n")
}

/// Where a reader from `latest` begins that is given these frames, if they say so.
pub(super) fn ready_in(frames: &[u8]) -> Option<(String, u64)> {
    let text = String::from_utf8_lossy(frames);
    let ready = text.split("\n\n").find(|frame| frame.contains(r#"data: {"kind":"ready""#))?;
    let (epoch, sequence) = ready.lines().find_map(|line| line.strip_prefix("id: "))?.split_once('-')?;
    Some((epoch.to_owned(), sequence.parse().ok()?))
}

/// The log that a page is of, and the place after which it begins.
pub(super) fn beginning(page: &[u8]) -> Option<(String, u64)> {
    let page = json(page);
    Some((epoch_of(page.get("next")?.as_str()?).to_owned(), page.get("prev")?.as_u64()?))
}

/// What a position is of.
#[must_use]
pub fn epoch_of(position: &str) -> &str {
    position.split('-').next().unwrap_or_default()
}

pub(crate) fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_default()
}

pub(super) fn text(element: &[u8]) -> String {
    json(element).as_str().unwrap_or_default().to_owned()
}
