//! One request and what comes of it, as steps for the machine. Dropped, it is over on the network too.

use std::future::ready;

use futures_util::stream::{LocalBoxStream, Stream, StreamExt, once, try_unfold};
use highwater_core::subscription::Input;
use js_sys::Uint8Array;

use super::Cause;
use super::fetch::{Body, append, open};
use super::machine::PageKind;
use super::request::Request;

/// A page that is longer than this is not read: the stream brings the same.
const PAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What comes of a request.
#[derive(Debug)]
pub(super) enum Step {
    /// It goes on.
    Happened(Input),
    /// A piece of an event stream.
    Chunk(Uint8Array),
    /// The page that was asked for, complete. Nothing comes after it.
    Page(PageKind, Vec<u8>),
    /// It failed, or is over. Nothing comes after it.
    Ended(Cause),
}

/// See the [module](self).
pub(super) type Exchange = LocalBoxStream<'static, Step>;

/// Asks for an event stream, once it is polled.
pub(super) fn events(request: Request) -> Exchange {
    let step = |progress| match progress {
        Ok(Progress::Answered) => Step::Happened(Input::Answered),
        Ok(Progress::Chunk(chunk)) => Step::Chunk(chunk),
        Err(cause) => Step::Ended(cause),
    };
    send(request).map(step).chain(once(ready(Step::Ended(Cause::Ended)))).boxed_local()
}

/// Asks for a page, once it is polled.
pub(super) fn page(request: Request, kind: PageKind) -> Exchange {
    let step = move |progress| match (progress, kind) {
        (Ok(None), PageKind::Poll) => Step::Happened(Input::Heard),
        (Ok(None), _) => Step::Happened(Input::Fetching),
        (Ok(Some(page)), kind) => Step::Page(kind, page),
        (Err(cause), PageKind::Poll) => Step::Ended(cause),
        (Err(cause), _) => Step::Ended(Cause::Missing { cause: Box::new(cause) }),
    };
    collect(send(request)).map(step).boxed_local()
}

/// What comes of any request. After the last chunk the stream ends.
enum Progress {
    /// The server has taken it: its answer begins.
    Answered,
    /// A piece of the answer.
    Chunk(Uint8Array),
}

fn send(request: Request) -> impl Stream<Item = Result<Progress, Cause>> {
    enum State {
        Asking(Request),
        Reading(Body),
    }
    try_unfold(State::Asking(request), |state| async {
        match state {
            State::Asking(request) => {
                let body = open(&request).await?;
                Ok(Some((Progress::Answered, State::Reading(body))))
            }
            State::Reading(body) => {
                let chunk = body.read().await?;
                Ok(chunk.map(|chunk| (Progress::Chunk(chunk), State::Reading(body))))
            }
        }
    })
}

/// Puts an answer together: each item says that something of it came, and the last one is all of it.
fn collect(
    exchange: impl Stream<Item = Result<Progress, Cause>>,
) -> impl Stream<Item = Result<Option<Vec<u8>>, Cause>> {
    try_unfold(Some((Box::pin(exchange), Vec::new())), |state| async {
        let Some((mut exchange, mut bytes)) = state else { return Ok(None) };
        match exchange.next().await.transpose()? {
            Some(Progress::Answered) => {}
            Some(Progress::Chunk(chunk)) => append(&mut bytes, &chunk, PAGE_BYTES_MAX)?,
            None => return Ok(Some((Some(bytes), None))),
        }
        Ok(Some((None, Some((exchange, bytes)))))
    })
}
