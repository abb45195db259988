//! [`World`]: one run. Everything happens in one thread, on a clock that goes on when nothing is left to do at a moment: first with
//! faults, as the plan has it, then without, until every client has what the log has.

mod device;
mod doubt;
mod heard;
mod server;
mod traffic;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use highwater_core::{decider::Entities, domain};
use tokio::time::{Instant, sleep_until};

use self::{device::Device, server::unusable};
use crate::{
    chance::Chance,
    checker::{Check, Commits, Logs, NO_INVARIANT, Outlet, States, Violation, Watch},
    client::{
        Client,
        device::{Message, TabId},
    },
    disk::{Crash, Disk},
    network::{Arrival, Conn, Desk, Owner, Weather},
    plan::{Action, Plan},
    process::{ConnId, Process, Wire},
    producer::{Answer, Producer},
    trace::Trace,
};

/// Enough for every task that is ready at a moment to have run.
const YIELDS: usize = 16;

/// A run has some thousands, and one that lasts a day some hundred times as many.
const STEPS_MAX: u64 = 3_000_000;

/// See the [module](self).
pub struct World {
    pub(crate) plan: Plan,
    pub(crate) began: Instant,
    pub(crate) chance: Chance,
    pub(crate) entities: Entities,
    pub(crate) disk: Disk,
    pub(crate) process: Option<Process>,
    pub(crate) wire: Arc<Wire>,
    pub(crate) due: BTreeMap<(u64, u64), Due>,
    pub(crate) order: u64,
    pub(crate) next_conn: ConnId,
    pub(crate) conns: BTreeMap<ConnId, Conn>,
    outlets: BTreeMap<ConnId, Outlet>,
    answers: BTreeMap<ConnId, Answer>,
    pub(crate) states: States,
    /// Of which comes what the checker itself asks for.
    pub(crate) doubt: Chance,
    pub(crate) clients: Vec<Client>,
    pub(crate) devices: Vec<Device>,
    pub(crate) watches: Vec<Watch>,
    pub(crate) producers: Vec<Producer>,
    pub(crate) logs: Logs,
    commits: Commits,
    pub(crate) weather: Weather,
    pub(crate) healed_at: Option<u64>,
    skew_ms: i64,
    /// Whether the next start is on a folder that somebody put back.
    is_restored: bool,
    lives: u64,
    commands: u64,
    steps: u64,
    pub(crate) trace: Trace,
}

/// What is to happen at a time.
#[derive(Debug)]
pub(crate) enum Due {
    /// What the plan has at this place.
    Action(usize),
    /// A request comes to the server.
    Request(ConnId),
    /// Something of an answer comes to whoever waits.
    Arrival(ConnId, Arrival),
    /// The server hears that nobody waits any more.
    HangUp(ConnId),
    /// Somebody is to be called.
    Call(Owner),
    /// A client connects for the first time.
    Open(usize),
    /// A client's device wakes.
    Wake(usize),
    /// A client's user loads the page again.
    Reload(usize),
    /// The server is started.
    Start,
    /// A tab hears how it is with its device's lock.
    Locks(usize),
    /// A tab hears another.
    Heard(TabId, Message),
}

impl World {
    /// Before anything has happened.
    ///
    /// # Errors
    /// Where there is no room for a simulated disk.
    pub fn new(plan: Plan, is_told: bool) -> anyhow::Result<Self> {
        let seed = plan.seed;
        let client = |(index, nature): (usize, &_)| {
            Client::new(index, Clone::clone(nature), Chance::of(seed, 100 + index as u64).bits())
        };
        let clients: Vec<_> = plan.clients.iter().enumerate().map(client).collect();
        let mut watches: Vec<_> =
            plan.clients.iter().map(|nature| Watch::new(nature.topics.clone(), nature.held_max)).collect();
        for (watch, nature) in watches.iter_mut().zip(&plan.clients) {
            watch.loaded(None, nature.origin == "latest");
        }
        let producers =
            (0..plan.producers).map(|index| Producer::new(index, Chance::of(seed, 200 + index as u64))).collect();
        Ok(Self {
            began: Instant::now(),
            chance: Chance::of(seed, 2),
            entities: domain::entities(),
            disk: Disk::new()?,
            process: None,
            wire: Arc::default(),
            due: BTreeMap::new(),
            order: 0,
            next_conn: 1,
            conns: BTreeMap::new(),
            outlets: BTreeMap::new(),
            answers: BTreeMap::new(),
            states: States::default(),
            doubt: Chance::of(seed, 3),
            devices: Device::all(&clients, seed),
            clients,
            watches,
            producers,
            logs: Logs::default(),
            commits: Commits::default(),
            weather: plan.weather,
            healed_at: None,
            skew_ms: 0,
            is_restored: false,
            lives: 0,
            commands: 0,
            steps: 0,
            trace: Trace::new(is_told),
            plan,
        })
    }

    /// Now, in milliseconds of the run.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    pub(crate) fn at(&mut self, at: u64, due: Due) {
        self.order += 1;
        self.due.insert((at, self.order), due);
    }

    /// Lets the plan happen, up to where the network heals.
    ///
    /// # Errors
    /// [`Violation`]
    pub async fn faults(&mut self) -> Check {
        self.start()?;
        for at in 0..self.plan.actions.len() {
            self.at(self.plan.actions[at].0, Due::Action(at));
        }
        for index in 0..self.clients.len() {
            self.at(self.clients[index].nature.opens_at, Due::Open(index));
        }
        self.run_to(self.plan.heals_at).await
    }

    /// Lets time pass up to here.
    ///
    /// # Errors
    /// [`Violation`]
    pub async fn run_to(&mut self, end: u64) -> Check {
        loop {
            self.deliver_sent(self.now())?;
            self.end_where_struck()?;
            let (now, at) = (self.now(), self.due.first_key_value().map_or(end, |((at, _), _)| *at).min(end));
            if at > now {
                self.wait(now, at).await;
            } else if at >= end {
                return Ok(());
            } else if let Some((_, due)) = self.due.pop_first() {
                self.happen(due)?;
                // What was just asked for is begun before anything else happens.
                tokio::task::yield_now().await;
            }
        }
    }

    /// Waits until something is due, or until the moment is over in which a server sent something or came to its end.
    async fn wait(&self, now: u64, at: u64) {
        let host = self.process.as_ref().map(|process| &process.host);
        let struck = async {
            match host {
                Some(host) => host.struck.notified().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.wire.notify.notified() => sleep_until(self.began + Duration::from_millis(now + 1)).await,
            () = struck => sleep_until(self.began + Duration::from_millis(now + 1)).await,
            () = sleep_until(self.began + Duration::from_millis(at)) => {}
        }
        // Whatever else is due now comes first.
        for _ in 0..YIELDS {
            tokio::task::yield_now().await;
        }
    }

    fn happen(&mut self, due: Due) -> Check {
        self.steps += 1;
        if self.steps >= STEPS_MAX {
            return Err(Violation { invariant: NO_INVARIANT, what: "something goes on without an end".to_owned() });
        }
        match due {
            Due::Action(at) => {
                let action = self.plan.actions[at].1.clone();
                self.trace.say(self.now(), || format!("{action:?}"));
                self.doubt_states();
                self.act(action)
            }
            Due::Request(id) => self.request(id),
            Due::Arrival(id, arrival) => self.arrive(id, arrival),
            Due::HangUp(id) => {
                if let Some(conn) = self.conns.remove(&id) {
                    conn.task.inspect(|task| task.abort());
                    self.outlets.remove(&id);
                    self.answers.remove(&id);
                }
                Ok(())
            }
            Due::Call(owner) => self.call(owner),
            Due::Wake(index) if !self.clients[index].is_asleep(self.now()) => self.wake(index),
            Due::Wake(_) => Ok(()),
            // A tab begins with what its device has stored.
            Due::Open(index) if self.clients[index].tab.is_some() => self.reload(index),
            Due::Open(index) => self.with_client(index, Client::open),
            Due::Reload(index) => self.reload(index),
            Due::Start if self.process.is_none() => self.start(),
            Due::Start => Ok(()),
            Due::Locks(index) => self.locks(index),
            Due::Heard(to, message) => self.hear(to, message),
        }
    }

    fn act(&mut self, action: Action) -> Check {
        let now = self.now();
        match action {
            Action::Produce(index) => self.with_producer(index, Producer::produce)?,
            Action::Command { client, stream, body, is_conditional } => {
                let is_there = self.clients[client].tab.as_ref().is_none_or(|tab| tab.is_there);
                if is_there && !self.clients[client].is_asleep(now) && !self.clients[client].is_over {
                    self.commands += 1;
                    let id = format!("command-{client}-{}", self.commands);
                    self.commits.commanded(id.clone(), client, stream, &body);
                    self.with_client(client, |client, desk| {
                        client.mean(id, stream, body, is_conditional, desk);
                    })?;
                }
            }
            Action::End(crash, None) => self.crash(crash)?,
            Action::End(_, Some(step)) => {
                if let Some(process) = &self.process {
                    process.host.end_at(step);
                }
            }
            Action::ShutDown => {
                if let Some(process) = &mut self.process {
                    process.close();
                    self.at(now + 200, Due::Call(Owner::Nobody));
                }
            }
            Action::BackUp => self.disk.back_up().map_err(unusable)?,
            Action::Restore(witness) => {
                self.crash(Crash::Kill)?;
                self.is_restored |= self.disk.restore(witness, &mut self.chance).map_err(unusable)?;
            }
            Action::Sleep { client, ms } => {
                self.whole_device(client).into_iter().for_each(|client| self.put_to_sleep(client, ms));
            }
            Action::Rest { client, how, ms } => self.rest(client, how, ms)?,
            Action::Store(client) => self.store(client),
            Action::Reload(client) => self.reload(client)?,
            Action::Weather(weather) => self.weather = weather,
            Action::SkewServer(ms) => {
                self.skew_ms = ms;
                self.process.iter().for_each(|process| process.host.skew(ms));
            }
            Action::SkewClient { client, ms } => {
                self.whole_device(client).into_iter().for_each(|client| self.clients[client].nature.skew_ms = ms);
            }
            Action::CutAll => self.cut(|_| true),
        }
        Ok(())
    }

    pub(crate) fn wake(&mut self, index: usize) -> Check {
        if self.clients[index].tab.as_ref().is_some_and(|tab| !tab.is_there) {
            return Ok(());
        }
        for id in self.clients[index].waiting() {
            if let Some(conn) = self.conns.get(&id) {
                conn.credit.add_permits(1);
            }
        }
        // A tab that hung may hear first that it does not lead any more, or do first what it had to do as a leader.
        let hears_first = self.device_of(index).is_some_and(Device::once_in_two);
        if hears_first {
            self.locks(index)?;
        }
        self.with_client(index, Client::wake)?;
        self.hear_waiting(index)?;
        self.locks(index)
    }

    pub(crate) fn store(&mut self, index: usize) {
        self.clients[index].store();
        self.watches[index].stores();
    }

    /// A client's page is loaded again, with what it has stored.
    pub(crate) fn reload(&mut self, index: usize) -> Check {
        let seed = self.chance.bits();
        self.leave(index);
        let meant = self.device_of(index).map(|device| device.intents.clone());
        let client = &mut self.clients[index];
        meant.into_iter().for_each(|meant| client.intents.kept = meant);
        client.asleep_until = 0;
        let stored = client.stored.position.as_ref().and_then(|position| position.split_once('-'));
        let stored = stored.map(|(epoch, text)| (epoch.to_owned(), text.parse().unwrap_or_default()));
        let is_latest = client.nature.origin == "latest";
        self.watches[index].loaded(stored, is_latest);
        self.with_client(index, |client, desk| client.reload(seed, desk))
    }

    fn call(&mut self, owner: Owner) -> Check {
        match owner {
            Owner::Client(index) if !self.clients[index].is_asleep(self.now()) => {
                self.with_client(index, Client::timeout)
            }
            Owner::Commands(index) if !self.clients[index].is_asleep(self.now()) => {
                let entities = self.entities.clone();
                self.with_client(index, |client, desk| client.intents_due(&entities, desk))
            }
            Owner::Tab(index) if !self.clients[index].is_asleep(self.now()) => self.with_client(index, Client::tab_due),
            Owner::Producer(index) => self.with_producer(index, Producer::due),
            Owner::Nobody => self.shut_down(),
            Owner::Client(_) | Owner::Commands(_) | Owner::Tab(_) | Owner::Checker => Ok(()),
        }
    }

    fn with_producer(
        &mut self,
        index: usize,
        work: impl FnOnce(&mut Producer, &mut Desk<'_>) -> Option<crate::producer::Write>,
    ) -> Check {
        let mut desk = desk(self.began, &mut self.next_conn);
        let begun = work(&mut self.producers[index], &mut desk);
        let Desk { asked, dropped, calls, .. } = desk;
        begun.into_iter().for_each(|write| self.commits.asked(write));
        let news = std::mem::take(&mut self.producers[index].news);
        self.producers.iter_mut().for_each(|producer| producer.hear(&news));
        self.open(asked, dropped, calls);
        Ok(())
    }

    pub(crate) fn with_client(&mut self, index: usize, work: impl FnOnce(&mut Client, &mut Desk<'_>)) -> Check {
        self.read_database(index);
        let mut desk = desk(self.began, &mut self.next_conn);
        work(&mut self.clients[index], &mut desk);
        let Desk { asked, dropped, calls, errands, .. } = desk;
        self.open(asked, dropped, calls);
        self.run_errands(index, errands);
        self.heed(index)
    }
}

fn desk(began: Instant, next: &mut ConnId) -> Desk<'_> {
    let now = began.elapsed().as_millis() as u64;
    Desk { now, next, asked: Vec::new(), dropped: Vec::new(), calls: Vec::new(), errands: Vec::new() }
}
