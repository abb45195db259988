//! `highwater demo --once`: the race, run and judged.

use std::time::Duration;

use highwater_tests::server::binary;
use tokio::{process::Command, time::timeout};

/// What one scenario may take, on a machine that does other things besides.
const SCENARIO: Duration = Duration::from_secs(130);

/// Runs a scenario; answers its exit code, its table and its standard error.
async fn once(flags: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(binary());
    command.args(["demo", "--once"]).args(flags).kill_on_drop(true);
    let output = timeout(SCENARIO, command.output()).await.expect("it ends").expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("it writes text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// The number in the line of this name.
fn number(table: &str, name: &str) -> usize {
    let line = table.lines().find(|line| line.trim_start().starts_with(name));
    let rest = line.unwrap_or_else(|| panic!("no line '{name}' in:\n{table}")).trim_start();
    let number = rest[name.len()..].split_whitespace().next();
    number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no number in '{rest}'"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verdict_is_right_whatever_the_seed() {
    for seed in ["1", "2", "20261121"] {
        let (code, table, trouble) = once(&["--seed", seed]).await;
        assert_eq!(code, Some(0), "seed {seed}:\n{table}\n{trouble}");
        assert_eq!(number(&table, "verdicts wrong"), 0);
        let (events, stale) = (number(&table, "events in the log"), number(&table, "of them stale"));
        assert_eq!(number(&table, "applied"), events - stale, "{table}");
        let after = table.split("What a naive client got wrong").nth(1).expect("the naive client has its part");
        for wrong in ["stale", "repeated", "late"] {
            assert!(number(after, wrong) > 0, "seed {seed}: {wrong}\n{table}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_before_is_judged_too() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let (code, table, trouble) = once(&["--seed", "3", "--speed", "200", "--data", data]).await;
    assert_eq!(code, Some(0), "{table}\n{trouble}");
    let before = number(&table, "events in the log");
    // The same seed asks for the same names, which are taken: other ones are found.
    let (code, table, trouble) = once(&["--seed", "3", "--speed", "200", "--data", data]).await;
    assert_eq!(code, Some(0), "{table}\n{trouble}");
    assert!(number(&table, "events in the log") > before + 50, "{table}");
}

#[tokio::test]
async fn what_can_not_be_is_refused() {
    for flags in [&["--speed", "0"][..], &["--speed", "nan"], &["--seed", "-1"], &["--data", "/dev/null/x"]] {
        let (code, _, trouble) = once(flags).await;
        assert!(matches!(code, Some(1 | 2)), "{flags:?}: {trouble}");
        assert!(trouble.starts_with("error: ") && !trouble.contains("panicked"), "{flags:?}: {trouble}");
    }
}
