//! What goes between clients and servers: requests are opened and come in, answers leave and arrive.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use http::Request;

use super::{Due, World};
use crate::{
    chance::Chance,
    checker::{Check, Outlet, page},
    network::{About, Arrival, Ask, Conn, Faults, Owner},
    process::{ConnId, Sent},
    producer::Answer,
};

impl World {
    /// Opens what was asked for.
    pub(crate) fn open(&mut self, asked: Vec<(ConnId, Owner, Ask)>, dropped: Vec<ConnId>, calls: Vec<(u64, Owner)>) {
        let now = self.now();
        for id in dropped {
            if let Some(conn) = self.conns.get_mut(&id) {
                conn.is_over = true;
                let at = conn.arrives_at(now);
                self.at(at, Due::HangUp(id));
            }
        }
        for (id, owner, ask) in asked {
            let mut chance = Chance::of(self.plan.seed, 1_000_000 + id);
            let mut faults = Faults::draw(self.weather, &mut chance);
            if let Owner::Client(index) = owner {
                faults.kept_back = self.clients[index].nature.is_kept_back;
            }
            self.trace.say(now, || format!("{owner:?} asks #{id} {} {}", ask.method, ask.path));
            if let About::Write(write) = &ask.about
                && self.conns.values().any(|other| other.ask.about == ask.about)
            {
                // What its owner has given up is still on its way, and may come after this.
                self.commits.repeated(write);
            }
            let mut conn = Conn::new(owner, ask, faults, chance);
            let at = conn.arrives_at(now);
            if conn.is_refused() {
                self.at(at, Due::Arrival(id, Arrival::Lost));
            } else if !conn.faults.unheard {
                self.at(at, Due::Request(id));
            }
            if let (true, About::Write(write)) = (conn.faults.repeated, &conn.ask.about) {
                self.commits.repeated(write);
                let at = conn.repeated_at(now);
                let again = self.next_conn;
                self.next_conn += 1;
                let chance = Chance::of(self.plan.seed, 1_000_000 + again);
                self.conns.insert(again, Conn::new(Owner::Nobody, conn.ask.clone(), Faults::none(), chance));
                self.at(at, Due::Request(again));
            }
            self.conns.insert(id, conn);
        }
        calls.into_iter().for_each(|(at, owner)| self.at(at, Due::Call(owner)));
    }

    /// A request comes to the server.
    pub(super) fn request(&mut self, id: ConnId) -> Check {
        let now = self.now();
        let Some(conn) = self.conns.get_mut(&id) else { return Ok(()) };
        let Some(process) = &mut self.process else {
            let lost = conn.lose(now);
            lost.into_iter().for_each(|(at, arrival)| self.at(at, Due::Arrival(id, arrival)));
            return Ok(());
        };
        if let About::Stream(topics, after) = &conn.ask.about {
            self.outlets.insert(id, Outlet::new(topics.clone(), after));
        }
        let mut request = Request::builder().method(conn.ask.method).uri(&conn.ask.path).header("host", "localhost");
        for (name, value) in &conn.ask.headers {
            request = request.header(*name, value);
        }
        let request = request.body(Body::from(conn.ask.body.clone())).expect("it is a request");
        conn.task = Some(process.ask(id, request, Arc::clone(&self.wire), Arc::clone(&conn.credit)));
        Ok(())
    }

    /// Takes what servers have sent before a moment, and puts it on its way.
    pub(super) fn deliver_sent(&mut self, before: u64) -> Check {
        let now = self.now();
        for (id, sent) in self.wire.take(self.began + Duration::from_millis(before)) {
            self.look(id, &sent)?;
            let Some(conn) = self.conns.get_mut(&id) else { continue };
            let is_end = matches!(sent, Sent::End);
            let arrivals = conn.carry(sent, now);
            if arrivals.is_empty() && !conn.is_over && !conn.faults.kept_back {
                conn.credit.add_permits(1);
            }
            if is_end {
                conn.task = None;
            }
            arrivals.into_iter().for_each(|(at, arrival)| self.at(at, Due::Arrival(id, arrival)));
        }
        Ok(())
    }

    /// Holds what leaves the server against the log.
    fn look(&mut self, id: ConnId, sent: &Sent) -> Check {
        self.trace.sent(self.now(), id, sent);
        let Some(conn) = self.conns.get(&id) else { return Ok(()) };
        match (sent, &conn.ask.about) {
            (Sent::Head(status, _), _) => {
                self.answers.insert(id, Answer { id: String::new(), status: status.as_u16(), body: Vec::new() });
            }
            (Sent::Chunk(bytes), About::Stream(..)) => {
                if let Some(outlet) = self.outlets.get_mut(&id) {
                    outlet.send(bytes, &mut self.logs)?;
                }
            }
            (Sent::Chunk(bytes), _) => {
                self.answers.entry(id).and_modify(|answer| answer.body.extend_from_slice(bytes));
            }
            (Sent::End, About::Write(write)) => {
                if let Some(answer) = self.answers.remove(&id) {
                    self.commits.answered(write, &answer, &mut self.logs)?;
                    if answer.status < 300 {
                        self.doubt_key(id);
                    }
                }
            }
            (Sent::End, About::Page(topics, after)) => {
                if let Some(answer) = self.answers.remove(&id).filter(|answer| answer.status == 200) {
                    page(topics, after, &answer.body, &mut self.logs)?;
                }
            }
            (Sent::End, About::State(moment)) => {
                if let Some(answer) = self.answers.remove(&id) {
                    self.states.answered(moment, &answer, &mut self.logs)?;
                }
            }
            (Sent::End, About::Reuse(key)) => {
                if let Some(answer) = self.answers.remove(&id) {
                    self.commits.reused(key, &answer)?;
                }
            }
            (Sent::End, About::Stream(..)) => {
                if let Some(outlet) = self.outlets.get(&id) {
                    outlet.ended()?;
                }
            }
            (Sent::End, _) => {}
        }
        self.commits.look(&self.logs)
    }

    /// Something comes to whoever waits for it.
    pub(super) fn arrive(&mut self, id: ConnId, arrival: Arrival) -> Check {
        let Some(conn) = self.conns.get(&id).filter(|conn| !conn.is_over) else { return Ok(()) };
        let owner = conn.owner;
        let is_last = matches!(arrival, Arrival::End | Arrival::Lost);
        if !matches!(owner, Owner::Client(index) | Owner::Commands(index) if self.clients[index].is_asleep(self.now()))
        {
            conn.credit.add_permits(1);
        }
        match owner {
            Owner::Client(index) => {
                if matches!(arrival, Arrival::Head(..) | Arrival::Bytes(_)) {
                    self.watches[index].heard();
                }
                if let Some((epoch, sequence)) = self.outlets.get(&id).and_then(|outlet| outlet.began.clone()) {
                    // Where it begins, it says itself by what it does next.
                    self.watches[index].may_begin((epoch, sequence));
                }
                self.with_client(index, |client, desk| client.arrived(id, arrival, desk))?;
            }
            Owner::Commands(index) => {
                self.with_client(index, |client, desk| client.intent_arrived(id, arrival, desk))?
            }
            Owner::Producer(index) => {
                self.with_producer(index, |producer, desk| producer.arrived(id, arrival, desk))?
            }
            Owner::Tab(_) | Owner::Checker | Owner::Nobody => {}
        }
        if is_last && let Some(conn) = self.conns.get_mut(&id) {
            conn.is_over = true;
            let at = self.now() + 1;
            self.at(at, Due::HangUp(id));
        }
        Ok(())
    }
}
