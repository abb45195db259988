//! Many runs: seeds on all cores, and what is made of one that fails.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use crate::{Outcome, plan::Plan, run};

/// How many runs are spent on making a failing one smaller.
const SHRINK_RUNS: usize = 300;

/// A run that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its plan, or a smaller one that fails alike.
    pub plan: Plan,
    /// Which of the seed's actions are left.
    pub kept: Vec<usize>,
    /// What came of it.
    pub outcome: Outcome,
}

/// Runs seeds on all cores, up to the first one that fails: of those the lowest.
#[must_use]
pub fn first_failure(seeds: Range<u64>) -> Option<Failure> {
    first_failure_of(seeds, None).0
}

/// The same, up to the first one that breaks one of these invariants. Of what seeds before it break otherwise, it says which, and how often.
#[must_use]
pub fn first_failure_of(seeds: Range<u64>, of: Option<&[u32]>) -> (Option<Failure>, BTreeMap<u32, usize>) {
    let is_meant = |failure: &Failure| of.is_none_or(|of| failure.broken().is_some_and(|broken| of.contains(&broken)));
    let (next, failed) = (AtomicU64::new(seeds.start), Mutex::new(BTreeMap::<u64, Failure>::new()));
    let lock = || failed.lock().unwrap_or_else(PoisonError::into_inner);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let lowest = lock().values().find(|failure| is_meant(failure)).map_or(seeds.end, |first| first.plan.seed);
            if seed >= lowest {
                return;
            }
            if let Some(failure) = fails(Plan::new(seed)) {
                lock().insert(seed, failure);
            }
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
    let (mut others, failed) = (BTreeMap::new(), failed.into_inner().unwrap_or_else(PoisonError::into_inner));
    for failure in failed.into_values() {
        if is_meant(&failure) {
            return (Some(failure), others);
        }
        *others.entry(failure.broken().unwrap_or_default()).or_default() += 1;
    }
    (None, others)
}

fn fails(plan: Plan) -> Option<Failure> {
    let outcome = run(&plan, false);
    let kept = (0..plan.actions.len()).collect();
    outcome.violation.is_some().then_some(Failure { plan, kept, outcome })
}

impl Failure {
    /// The invariant's number.
    #[must_use]
    pub fn broken(&self) -> Option<u32> {
        self.outcome.violation.as_ref().map(|violation| violation.invariant)
    }
}

/// Leaves out what is not needed for the same invariant to break: halves first, then single actions.
#[must_use]
pub fn shrink(failure: Failure) -> Failure {
    let whole = Plan::new(failure.plan.seed);
    let wanted = failure.broken();
    let (mut smallest, mut runs) = (failure, 0);
    let mut size = smallest.kept.len().div_ceil(2);
    while size > 0 && runs < SHRINK_RUNS {
        let mut at = 0;
        while at < smallest.kept.len() && runs < SHRINK_RUNS {
            let mut kept = smallest.kept.clone();
            kept.drain(at..(at + size).min(kept.len()));
            let plan = whole.only(&kept);
            let outcome = run(&plan, false);
            runs += 1;
            let failure = Failure { plan, kept, outcome };
            if failure.broken() == wanted {
                smallest = failure;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    smallest
}

/// Which actions are left, as a word for the command line.
#[must_use]
pub fn named(kept: &[usize]) -> String {
    kept.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
