//! [`Producer`]: appends events, one request after the other, and sends each until it has an answer.

use serde_json::{Value, json};

use crate::{
    chance::Chance,
    network::{About, Arrival, Ask, Desk, Owner},
    process::ConnId,
};

const PATIENCE_MS: u64 = 10_000;

/// The streams of no entity that are written to.
pub const STREAMS: [&str; 5] =
    ["space:1:notes:n1", "space:1:notes:n2", "space:2:notes:n1", "space:2:logs:l1", "space:3:notes:n1"];
/// The tasks.
pub const TASKS: [&str; 3] = ["space:1:tasks:t1", "space:1:tasks:t2", "space:2:tasks:t1"];

/// See the [module](self).
pub struct Producer {
    index: usize,
    /// What it goes by.
    pub name: String,
    chance: Chance,
    made: u64,
    /// What it is to send, first to last.
    due: u32,
    sending: Option<Sending>,
    /// Events that are known to be there, stream and id, to be named as causes.
    known: Vec<(String, String)>,
    /// Those that others don't know of yet.
    pub news: Vec<(String, String)>,
}

/// A write, and what came of it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The write's id.
    pub id: String,
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// What somebody has asked the log to store.
#[derive(Clone, Debug)]
pub struct Write {
    /// Its id.
    pub id: String,
    /// The events as they are given, in order.
    pub events: Vec<Value>,
    /// Whether versions must not go back.
    pub is_monotonic: bool,
}

struct Sending {
    write: Write,
    ask: Ask,
    conn: Option<ConnId>,
    status: u16,
    until: u64,
    failures: u32,
}

impl Producer {
    /// One that has sent nothing.
    #[must_use]
    pub fn new(index: usize, chance: Chance) -> Self {
        let name = format!("producer-{index}");
        Self { index, name, chance, made: 0, due: 0, sending: None, known: Vec::new(), news: Vec::new() }
    }

    /// It hears of events.
    pub fn hear(&mut self, news: &[(String, String)]) {
        self.known.extend_from_slice(news);
    }

    /// It has something more to send.
    pub fn produce(&mut self, desk: &mut Desk<'_>) -> Option<Write> {
        self.due += 1;
        self.next(desk)
    }

    /// Whether everything has its answer.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.due == 0 && self.sending.is_none()
    }

    /// Time has passed. What is begun by that is returned.
    pub fn due(&mut self, desk: &mut Desk<'_>) -> Option<Write> {
        if let Some(sending) = self.sending.as_mut().filter(|sending| sending.until <= desk.now) {
            match sending.conn.take() {
                Some(conn) => {
                    desk.dropped.push(conn);
                    self.fail(desk);
                }
                None => self.send(desk),
            }
        }
        self.next(desk)
    }

    /// Something of an answer has come.
    pub fn arrived(&mut self, conn: ConnId, arrival: Arrival, desk: &mut Desk<'_>) -> Option<Write> {
        let sending = self.sending.as_mut().filter(|sending| sending.conn == Some(conn))?;
        match arrival {
            Arrival::Head(status, _) => sending.status = status.as_u16(),
            Arrival::Bytes(_) => {}
            Arrival::Lost => {
                sending.conn = None;
                self.fail(desk);
            }
            Arrival::End if sending.status >= 500 => {
                sending.conn = None;
                self.fail(desk);
            }
            Arrival::End => {
                let sending = self.sending.take()?;
                if sending.status < 300 {
                    let known = |event: &Value| Some((event["subject"].as_str()?.into(), event["id"].as_str()?.into()));
                    self.news.extend(sending.write.events.iter().filter_map(known));
                }
                return self.next(desk);
            }
        }
        None
    }

    fn fail(&mut self, desk: &mut Desk<'_>) {
        let Some(sending) = &mut self.sending else { return };
        sending.failures = (sending.failures + 1).min(6);
        sending.until = desk.now + self.chance.between(50, 100 << sending.failures);
        desk.calls.push((sending.until, Owner::Producer(self.index)));
    }

    fn send(&mut self, desk: &mut Desk<'_>) {
        let Some(sending) = &mut self.sending else { return };
        (sending.status, sending.until) = (0, desk.now + PATIENCE_MS);
        sending.conn = Some(desk.ask(Owner::Producer(self.index), sending.ask.clone()));
        desk.calls.push((sending.until, Owner::Producer(self.index)));
    }

    fn next(&mut self, desk: &mut Desk<'_>) -> Option<Write> {
        if self.due == 0 || self.sending.is_some() {
            return None;
        }
        self.due -= 1;
        let (write, ask) = self.make();
        let sending = Sending { write: write.clone(), ask, conn: None, status: 0, until: 0, failures: 0 };
        self.sending = Some(sending);
        self.send(desk);
        Some(write)
    }

    fn make(&mut self) -> (Write, Ask) {
        self.made += 1;
        let id = format!("{}-{}", self.name, self.made);
        let is_batch = self.chance.percent(40);
        let count = if is_batch { self.chance.between(1, 7) } else { 1 };
        let events: Vec<Value> = (0..count).map(|at| self.event(&format!("{id}-{at}"), is_batch)).collect();
        let is_monotonic = self.chance.percent(10);
        let mut headers = Vec::new();
        if is_monotonic {
            headers.push(("highwater-require", "monotonic".to_owned()));
        }
        let about = About::Write(id.clone());
        let ask = if is_batch {
            headers.push(("content-type", "application/cloudevents-batch+json".to_owned()));
            let body = Value::Array(events.clone()).to_string().into();
            Ask { method: "POST", path: "/v1/events".to_owned(), headers, body, about }
        } else {
            headers.push(("content-type", "application/cloudevents+json".to_owned()));
            if self.chance.percent(10) {
                headers.push(("if-none-match", "*".to_owned()));
            }
            let path = format!("/v1/streams/{}", events[0]["subject"].as_str().unwrap_or_default());
            Ask { method: "POST", path, headers, body: events[0].to_string().into(), about }
        };
        (Write { id, events, is_monotonic }, ask)
    }

    fn event(&mut self, id: &str, is_batch: bool) -> Value {
        let stream = *self.chance.pick(&STREAMS);
        let longest = *self.chance.pick(&[4, 40, 700]);
        let text = "x".repeat(self.chance.below(longest) as usize);
        let mut event = json!({
            "specversion": "1.0", "id": id, "source": self.name, "type": "note.changed.v1", "subject": stream,
            "data": { "text": text },
        });
        let members = event.as_object_mut().expect("it is one");
        if self.chance.percent(40) {
            members.insert("version".to_owned(), self.chance.below(12).into());
        }
        if self.chance.percent(30) {
            let known: Vec<_> = self.known.iter().filter(|(other, _)| other == stream).collect();
            if !known.is_empty() {
                members.insert("causationid".to_owned(), self.chance.pick(&known).1.as_str().into());
            }
        }
        if is_batch && self.chance.percent(15) {
            members.insert("expectedrevision".to_owned(), self.chance.below(6).into());
        }
        event
    }
}
