//! What JavaScript asks to have decided.

use highwater_core::{
    decider::{Origin, Refusal},
    json::{Error, FromJson, Members, Node},
    stream::StreamName,
    time::Timestamp,
};

/// A command, checked. The origin's names are those of the event's attributes.
pub(super) struct Request {
    pub(super) entity: String,
    pub(super) stream: StreamName,
    /// `{"type":"…","data":{…}}`, as a text of its own.
    pub(super) command: String,
    pub(super) origin: Origin,
    pub(super) now: Timestamp,
    /// The numbers of the states of other streams.
    pub(super) loaded: Vec<(StreamName, usize)>,
}

impl Request {
    pub(super) fn read(json: &str) -> Result<Self, Refusal> {
        let mut request = Self {
            entity: String::new(),
            stream: FromJson::placeholder(),
            command: String::new(),
            origin: Origin::new(FromJson::placeholder(), FromJson::placeholder()),
            now: Timestamp::UNIX_EPOCH,
            loaded: Vec::new(),
        };
        let read = Node::parse(json).and_then(|node| request.read_members(node.members()?));
        read.map_err(|error| Refusal::invalid("invalid_command", format!("the command can't be read: {error}")))?;
        Ok(request)
    }

    fn read_members(&mut self, mut members: Members<'_, '_>) -> Result<(), Error> {
        members.read("entity", &mut self.entity);
        members.read("stream", &mut self.stream);
        members.read("command", &mut self.command);
        members.read("id", &mut self.origin.command_id);
        members.read("source", &mut self.origin.actor);
        members.read("time", &mut self.origin.time);
        members.read("version", &mut self.origin.version);
        members.read("clock", &mut self.origin.clock);
        members.read("causationid", &mut self.origin.causation_id);
        members.read("correlationid", &mut self.origin.correlation_id);
        members.read("now", &mut self.now);
        members.read_or_default("loaded", &mut self.loaded);
        members.finish()
    }
}
