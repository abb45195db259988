//! What the checker itself asks of the server, past the network: states, and another command under a key that is taken.

use serde_json::json;

use super::{Due, World};
use crate::{
    chance::Chance,
    client::{get, json as parsed},
    network::{About, Ask, Conn, Faults, Owner},
    process::ConnId,
    producer::TASKS,
};

/// How often it asks for states where something happens.
const STATES_PERCENT: u64 = 25;
/// How often another command is given under the key of one that was carried out.
const REUSE_PERCENT: u64 = 20;

impl World {
    /// Asks for several states of a task at once, if it feels like that.
    pub(super) fn doubt_states(&mut self) {
        if self.process.is_some() && self.doubt.percent(STATES_PERCENT) {
            let stream = *self.doubt.pick(&TASKS);
            self.ask_states(stream);
        }
    }

    /// Asks for states of a task, all at once. Returns how many.
    pub(crate) fn ask_states(&mut self, stream: &str) -> usize {
        let moments = self.states.moments(stream, &self.logs, &mut self.doubt);
        let count = moments.len();
        for moment in moments {
            let path = format!("/v1/streams/{stream}/state?at={}", moment.at);
            self.ask_directly(get(path, "application/json", About::State(moment)));
        }
        count
    }

    /// Gives another command as one that the server has just answered, if it feels like that. What it asks for is never refused.
    pub(super) fn doubt_key(&mut self, id: ConnId) {
        let Some(ask) = self.conns.get(&id).map(|conn| conn.ask.clone()) else { return };
        let About::Write(key) = &ask.about else { return };
        if self.commits.is_command(key) && self.doubt.percent(REUSE_PERCENT) {
            let about = About::Reuse(key.clone());
            let mut body = parsed(&ask.body);
            (body["type"], body["data"]) = ("intervene".into(), json!({ "note": "this is another" }));
            let is_expectation = |name: &str| name.starts_with("if-");
            let headers = ask.headers.into_iter().filter(|(name, _)| !is_expectation(name)).collect();
            self.ask_directly(Ask { headers, body: body.to_string().into(), about, ..ask });
        }
    }

    fn ask_directly(&mut self, ask: Ask) {
        let (id, now) = (self.next_conn, self.now());
        self.next_conn += 1;
        self.trace.say(now, || format!("the checker asks #{id} {} {}", ask.method, ask.path));
        let chance = Chance::of(self.plan.seed, 1_000_000 + id);
        self.conns.insert(id, Conn::new(Owner::Checker, ask, Faults::none(), chance));
        self.at(now, Due::Request(id));
    }
}
