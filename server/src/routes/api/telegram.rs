//! `POST /webhook/telegram`: messages as Telegram's servers post them.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use highwater_core::{
    decider::{Decider, Origin},
    domain::message::{Message, MessageCommand},
    event::Actor,
    json,
};
use ring::{digest, hmac};

use super::given::stream;
use crate::{
    app::AppState,
    commands::{Request, derived_id},
    error::Problem,
    routes::{POSITION, body, command, query::Query},
    telegram::Update,
    telemetry::TraceParent,
};

const SECRET: HeaderName = HeaderName::from_static("x-telegram-bot-api-secret-token");
/// The space of who names none.
const SPACE: &str = "default";

/// Takes what an update says of a message, and answers once that is durable: Telegram posts again what is not answered. An update about
/// anything else is not for us, and is answered as if it were.
pub(super) async fn update(
    State(state): State<AppState>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let mut place = state.intake.enter()?;
    let secret = state.telegram_secret.as_deref().ok_or_else(|| Problem::NotFound(uri.path().to_owned()))?;
    let given = command::one(&headers, &SECRET)?;
    if !given.is_some_and(|given| is_same(secret, given)) {
        return Err(Problem::WebhookSecret("X-Telegram-Bot-Api-Secret-Token"));
    }
    let mut query = Query::parse(&uri)?;
    let space: String = query.one("space")?.unwrap_or_else(|| SPACE.to_owned());
    query.finish()?;
    let body = body::json(&state, &headers, body, &mut place).await?;
    let update: Update = serde_json::from_slice(&body)
        .map_err(|error| Problem::InvalidRequest(format!("the body is no update of Telegram's: {error}")))?;
    let update_id = update.update_id;
    let Some(message) = update.message() else { return Ok(StatusCode::OK.into_response()) };
    let stream = stream(&space, "messages", &message.id())?;
    let sent_when = || Problem::InvalidRequest("the message was sent at a time that is none".into());
    let command = MessageCommand::Ingest(message.ingested(update_id).ok_or_else(sent_when)?);
    let command = json::to_string(&command);
    // Another bot counts its updates by itself, and may see the same chat; and a webhook may come to post to another space.
    let id = derived_id(&[stream.as_str(), &update_id.to_string()]);
    let origin = Origin::new(id, Actor::new("telegram").expect("a URI reference"));
    let request =
        Request { trace: TraceParent::of(&headers), ..Request::new(Message::ENTITY, stream, command, origin) };
    let outcome = state.commands.run(request).await?;
    Ok((StatusCode::OK, [(POSITION, outcome.position.to_string())]).into_response())
}

/// Compares in a time that says nothing of where they differ.
fn is_same(secret: &str, given: &str) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, digest::digest(&digest::SHA256, secret.as_bytes()).as_ref());
    hmac::verify(&key, given.as_bytes(), hmac::sign(&key, secret.as_bytes()).as_ref()).is_ok()
}
