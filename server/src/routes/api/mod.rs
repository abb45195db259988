//! `/api/…`: the seeds' own routes. Each is one command, thin over its decider: what may be, and what comes of it, is said there.
//!
//! The space comes from the body or the query, and is `default` where neither says it. The rest of the body is the command's data.

mod given;
mod telegram;

use axum::{
    Router,
    extract::{FromRequestParts, Path, State},
    http::{HeaderMap, StatusCode, Uri, request::Parts},
    response::Response,
    routing::{get, patch, post, put},
};
use highwater_core::{
    decider::Decider,
    domain::{analysis_run::AnalysisRun, knowledge::Knowledge, proposal::Proposal, story::Story, task::Task},
};

use self::given::{Given, Kind};
use super::lists;
use crate::{app::AppState, auth::Access, error::Problem, work::WORKER};

const RUN: Kind = Kind { entity: AnalysisRun::ENTITY, segment: "analysis_runs" };
const PROPOSAL: Kind = Kind { entity: Proposal::ENTITY, segment: "proposals" };
const KNOWLEDGE: Kind = Kind { entity: Knowledge::ENTITY, segment: "knowledge" };
const TASK: Kind = Kind { entity: Task::ENTITY, segment: "tasks" };
const STORY: Kind = Kind { entity: Story::ENTITY, segment: "stories" };

/// How long nothing may be heard of who executes a run, unless the body says otherwise.
const LEASE_MS: u32 = 60_000;

type Answer = Result<Response, Problem>;

/// The routes that are asked for by who may, like all commands.
pub(super) fn commands() -> Router<AppState> {
    Router::new()
        .route("/api/runs", post(create_run))
        .route("/api/runs/{id}/start", post(start_run))
        .route("/api/runs/{id}/close", put(close_run))
        .route("/api/runs/{id}/cancel", post(cancel_run))
        .route("/api/proposals/{id}", patch(edit_proposal))
        .route("/api/proposals/{id}/approve", put(approve_proposal))
        .route("/api/proposals/{id}/reject", put(reject_proposal))
        .route("/api/proposals/{id}/merge", put(merge_proposal))
        .route("/api/knowledge/extract", post(extract))
        .route("/api/knowledge/proposals", get(knowledge_proposals))
        .route("/api/knowledge/proposals/{id}", patch(edit_knowledge))
        .route("/api/knowledge/proposals/{id}/approve", post(approve_knowledge))
        .route("/api/knowledge/proposals/{id}/reject", post(reject_knowledge))
        .route("/api/tasks", post(create_task))
        .route("/api/tasks/{id}/{command}", post(command_task))
        .route("/api/stories", post(create_story))
        .route("/api/stories/{id}/decisions", post(add_decision))
        .route("/api/stories/{id}/subtasks/{subtask}", put(update_subtask))
        .route("/api/stories/{id}/snapshots", post(take_snapshot))
}

/// The route that says by a secret who asks.
pub(super) fn webhooks() -> Router<AppState> {
    Router::new().route("/webhook/telegram", post(telegram::update))
}

async fn create_run(State(state): State<AppState>, given: Given) -> Answer {
    given.create(&state, RUN, "create").await
}

/// Answers before it has run: whoever follows the run sees how it goes.
async fn start_run(State(state): State<AppState>, Named(id): Named<String>, given: Given) -> Answer {
    let given = given.with_default("lease_ms", LEASE_MS).with("executor", WORKER);
    given.command(&state, RUN, &id, "start").await.map(accepted)
}

async fn close_run(State(state): State<AppState>, Named(id): Named<String>, given: Given) -> Answer {
    given.command(&state, RUN, &id, "close").await
}

async fn cancel_run(State(state): State<AppState>, Named(id): Named<String>, given: Given) -> Answer {
    given.command(&state, RUN, &id, "cancel").await
}

async fn edit_proposal(State(state): State<AppState>, Named(id): Named<String>, given: Given) -> Answer {
    given.command(&state, PROPOSAL, &id, "edit").await
}

async fn approve_proposal(State(state): State<AppState>, Named(id): Named<String>, given: Given) -> Answer {
    given.command(&state, PROPOSAL, &id, "approve").await
}

async fn reject_proposal(State(state): State<AppState>, Named(id): Named<String>, given: Given) -> Answer {
    given.command(&state, PROPOSAL, &id, "reject").await
}

async fn merge_proposal(State(state): State<AppState>, Named(id): Named<String>, given: Given) -> Answer {
    given.command(&state, PROPOSAL, &id, "merge").await
}

/// Answers before anything is read: whoever follows the extraction sees what it proposes.
async fn extract(State(state): State<AppState>, given: Given) -> Answer {
    given.create(&state, KNOWLEDGE, "request_extraction").await.map(accepted)
}

/// The topics and atoms that wait for a review, or those that have had one.
async fn knowledge_proposals(State(state): State<AppState>, access: Access, uri: Uri, headers: HeaderMap) -> Answer {
    lists::page(&state, access, Knowledge::ENTITY, Some("pending"), &uri, &headers).await
}

async fn edit_knowledge(State(state): State<AppState>, Named(id): Named<String>, given: Given) -> Answer {
    given.command(&state, KNOWLEDGE, &id, "edit").await
}

async fn approve_knowledge(State(state): State<AppState>, Named(id): Named<String>, given: Given) -> Answer {
    given.command(&state, KNOWLEDGE, &id, "approve").await
}

async fn reject_knowledge(State(state): State<AppState>, Named(id): Named<String>, given: Given) -> Answer {
    given.command(&state, KNOWLEDGE, &id, "reject").await
}

async fn create_task(State(state): State<AppState>, given: Given) -> Answer {
    given.create(&state, TASK, "gather_requirement").await
}

/// A task has many commands, and each is a path: its decider knows them.
async fn command_task(
    State(state): State<AppState>,
    Named((id, command)): Named<(String, String)>,
    given: Given,
) -> Answer {
    given.command(&state, TASK, &id, &command).await
}

async fn create_story(State(state): State<AppState>, given: Given) -> Answer {
    given.create(&state, STORY, "create_context").await
}

async fn add_decision(State(state): State<AppState>, Named(id): Named<String>, given: Given) -> Answer {
    given.command(&state, STORY, &id, "add_decision").await
}

async fn update_subtask(
    State(state): State<AppState>,
    Named((id, subtask)): Named<(String, String)>,
    given: Given,
) -> Answer {
    given.with("id", subtask).command(&state, STORY, &id, "update_subtask").await
}

async fn take_snapshot(State(state): State<AppState>, Named(id): Named<String>, given: Given) -> Answer {
    given.command(&state, STORY, &id, "take_snapshot").await
}

/// What a path names, percent-decoded.
struct Named<T>(T);

impl<T: serde::de::DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let named = Path::<T>::from_request_parts(parts, state).await;
        let invalid = |rejection| Problem::InvalidRequest(format!("the path can't be read: {rejection}"));
        named.map(|Path(named)| Self(named)).map_err(invalid)
    }
}

fn accepted(mut response: Response) -> Response {
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}
