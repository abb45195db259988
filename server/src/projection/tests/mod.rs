//! The lists, step by step: what they show, and what a process that ends anywhere leaves behind.

mod follow;
mod operate;
mod rebuild;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use highwater_core::{
    decider::{Context, Decider, Entities, Rejection},
    envelope::parse_event,
    event::{Actor, Data, Event, EventType, NewEvent},
    json::{self, FromJson, Json, Node, ToJson, Writer},
    stream::StreamName,
    topic::Topics,
    version::{Position, Sequence, Version},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Item, Items, Lists, ListsOptions, Order, Request, Status, Wanted, runner::Runner};
use crate::{
    broker::EventBroker,
    config::Settings,
    store::{
        Commit, ReadLimit,
        sqlite::{SqliteStore, StoreOptions},
    },
};

/// The fuses that have blown: an event behind one of them panics.
static BLOWN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn blow(fuse: &str) {
    BLOWN.lock().unwrap_or_else(PoisonError::into_inner).insert(fuse.to_owned());
}

fn mend(fuse: &str) {
    BLOWN.lock().unwrap_or_else(PoisonError::into_inner).remove(fuse);
}

/// A thing that adds, and that some events break.
enum Fragile<const SCHEMA: u32> {}

#[derive(Clone, Debug, Default, PartialEq, Json)]
struct FragileState {
    sum: i64,
    #[json(default)]
    status: Fickle,
}

/// A state that its author did not think of.
const UNWRITABLE: &str = "can't be written";
const UNRESTORABLE: &str = "can't be read again";

/// A status that breaks whoever writes it, or reads it again.
#[derive(Clone, Debug, Default, PartialEq)]
struct Fickle(Option<String>);

impl FromJson for Fickle {
    fn placeholder() -> Self {
        Self::default()
    }

    fn read(&mut self, node: &Node<'_>) -> Result<(), json::Error> {
        self.0.read(node)?;
        if self.0.as_deref() == Some(UNRESTORABLE) { Err(json::Error::new(&UNRESTORABLE)) } else { Ok(()) }
    }

    fn sample(to: &mut Writer) {
        String::sample(to);
    }
}

impl ToJson for Fickle {
    fn write(&self, to: &mut Writer) {
        assert_ne!(self.0.as_deref(), Some(UNWRITABLE));
        self.0.write(to);
    }
}

#[derive(Clone, Debug, PartialEq, Json)]
struct Added {
    number: i64,
    #[json(default)]
    status: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Json)]
struct Fused {
    fuse: String,
}

highwater_core::events! {
    enum FragileEvent {
        "fragile.added.v1" => Added(Added),
        "fragile.fused.v1" => Fused(Fused),
    }
}

impl<const SCHEMA: u32> Decider for Fragile<SCHEMA> {
    const ENTITY: &'static str = "fragile";
    const STREAMS: &'static str = "space:*:fragile:*";
    const SCHEMA: u32 = SCHEMA;

    type State = FragileState;
    type Command = ();
    type Event = FragileEvent;

    fn decide((): (), _: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
        Ok(Vec::new())
    }

    fn evolve(mut state: FragileState, event: FragileEvent, _: &Event) -> FragileState {
        match event {
            FragileEvent::Added(Added { number, status }) => {
                state.sum += number * i64::from(SCHEMA);
                state.status = Fickle(status.or(state.status.0));
            }
            FragileEvent::Fused(Fused { fuse }) => {
                let is_blown = BLOWN.lock().unwrap_or_else(PoisonError::into_inner).contains(&fuse);
                assert!(!is_blown, "{fuse} has blown");
                state.sum += 1_000;
            }
        }
        state
    }
}

fn fragile<const SCHEMA: u32>() -> Entities {
    Entities::new().with::<Fragile<SCHEMA>>()
}

/// A log, and lists of it whose runner goes when it is told to.
struct World {
    folder: TempDir,
    broker: EventBroker,
    entities: Entities,
    options: ListsOptions,
    lists: Lists,
    runner: Runner,
}

impl World {
    fn begin(entities: Entities, options: ListsOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::on(folder, entities, options)
    }

    fn on(folder: TempDir, entities: Entities, options: ListsOptions) -> Self {
        let store = SqliteStore::open(folder.path(), StoreOptions::default()).unwrap();
        let broker = EventBroker::connect(Arc::new(store), &Settings::default());
        let path = folder.path().join("lists.sqlite");
        let (lists, runner) = Lists::open(&broker, entities.clone(), &path, &options).unwrap();
        Self { folder, broker, entities, options, lists, runner }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("lists.sqlite")
    }

    /// The runner is gone, wherever it was, and another one takes up what it left.
    fn restart(&mut self) {
        self.restart_with(self.entities.clone());
    }

    fn restart_with(&mut self, entities: Entities) {
        let path = self.path();
        (self.lists, self.runner) = Lists::open(&self.broker, entities.clone(), &path, &self.options).unwrap();
        self.entities = entities;
    }

    /// The server is gone, and so is the log's witness: the log gets another epoch.
    async fn restart_without_witness(self) -> Self {
        let Self { folder, broker, entities, options, lists, runner } = self;
        drop(runner);
        lists.close().await;
        broker.close().await;
        std::fs::remove_file(folder.path().join("witness")).unwrap();
        Self::on(folder, entities, options)
    }

    async fn append(&self, events: Vec<NewEvent>) -> Sequence {
        let events = events.into_iter().map(Into::into).collect();
        self.broker.publish(Commit { events, ..Commit::default() }).await.unwrap().sequence()
    }

    async fn ask(&self, request: Request) {
        self.append(vec![request.event(Actor::new("ann").unwrap(), None)]).await;
    }

    /// Steps until nothing is to be done.
    async fn settle(&mut self) {
        while self.runner.step().await.unwrap() {}
        let head = *self.broker.store().head().borrow();
        assert_eq!(self.lists.position(), head);
    }

    async fn status(&self) -> Status {
        self.lists.status().await.unwrap()
    }

    async fn items(&self, entity: &str) -> Items {
        self.lists.items(wanted(entity)).await.unwrap()
    }

    /// The sums of all fragile things, by their streams' ids.
    async fn sums(&self) -> BTreeMap<String, i64> {
        let items = self.items("fragile").await.items;
        items.iter().map(|item| (item.id().to_owned(), state(item)["sum"].as_i64().unwrap())).collect()
    }

    fn position(&self, sequence: Sequence) -> Position {
        Position::new(self.broker.store().epoch(), sequence)
    }

    /// All events of the log, up to a place.
    async fn events(&self, until: Sequence) -> Vec<Event> {
        let limit = ReadLimit { events: usize::MAX, bytes: usize::MAX };
        let page = self.broker.store().read_log(&Topics::everything(), Sequence::ZERO, limit).await.unwrap();
        let events = page.events.iter().map(|stored| parse_event(&stored.envelope).unwrap());
        events.filter(|event| event.sequence <= until).collect()
    }

    /// The types of what operators asked for and were answered, in order.
    async fn said(&self) -> Vec<String> {
        let events = self.events(Sequence::MAX).await;
        let said = events.iter().filter(|event| event.stream.as_str() == super::operator::STREAM);
        said.map(|event| event.kind.to_string()).collect()
    }
}

fn options() -> ListsOptions {
    ListsOptions { batch_events_max: 3, set_aside_max: 100 }
}

fn wanted(entity: &str) -> Wanted {
    Wanted {
        entity: entity.to_owned(),
        space: None,
        status: None,
        order: Order::default(),
        cursor: None,
        limit: ReadLimit { events: usize::MAX, bytes: usize::MAX },
        is_shown: Box::new(|_| true),
    }
}

fn state(item: &Item) -> Value {
    serde_json::from_str(item.state.get()).unwrap()
}

fn event(stream: &str, kind: &str, data: &Value) -> NewEvent {
    let stream = StreamName::new(stream).unwrap();
    let event = NewEvent::new(stream, Actor::new("tester").unwrap(), EventType::new(kind).unwrap());
    NewEvent { data: Data::json(&data.to_string()).unwrap(), ..event }
}

fn about(version: u64, event: NewEvent) -> NewEvent {
    NewEvent { version: Some(Version::new(version).unwrap()), ..event }
}

fn added(id: &str, number: i64) -> NewEvent {
    event(&format!("space:1:fragile:{id}"), "fragile.added.v1", &json!({ "number": number }))
}

fn with_status(id: &str, status: &str) -> NewEvent {
    event(&format!("space:1:fragile:{id}"), "fragile.added.v1", &json!({ "number": 1, "status": status }))
}

fn fused(id: &str, fuse: &str) -> NewEvent {
    event(&format!("space:1:fragile:{id}"), "fragile.fused.v1", &json!({ "fuse": fuse }))
}

fn sums<const N: usize>(sums: [(&str, i64); N]) -> BTreeMap<String, i64> {
    sums.into_iter().map(|(id, sum)| (id.to_owned(), sum)).collect()
}
