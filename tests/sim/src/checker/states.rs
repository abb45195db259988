//! [`States`]: what the server says that a task is, now and at moments of its past, however many ask at once, against the plain fold of
//! what had happened by then.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Check, Logs, Recorded, broken, fold::plain, hold};
use crate::{chance::Chance, producer::Answer};

/// A state that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Of this stream.
    pub stream: String,
    /// As `at` has it.
    pub at: String,
    /// Up to here the log was told of when it was asked for.
    served: u64,
    /// So many events were told of by then, as events or as a state.
    floor: u64,
}

/// What is known of states.
#[derive(Default)]
pub struct States {
    /// How many answers were looked at.
    pub answers: usize,
    /// The highest revision that each stream was told to have, by log.
    told: BTreeMap<(String, String), u64>,
}

impl States {
    /// Several moments in the life of a stream, to be asked for at once: now, twice, and one of each other kind.
    pub fn moments(&self, stream: &str, logs: &Logs, chance: &mut Chance) -> Vec<Moment> {
        let (epoch, log) = logs.current();
        let told = self.told.get(&(epoch.to_owned(), stream.to_owned())).copied().unwrap_or_default();
        let served = log.events().iter().filter(|event| event.stream == stream && event.sequence <= log.served);
        let floor = told.max(served.count() as u64);
        let mut asked = vec!["now".to_owned(), "now".to_owned(), format!("version:{}", chance.below(6))];
        if log.served > 0 {
            asked.push(chance.between(1, log.served).to_string());
        }
        let events: Vec<_> = log.events().iter().filter(|event| event.sequence <= log.served).collect();
        if !events.is_empty() {
            asked.push(chance.pick(&events).event["recordedtime"].as_str().unwrap_or_default().to_owned());
        }
        let moment = |at| Moment { stream: stream.to_owned(), at, served: log.served, floor };
        asked.into_iter().map(moment).collect()
    }

    /// The server answers.
    ///
    /// # Errors
    /// [`Violation`](super::Violation)
    pub fn answered(&mut self, moment: &Moment, answer: &Answer, logs: &mut Logs) -> Check {
        if answer.status >= 500 {
            return Ok(());
        }
        self.answers += 1;
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let Moment { stream, at, .. } = moment;
        hold(65, matches!(answer.status, 200 | 404), || format!("'{stream}' at {at} is answered with {body}"))?;
        let is_there = answer.status == 200;
        if let Some((epoch, sequence)) = body["position"].as_str().and_then(|text| text.split_once('-')) {
            logs.serve(epoch, sequence.parse().unwrap_or_default())?;
        }
        let (epoch, log) = logs.current();
        let events: Vec<_> = log.events().iter().filter(|event| event.stream == *stream).collect();
        let revision = body["revision"].as_u64().filter(|_| is_there).unwrap_or_default() as usize;
        hold(65, revision <= events.len(), || format!("'{stream}' is told to have {revision} events"))?;
        let (before, after) = events.split_at(revision);
        if at == "now" {
            let told = self.told.entry((epoch.to_owned(), stream.clone())).or_default();
            *told = (*told).max(revision as u64);
            hold(68, revision as u64 >= moment.floor, || {
                format!("'{stream}' is told at revision {revision}, after {} were told", moment.floor)
            })?;
        }
        let is_by_then = by_then(at, &events);
        let early = before.iter().find(|event| !is_by_then(event));
        let late = after.first().filter(|event| event.sequence <= moment.served && is_by_then(event));
        hold(65, early.is_none() && late.is_none(), || format!("'{stream}' at {at} is told at revision {revision}"))?;
        if is_there { is_of(before, &events, &body, at) } else { Ok(()) }
    }
}

/// What had happened by a moment.
fn by_then<'a>(at: &'a str, events: &'a [&Recorded]) -> impl Fn(&Recorded) -> bool + 'a {
    let version = at.strip_prefix("version:").and_then(|text| text.parse::<u64>().ok());
    let sequence = at.parse::<u64>().ok();
    // With a `Z` at its end, a time without a fraction would come after one with.
    let time = |text: &str| text.trim_end_matches('Z').to_owned();
    move |event| match (version, sequence) {
        (Some(version), _) => {
            events.iter().take_while(|other| other.sequence <= event.sequence).all(|other| other.version <= version)
        }
        (_, Some(sequence)) => event.sequence <= sequence,
        _ if at == "now" => true,
        _ => time(event.event["recordedtime"].as_str().unwrap_or_default()) <= time(at),
    }
}

/// Whether a state is that of these events. One of others is of another moment; one of none is not what events come to.
fn is_of(before: &[&Recorded], events: &[&Recorded], body: &Value, at: &str) -> Check {
    let right = plain(before);
    let what = || format!("the state at {at} is told as {body}, and is {}", right.state);
    let through = body["position"].as_str().and_then(|text| text.split_once('-')?.1.parse::<u64>().ok());
    let next = events.get(before.len()).map_or(u64::MAX, |next| next.sequence);
    let is_placed = before.last().is_some_and(|last| (last.sequence..next).contains(&through.unwrap_or_default()));
    hold(65, is_placed, what)?;
    if body["state"] != right.state && (0..=events.len()).any(|end| plain(&events[..end]).state == body["state"]) {
        return broken(65, what());
    }
    let is_right = body["state"] == right.state && body["version"] == right.version;
    hold(57, is_right && body["set_aside"]["stale"] == right.stale, what)
}
