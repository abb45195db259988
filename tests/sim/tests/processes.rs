//! A seed is one run in whatever process it runs: neither where memory lies nor what a hash map begins with tells in it.

use std::process::Command;

use highwater_sim::plan::Plan;

const DAY_MS: u64 = 24 * 3_600_000;

/// The line in which a run names its trace.
fn trace_of(seed: u64) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_highwater-sim")).args(["--seed", &seed.to_string()]).output().unwrap();
    assert!(output.status.success(), "seed {seed} fails");
    let said = String::from_utf8(output.stdout).unwrap();
    said.lines().last().filter(|line| line.contains(", trace ")).expect("it ends with its trace").to_owned()
}

fn first_seed(is_such: impl Fn(&Plan) -> bool) -> u64 {
    (1..).find(|seed| is_such(&Plan::new(*seed))).unwrap()
}

#[test]
fn a_seed_is_one_run_in_two_processes() {
    let tabs = |plan: &Plan, count| plan.clients.iter().filter(|client| client.device.is_some()).count() >= count;
    let is_long = |plan: &Plan| plan.heals_at > DAY_MS;
    let seeds = [
        first_seed(|plan| !tabs(plan, 1)),
        first_seed(|plan| tabs(plan, 2)),
        first_seed(|plan| tabs(plan, 4)),
        first_seed(is_long),
    ];
    for seed in seeds {
        assert_eq!(trace_of(seed), trace_of(seed), "seed {seed}");
    }
}
