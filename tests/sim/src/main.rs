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
    let switch = match switch(&arguments) {
        Ok(switch) => switch,
        Err(unknown) => {
            eprintln!("there is no mutation {unknown}");
            return ExitCode::FAILURE;
        }
    };
    match arguments.seed {
        Some(seed) => repeat(seed, arguments.keep.as_deref()),
        None => seeds(arguments.from, arguments.seeds, &switch),
    }
}

/// Turns on what is to be broken, and returns how to say that again.
#[cfg(feature = "mutations")]
fn switch(arguments: &Arguments) -> Result<String, &str> {
    use highwater_core::mutation::{Mutation, mutate};

    let Some(name) = &arguments.mutation else { return Ok(String::new()) };
    let mutation = Mutation::ALL.iter().find(|mutation| mutation.name() == name).ok_or(name.as_str())?;
    mutate(Some(*mutation));
    Ok(format!(" --mutation {name}"))
}

/// Nothing can be broken here.
#[cfg(not(feature = "mutations"))]
fn switch(_: &Arguments) -> Result<String, &str> {
    Ok(String::new())
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

fn seeds(from: u64, count: u64, switch: &str) -> ExitCode {
    println!("seeds {from} to {}", from + count - 1);
    let began = Instant::now();
    let Some(failure) = first_failure(from..from + count) else {
        println!("all hold, in {:.1} s", began.elapsed().as_secs_f64());
        return ExitCode::SUCCESS;
    };
    tell(&failure, switch);
    let all = failure.kept.len();
    let failure = shrink(failure);
    println!("with {} of {all} actions:", failure.kept.len());
    tell(&failure, switch);
    failure.plan.actions.iter().for_each(|(at, action)| println!("  {at:>6} ms  {action:?}"));
    println!("cargo xtask sim --seed {} --keep {}{switch}", failure.plan.seed, named(&failure.kept));
    ExitCode::FAILURE
}

fn tell(Failure { plan, outcome, .. }: &Failure, switch: &str) {
    if let Some(violation) = &outcome.violation {
        println!("seed {}: {violation}\ncargo xtask sim --seed {}{switch}", plan.seed, plan.seed);
    }
}

#[cfg(feature = "mutations")]
fn mutations() -> ExitCode {
    use highwater_core::mutation::Mutation;
    use highwater_sim::{
        checker::NO_INVARIANT,
        mutants::{SEEDS_MAX, Trial, breaks, try_out},
    };

    let (began, mut missed) = (Instant::now(), 0);
    for mutation in Mutation::ALL {
        let (name, began) = (mutation.name(), Instant::now());
        let Trial { seen, others } = try_out(*mutation);
        let took = began.elapsed().as_secs_f64();
        match seen {
            Some(Failure { plan, outcome, .. }) => {
                let violation = outcome.violation.map(|violation| violation.to_string()).unwrap_or_default();
                println!("{name:<18} seed {:>3}, {took:>4.1} s  {violation:.100}", plan.seed);
            }
            None => {
                println!("{name:<18} NOT SEEN as one of {:?} in {SEEDS_MAX} seeds, {took:.1} s", breaks(*mutation));
                missed += 1;
            }
        }
        if !others.is_empty() {
            let told: Vec<_> = others
                .iter()
                .map(|(number, seeds)| match *number {
                    NO_INVARIANT => format!("none of them in {seeds}"),
                    number => format!("I-{number} in {seeds}"),
                })
                .collect();
            println!("{:<18} before that: {}", "", told.join(", "));
        }
    }
    let (all, took) = (Mutation::ALL.len(), began.elapsed().as_secs_f64());
    println!("{} of {all} mutations were seen as what they break, in {took:.0} s", all - missed);
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
