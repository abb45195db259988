//! Many at once: of those who may not all have their way, exactly as many have it as may.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::json;

use super::{Office, of};

const CLIENTS: usize = 64;
const PROPOSALS: usize = 1_000;

#[tokio::test]
async fn of_sixty_four_who_open_a_run_one_does() {
    let data = tempfile::tempdir().unwrap();
    let office = Office::open(data.path()).await;
    let answers = join_all((0..CLIENTS).map(|_| office.post("/api/runs", json!({})))).await;
    let mut counts: BTreeMap<u16, usize> = BTreeMap::new();
    answers.iter().for_each(|answer| *counts.entry(answer.status.as_u16()).or_default() += 1);
    assert_eq!(counts, BTreeMap::from([(201, 1), (409, CLIENTS - 1)]));
}

/// Each client goes over all proposals, each from another place on, and approves or rejects what it finds.
#[tokio::test(flavor = "multi_thread")]
async fn what_sixty_four_review_is_reviewed_once_and_counted_once() {
    let data = tempfile::tempdir().unwrap();
    let office = Office::open(data.path()).await;
    let run = office.run_with_proposals(PROPOSALS).await;
    let review = async |client: usize| {
        let mut taken = 0;
        for step in 0..PROPOSALS {
            // Neighbours start so near to each other that each proposal is wanted by several at the same time.
            let proposal = (client / 8 * (PROPOSALS / 8) + step) % PROPOSALS;
            let verb = if (client + proposal).is_multiple_of(2) { "approve" } else { "reject" };
            let answer = office.put(&format!("/api/proposals/p{proposal}/{verb}")).await;
            match answer.status.as_u16() {
                200 => taken += 1,
                409 => assert_eq!(answer.code(), "already_reviewed"),
                _ => panic!("{answer:?}"),
            }
        }
        taken
    };
    let taken: usize = join_all((0..CLIENTS).map(review)).await.into_iter().sum();
    assert_eq!(taken, PROPOSALS);

    let events = office.until("proposals", "proposal.approved.v1").await;
    let (approved, rejected) = (of(&events, "proposal.approved.v1").len(), of(&events, "proposal.rejected.v1").len());
    assert_eq!(approved + rejected, PROPOSALS);
    let events = office.until("analysis_runs", "analysis_run.reviewed.v1").await;
    let reviewed = of(&events, "analysis_run.proposal_reviewed.v1");
    let with = |outcome: &str| reviewed.iter().filter(|event| event["data"]["outcome"] == outcome).count();
    assert_eq!((with("approved"), with("rejected")), (approved, rejected));
    assert_eq!(of(&events, "analysis_run.reviewed.v1").len(), 1);
    assert_eq!(office.put(&format!("/api/runs/{run}/close")).await.status, 200);
}
