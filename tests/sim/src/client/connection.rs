//! What comes over a connection, and what is asked for, as in `client-wasm/js/connection.ts`.

use highwater_client::{Event, PageKind, Transport};
use http::StatusCode as Http;

use super::{
    Client, Tell,
    requests::{Page, beginning, events_path, get, page_of_log, reset_of, retry_after_ms},
};
use crate::network::{About, Arrival, Ask, Desk, Owner};

/// As in `connection.ts`.
const POLL_WAIT_S: u32 = 25;

impl Client {
    pub(super) fn stream_arrived(&mut self, arrival: Arrival, desk: &mut Desk<'_>) {
        match arrival {
            Arrival::Head(Http::OK, _) => {
                self.happened(Event::Answered, 0, 0, desk);
                self.pass_beginning(desk);
            }
            Arrival::Head(status, headers) => {
                let retry_after_ms = retry_after_ms(&headers);
                self.happened(Event::Refused, status.as_u16(), retry_after_ms, desk);
            }
            Arrival::Bytes(bytes) => {
                self.heed(desk, |session, now| session.take_chunk(now, &bytes));
                self.pass_chunk(&bytes, desk);
            }
            Arrival::End | Arrival::Lost => self.happened(Event::Lost, 0, 0, desk),
        }
    }

    pub(super) fn polled(&mut self, is_whole: bool, desk: &mut Desk<'_>) {
        let Some(page) = self.poll.take() else { return };
        match page.status {
            Some(Http::OK) if is_whole => {
                if let Some((epoch, prev)) = beginning(&page.body) {
                    self.tells.push(Tell::Page { epoch, prev });
                }
                self.pass_beginning(desk);
                self.page(&page, desk);
                self.pass_page(&page.body, desk);
            }
            Some(status) if is_whole => {
                if let Some(reset) = reset_of(&page.body) {
                    self.heed(desk, |session, now| session.take_chunk(now, reset.as_bytes()));
                    self.happened(Event::Lost, 0, 0, desk);
                } else {
                    self.happened(Event::Refused, status.as_u16(), page.retry_after_ms, desk);
                }
            }
            _ => self.happened(Event::Lost, 0, 0, desk),
        }
    }

    pub(super) fn fetched(&mut self, page: Page, is_whole: bool, desk: &mut Desk<'_>) {
        let is_ours = page.etag.is_empty() || self.epoch.is_empty() || page.etag == self.epoch;
        match page.status {
            Some(Http::OK) if is_whole && is_ours => self.page(&page, desk),
            Some(status)
                if is_whole && (status.is_server_error() || matches!(status.as_u16(), 401 | 408 | 425 | 429)) =>
            {
                self.happened(Event::Refused, status.as_u16(), page.retry_after_ms, desk);
            }
            _ => self.happened(Event::Lost, 0, 0, desk),
        }
    }

    fn page(&mut self, page: &Page, desk: &mut Desk<'_>) {
        self.heed(desk, |session, now| {
            session.take_text(&page.body);
            session.fetched(now, page.kind as u32);
        });
    }

    pub(super) fn connect(&mut self, transport: usize, desk: &mut Desk<'_>) {
        self.abort(desk);
        let after = self
            .position_text()
            .or_else(|| self.stored.position.clone())
            .unwrap_or_else(|| self.nature.origin.to_owned());
        let topics = &self.asked_topics();
        self.place = (topics.clone(), after.clone());
        let id = if transport == Transport::Stream as usize {
            let about = About::Stream(topics.clone(), after.clone());
            let id = desk.ask(Owner::Client(self.index), get(events_path(topics, &after), "text/event-stream", about));
            self.stream = Some(id);
            id
        } else {
            let wait_s = if transport == Transport::Poll as usize { POLL_WAIT_S } else { 0 };
            let id = desk.ask(Owner::Client(self.index), page_of_log(topics, &after, Some(wait_s)));
            self.poll = Some(Page::new(id, PageKind::Poll, desk.now));
            id
        };
        self.tells.push(Tell::Began(id));
    }

    pub(super) fn fetch(&mut self, kind: PageKind, ask: Ask, desk: &mut Desk<'_>) {
        let id = desk.ask(Owner::Client(self.index), ask);
        self.fetches.push(Page::new(id, kind, desk.now));
    }
}
