//! `core/SPEC.md` names a test for every invariant, `docs/reliability.md` for every fault: each of them must exist, under just
//! that name.

use std::{fs, path::Path};

#[test]
fn every_invariant_is_enforced_by_a_test_that_exists() {
    let spec = include_str!("../../core/SPEC.md");
    assert_eq!(missing(invariants(spec)), [], "core/SPEC.md names tests that do not exist");
}

#[test]
fn every_fault_is_done_by_a_test_that_exists() {
    let faults: Vec<_> = faults(include_str!("../../docs/reliability.md")).collect();
    assert!(faults.len() > 20, "{faults:?}");
    for (fault, tests) in &faults {
        assert!(!tests.is_empty(), "{fault} has no test");
    }
    assert_eq!(missing(faults.into_iter()), [], "docs/reliability.md names tests that do not exist");
}

#[test]
fn invariants_are_numbered_without_holes_and_each_has_a_test() {
    let spec = include_str!("../../core/SPEC.md");
    let invariants: Vec<_> = invariants(spec).collect();
    assert!(!invariants.is_empty());
    for (at, (number, tests)) in invariants.iter().enumerate() {
        assert_eq!(*number, format!("I-{}", at + 1));
        assert!(!tests.is_empty(), "{number} has no test");
    }
}

#[test]
fn a_test_that_does_not_exist_is_noticed() {
    let spec = "| I-1 | nothing is lost | `there`, `not_there`, `no_test`, `not_run`, `in plain words`, `skipped` |\n";
    let sources = "
        #[tokio::test(flavor = \"multi_thread\")]
        /// What it is.
        async fn there() {}
        fn no_test() {}
        #[test]
        #[ignore = \"it fails\"]
        fn not_run() {}
        test('in plain words', async () => {})
        test.skip('skipped', async () => {})";
    let (_, tests) = invariants(spec).next().expect("one row");
    let existing: Vec<_> = tests.iter().map(|test| exists(test, sources)).collect();
    assert_eq!(existing, [true, false, false, false, true, false]);
}

/// The rows `| I-n | … | tests |`, the tests being what stands in backticks.
fn invariants(spec: &str) -> impl Iterator<Item = (&str, Vec<&str>)> {
    spec.lines().filter(|line| line.starts_with("| I-")).filter_map(row)
}

/// The rows of the table under "Faults", as those of invariants.
fn faults(text: &str) -> impl Iterator<Item = (&str, Vec<&str>)> {
    let table = text.split("\n## ").find(|part| part.starts_with("Faults")).expect("there are faults");
    table.lines().filter(|line| line.starts_with("| ")).skip(2).filter_map(row)
}

/// A row's first cell, and what stands in backticks in its last.
fn row(line: &str) -> Option<(&str, Vec<&str>)> {
    let mut cells = line.trim_matches('|').split(" | ");
    Some((cells.next()?.trim(), cells.last()?.split('`').skip(1).step_by(2).collect()))
}

/// Which of these tests are nowhere in the project.
fn missing<'a>(named: impl Iterator<Item = (&'a str, Vec<&'a str>)>) -> Vec<(&'a str, &'a str)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut sources = String::new();
    for folder in ["core", "server", "client-wasm", "tests", "bench"] {
        read_sources(&root.join(folder), &mut sources);
    }
    let tests = named.flat_map(|(what, tests)| tests.into_iter().map(move |test| (what, test)));
    tests.filter(|(_, test)| !exists(test, &sources)).collect()
}

/// Whether there is such a test that is run, in Rust or in JavaScript.
fn exists(test: &str, sources: &str) -> bool {
    let is_in_rust = sources.match_indices(&format!("fn {test}(")).any(|(at, _)| {
        let (above, _) = sources[..at].rsplit_once('\n').unwrap_or_default();
        let attributes: Vec<_> =
            above.lines().rev().map(str::trim).take_while(|line| line.starts_with(['#', '/'])).collect();
        let has = |name: &str| attributes.iter().any(|line| line.starts_with('#') && line.contains(name));
        (has("#[test]") || has("::test")) && !has("[ignore")
    });
    // Macros make tests of those that they are given by name.
    let names = |line: &str| line.split([',', '(', ')', ';', ' ']).any(|word| word == test);
    let is_listed = || {
        let is_function = sources.contains(&format!("fn {test}("));
        is_function && sources.lines().any(|line| names(line) && !line.contains(&format!("{test}(")))
    };
    is_in_rust || is_listed() || sources.contains(&format!("test('{test}'"))
}

fn read_sources(folder: &Path, sources: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder of the project").flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if path.is_dir() && !["node_modules", "dist", "pkg", "target"].contains(&&*name) {
            read_sources(&path, sources);
        } else if [".rs", ".ts", ".mjs", ".js"].iter().any(|end| name.ends_with(end)) && name != "spec.rs" {
            sources.push_str(&fs::read_to_string(&path).expect("a source file"));
        }
    }
}
