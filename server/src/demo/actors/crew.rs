//! Crews: a generator, a tester and a corrector who take up one task after the other.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use highwater_core::{event::Actor, stream::StreamName};
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{GaveUp, actor::Identity, corrector::correct, generator::generate, tester::test};
use crate::{
    demo::{
        craft::catalogue::{CATALOGUE, Specification},
        facts::TASKS_PREFIX,
        pace::Pace,
    },
    remote::Remote,
};

/// How many tasks are under way at once.
pub(in crate::demo) const CREWS: usize = 4;
/// How many of its longest thoughts a task may take; by then something has come between.
const THOUGHTS_MAX: u32 = 200;
/// How often a crew looks for a name that no task has yet.
const NAME_TRIES_MAX: usize = 16;

/// What the crews are to do.
#[derive(Clone, Debug)]
pub(in crate::demo) struct Plan {
    pub(in crate::demo) remote: Arc<Remote>,
    pub(in crate::demo) pace: Pace,
    pub(in crate::demo) seed: u64,
    /// How many tasks to finish; for ever if not given.
    pub(in crate::demo) tasks: Option<usize>,
    /// How many readers there are. After the first round a task is only begun while there is one: a demo that nobody
    /// looks at writes nothing.
    pub(in crate::demo) readers: watch::Receiver<usize>,
}

impl Plan {
    /// What the task of this number is about: the whole catalogue, in an order of the seed's, again and again.
    fn specification(&self, task: usize) -> &'static Specification {
        let mut catalogue: Vec<&'static Specification> = CATALOGUE.iter().collect();
        catalogue.shuffle(&mut StdRng::seed_from_u64(self.seed));
        catalogue[task % catalogue.len()]
    }
}

/// Crews at work; they stop when this is dropped.
pub(in crate::demo) struct Crews {
    crews: JoinSet<()>,
    finished: Arc<AtomicUsize>,
}

impl Crews {
    /// Sends the crews to work.
    pub(in crate::demo) fn start(plan: &Plan) -> Self {
        let finished = Arc::new(AtomicUsize::new(0));
        let begun = Arc::new(AtomicUsize::new(0));
        let mut crews = JoinSet::new();
        for number in 1..=CREWS {
            let (begun, finished) = (Arc::clone(&begun), Arc::clone(&finished));
            crews.spawn(Crew::new(number, plan.clone()).work(begun, finished));
        }
        Self { crews, finished }
    }

    /// Waits until every task is finished or given up, and says how many were finished.
    pub(in crate::demo) async fn finish(mut self) -> usize {
        while self.crews.join_next().await.is_some() {}
        self.finished.load(Ordering::Relaxed)
    }
}

struct Crew {
    number: usize,
    plan: Plan,
    rng: StdRng,
}

impl Crew {
    fn new(number: usize, plan: Plan) -> Self {
        let rng = StdRng::seed_from_u64(plan.seed.wrapping_add(number as u64));
        Self { number, plan, rng }
    }

    async fn work(mut self, begun: Arc<AtomicUsize>, finished: Arc<AtomicUsize>) {
        loop {
            let number = begun.fetch_add(1, Ordering::Relaxed);
            if self.plan.tasks.is_some_and(|tasks| number >= tasks) {
                return;
            }
            if number >= CREWS && self.plan.readers.wait_for(|readers| *readers > 0).await.is_err() {
                return;
            }
            let (longest, specification) = (self.plan.pace.longest(THOUGHTS_MAX), self.plan.specification(number));
            match timeout(longest, self.task(specification)).await.unwrap_or(Err(GaveUp::TooLong)) {
                Ok(()) => drop(finished.fetch_add(1, Ordering::Relaxed)),
                Err(reason) => tracing::warn!("crew {} gives a task up: {reason}", self.number),
            }
            sleep(self.plan.pace.thinking(&mut self.rng)).await;
        }
    }

    async fn task(&mut self, specification: &'static Specification) -> Result<(), GaveUp> {
        let stream = self.begin(specification).await?;
        let tester = test(self.identity("tester", &stream), specification, self.fork());
        let corrector = correct(self.identity("corrector", &stream), self.fork());
        tokio::select! {
            tested = tester => tested.map(drop),
            corrected = corrector => corrected.map(|never| match never {}),
        }
    }

    /// Has the first version written, in a stream of its own.
    async fn begin(&mut self, specification: &'static Specification) -> Result<StreamName, GaveUp> {
        for _ in 0..NAME_TRIES_MAX {
            let name = format!("{TASKS_PREFIX}{}-{:04x}", specification.name, self.rng.random::<u16>());
            let stream = StreamName::new(&name).expect("the catalogue's names are segments of a stream's");
            match generate(self.identity("generator", &stream), specification, self.fork()).await {
                Err(GaveUp::Contended) => {}
                generated => return generated.map(|()| stream),
            }
        }
        Err(GaveUp::Contended)
    }

    fn identity(&self, role: &str, stream: &StreamName) -> Identity {
        let name = Actor::new(&format!("{role}-{}", self.number)).expect("letters and a number are a URI reference");
        let Plan { remote, pace, .. } = &self.plan;
        Identity { name, stream: stream.clone(), remote: remote.clone(), pace: pace.clone() }
    }

    fn fork(&mut self) -> StdRng {
        StdRng::seed_from_u64(self.rng.next_u64())
    }
}
