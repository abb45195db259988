//! [`Process`]: one life of the real server: its store, its feed and its routes, from start to crash or shutdown. What comes in is a
//! request, what goes out are the bytes of its answer.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::{Router, body::Body};
use bytes::Bytes;
use highwater_core::domain;
use highwater_server::{
    app::{AppState, app},
    broker::EventBroker,
    config::Settings,
    host::Host,
    store::{
        EventStore,
        sqlite::{SqliteStore, StoreOptions},
    },
};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use tokio::{
    sync::{Notify, Semaphore},
    task::{AbortHandle, JoinSet},
    time::Instant,
};
use tower_service::Service;

use crate::{disk::Disk, host::SimHost};

/// Names one request and all that comes of it.
pub type ConnId = u64;

/// What a server has sent.
#[derive(Debug)]
pub enum Sent {
    /// An answer begins.
    Head(StatusCode, HeaderMap),
    /// Some of its body.
    Chunk(Bytes),
    /// That was all.
    End,
}

/// Where servers put what they send, for the network to take.
#[derive(Default)]
pub struct Wire {
    sent: Mutex<Vec<(Instant, ConnId, Sent)>>,
    pub(crate) notify: Notify,
}

impl Wire {
    fn send(&self, id: ConnId, sent: Sent) {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), id, sent));
        self.notify.notify_one();
    }

    /// What was sent before this moment, by requests. Tasks that are ready at one moment may run in any order, so it has to be over.
    pub fn take(&self, now: Instant) -> Vec<(ConnId, Sent)> {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken: Vec<_> = sent.extract_if(.., |(at, ..)| *at < now).map(|(_, id, sent)| (id, sent)).collect();
        taken.sort_by_key(|(id, _)| *id);
        taken
    }
}

/// See the [module](self).
pub struct Process {
    /// The machine that it runs on.
    pub host: Arc<SimHost>,
    /// The log's generation, as this life has it.
    pub epoch: String,
    router: Router,
    broker: EventBroker,
    tasks: JoinSet<()>,
    /// Whether it shuts down.
    pub is_closing: bool,
}

impl Process {
    /// Starts on what the disk holds.
    ///
    /// # Errors
    /// Where the log can't be opened: after no crash that may be.
    pub fn start(disk: &Disk, host: Arc<SimHost>, settings: &Settings) -> Result<Self> {
        let options = StoreOptions { limits: settings.limits(), ..StoreOptions::default() };
        let machine: Arc<dyn Host> = Arc::clone(&host) as _;
        let store = Arc::new(SqliteStore::open_on(Arc::clone(&machine), disk.folder(), options)?);
        let epoch = store.epoch().to_string();
        let broker = EventBroker::connect_on(machine, store, settings);
        let router = app(AppState::new(broker.clone(), settings.clone()).with_entities(domain::entities()));
        Ok(Self { host, epoch, router, broker, tasks: JoinSet::new(), is_closing: false })
    }

    /// Begins to answer. The answer goes no faster than `credit` lets it.
    pub fn ask(&mut self, id: ConnId, request: Request<Body>, wire: Arc<Wire>, credit: Arc<Semaphore>) -> AbortHandle {
        let mut router = self.router.clone();
        self.tasks.spawn(async move {
            let Ok(response) = router.call(request).await;
            let (head, mut body) = response.into_parts();
            wire.send(id, Sent::Head(head.status, head.headers));
            loop {
                let Ok(permit) = credit.acquire().await else { return };
                permit.forget();
                match body.frame().await {
                    Some(Ok(frame)) => {
                        if let Ok(chunk) = frame.into_data() {
                            wire.send(id, Sent::Chunk(chunk));
                        }
                    }
                    Some(Err(_)) => return,
                    None => return wire.send(id, Sent::End),
                }
            }
        })
    }

    /// Begins to shut down in order: subscribers are told, what was accepted is stored.
    pub fn close(&mut self) {
        self.is_closing = true;
        let broker = self.broker.clone();
        self.tasks.spawn(async move { broker.close().await });
    }

    /// Whether nothing is under way any more.
    pub fn is_closed(&mut self) -> bool {
        while self.tasks.try_join_next().is_some() {}
        self.tasks.is_empty() && self.host.has_written()
    }

    /// Ends where it is. What it left on disk must have been taken before.
    pub fn kill(mut self) {
        self.host.kill();
        self.tasks.abort_all();
    }
}
