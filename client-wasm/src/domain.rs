//! [`Domain`]: the entities that a page knows, folding and deciding as the server does.
//!
//! It is a shell over [`Entities`]: texts in, texts out. What is folded stays here, behind a number; so a long history costs no more than
//! its events. Which entities there are is said by whoever compiles a module of them, ours or their own:
//! [`export_entities!`](crate::export_entities).

mod answer;
mod module;
mod recorded;
mod request;

use highwater_core::{
    clock::VectorClock,
    decider::{Applied, Context, Entities, Folded, Rejection, Streams},
    event::{NewEvent, Recording},
    json::{self, FromJson},
    stream::StreamName,
    time::Timestamp,
    version::{Revision, Sequence},
};

pub use self::module::Module;
use self::{
    answer::{Decided, Description, Folds},
    request::Request,
};

/// See the [module](self). A number that is not open changes nothing, and answers nothing.
pub struct Domain {
    entities: Entities,
    open: Vec<Option<Folded>>,
}

impl Domain {
    /// These entities, with nothing open.
    #[must_use]
    pub fn new(entities: Entities) -> Self {
        Self { entities, open: Vec::new() }
    }

    /// What there is, as a JSON array: name, topic, schema and types of each, by name.
    #[must_use]
    pub fn entities(&self) -> String {
        let text = |text: &&str| String::from(*text);
        let all = self.entities.iter().map(|entity| Description {
            name: text(&entity.name()),
            streams: text(&entity.streams()),
            schema: entity.schema(),
            types: entity.types().iter().map(text).collect(),
        });
        json::to_string(&all.collect::<Vec<_>>())
    }

    /// Opens a state: that of a snapshot, or an empty text for the one before the first event. `None` where there is no such entity, or the
    /// snapshot is of no use.
    pub fn open(&mut self, entity: usize, snapshot: &str) -> Option<usize> {
        let entity = self.entities.iter().nth(entity)?;
        let folded = if snapshot.is_empty() { entity.initial() } else { entity.restore(snapshot).ok()? };
        Some(self.keep(folded))
    }

    /// Opens a copy.
    pub fn copy(&mut self, number: usize) -> Option<usize> {
        let copy = self.at(number)?.clone();
        Some(self.keep(copy))
    }

    /// Gives a number back.
    pub fn close(&mut self, number: usize) {
        if let Some(open) = self.open.get_mut(number) {
            *open = None;
        }
    }

    /// Applies recorded events, in the order of their revisions. Each is two lines of JSON: its attributes as an object, and its data; the second
    /// is empty where there is none.
    pub fn apply(&mut self, number: usize, events: &str) -> String {
        let Some(folded) = self.at(number) else { return String::new() };
        let mut unreadable = Vec::new();
        let mut lines = events.split('\n');
        let events = std::iter::from_fn(|| lines.next().zip(lines.next()));
        for (at, (attributes, data)) in (0..).zip(events) {
            let mut event = recorded::placeholder();
            match recorded::read(attributes, data, &mut event).map(|()| folded.apply(&event)) {
                Ok(Applied::Unreadable(reason)) => unreadable.push((at, reason)),
                Ok(_) => {}
                Err(error) => unreadable.push((at, error.to_string())),
            }
        }
        json::to_string(&Folds { version: folded.mark().version, unreadable })
    }

    /// The state, its marks, and how many events moved nothing, as a JSON object that [`Self::open`] takes.
    #[must_use]
    pub fn snapshot(&self, number: usize) -> String {
        self.open.get(number).and_then(Option::as_ref).map(|folded| folded.snapshot()).unwrap_or_default()
    }

    /// Decides a command for the stream whose state has this number, and applies to it what would be recorded there. See the crate's
    /// `js/domain/module.ts` for what a request says.
    pub fn decide(&mut self, number: usize, request: &str) -> String {
        match Request::read(request).map_err(Rejection::from).and_then(|request| self.run(number, &request)) {
            Ok(answer) => answer,
            Err(Rejection::Needs(stream)) => json::to_string(&Decided::Needs(&stream)),
            Err(Rejection::Refused(refusal)) => json::to_string(&Decided::Refused(&refusal)),
        }
    }

    fn run(&mut self, number: usize, request: &Request) -> Result<String, Rejection> {
        let mut streams = Streams::default();
        request.loaded.iter().for_each(|(stream, number)| self.load(stream, *number, &mut streams));
        self.load(&request.stream, number, &mut streams);
        let context = Context { stream: &request.stream, origin: &request.origin, now: request.now, streams: &streams };
        let events = self.entities.decide(&request.entity, &request.command, &context)?;
        let answer = json::to_string(&Decided::Events(&events));
        if let Some(folded) = self.at(number) {
            for event in events {
                if event.stream == request.stream {
                    predict(folded, event, request.now);
                }
            }
        }
        Ok(answer)
    }

    fn load(&mut self, stream: &StreamName, number: usize, streams: &mut Streams) {
        if let Some(folded) = self.at(number) {
            streams.insert(stream.clone(), folded.clone());
        }
    }

    fn at(&mut self, number: usize) -> Option<&mut Folded> {
        self.open.get_mut(number)?.as_mut()
    }

    /// Numbers are used again, so that there are no more than were ever open at once.
    fn keep(&mut self, folded: Folded) -> usize {
        let free = self.open.iter().position(Option::is_none);
        let number = free.unwrap_or(self.open.len());
        if free.is_none() {
            self.open.push(None);
        }
        self.open[number] = Some(folded);
        number
    }
}

/// Applies an event as if it were recorded next. What its actor knew the log would derive of events that are not here: the prediction
/// knows only of the actor itself.
fn predict(folded: &mut Folded, mut event: NewEvent, now: Timestamp) {
    let mark = folded.mark();
    let clock = event.clock.take().unwrap_or_else(|| {
        let mut clock = VectorClock::default();
        let _ = clock.tick(event.source.as_str()); // An empty clock has room for one.
        clock
    });
    let recording = Recording {
        id: FromJson::placeholder(), // What was decided has its own.
        recorded_time: now,
        sequence: mark.sequence.next().unwrap_or(Sequence::MAX),
        revision: mark.revision.next().unwrap_or(Revision::MAX),
        version: event.version.unwrap_or(mark.version),
        clock,
    };
    folded.apply(&event.record(recording));
}

#[cfg(test)]
mod tests;
