//! `highwater-sim`: runs seeds, repeats one, or tries every mutation.

use std::{process::ExitCode, time::Instant};

use clap::Parser;
use highwater_sim::{
    plan::Plan,
    run,
    seeds::{Failure, first_failure, named, shrink},
};

/// Simulates servers, clients and all that is between them
#[derive(Parser)]
struct Arguments {
    /// How many seeds to run
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Repeat this one, and print all that happens
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Of its actions only these
    #[arg(long, value_delimiter = ',', requires = "seed")]
    keep: Option<Vec<usize>>,
    /// Break each thing that the invariants rest on, and see that it is noticed
    #[cfg(feature = "mutations")]
    #[arg(long)]
    mutations: bool,
    /// Break only this one
    #[cfg(feature = "mutations")]
    #[arg(long)]
    mutation: Option<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    #[cfg(feature = "mutations")]
    if arguments.mutations {
        return mutations();
    }
    #[cfg(feature = "mutations")]
    if let Some(name) = &arguments.mutation {
        use highwater_core::mutation::{Mutation, mutate};
        let Some(mutation) = Mutation::ALL.iter().find(|mutation| mutation.name() == name) else {
            eprintln!("there is no mutation {name}");
            return ExitCode::FAILURE;
        };
        mutate(Some(*mutation));
    }
    match arguments.seed {
        Some(seed) => repeat(seed, arguments.keep.as_deref()),
        None => seeds(arguments.from, arguments.seeds),
    }
}

fn repeat(seed: u64, keep: Option<&[usize]>) -> ExitCode {
    let plan = Plan::new(seed);
    let plan = keep.map_or(plan.clone(), |keep| plan.only(keep));
    let outcome = run(&plan, true);
    println!("seed {seed}: {} events, {} ms, trace {:016x}", outcome.events, outcome.lasted_ms, outcome.hash);
    match outcome.violation {
        Some(violation) => {
            println!("{violation}");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}

fn seeds(from: u64, count: u64) -> ExitCode {
    println!("seeds {from} to {}", from + count - 1);
    let began = Instant::now();
    let Some(failure) = first_failure(from..from + count) else {
        println!("all hold, in {:.1} s", began.elapsed().as_secs_f64());
        return ExitCode::SUCCESS;
    };
    tell(&failure);
    let all = failure.kept.len();
    let failure = shrink(failure);
    println!("with {} of {all} actions:", failure.kept.len());
    tell(&failure);
    failure.plan.actions.iter().for_each(|(at, action)| println!("  {at:>6} ms  {action:?}"));
    println!("cargo xtask sim --seed {} --keep {}", failure.plan.seed, named(&failure.kept));
    ExitCode::FAILURE
}

fn tell(Failure { plan, outcome, .. }: &Failure) {
    if let Some(violation) = &outcome.violation {
        println!("seed {}: {violation}\ncargo xtask sim --seed {}", plan.seed, plan.seed);
    }
}

#[cfg(feature = "mutations")]
fn mutations() -> ExitCode {
    use highwater_core::mutation::Mutation;
    use highwater_sim::mutants::{SEEDS_MAX, seen};

    let mut missed = 0;
    for mutation in Mutation::ALL {
        let began = Instant::now();
        match seen(*mutation) {
            Some(Failure { plan, outcome, .. }) => {
                let violation = outcome.violation.map(|violation| violation.to_string()).unwrap_or_default();
                let (name, seed, took) = (mutation.name(), plan.seed, began.elapsed().as_secs_f64());
                println!("{name:<20} seed {seed:>3}, {took:>4.1} s  {violation:.100}");
            }
            None => {
                println!("{:<20} NOT SEEN in {SEEDS_MAX} seeds", mutation.name());
                missed += 1;
            }
        }
    }
    println!("{} of {} mutations were seen", Mutation::ALL.len() - missed, Mutation::ALL.len());
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
