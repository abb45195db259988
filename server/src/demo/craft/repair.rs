//! How the generator slips, and how the corrector repairs: generate and validate, as in Weimer et al., "Automatically
//! Finding Patches Using Genetic Programming" (2009), with an exhaustive search in place of a genetic one.

use rand::{Rng, RngExt, seq::SliceRandom};

use super::{
    catalogue::Specification,
    mutate::{Mutation, apart, apply, mutations},
    script::{Case, NoProgram, Program, SOURCE_BYTES_MAX},
};

/// How many programs a search for a repair tries at most.
const CANDIDATES_MAX: usize = 20_000;
/// How many drafts the generator throws away because they happen to be right, or are no programs.
const DRAFTS_MAX: usize = 256;
/// How often a draft has two slips and not one.
const TWO_SLIPS: f64 = 0.5;

/// A first version of the function: the solution with a slip or two, so that it fails at least one case.
///
/// # Errors
/// [`NoProgram`] where the solution itself is none.
pub(in crate::demo) fn draft(
    specification: &Specification,
    cases: &[Case],
    rng: &mut impl Rng,
) -> Result<String, NoProgram> {
    Program::compile(specification.solution)?;
    let slips = mutations(specification.solution);
    for _ in 0..DRAFTS_MAX {
        let wanted = 1 + usize::from(rng.random_bool(TWO_SLIPS));
        let made: Vec<&Mutation> = rand::seq::IndexedRandom::sample(slips.as_slice(), rng, wanted).collect();
        let draft = apply(specification.solution, &made);
        // A slip may leave no program at all, such as a sign that became a multiplication.
        if Program::compile(&draft).is_ok_and(|program| program.call_fails_any(cases)) {
            return Ok(draft);
        }
    }
    Ok(specification.solution.to_owned())
}

/// Looks for a program near the given versions that passes all these cases. The latest version comes last.
///
/// One change to any version is tried before two, and those of the first version before the others: the first version
/// is never more than two slips from the solution, so there is always something to be found.
pub(in crate::demo) fn repair(versions: &[String], cases: &[Case], rng: &mut impl Rng) -> Option<String> {
    let mut budget = CANDIDATES_MAX;
    let mut validate = |candidate: String| {
        let within = budget > 0;
        budget = budget.saturating_sub(1);
        (within && Program::compile(&candidate).is_ok_and(|program| !program.call_fails_any(cases)))
            .then_some(candidate)
    };
    let versions: Vec<&String> = versions.iter().filter(|version| version.len() <= SOURCE_BYTES_MAX).collect();
    let changes: Vec<Vec<Mutation>> = versions.iter().map(|version| shuffled(mutations(version), rng)).collect();
    for (version, changes) in versions.iter().zip(&changes).rev() {
        if let Some(found) = changes.iter().find_map(|change| validate(apply(version, &[change]))) {
            return Some(found);
        }
    }
    for (version, changes) in versions.iter().zip(&changes) {
        for (at, one) in changes.iter().enumerate() {
            let others = changes[at + 1..].iter().filter(|other| apart(one, other));
            if let Some(found) = others.into_iter().find_map(|other| validate(apply(version, &[one, other]))) {
                return Some(found);
            }
        }
    }
    None
}

impl Program {
    fn call_fails_any(&self, cases: &[Case]) -> bool {
        cases.iter().any(|case| !self.passes(case))
    }
}

fn shuffled(mut mutations: Vec<Mutation>, rng: &mut impl Rng) -> Vec<Mutation> {
    mutations.shuffle(rng);
    mutations
}
