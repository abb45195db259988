//! Everything that is measured, with numbers too small to mean anything, on a development build: that it works.

use std::process::Command;

use highwater_tests::server::binary;

/// The lines of the table, each cut into its cells.
fn table(what: &str) -> Vec<Vec<String>> {
    let mut bench = Command::new(env!("CARGO_BIN_EXE_highwater-bench"));
    let output = bench.arg(what).arg("--server").arg(binary()).args(["--scale", "smoke"]).output().unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    println!("{stdout}{stderr}");
    let lines =
        stdout.lines().map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect());
    lines.skip(2).collect()
}

/// Each line's measured value, and that it is one.
fn all_measured(lines: &[Vec<String>]) {
    for cells in lines {
        let [name, measured, .., verdict] = cells.as_slice() else { panic!("not a line: {cells:?}") };
        let value: f64 = measured.split(' ').next().unwrap_or_default().parse().unwrap_or(f64::NAN);
        assert!(value.is_finite() && verdict != "**not measured**", "{name}: {measured}, {verdict}");
    }
}

#[test]
fn streaming_is_measured() {
    let lines = table("fanout");
    assert_eq!(lines.len(), 10);
    all_measured(&lines);
}

#[test]
fn appending_is_measured() {
    let lines = table("append");
    assert_eq!(lines.len(), 2);
    all_measured(&lines);
}
