//! [`Given`]: what a request to one of the seeds' routes says, and how it becomes a command.

use axum::{
    body::Body,
    extract::{FromRequest, Request},
    http::{HeaderMap, Uri, header},
    response::Response,
};
use highwater_core::{
    decider::Origin,
    event::{Actor, EventId},
    stream::StreamName,
    version::Version,
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    app::AppState,
    auth::Access,
    commands,
    error::Problem,
    routes::{
        body,
        command::{self, answer},
        precondition,
        query::Query,
    },
    telemetry::TraceParent,
};

/// The space of who names none.
const SPACE: &str = "default";

/// Who commands where no token is asked for, and no header says it.
const ANONYMOUS: &str = "anonymous";

/// An entity, and what stands for it in the names of its streams.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    pub(super) entity: &'static str,
    pub(super) segment: &'static str,
}

/// What a request says.
pub(super) struct Given {
    access: Access,
    headers: HeaderMap,
    space: String,
    actor: Actor,
    id: EventId,
    version: Option<Version>,
    causation_id: Option<EventId>,
    /// What is left of the body.
    data: Map<String, Value>,
}

impl FromRequest<AppState> for Given {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let access =
            <Access as axum::extract::FromRequestParts<AppState>>::from_request_parts(&mut parts, state).await?;
        let mut data = read(state, &parts.headers, body).await?;
        let asked = Asked::read(&parts.uri)?;
        let space = space(asked.space, data.remove("space"))?;
        let actor = command::actor(&access, &parts.headers, Some(ANONYMOUS))?;
        let id = command::key(&parts.headers)?;
        let Asked { version, causation_id, .. } = asked;
        Ok(Self { access, headers: parts.headers, space, actor, id, version, causation_id, data })
    }
}

impl Given {
    /// Sets a member of the data.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.data.insert(name.to_owned(), value.into());
        self
    }

    /// Sets a member of the data that the body does not have.
    pub(super) fn with_default(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.data.entry(name).or_insert_with(|| value.into());
        self
    }

    /// Gives a command to a thing that is there.
    pub(super) async fn command(
        self,
        state: &AppState,
        of: Kind,
        id: &str,
        command: &str,
    ) -> Result<Response, Problem> {
        #[derive(Serialize)]
        struct Command<'a> {
            r#type: &'a str,
            data: &'a Map<String, Value>,
        }
        let stream = stream(&self.space, of.segment, id)?;
        let command = serde_json::to_string(&Command { r#type: command, data: &self.data }).expect("JSON is JSON");
        let expectations = precondition::expectations(state, &stream, &self.headers).await?;
        let origin =
            Origin { version: self.version, causation_id: self.causation_id, ..Origin::new(self.id, self.actor) };
        let request = commands::Request {
            expected: expectations.into_iter().map(|expectation| expectation.expected).collect(),
            access: self.access,
            trace: TraceParent::of(&self.headers),
            ..commands::Request::new(of.entity, stream.clone(), command, origin)
        };
        let outcome = state.commands.run(request).await?;
        Ok(answer(state, &stream, &outcome))
    }

    /// Gives a command that makes a new thing. Its id follows from the command's, so that the same command makes the same thing.
    pub(super) async fn create(self, state: &AppState, of: Kind, command: &str) -> Result<Response, Problem> {
        let id = commands::derived_id(&[self.actor.as_str(), self.id.as_str()]);
        self.command(state, of, id.as_str(), command).await
    }
}

/// What the query says.
struct Asked {
    space: Option<String>,
    version: Option<Version>,
    causation_id: Option<EventId>,
}

impl Asked {
    fn read(uri: &Uri) -> Result<Self, Problem> {
        let mut query = Query::parse(uri)?;
        let (space, version, causation_id) = (query.one("space")?, query.one("version")?, query.one("causationid")?);
        query.finish()?;
        Ok(Self { space, version, causation_id })
    }
}

/// The stream of a thing in a space.
pub(super) fn stream(space: &str, segment: &str, id: &str) -> Result<StreamName, Problem> {
    let name = format!("space:{space}:{segment}:{id}");
    // What has a colon in it would be another stream, of whoever.
    if space.contains(':') || id.contains(':') {
        let detail = format!("neither the space '{space}' nor the id '{id}' may have a colon");
        return Err(Problem::InvalidRequest(detail));
    }
    StreamName::new(&name).map_err(Problem::InvalidStream)
}

/// The body as an object; one that is not there is an empty one.
async fn read(state: &AppState, headers: &HeaderMap, body: Body) -> Result<Map<String, Value>, Problem> {
    let mut place = state.intake.enter()?;
    if !headers.contains_key(header::CONTENT_TYPE) && axum::body::HttpBody::is_end_stream(&body) {
        return Ok(Map::new());
    }
    let body = body::json(state, headers, body, &mut place).await?;
    serde_json::from_slice(&body)
        .map_err(|error| Problem::InvalidRequest(format!("the body must be a JSON object: {error}")))
}

fn space(in_query: Option<String>, in_body: Option<Value>) -> Result<String, Problem> {
    let in_body = match in_body {
        None => None,
        Some(Value::String(space)) => Some(space),
        Some(_) => return Err(Problem::InvalidRequest("the body's 'space' must be a text".into())),
    };
    match (in_query, in_body) {
        (Some(one), Some(other)) if one != other => {
            Err(Problem::InvalidRequest(format!("the query says the space is '{one}', and the body '{other}'")))
        }
        (one, other) => Ok(one.or(other).unwrap_or_else(|| SPACE.to_owned())),
    }
}
