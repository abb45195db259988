//! Many at once: of those who may not all have their way, exactly as many have it as may.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use futures_util::{StreamExt, future::join_all};
use highwater_core::{
    decider::{Decider, Origin},
    domain::{self, analysis_run::AnalysisRun, proposal::Proposal},
    event::Event,
    topic::Topics,
    version::After,
};
use highwater_server::{
    broker::Delivery,
    commands::{CommandError, Outcome, Request},
    config::Settings,
    feed::Lagging,
};
use highwater_tests::{
    http::{client, get},
    server::Server,
};
use serde_json::{Value, json};

use super::Office;

const CLIENTS: usize = 64;
const PROPOSALS: usize = 1_000;
const RUN: &str = "analysis_runs:r";

#[tokio::test]
async fn of_sixty_four_who_open_a_run_one_does() {
    let data = tempfile::tempdir().unwrap();
    let office = Office::open(data.path()).await;
    let answers = join_all((0..CLIENTS).map(|_| office.post("/api/runs", json!({})))).await;
    let mut counts: BTreeMap<u16, usize> = BTreeMap::new();
    answers.iter().for_each(|answer| *counts.entry(answer.status.as_u16()).or_default() += 1);
    assert_eq!(counts, BTreeMap::from([(201, 1), (409, CLIENTS - 1)]));
}

/// Gives a command to a stream of space 1, in the server's own process: HTTP would be most of what 64,000 of them cost.
async fn give(
    server: &Server,
    actor: &str,
    entity: &str,
    stream: &str,
    command: &Value,
) -> Result<Outcome, CommandError> {
    static GIVEN: AtomicUsize = AtomicUsize::new(0);
    let id = format!("command-{}", GIVEN.fetch_add(1, Relaxed)).parse().expect("an id");
    let (origin, stream) = (Origin::new(id, actor.parse().expect("an actor")), format!("space:1:{stream}"));
    server.commands().run(Request::new(entity, stream.parse().expect("a stream"), command.to_string(), origin)).await
}

/// Has a run propose so much.
async fn propose(server: &Server) {
    let say = async |r#type: &str, data: Value| {
        let command = json!({ "type": r#type, "data": data });
        give(server, "executor", AnalysisRun::ENTITY, RUN, &command).await.expect("it may");
    };
    say("create", json!({})).await;
    say("start", json!({ "executor": "executor", "lease_ms": 3_600_000 })).await;
    for index in 0..PROPOSALS / 100 {
        let ids = index * 100..(index + 1) * 100;
        let proposals: Vec<Value> =
            ids.map(|id| json!({ "id": format!("p{id}"), "task": { "title": format!("do {id}") } })).collect();
        let batch = json!({ "index": index, "proposals": proposals, "done": index + 1, "total": PROPOSALS / 100 });
        say("record_batch", batch).await;
    }
    say("complete", json!({})).await;
}

/// All events of a space.
async fn events(server: &Server) -> Vec<Event> {
    let topics = Topics::new(["space:1:**"]).expect("a topic");
    let mut deliveries = server.broker().subscribe(topics, After::Earliest, Lagging::CatchUp);
    let mut events = Vec::new();
    while let Some(Ok(Delivery::Event { event, .. })) = deliveries.next().await {
        events.push(*event);
    }
    events
}

/// Each client goes over all proposals, each from another place on, and approves or rejects what it finds.
#[tokio::test(flavor = "multi_thread")]
async fn what_sixty_four_review_is_reviewed_once_and_counted_once() {
    let server = Arc::new(Server::start_of(domain::entities(), Settings::default()).await);
    propose(&server).await;
    let review = |client: usize, server: Arc<Server>| async move {
        let mut taken = 0;
        for step in 0..PROPOSALS {
            // Neighbours start so near to each other that each proposal is wanted by several at the same time.
            let proposal = (client / 8 * (PROPOSALS / 8) + step) % PROPOSALS;
            let verb = if (client + proposal).is_multiple_of(2) { "approve" } else { "reject" };
            let (actor, stream) = (format!("client-{client}"), format!("proposals:p{proposal}"));
            let command = json!({ "type": verb, "data": {} });
            match give(&server, &actor, Proposal::ENTITY, &stream, &command).await {
                Ok(_) => taken += 1,
                Err(CommandError::Refused(refusal)) => assert_eq!(refusal.code(), "already_reviewed"),
                Err(error) => panic!("{error}"),
            }
        }
        taken
    };
    let clients = join_all((0..CLIENTS).map(|client| tokio::spawn(review(client, Arc::clone(&server))))).await;
    let taken: usize = clients.into_iter().map(|taken| taken.expect("it comes to its end")).sum();
    assert_eq!(taken, PROPOSALS);

    let events = events(&server).await;
    let count = |kind: &str| events.iter().filter(|event| event.kind.as_str() == kind).count();
    let (approved, rejected) = (count("proposal.approved.v1"), count("proposal.rejected.v1"));
    assert_eq!((approved + rejected, count("task.requirement_gathered.v1")), (PROPOSALS, approved));
    assert_eq!((count("analysis_run.proposal_reviewed.v1"), count("analysis_run.reviewed.v1")), (PROPOSALS, 1));
    let shown = get(&client(), &server.url(&format!("/v1/streams/space:1:{RUN}/state"))).await;
    for (member, expected) in [
        ("phase", json!("reviewed")),
        ("proposals_total", json!(PROPOSALS)),
        ("proposals_pending", json!(0)),
        ("proposals_approved", json!(approved)),
        ("proposals_rejected", json!(rejected)),
    ] {
        assert_eq!(shown.json["state"][member], expected, "{member}");
    }
}
