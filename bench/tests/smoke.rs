//! Everything that is measured, with numbers too small to mean anything, on a development build: that it works.

use std::process::Command;

use highwater_report::{Figure, Verdict};
use highwater_tests::server::binary;

/// What is measured, which all must be.
fn figures(arguments: &[&str]) -> Vec<Figure> {
    let output = Command::new(env!("CARGO_BIN_EXE_highwater-bench")).args(arguments).output().unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    println!("{stdout}{stderr}");
    let figures = Figure::read_all(&stdout).unwrap();
    for figure in &figures {
        assert_ne!(figure.verdict(), Verdict::NotMeasured, "{figure:?}");
    }
    figures
}

fn of_the_server(what: &str) -> Vec<Figure> {
    figures(&[what, "--server", binary().to_str().unwrap(), "--scale", "smoke"])
}

#[test]
fn streaming_is_measured() {
    assert_eq!(of_the_server("fanout").len(), 10);
}

#[test]
fn appending_is_measured() {
    assert_eq!(of_the_server("append").len(), 3);
}

#[test]
fn races_are_measured() {
    let figures = figures(&["seeds", "--races", "80"]);
    assert!(figures.len() == 3 && figures.iter().all(Figure::passes), "{figures:?}");
}
