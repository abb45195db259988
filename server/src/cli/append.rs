//! `highwater append`: one event, from the command line.

use std::io::Read;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use clap::Args;
use highwater_core::{
    clock::VectorClock,
    envelope::write_new_event,
    event::{Actor, Data, EventId, EventType, ExtensionName, ExtensionValue, NewEvent},
    stream::StreamName,
    time::Timestamp,
    version::{Revision, Version},
};
use uuid::Uuid;

use super::{
    ServerArgs,
    output::{print_line, say},
};

/// More data than any server takes is not read.
const DATA_BYTES_READ_MAX: u64 = 64 * 1024 * 1024;

/// Append one event to a stream and print its position
#[derive(Args)]
pub(super) struct Arguments {
    /// The stream, such as space:42:tasks:task-abc
    stream: StreamName,
    /// What happened, with its schema version, such as task.code_generated.v1
    #[arg(long = "type", value_name = "TYPE")]
    kind: EventType,
    /// Who says so: a URI reference, such as generator
    #[arg(long)]
    source: Actor,
    /// Unique within the source; left out, one is made
    #[arg(long)]
    id: Option<EventId>,
    /// When it happened (RFC 3339); left out, it is the time of recording
    #[arg(long)]
    time: Option<Timestamp>,
    /// The entity's version that it is about; left out, it is the stream's
    #[arg(long)]
    version: Option<Version>,
    /// What its source knew, such as generator=2,tester=1; left out, the log derives it
    #[arg(long)]
    clock: Option<VectorClock>,
    /// The id of the event that caused this one
    #[arg(long, value_name = "ID")]
    causation_id: Option<EventId>,
    /// The id of the larger undertaking it belongs to
    #[arg(long, value_name = "ID")]
    correlation_id: Option<EventId>,
    /// The id of the command that made it
    #[arg(long, value_name = "ID")]
    command_id: Option<EventId>,
    /// The media type of the data; what is not JSON is sent as bytes
    #[arg(long, value_name = "MEDIA_TYPE", default_value = "application/json")]
    content_type: String,
    /// Where the schema of the data is described
    #[arg(long, value_name = "URI")]
    data_schema: Option<Box<str>>,
    /// An attribute of your own; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_extension)]
    extension: Vec<(ExtensionName, ExtensionValue)>,
    /// What it says: JSON, @FILE, or - for standard input
    #[arg(long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    data: Option<String>,
    /// Only if the stream is at this revision
    #[arg(long, value_name = "N")]
    if_revision: Option<Revision>,
    /// Only if the stream has no event
    #[arg(long, conflicts_with = "if_revision")]
    if_new: bool,
    /// Only if the version is not below the stream's
    #[arg(long)]
    monotonic: bool,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) async fn run(args: Arguments) -> anyhow::Result<()> {
    let remote = args.server.remote()?;
    let monotonic = args.monotonic;
    let expected = if args.if_new { Some(Revision::ZERO) } else { args.if_revision };
    let mut body = Vec::new();
    write_new_event(&event(args)?, &mut body);
    if let Some(revision) = expected {
        expect(&mut body, revision);
    }
    let body = Bytes::from(body);
    let tell = |message: &str| say(message);
    let appended = remote.persist(tell, async || remote.append(body.clone(), monotonic).await).await?;
    print_line(&appended.position)
}

/// The event always has an id of its own, so that it can be sent again when an answer is lost.
fn event(args: Arguments) -> anyhow::Result<NewEvent> {
    let id = args.id.map_or_else(|| EventId::new(&Uuid::now_v7().to_string()), Ok);
    let mut event = NewEvent::new(args.stream, args.source, args.kind);
    event.id = Some(id.expect("a UUID is an id"));
    event.time = args.time;
    event.version = args.version;
    event.clock = args.clock;
    event.causation_id = args.causation_id;
    event.correlation_id = args.correlation_id;
    event.command_id = args.command_id;
    event.data_schema = args.data_schema;
    event.extensions = args.extension.into_iter().collect();
    if let Some(given) = args.data {
        event.data = data(&read(given)?, &args.content_type)?;
        event.data_content_type = Some(args.content_type.into());
    }
    Ok(event)
}

fn read(given: String) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = match given.strip_prefix('@') {
        Some(path) => std::fs::File::open(path)
            .and_then(|file| file.take(DATA_BYTES_READ_MAX).read_to_end(&mut bytes))
            .with_context(|| format!("cannot read the data from '{path}'")),
        None if given == "-" => std::io::stdin()
            .take(DATA_BYTES_READ_MAX)
            .read_to_end(&mut bytes)
            .context("cannot read the data from standard input"),
        None => return Ok(given.into_bytes()),
    };
    read.map(|_| bytes)
}

fn data(bytes: &[u8], content_type: &str) -> anyhow::Result<Data> {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || essence.ends_with("+json") {
        let text = str::from_utf8(bytes).context("the data is not UTF-8: give its --content-type")?;
        return Data::json(text).map_err(|error| anyhow!("the event {error}"));
    }
    Ok(Data::Binary(bytes.to_vec()))
}

/// Adds what must hold of the stream to an event that is written already.
fn expect(event: &mut Vec<u8>, revision: Revision) {
    event.pop_if(|end| *end == b'}');
    event.extend_from_slice(format!(",\"expectedrevision\":{revision}}}").as_bytes());
}

fn parse_extension(text: &str) -> anyhow::Result<(ExtensionName, ExtensionValue)> {
    let (name, value) = text.split_once('=').ok_or_else(|| anyhow!("must be NAME=VALUE"))?;
    let value = match value {
        "true" => ExtensionValue::Boolean(true),
        "false" => ExtensionValue::Boolean(false),
        _ => value
            .parse()
            .ok()
            .filter(|number: &i32| number.to_string() == value)
            .map_or_else(|| ExtensionValue::String(value.into()), ExtensionValue::Integer),
    };
    Ok((name.parse()?, value))
}

#[cfg(test)]
mod tests {
    use highwater_core::{envelope::parse_proposed, event::Limits};

    use super::*;

    #[test]
    fn an_expectation_travels_in_the_event() {
        let mut event = NewEvent::new("a:b".parse().unwrap(), "c".parse().unwrap(), "d.v1".parse().unwrap());
        event.data = Data::json(r#"{"x":{}}"#).unwrap();
        let mut body = Vec::new();
        write_new_event(&event, &mut body);
        expect(&mut body, Revision::new(7).unwrap());
        let proposed = parse_proposed(&body, None, &Limits::default()).unwrap();
        assert_eq!(proposed.expected_revision, Revision::new(7).ok());
        assert_eq!(proposed.event.data, event.data);
    }

    #[test]
    fn what_is_not_json_is_bytes() {
        assert_eq!(data(b" [1] ", "application/vnd.x+JSON; charset=utf-8").unwrap(), Data::json("[1]").unwrap());
        assert_eq!(data(b" [1] ", "text/plain").unwrap(), Data::Binary(b" [1] ".to_vec()));
        assert!(data(b"[", "application/json").is_err());
    }

    #[test]
    fn extensions_are_scalars_of_their_own_type() {
        let value = |text: &str| parse_extension(text).unwrap().1;
        assert_eq!(value("a=true"), ExtensionValue::Boolean(true));
        assert_eq!(value("a=-7"), ExtensionValue::Integer(-7));
        assert_eq!(value("a=007"), ExtensionValue::String("007".into()));
        assert_eq!(value("a=b=c"), ExtensionValue::String("b=c".into()));
        assert!(parse_extension("a").is_err());
        assert!(parse_extension("Sequence=1").is_err());
    }
}
