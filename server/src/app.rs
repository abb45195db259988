//! How the server is put together: [`app`] makes a router of what [`AppState`] holds.

use std::{num::NonZeroU32, path::Path, sync::Arc};

use axum::Router;
use highwater_core::{
    decider::Entities,
    event::Limits,
    version::{Position, Sequence},
};
use tokio_util::sync::CancellationToken;

use crate::{
    auth::{Auth, Principal},
    broker::EventBroker,
    commands::Commands,
    config::Settings,
    projection::{Lists, ListsOptions, OpenError},
    routes::{self, Intake},
    serve::Caps,
    states::States,
    store::EventStore,
    telemetry::Metrics,
    work::Work,
};

/// What every route may use.
#[derive(Clone)]
pub struct AppState {
    /// For reading pages. What is appended or followed goes through the broker.
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) broker: EventBroker,
    /// What entities' streams come to, to be listed; `None` where none are kept.
    pub(crate) lists: Option<Lists>,
    /// Of the entities whose streams take commands only.
    pub(crate) states: States,
    pub(crate) commands: Commands,
    pub(crate) settings: Arc<Settings>,
    pub(crate) limits: Limits,
    pub(crate) shutdown: CancellationToken,
    /// Cancelled when no more requests should be sent here; `shutdown` may follow later.
    pub(crate) draining: CancellationToken,
    pub(crate) auth: Auth,
    /// Whether only this machine can connect.
    pub(crate) on_loopback: bool,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) intake: Arc<Intake>,
    /// The subscriptions of each principal, where there is a bound to them.
    pub(crate) by_principal: Option<Arc<Caps<Principal>>>,
    /// What Telegram's servers say to show that they are it. Without it, nobody is.
    pub(crate) telegram_secret: Option<Arc<str>>,
}

impl AppState {
    /// Serves what this broker is connected to. Once the broker closes, subscribers get their `goodbye` and who waits an
    /// answer.
    ///
    /// Where the settings ask for tokens, nobody gets in until their keys are given by [`with_auth`](Self::with_auth).
    #[must_use]
    pub fn new(broker: EventBroker, settings: Settings) -> Self {
        let per_principal_max = settings.subscriptions_per_principal_max;
        let (shutdown, metrics) = (broker.closing().clone(), Arc::clone(broker.metrics()));
        let states = States::new(Arc::clone(broker.store()), Entities::new());
        Self {
            store: Arc::clone(broker.store()),
            commands: Commands::new(broker.clone(), states.clone()),
            states,
            lists: None,
            broker,
            limits: settings.limits(),
            draining: shutdown.clone(),
            shutdown,
            auth: Auth::without_keys(&settings),
            on_loopback: false,
            intake: Arc::new(Intake::new(&settings, &metrics.intake)),
            by_principal: (per_principal_max > 0).then(|| Caps::new(per_principal_max)),
            metrics,
            settings: Arc::new(settings),
            telegram_secret: None,
        }
    }

    /// Has requests judged by these keys.
    #[must_use]
    pub fn with_auth(self, auth: Auth) -> Self {
        Self { auth, ..self }
    }

    /// Serves these entities: their streams take commands, and no other events but what is imported.
    #[must_use]
    pub fn with_entities(self, entities: Entities) -> Self {
        let states = States::new(Arc::clone(&self.store), entities);
        Self { commands: Commands::new(self.broker.clone(), states.clone()), states, ..self }
    }

    /// Takes updates from Telegram's servers, which show by this secret (`secret_token` of its `setWebhook`) that they are it.
    #[must_use]
    pub fn with_telegram_secret(self, secret: &str) -> Self {
        Self { telegram_secret: Some(secret.into()), ..self }
    }

    /// What the server does by itself when something has happened: to be spawned by who wants it done.
    #[must_use]
    pub fn work(&self) -> Work {
        Work::new(self.broker.clone(), self.commands.clone(), self.states.clone())
    }

    /// Where programs that mount the routes give commands themselves, as background work does.
    #[must_use]
    pub fn commands(&self) -> &Commands {
        &self.commands
    }

    /// Keeps lists of its entities' streams in this file, which is made where it is missing. To be called after
    /// [`with_entities`](Self::with_entities), on the runtime that is running. Whoever serves by other means than
    /// [`serve::run`](crate::serve::run) closes the [lists](Self::lists) before the broker.
    ///
    /// # Errors
    /// [`OpenError`] where the file can't be used.
    pub fn with_lists(self, path: &Path) -> Result<Self, OpenError> {
        let options = ListsOptions::from(&*self.settings);
        let lists = Lists::start(&self.broker, self.states.entities().clone(), path, &options)?;
        Ok(Self { lists: Some(lists), ..self })
    }

    /// The lists, where they are kept.
    #[must_use]
    pub fn lists(&self) -> Option<&Lists> {
        self.lists.as_ref()
    }

    /// Keeps snapshots of the states of long streams in this file, which is made where it is missing. The entities have to be known already.
    #[must_use]
    pub fn with_snapshots(self, file: &Path) -> Self {
        match NonZeroU32::new(self.settings.snapshot_every_events) {
            Some(every) => {
                let states = self.states.with_snapshots(file, every);
                Self { commands: Commands::new(self.broker.clone(), states.clone()), states, ..self }
            }
            None => self,
        }
    }

    /// Where programs that mount the routes append and subscribe themselves.
    #[must_use]
    pub fn broker(&self) -> &EventBroker {
        &self.broker
    }

    /// The server's numbers.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// The last durable event's place.
    pub(crate) fn head(&self) -> Sequence {
        *self.store.head().borrow()
    }

    /// A place in the log that is being served.
    pub(crate) fn position(&self, sequence: Sequence) -> Position {
        Position::new(self.store.epoch(), sequence)
    }
}

/// All routes of the protocol and the page, to be served as they are or mounted into a larger router.
pub fn app(state: AppState) -> Router {
    routes::router(state)
}
