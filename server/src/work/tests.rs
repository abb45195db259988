//! Work on a log that is busy, or can't be read, and on events that are none of its business.

use std::sync::atomic::Ordering::Relaxed;

use async_trait::async_trait;
use futures_util::{FutureExt, stream};
use highwater_core::{
    domain::{
        self,
        analysis_run::{RunCommand, Started},
        knowledge::{Atom, AtomKind, Extracted, Found, Item, KnowledgeCommand, Topic},
        proposal::ProposedTask,
    },
    envelope::parse_event,
    event::NewEvent,
    time::Timestamp,
    version::Revision,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::{
    analysis::{AnalysisError, Known},
    config::Settings,
    store::{Commit, EventStore, ReadLimit, probe::Probe},
};

const ALL: ReadLimit = ReadLimit { events: usize::MAX, bytes: usize::MAX };

/// A log of the seeds' entities, and who gives commands to them. No work is done but what a test does.
struct World {
    log: Arc<Probe>,
    broker: EventBroker,
    commands: Commands,
    states: States,
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = Arc::new(Probe::open(folder.path()));
        let broker = EventBroker::connect(Arc::clone(&log) as _, &Settings::default());
        let states = States::new(Arc::clone(&log) as _, domain::entities());
        let commands = Commands::new(broker.clone(), states.clone());
        Self { log, broker, commands, states, folder }
    }

    fn work(&self) -> Work {
        Work::new(self.broker.clone(), self.commands.clone(), self.states.clone())
    }

    /// Gives a command, and answers with its first event.
    async fn give(&self, actor: &str, entity: &str, id: &str, command: &impl Json) -> Event {
        let command = json::to_string(command);
        let origin = Origin::new(derived_id(&[id, &command]), Actor::new(actor).unwrap());
        let done = self.commands.run(Request::new(entity, stream(id), command, origin)).await.unwrap();
        let page = self.log.read_stream(&done.events[0].stream, done.events[0].revision, ALL).await.unwrap();
        parse_event(&page.unwrap().events[0].envelope).unwrap()
    }

    async fn message(&self, id: i64) -> Event {
        self.give("telegram", Message::ENTITY, &format!("messages:{id}"), &ingest(id)).await
    }

    /// The types of a stream's events.
    async fn kinds(&self, id: &str) -> Vec<String> {
        let page = self.log.read_stream(&stream(id), Revision::ZERO, ALL).await.unwrap().unwrap();
        page.events.iter().map(|stored| parse_event(&stored.envelope).unwrap().kind.to_string()).collect()
    }
}

/// A stream of space 1.
fn stream(id: &str) -> StreamName {
    format!("space:1:{id}").parse().unwrap()
}

fn ingest(id: i64) -> Value {
    let chat = json!({ "id": 1, "kind": "private" });
    let content = json!({ "text": "Does it build? #ci" });
    json!({ "type": "ingest", "data": { "message_id": id, "chat": chat, "sent_at": "2026-11-20T12:00:00Z", "content": content } })
}

#[tokio::test(start_paused = true)]
async fn where_the_log_is_busy_work_is_tried_again() {
    let world = World::new();
    let message = world.message(1).await;
    world.log.overloaded.store(3, Relaxed);
    assert_eq!(world.work().see_to(Due::Enrich, &Cause::from(&message)).await, Some(WorkOutcome::Done));
    assert_eq!(world.log.overloaded.load(Relaxed), 0);
    assert_eq!(world.kinds("messages:1").await, ["message.ingested.v1", "message.updated.v1"]);
}

#[tokio::test]
async fn who_watches_the_runs_of_others_is_in_the_way_of_no_work() {
    let world = World::new();
    world.give("ann", AnalysisRun::ENTITY, "analysis_runs:a", &json!({ "type": "create", "data": {} })).await;
    let elsewhere = Started { executor: "elsewhere".parse().unwrap(), lease_ms: 3_600_000 };
    let start = RunCommand::Start(elsewhere);
    let started = world.give("elsewhere", AnalysisRun::ENTITY, "analysis_runs:a", &start).await;
    let (work, mut under_way) = (Arc::new(world.work()), UnderWay::default());
    for place in 1..=UNDER_WAY_MAX as u64 {
        under_way.begin(&work, Sequence::new(place).unwrap(), &started);
    }
    let next = under_way.next(&mut stream::iter(["a delivery"]), &CancellationToken::new()).now_or_never();
    assert_eq!(next, Some(Some("a delivery")));
    assert_eq!(under_way.done(), Sequence::ZERO, "after a restart they are watched again");
}

#[tokio::test(start_paused = true)]
async fn a_log_that_cannot_be_read_is_asked_again_after_a_while() {
    let world = World::new();
    world.message(1).await;
    world.log.fails.store(true, Relaxed);
    let running = tokio::spawn(world.work().with_offset(world.folder.path().join("work.offset")).run());
    let failed = world.log.failed(4).await;
    assert!(failed.windows(2).all(|pair| pair[1] - pair[0] >= RETRY_MIN), "{failed:?}");

    world.log.fails.store(false, Relaxed);
    let topics = Topics::new(["space:1:messages:*"]).unwrap();
    let mut events = world.broker.subscribe(topics, After::Earliest, Lagging::CatchUp);
    while let Some(Ok(delivery)) = events.next().await {
        if matches!(&delivery, Delivery::Event { event, .. } if event.kind.as_str() == "message.updated.v1") {
            world.broker.close().await;
            running.await.unwrap();
            return;
        }
    }
    panic!("it does not go on");
}

/// Whoever exports a log exports what followed from each event too.
#[tokio::test]
async fn nothing_follows_from_an_event_that_was_imported() {
    let world = World::new();
    let ingested = world.message(1).await;
    let imported = NewEvent {
        id: Some("from-elsewhere".parse().unwrap()),
        data: ingested.data.clone(),
        command_id: Some("said-elsewhere".parse().unwrap()),
        ..NewEvent::new(stream("messages:2"), ingested.source.clone(), ingested.kind.clone())
    };
    world.broker.publish(Commit { events: vec![imported.into()], ..Commit::default() }).await.unwrap();
    let page = world.log.read_stream(&stream("messages:2"), Revision::ZERO, ALL).await.unwrap().unwrap();
    let imported = parse_event(&page.events[0].envelope).unwrap();
    for (event, outcome) in [(&ingested, WorkOutcome::Done), (&imported, WorkOutcome::Nothing)] {
        assert_eq!(due(event), Some(Due::Enrich));
        assert_eq!(world.work().attempt(Due::Enrich, &Cause::from(event)).await.unwrap(), outcome);
    }
    assert_eq!(world.kinds("messages:1").await, ["message.ingested.v1", "message.updated.v1"]);
    assert_eq!(world.kinds("messages:2").await, ["message.ingested.v1"]);
}

/// Keeps the titles in each window that it reads, and finds nothing in it.
#[derive(Default)]
struct Reader(Mutex<Vec<Vec<String>>>);

#[async_trait]
impl Analyst for Reader {
    async fn analyze(
        &self,
        window: &[Known],
        _: &std::collections::BTreeMap<String, Topic>,
    ) -> Result<Vec<ProposedTask>, AnalysisError> {
        let title = |known: &Known| match &known.item {
            Item::Topic(topic) => topic.title.clone(),
            Item::Atom(atom) => atom.title.clone(),
        };
        self.0.lock().unwrap().push(window.iter().map(title).collect());
        Ok(Vec::new())
    }
}

/// What is approved later, and was said earlier, would be in the windows otherwise, and cut them at other places.
#[tokio::test]
async fn a_run_reads_what_was_there_when_it_was_started_whenever_it_is_executed() {
    let world = World::new();
    let approve = async |title: &str, said_at: &str| {
        let extraction = format!("knowledge:of-{title}");
        let request = json!({ "type": "request_extraction", "data": {} });
        world.give(WORKER, Knowledge::ENTITY, &extraction, &request).await;
        let item = Item::Atom(Atom {
            kind: AtomKind::Problem,
            title: title.to_owned(),
            text: title.to_owned(),
            keywords: Vec::new(),
            topic: None,
            sources: Vec::new(),
            said_at: said_at.parse::<Timestamp>().unwrap(),
        });
        let found = Extracted { proposals: vec![Found { id: title.to_owned(), item }] };
        world.give(WORKER, Knowledge::ENTITY, &extraction, &KnowledgeCommand::RecordExtraction(found)).await;
        let approve = json!({ "type": "approve", "data": {} });
        world.give("ann", Knowledge::ENTITY, &format!("knowledge:{title}"), &approve).await;
    };
    approve("before", "2026-11-20T12:00:00Z").await;
    world.give("ann", AnalysisRun::ENTITY, "analysis_runs:a", &json!({ "type": "create", "data": {} })).await;
    let start = json!({ "type": "start", "data": { "executor": WORKER, "lease_ms": 3_600_000 } });
    let started = world.give("ann", AnalysisRun::ENTITY, "analysis_runs:a", &start).await;
    approve("later", "2026-11-19T12:00:00Z").await;

    let reader = Arc::new(Reader::default());
    let work = world.work().with_ports(Arc::new(Rules), Arc::clone(&reader) as _);
    work.attempt(Due::Run, &Cause::from(&started)).await.unwrap();
    assert_eq!(*reader.0.lock().unwrap(), [["before"]]);
}

#[tokio::test(start_paused = true)]
async fn operators_see_what_is_pending_and_what_came_of_it() {
    let world = World::new();
    let (first, second) = (world.message(1).await, world.message(2).await);
    world.give("ann", AnalysisRun::ENTITY, "analysis_runs:a", &json!({ "type": "create", "data": {} })).await;
    let start = json!({ "type": "start", "data": { "executor": "elsewhere", "lease_ms": 3_600_000 } });
    let started = world.give("elsewhere", AnalysisRun::ENTITY, "analysis_runs:a", &start).await;
    let (work, mut under_way) = (Arc::new(world.work()), UnderWay::default());
    let told = |line: &str| {
        let text = world.broker.metrics().text();
        assert!(text.contains(&format!("highwater_work_{line}\n")), "{line}: {text}");
    };
    told("oldest_seconds 0.0");
    world.log.overloaded.store(1, Relaxed);
    for event in [&first, &second, &started] {
        under_way.begin(&work, event.sequence, event);
    }
    told("pending{work=\"enrich\"} 2");
    told(&format!("pending_limit {UNDER_WAY_MAX}"));
    assert!(!world.broker.metrics().text().contains("highwater_work_oldest_seconds 0.0\n"));

    while under_way.tasks.join_next().await.is_some() {}
    told("pending{work=\"enrich\"} 0");
    told("pending{work=\"watch\"} 1");
    told("ended_total{work=\"enrich\",outcome=\"done\"} 2");
    told("retries_total{work=\"enrich\"} 1");
    told("oldest_seconds 0.0");

    // Done before, as after a restart.
    under_way.begin(&work, first.sequence, &first);
    under_way.tasks.join_next().await;
    told("ended_total{work=\"enrich\",outcome=\"done\"} 3");
    drop(under_way);
    world.broker.close().await;
    told("pending{work=\"watch\"} 0");
}
