//! The proxy between the browser and the server: a bad network, as bad as is asked for.
//!
//! Event streams are delayed, repeated, reordered and cut by whole frames; everything else passes as it is, in both
//! directions, without being held. Frames keep their bytes: what a client makes of them is not made easier.
//!
//! `GET` and `PUT /demo/faults` read and set the [`Faults`], `GET` and `PUT /demo/state` the demo's speed. By `GET
//! /demo.js` the page knows that they are there.

mod blocks;
mod control;
mod faults;
mod forward;
mod mangle;
mod stream;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use anyhow::Context;
use axum::{Router, extract::DefaultBodyLimit, routing::get};
use reqwest::{Client, Url, redirect::Policy};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(super) use self::faults::{Faults, stretch_ms};
use super::pace::Pace;

/// The most that may be sent to `/demo/…`.
const CONTROL_BYTES_MAX: usize = 4 * 1024;

/// The proxy's state. Clones are one and the same.
#[derive(Clone)]
pub(super) struct Proxy(Arc<Inner>);

struct Inner {
    upstream: Url,
    http: Client,
    pace: Pace,
    faults: watch::Sender<Faults>,
    readers: watch::Sender<usize>,
    /// What the next connection's faults are drawn from.
    seed: AtomicU64,
    shutdown: CancellationToken,
}

impl Proxy {
    /// A proxy before this server. Once `shutdown` is cancelled it lets go of everything that it still holds.
    pub(super) fn new(
        upstream: Url,
        faults: Faults,
        pace: Pace,
        seed: u64,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Self> {
        // Where a provider is installed already, that one serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http =
            Client::builder().no_proxy().redirect(Policy::none()).build().context("cannot make an HTTP client")?;
        let (faults, readers) = (watch::Sender::new(faults), watch::Sender::new(0));
        Ok(Self(Arc::new(Inner { upstream, http, pace, faults, readers, seed: AtomicU64::new(seed), shutdown })))
    }

    pub(super) fn router(&self) -> Router {
        Router::new()
            .route("/demo/faults", get(control::faults).put(control::set_faults))
            .route("/demo.js", get(control::script))
            .route("/demo/state", get(control::state).put(control::set_state))
            .layer(DefaultBodyLimit::max(CONTROL_BYTES_MAX))
            .fallback(forward::forward)
            .with_state(self.clone())
    }

    /// How many event streams are being read.
    pub(super) fn readers(&self) -> watch::Receiver<usize> {
        self.0.readers.subscribe()
    }

    pub(super) fn set_faults(&self, faults: Faults) {
        if let Some(seed) = faults.seed {
            self.0.seed.store(seed, Ordering::Relaxed);
        }
        self.0.faults.send_replace(faults);
    }

    fn next_seed(&self) -> u64 {
        self.0.seed.fetch_add(1, Ordering::Relaxed)
    }
}

/// Counts an event stream for as long as it is being read.
struct Reader(Proxy);

impl Reader {
    fn new(proxy: &Proxy) -> Self {
        proxy.0.readers.send_modify(|readers| *readers += 1);
        Self(proxy.clone())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.0.readers.send_modify(|readers| *readers -= 1);
    }
}

#[cfg(test)]
mod tests;
