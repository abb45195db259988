//! What clients say, as it is handed to the checker.

use highwater_client::{Kind, StatusCode};
use highwater_core::envelope::parse_event;

use super::{Due, World};
use crate::{
    checker::{Check, broken, hold},
    client::Tell,
};

/// So long after the network is good a client may still give up for what was before.
const FORGIVEN_MS: u64 = 60_000;

impl World {
    /// Takes what a client has said, and looks where it stands.
    pub(super) fn heed(&mut self, index: usize) -> Check {
        let tells = std::mem::take(&mut self.clients[index].tells);
        let now = self.now();
        for tell in tells {
            self.trace.told(now, index, &tell);
            let watch = &mut self.watches[index];
            match tell {
                Tell::Judged { kind, epoch, sequence, envelope } => {
                    watch.judged(kind, &epoch, sequence, &envelope, &self.logs)?;
                    self.show(index, kind, &envelope);
                }
                Tell::Reset { epoch, sequence } => {
                    watch.reset(&epoch, sequence)?;
                    self.begins_anew(index, format!("{epoch}-{sequence}"));
                }
                Tell::Lost(which) => return broken(8, format!("client {index} says that it has lost {which}")),
                Tell::Settled { number, is_confirmed } => self.settle(index, number, is_confirmed)?,
                Tell::Status(status, delay_ms, leads) => {
                    self.status(index, status, delay_ms)?;
                    if status == StatusCode::Live && !leads {
                        self.is_live(index)?;
                    }
                }
                Tell::Began(_) => watch.connected(now)?,
                Tell::Fed { connection, after } => {
                    watch.fed();
                    self.fed(index, connection, after)?;
                }
                Tell::Takes(connection) => self.takes(index, connection)?,
                Tell::Page { epoch, prev } => watch.may_begin((epoch, prev)),
            }
        }
        self.one_connection(index)?;
        let client = &mut self.clients[index];
        let held = client.session.counted()[7] as usize;
        let position = client.position();
        let waits = client.is_over || client.waits_for_something();
        hold(40, waits, || format!("client {index} waits for nothing, and is not over"))?;
        self.watches[index].stands(position, held, &self.logs)
    }

    fn show(&mut self, index: usize, kind: Kind, envelope: &[u8]) {
        if let (Kind::Apply | Kind::Stale, Ok(event)) = (kind, parse_event(envelope)) {
            self.clients[index].app.take(&event, kind == Kind::Stale, &self.entities);
        }
    }

    /// An intent goes by a verdict on its event, or once the cursor has come as far as its answer, or is refused.
    fn settle(&mut self, index: usize, number: u32, is_confirmed: bool) -> Check {
        let client = &mut self.clients[index];
        let position = client.position();
        let Some(at) = client.intents.kept.iter().position(|intent| intent.number == number) else {
            return broken(43, format!("client {index} settles {number}, which is not there"));
        };
        let is_stopped = client.intents.is_stopped;
        let intent = client.intents.kept.remove(at);
        let has_come = |(epoch, sequence): &(String, u64)| {
            position.as_ref().is_some_and(|(own, cursor)| own == epoch && cursor >= sequence)
        };
        let is_right = !is_confirmed || intent.is_judged || intent.recorded.as_ref().is_some_and(has_come);
        hold(43, is_right, || format!("client {index} shows '{}' no more, which is not confirmed", intent.id))?;
        if !is_confirmed {
            hold(82, intent.is_refused, || format!("client {index} rolls '{}' back, for no reason", intent.id))?;
            // Who was told by another tab can't know what has become of it since.
            return if is_stopped { Ok(()) } else { self.commits.rolled_back(&intent.id, &self.logs) };
        }
        hold(43, self.logs.has_command(&intent.id), || {
            format!("client {index} takes '{}' for recorded, which no log has", intent.id)
        })
    }

    fn status(&mut self, index: usize, status: StatusCode, delay_ms: u32) -> Check {
        if status == StatusCode::BackingOff {
            hold(41, delay_ms <= 95_000, || format!("client {index} waits for {delay_ms} ms"))?;
        }
        if status as u32 > StatusCode::Closed as u32 {
            self.leave(index);
            let is_good = self.healed_at.is_some_and(|healed_at| self.now() > healed_at + FORGIVEN_MS);
            hold(41, !is_good, || format!("client {index} gives up in a good network: {status:?}"))?;
            // Its user loads the page again.
            let at = self.now() + 1_000;
            self.at(at, Due::Reload(index));
        }
        Ok(())
    }
}
