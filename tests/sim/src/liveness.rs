//! The second part of a run: nothing goes wrong any more, and within a bounded time every client has what the log has, every write its
//! answer, and the server the same states as a plain fold.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    checker::{Check, broken, fold, hold},
    producer::TASKS,
    world::World,
};

/// How long all of it may take. Who polls since it can't have a stream, and who was told to wait, comes by then.
const PATIENCE_MS: u64 = 600_000;
const STEP_MS: u64 = 500;
/// How often all tasks' states are asked for in the end.
const STATES_ASKED: usize = 2;

impl World {
    /// Lets everything heal, and holds that it does.
    ///
    /// # Errors
    /// [`Violation`](crate::checker::Violation)
    pub async fn heal(&mut self) -> Check {
        self.weather = 0;
        self.healed_at = Some(self.now());
        if self.process.as_ref().is_some_and(|process| process.is_closing) {
            let now = self.now();
            self.run_to(now + 60_000).await?;
        }
        if self.process.is_none() {
            self.start()?;
        }
        self.process.iter().for_each(|process| process.host.end_nowhere());
        self.cut(|_| true);
        for index in 0..self.clients.len() {
            if self.clients[index].is_over {
                self.reload(index)?;
            } else if self.clients[index].is_asleep(self.now()) {
                self.clients[index].asleep_until = 0;
                self.wake(index)?;
            }
        }
        let deadline = self.now() + PATIENCE_MS;
        while let Some(why) = self.unfinished()? {
            let now = self.now();
            hold(8, now < deadline, || format!("after {PATIENCE_MS} ms without faults: {why}"))?;
            self.run_to(now + STEP_MS).await?;
        }
        self.all_is_the_same()?;
        self.states_are_the_same().await
    }

    /// What is still to come.
    fn unfinished(&mut self) -> Check<Option<String>> {
        self.logs.read()?;
        if self.process.is_none() {
            return Ok(Some("there is no server".to_owned()));
        }
        if let Some(producer) = self.producers.iter().find(|producer| !producer.is_done()) {
            return Ok(Some(format!("{} waits for an answer", producer.name)));
        }
        for (index, (client, watch)) in self.clients.iter().zip(&self.watches).enumerate() {
            if let Some(behind) = watch.behind(&self.logs) {
                return Ok(Some(format!("client {index}: {behind}")));
            }
            if let Some(intent) = client.intents.kept.first() {
                return Ok(Some(format!("client {index}: '{}' is not settled", intent.id)));
            }
        }
        Ok(self.unfinished_device())
    }

    /// Every client shows what a plain fold of the log comes to.
    fn all_is_the_same(&self) -> Check {
        let log = self.logs.current().1;
        for (index, (client, watch)) in self.clients.iter().zip(&self.watches).enumerate() {
            let Some((_, base)) = &watch.base else { return broken(12, format!("client {index} has not begun")) };
            let (right, shown) = (fold(log, &client.nature.topics, *base), client.app.shown());
            differ(&right, &shown, &format!("client {index}"))?;
        }
        Ok(())
    }

    /// So does the server, now and at moments of the past.
    async fn states_are_the_same(&mut self) -> Check {
        let (before, mut asked) = (self.states.answers, 0);
        for _ in 0..STATES_ASKED {
            asked += TASKS.iter().map(|stream| self.ask_states(stream)).sum::<usize>();
        }
        let now = self.now();
        self.run_to(now + 5_000).await?;
        let told = self.states.answers - before;
        hold(65, told >= asked, || format!("{told} of {asked} states are told"))
    }
}

fn differ(right: &BTreeMap<String, Value>, shown: &BTreeMap<String, String>, who: &str) -> Check {
    for stream in right.keys().chain(shown.keys()) {
        let is_task = stream.contains(":tasks:");
        let read = |text: &String| {
            if is_task { serde_json::from_str(text).unwrap_or_default() } else { Value::from(text.as_str()) }
        };
        let (right, shown) = (right.get(stream), shown.get(stream).map(read));
        let what = || format!("{who} shows '{stream}' as {shown:?}, and it is {right:?}");
        if is_task {
            hold(57, right == shown.as_ref(), what)?;
        } else {
            hold(8, right == shown.as_ref(), what)?;
        }
    }
    Ok(())
}
