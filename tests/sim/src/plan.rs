//! [`Plan`]: all that is to happen in a run, drawn from its seed before it begins. It is data, so that a failing run can be made smaller:
//! what is left out does not change what else is drawn.

use highwater_server::{config::Settings, host::Step};
use serde_json::{Value, json};

use crate::{
    chance::Chance,
    client::{Nature, device::Shared},
    disk::{Crash, Witness},
    network::Weather,
    producer::TASKS,
};

/// How long the part with faults lasts, in milliseconds, but for who sleeps for a day.
const FAULTS_MS: u64 = 90_000;
const DAY_MS: u64 = 24 * 3_600_000;
const TOPICS: [&[&str]; 6] = [
    &["**"],
    &["space:1:**"],
    &["space:*:tasks:*"],
    &["space:1:notes:n1", "space:2:tasks:t1"],
    &["space:2:**", "space:1:notes:*"],
    &["space:3:notes:n1"],
];

/// See the [module](self).
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where all of it comes from.
    pub seed: u64,
    /// How bad the network is at first.
    pub weather: Weather,
    /// What clients there are.
    pub clients: Vec<Nature>,
    /// How many producers there are.
    pub producers: usize,
    /// How the server is set.
    pub settings: Settings,
    /// What happens, and when, in milliseconds.
    pub actions: Vec<(u64, Action)>,
    /// When the network heals.
    pub heals_at: u64,
}

/// What may happen.
#[derive(Clone, Debug)]
pub enum Action {
    /// A producer has something to append.
    Produce(usize),
    /// A client's user gives a command.
    Command {
        /// Whose.
        client: usize,
        /// For this task.
        stream: &'static str,
        /// As it is sent.
        body: Value,
        /// Whether it expects the task to be where the client knows it.
        is_conditional: bool,
    },
    /// The server ends, at this step of its next commit or at once.
    End(Crash, Option<Step>),
    /// The server is shut down in order, and started again.
    ShutDown,
    /// The server's folder is copied.
    BackUp,
    /// A copy is put back.
    Restore(Witness),
    /// A client's device sleeps for so long.
    Sleep {
        /// Whose.
        client: usize,
        /// In milliseconds.
        ms: u64,
    },
    /// One tab of a device does nothing for so long, and the others go on.
    Rest {
        /// Whose.
        client: usize,
        /// What befalls it.
        how: Rest,
        /// In milliseconds.
        ms: u64,
    },
    /// A client's page keeps what it knows.
    Store(usize),
    /// A client's page is loaded again.
    Reload(usize),
    /// The network is this bad from now on.
    Weather(Weather),
    /// The server's clock is set.
    SkewServer(i64),
    /// A client's clock is set.
    SkewClient {
        /// Whose.
        client: usize,
        /// What it is ahead of the run's, in milliseconds.
        ms: i64,
    },
    /// All connections break.
    CutAll,
}

/// How a tab rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It hears nothing of it: the browser was busy, or stopped it.
    Hangs,
    /// It is told before.
    IsFrozen,
    /// Its user closes it, and opens it again later.
    IsClosed,
}

impl Plan {
    /// What a seed says.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut chance = Chance::of(seed, 1);
        let mut clients: Vec<_> = (0..chance.between(2, 6)).map(|_| nature(&mut chance)).collect();
        let producers = chance.between(1, 3) as usize;
        let is_long = chance.percent(1);
        let settings = settings(is_long, &mut chance);
        let heals_at = FAULTS_MS + if is_long { DAY_MS } else { 0 };
        let count = chance.between(30, 110);
        let mut actions: Vec<_> = (0..count)
            .map(|_| (chance.below(FAULTS_MS), action(&mut chance, clients.len(), producers, heals_at)))
            .collect();
        let resting = tabs(&mut clients, is_long, &mut Chance::of(seed, 3));
        actions.extend(resting);
        actions.sort_by_key(|(at, _)| *at);
        let weather = chance.below(4);
        Self { seed, weather, clients, producers, settings, actions, heals_at }
    }

    /// The same with these actions alone.
    #[must_use]
    pub fn only(&self, kept: &[usize]) -> Self {
        let actions = kept.iter().filter_map(|at| self.actions.get(*at).cloned()).collect();
        Self { actions, ..self.clone() }
    }
}

fn nature(chance: &mut Chance) -> Nature {
    let topics = chance.pick(&TOPICS).iter().map(|topic| (*topic).to_owned()).collect();
    let origin = if chance.percent(70) { "earliest" } else { "latest" };
    let skew_ms = skew(chance);
    let held_max = *chance.pick(&[2, 8, 1_024]);
    Nature {
        topics,
        origin,
        skew_ms,
        held_max,
        is_kept_back: chance.percent(10),
        opens_at: chance.below(30) * chance.below(1_000),
        device: None,
    }
}

/// Makes some of the clients tabs of one device, or of two; answers what befalls single ones of them.
fn tabs(clients: &mut [Nature], is_long: bool, chance: &mut Chance) -> Vec<(u64, Action)> {
    let mut actions = Vec::new();
    let mut from = 0;
    for device in 0..2 {
        let count = if chance.percent(25) { 3 } else { 2 };
        let to = (from + count).min(clients.len());
        if to < from + 2 || !chance.percent(45) {
            break;
        }
        let (is_same, first) = (chance.percent(40), clients[from].clone());
        for tab in &mut clients[from..to] {
            tab.device = Some(Shared { device, ping_ms: if is_long { 60_000 } else { 1_000 } });
            (tab.skew_ms, tab.is_kept_back) = (first.skew_ms, first.is_kept_back);
            if is_same {
                tab.topics.clone_from(&first.topics);
            }
        }
        actions.extend((0..chance.between(2, 10)).map(|_| rest(from, to, chance)));
        from = to;
    }
    actions
}

fn rest(from: usize, to: usize, chance: &mut Chance) -> (u64, Action) {
    let client = chance.between(from as u64, to as u64 - 1) as usize;
    let how = *chance.pick(&[Rest::Hangs, Rest::IsFrozen, Rest::IsClosed]);
    let most = *chance.pick(&[500, 8_000, 60_000]);
    (chance.below(FAULTS_MS), Action::Rest { client, how, ms: chance.between(most / 20, most) })
}

fn skew(chance: &mut Chance) -> i64 {
    let most = *chance.pick(&[0, 2_000, 3_600_000, DAY_MS]);
    chance.below(2 * most + 1) as i64 - most as i64
}

/// Small enough for every bound to be met; in a run of a day the server says less.
fn settings(is_long: bool, chance: &mut Chance) -> Settings {
    Settings {
        ring_bytes_max: *chance.pick(&[2_000, 8_000, 4 << 20]),
        rings_bytes_max: *chance.pick(&[4_000, 64 << 20]),
        subscriber_events_max: *chance.pick(&[1, 3, 3, 7, 512]),
        page_events_max: *chance.pick(&[2, 7, 1_000]),
        page_events_default: 2,
        head_heartbeat_ms: if is_long { 1_000 } else { *chance.pick(&[100, 500, 1_000]) },
        heartbeat_ms: if is_long { 15_000 } else { *chance.pick(&[2_000, 15_000]) },
        subscription_max_s: if is_long { 3_600 } else { *chance.pick(&[10, 3_600]) },
        goodbye_retry_ms: *chance.pick(&[0, 1_000]),
        ..Settings::default()
    }
}

fn action(chance: &mut Chance, clients: usize, producers: usize, heals_at: u64) -> Action {
    let client = chance.below(clients as u64) as usize;
    match chance.below(100) {
        0..42 => Action::Produce(chance.below(producers as u64) as usize),
        42..63 => command(client, chance),
        63..70 => Action::End(
            if chance.percent(50) { Crash::Kill } else { Crash::PowerCut },
            *chance.pick(&[None, Some(Step::Written), Some(Step::Durable), Some(Step::Witnessed), Some(Step::Visible)]),
        ),
        70..72 => Action::ShutDown,
        72..75 => Action::BackUp,
        75..79 => Action::Restore(if chance.percent(50) { Witness::Stays } else { Witness::TakenOut }),
        79..84 => {
            let most = if heals_at > DAY_MS { DAY_MS } else { 60_000 };
            Action::Sleep { client, ms: chance.between(most / 20, most) }
        }
        84..88 => Action::Store(client),
        88..91 => Action::Reload(client),
        91..95 => Action::Weather(chance.below(4)),
        95..97 => Action::SkewServer(skew(chance)),
        97..98 => Action::SkewClient { client, ms: skew(chance) },
        _ => Action::CutAll,
    }
}

fn command(client: usize, chance: &mut Chance) -> Action {
    let (kind, mut data) = match chance.below(16) {
        0 => ("gather_requirement", json!({ "requirement": format!("what {}", chance.below(100)) })),
        1 => ("plan", json!({ "steps": ["one", "two"] })),
        2..6 => ("generate_code", json!({ "code": format!("code {}", chance.below(100)) })),
        6..8 => ("refine_code", json!({ "code": format!("refined {}", chance.below(100)) })),
        8..12 => ("report_bug", json!({ "bug": "it fails" })),
        12 => ("start_correction", json!({})),
        13 => ("complete_correction", json!({ "code": "corrected", "addresses": reports(chance) })),
        14 => ("generate_tests", json!({ "count": 3 })),
        _ => ("intervene", json!({ "note": "I was here" })),
    };
    if matches!(kind, "generate_code" | "refine_code" | "report_bug") && chance.percent(50) {
        data["hash"] = (*chance.pick(&["h1", "h2"])).into();
    }
    let mut body = json!({ "type": kind, "data": data, "source": format!("user-{client}") });
    if kind == "report_bug" && chance.percent(50) {
        body["version"] = chance.below(4).into();
    }
    // Most are for one, so that it comes to something.
    let stream = if chance.percent(60) { TASKS[0] } else { *chance.pick::<&'static str>(&TASKS) };
    Action::Command { client, stream, body, is_conditional: chance.percent(25) }
}

/// Commands that may have been reports: which have, nobody knows before the run.
fn reports(chance: &mut Chance) -> Vec<String> {
    (0..12).map(|_| format!("command-{}-{}", chance.below(4), chance.between(1, 20))).collect()
}
