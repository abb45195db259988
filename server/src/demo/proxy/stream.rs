//! The shell around the [`Mangler`]: reads the server's event stream, sends what is to be sent.

use std::{future, io, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use reqwest::Response;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

use super::{
    Proxy, Reader,
    blocks::Blocks,
    faults::Faults,
    mangle::{Mangler, Sending},
};

/// How long the last bytes before a cut have to leave this process.
const CUT_LINGER: Duration = Duration::from_millis(10);

/// The server's event stream as the client gets it.
pub(super) fn mangled(proxy: &Proxy, upstream: Response) -> Body {
    let session = Session {
        upstream: Upstream::Open(upstream),
        blocks: Blocks::default(),
        mangler: Mangler::new(proxy.next_seed(), Instant::now().into_std()),
        faults: proxy.0.faults.subscribe(),
        cut: false,
        _reader: Reader::new(proxy),
        proxy: proxy.clone(),
    };
    Body::from_stream(stream::unfold(session, |mut session| async {
        let sent = session.next().await?;
        Some((sent, session))
    }))
}

struct Session {
    upstream: Upstream,
    blocks: Blocks,
    mangler: Mangler,
    faults: watch::Receiver<Faults>,
    cut: bool,
    _reader: Reader,
    proxy: Proxy,
}

enum Upstream {
    Open(Response),
    Ended,
    Broken(reqwest::Error),
}

impl Session {
    /// The next bytes for the client. `None` ends the stream in order, an error breaks it off.
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        if self.cut {
            sleep(CUT_LINGER).await;
            return Some(Err(io::Error::other("cut by the demo's proxy")));
        }
        loop {
            let faults = self.faults.borrow_and_update().clone();
            match self.mangler.poll(&faults, Instant::now().into_std()) {
                Some(Sending::Frame(frame)) => return Some(Ok(frame)),
                Some(Sending::Cut(part)) => {
                    self.cut = true;
                    return Some(Ok(part));
                }
                None if self.mangler.is_empty() => match &self.upstream {
                    Upstream::Open(_) => {}
                    Upstream::Ended => return None,
                    Upstream::Broken(error) => return Some(Err(io::Error::other(error.to_string()))),
                },
                None => {}
            }
            self.wait(&faults).await;
        }
    }

    /// Waits until there may be something to send.
    async fn wait(&mut self, faults: &Faults) {
        let timeout = self.mangler.next_timeout(faults);
        let due = async {
            match timeout {
                Some(at) => sleep_until(at.into()).await,
                None => future::pending().await,
            }
        };
        let room = self.mangler.has_room();
        tokio::select! {
            received = receive(&mut self.upstream), if room => self.take(received, faults),
            () = due => {}
            Ok(()) = self.faults.changed() => {}
            () = self.proxy.0.shutdown.cancelled(), if !self.closing() => self.mangler.close(),
        }
    }

    fn take(&mut self, received: reqwest::Result<Option<Bytes>>, faults: &Faults) {
        let now = Instant::now().into_std();
        match received {
            Ok(Some(chunk)) => {
                self.blocks.push(&chunk);
                while let Some(block) = self.blocks.next() {
                    self.mangler.take(block, faults, now);
                }
                return;
            }
            Ok(None) => self.upstream = Upstream::Ended,
            Err(error) => self.upstream = Upstream::Broken(error),
        }
        let rest = self.blocks.rest();
        if !rest.is_empty() {
            self.mangler.take(rest, faults, now);
        }
        self.mangler.close();
    }

    fn closing(&self) -> bool {
        self.mangler.is_closing()
    }
}

/// The next chunk from the server; waits for ever where there will be none.
async fn receive(upstream: &mut Upstream) -> reqwest::Result<Option<Bytes>> {
    match upstream {
        Upstream::Open(response) => response.chunk().await,
        Upstream::Ended | Upstream::Broken(_) => future::pending().await,
    }
}
