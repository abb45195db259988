//! How servers begin and end.

use std::sync::Arc;

use super::{Due, World};
use crate::{
    chance::Chance,
    checker::{Check, Violation},
    disk::Crash,
    host::SimHost,
    network::{Conn, Owner},
    process::Process,
};

impl World {
    /// Ends the server where it is, and has it started again.
    pub(super) fn crash(&mut self, crash: Crash) -> Check {
        // What has left it is on its way.
        self.deliver_sent(self.now() + 1)?;
        if let Some(process) = self.process.take() {
            let synced = process.host.synced();
            self.logs.stopped();
            self.disk.crash(crash, &synced, &mut self.chance).map_err(unusable)?;
            process.kill();
            self.gone();
        }
        Ok(())
    }

    pub(super) fn end_where_struck(&mut self) -> Check {
        if self.process.as_ref().is_some_and(|process| process.host.is_struck()) {
            let crash = if self.chance.percent(50) { Crash::Kill } else { Crash::PowerCut };
            self.trace.say(self.now(), || format!("the server ends in the middle of a commit: {crash:?}"));
            self.crash(crash)?;
        }
        Ok(())
    }

    /// The server is gone: whoever waits for it hears so, sooner or later.
    pub(super) fn gone(&mut self) {
        self.cut(|conn| conn.task.is_some());
        let at = self.now() + self.chance.between(5, 4_000);
        self.at(at, Due::Start);
    }

    pub(crate) fn cut(&mut self, of: impl Fn(&Conn) -> bool) {
        let now = self.now();
        let mut lost = Vec::new();
        for (id, conn) in self.conns.iter_mut().filter(|(_, conn)| of(conn)) {
            conn.task.take().inspect(|task| task.abort());
            lost.extend(conn.lose(now).map(|(at, arrival)| (*id, at, arrival)));
        }
        lost.into_iter().for_each(|(id, at, arrival)| self.at(at, Due::Arrival(id, arrival)));
    }

    pub(crate) fn start(&mut self) -> Check {
        self.lives += 1;
        let chance = Chance::of(self.plan.seed, 1_000 + self.lives);
        let host = Arc::new(SimHost::new(self.began, self.skew_ms, self.disk.folder().to_owned(), chance));
        let process = Process::start(&self.disk, host, &self.plan.settings).map_err(unusable)?;
        process.host.sync();
        self.disk.started();
        let is_restored = std::mem::take(&mut self.is_restored);
        self.trace.say(self.now(), || format!("the server serves {}", process.epoch));
        self.logs.started(&self.disk.database(), &process.epoch, is_restored)?;
        self.process = Some(process);
        Ok(())
    }

    /// Looks whether a server that shuts down has come to its end.
    pub(super) fn shut_down(&mut self) -> Check {
        let Some(process) = &mut self.process else { return Ok(()) };
        if !process.is_closed() {
            let at = self.now() + 200;
            self.at(at, Due::Call(Owner::Nobody));
            return Ok(());
        }
        self.logs.read()?;
        self.logs.stopped();
        self.process = None;
        self.gone();
        Ok(())
    }
}

/// The server must come up again after whatever happened to it.
pub(crate) fn unusable(error: anyhow::Error) -> Violation {
    Violation { invariant: 16, what: format!("the log can't be opened: {error:#}") }
}
