use rand::{SeedableRng, rngs::StdRng};

use super::{
    catalogue::CATALOGUE,
    mutate::{apply, mutations},
    repair::{draft, repair},
    script::{Case, Program, hash},
};

/// How many versions a function may need at most: each one passes a case more than the one before.
const VERSIONS_MAX: usize = 12;

#[test]
fn every_solution_results_in_values() {
    for specification in &CATALOGUE {
        for case in specification.cases().unwrap() {
            assert!(!case.expected.contains("error") && !case.expected.contains("no end"), "{case:?}");
        }
    }
}

#[test]
fn what_would_run_for_ever_is_a_failing_case() {
    let program = Program::compile("fn f(n) { while true { n += 1; } n } fn g(n) { g(n + 1) + 1 }").unwrap();
    assert_eq!(program.call("f(1)"), "no end within 20000 steps");
    assert_eq!(program.call("g(1)"), "no end within 24 nested calls");
    let greedy = Program::compile(r#"fn f() { let s = "ab"; loop { s += s; } }"#).unwrap();
    assert!(greedy.call("f()").starts_with("error: "), "{}", greedy.call("f()"));
    assert!(!program.passes(&Case { call: "f(1)".into(), expected: "2".into() }));
}

#[test]
fn a_program_reaches_nothing_outside() {
    for source in ["fn f() { sleep(1) }", "fn f() { timestamp() }", "fn f() { open(\"x\") }"] {
        let result = Program::compile(source).unwrap().call("f()");
        assert!(result.starts_with("error: Function not found"), "{source}: {result}");
    }
    for source in ["fn f() { eval(\"1\") }", "import \"x\" as x;", "fn f() { print(1) }"] {
        assert!(Program::compile(source).is_err(), "{source}");
    }
    assert!(Program::compile(&"/".repeat(5_000)).is_err());
    assert!(Program::compile("1").unwrap().call(&"(".repeat(5_000)).starts_with("error: "));
    assert!(Program::compile("1").unwrap().call(&"(".repeat(4_000)).starts_with("error: "));
}

#[test]
fn every_slip_can_be_undone() {
    for specification in &CATALOGUE {
        let slips = mutations(specification.solution);
        assert!(slips.len() >= 3, "{}", specification.name);
        for slip in &slips {
            let slipped = apply(specification.solution, &[slip]);
            assert_ne!(slipped, specification.solution);
            let undone = mutations(&slipped).iter().any(|undo| apply(&slipped, &[undo]) == specification.solution);
            assert!(undone, "{slip:?} in {slipped}");
        }
    }
}

#[test]
fn text_and_ranges_are_left_alone() {
    assert_eq!(mutations("let text = \"a < 1 \\\" + 2\"; // b < 3\n"), []);
    assert_eq!(mutations("a..b"), []);
    let made: Vec<String> = mutations("a<=b1").iter().map(|slip| apply("a<=b1", &[slip])).collect();
    assert_eq!(made, ["a<b1", "a>b1", "a>=b1"]);
}

#[test]
fn drafts_fail_and_repairs_converge() {
    for (number, specification) in CATALOGUE.iter().enumerate() {
        let cases = specification.cases().unwrap();
        for seed in 0..4 {
            let mut rng = StdRng::seed_from_u64(seed * 100 + number as u64);
            let mut versions = vec![draft(specification, &cases, &mut rng).unwrap()];
            let mut reported: Vec<Case> = Vec::new();
            // The tester tells of one failing case at a time, so a repair may well be wrong elsewhere.
            while let Some(failing) = first_failing(versions.last().unwrap(), &cases) {
                assert!(!reported.contains(&failing), "a repair must pass what was reported: {failing:?}");
                assert!(versions.len() < VERSIONS_MAX, "{versions:?}");
                reported.push(failing);
                versions.push(repair(&versions, &reported, &mut rng).expect("a repair is within two changes"));
            }
            assert!(versions.len() > 1, "the first version must fail a case: {versions:?}");
            let hashes: std::collections::BTreeSet<String> = versions.iter().map(|version| hash(version)).collect();
            assert_eq!(hashes.len(), versions.len());
        }
    }
}

#[test]
fn every_draft_is_a_program_and_wrong() {
    for specification in &CATALOGUE {
        let cases = specification.cases().unwrap();
        for seed in 0..200 {
            let draft = draft(specification, &cases, &mut StdRng::seed_from_u64(seed)).unwrap();
            assert!(first_failing(&draft, &cases).is_some(), "seed {seed}: {draft}");
        }
    }
}

#[test]
fn what_can_not_be_repaired_is_given_up() {
    let wrong = Case { call: "f(1)".into(), expected: "\"never\"".into() };
    assert_eq!(repair(&["fn f(n) { n + 1 }".to_owned()], &[wrong], &mut StdRng::seed_from_u64(1)), None);
}

fn first_failing(source: &str, cases: &[Case]) -> Option<Case> {
    let program = Program::compile(source).unwrap();
    cases.iter().find(|case| !program.passes(case)).cloned()
}
