//! A connection that posts events, one request behind the other.

use anyhow::{Context, Result, ensure};
use httparse::Status;
use mio::{Registry, Token};

use super::transport::{Target, Transport};
use crate::event::PATH;

/// The most bytes of an answer to a post.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// What is to be sent and what has been answered.
pub(super) struct Poster {
    transport: Transport,
    host: String,
    /// What has not gone out yet.
    requests: Vec<u8>,
    /// What has come of the next answer.
    answer: Vec<u8>,
    unanswered: usize,
}

impl Poster {
    pub(super) fn open(target: &Target, registry: &Registry, token: Token) -> Result<Self> {
        let transport = target.open(b"", registry, token)?;
        let host = target.host().to_string();
        Ok(Self { transport, host, requests: Vec::new(), answer: Vec::new(), unanswered: 0 })
    }

    /// How many requests have no answer yet.
    pub(super) fn unanswered(&self) -> usize {
        self.unanswered
    }

    /// Posts; the answer to what was posted before need not have come.
    pub(super) fn post(&mut self, media_type: &str, body: &str) -> Result<()> {
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nHost: {}\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n\r\n",
            self.host,
            body.len()
        );
        self.requests.extend_from_slice(head.as_bytes());
        self.requests.extend_from_slice(body.as_bytes());
        self.unanswered += 1;
        self.write()
    }

    fn write(&mut self) -> Result<()> {
        loop {
            let written = self.transport.write(&self.requests)?;
            self.requests.drain(..written);
            if written == 0 || self.requests.is_empty() {
                return Ok(());
            }
        }
    }

    /// Goes on with what can be done now; answers how many posts were answered.
    ///
    /// # Errors
    /// Where an answer is another than that events are stored, or the connection ends.
    pub(super) fn go_on(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.write()?;
        self.transport.read_all(buffer, |bytes| {
            self.answer.extend_from_slice(bytes);
            ensure!(self.answer.len() <= ANSWER_BYTES_MAX, "an answer to a post without an end");
            Ok(())
        })?;
        let mut answered = 0;
        while let Some(answer_bytes) = stored(&self.answer)? {
            self.answer.drain(..answer_bytes);
            answered += 1;
        }
        self.unanswered = self.unanswered.checked_sub(answered).context("an answer to no post")?;
        Ok(answered)
    }
}

/// How long the answer is that begins here, if it is whole. It has to say that events are stored.
fn stored(bytes: &[u8]) -> Result<Option<usize>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let Status::Complete(head_bytes) = response.parse(bytes)? else { return Ok(None) };
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|length| str::from_utf8(length.value).ok()?.parse::<usize>().ok());
    let answer_bytes = head_bytes + length.context("an answer to a post that does not say how long it is")?;
    let Some(body) = bytes.get(head_bytes..answer_bytes) else { return Ok(None) };
    let status = response.code.unwrap_or_default();
    ensure!(status == 201, "a post was answered {status}: {}", String::from_utf8_lossy(body));
    Ok(Some(answer_bytes))
}
