//! What the scenario shows, in a table.

use std::{fmt::Display, io::Write, time::Duration};

use owo_colors::OwoColorize;

use super::{
    Race,
    judge::{Cause, Judgement, Tally},
    naive::{Slip, Wrong},
};
use crate::demo::{
    facts::TASKS_PREFIX,
    fold::{Status, TaskState},
};

/// How many tasks and mistakes are shown.
const EXAMPLES: usize = 3;

/// Prints what came, what each client made of it, and whether that is right.
pub(super) fn print(race: &Race, judgement: &Judgement, took: Duration, seed: u64) -> anyhow::Result<()> {
    let out = &mut anstream::stdout().lock();
    writeln!(out, "{} (seed {seed}, {:.1} s)", "The race".bold(), took.as_secs_f64())?;
    line(out, "tasks finished", race.finished, "written wrongly, tested, corrected until all cases pass")?;
    line(out, "events in the log", judgement.events, "each recorded once by the server")?;
    line(out, "  of them stale", judgement.stale, "about a version that was superseded already")?;
    writeln!(out, "\n{}", "What the network made of it".bold())?;
    line(out, "messages", race.naive.messages(), "arrived in the event stream")?;
    line(out, "  repeated", race.naive.repeated(), "had arrived before")?;
    line(out, "  late", race.naive.late, "arrived after later ones of their task")?;
    line(out, "never arrived", judgement.never_came, "were lost with a connection that was cut")?;
    line(out, "connections", race.connections, "cut, and opened again")?;
    print_naive(out, judgement)?;
    print_real(out, race, judgement)?;
    out.flush()?;
    Ok(())
}

fn print_naive(out: &mut impl Write, judgement: &Judgement) -> anyhow::Result<()> {
    writeln!(out, "\n{}", "What a naive client got wrong".bold())?;
    for (cause, name, why) in [
        (Cause::Stale, "stale", "applied although the code had moved on"),
        (Cause::Duplicate, "repeated", "applied again"),
        (Cause::Reordered, "late", "applied over what is newer"),
        (Cause::Missing, "after a loss", "applied to what was incomplete"),
    ] {
        let slips = judgement.slips.get(&cause).map_or(&[][..], Vec::as_slice);
        line(out, name, slips.len(), why)?;
        for slip in examples(slips) {
            example(out, &describe(slip).dimmed())?;
        }
    }
    line(out, "tasks wrong in the end", judgement.wrong_tasks.len(), "and never put right")?;
    for (stream, shown, is) in judgement.wrong_tasks.iter().take(EXAMPLES) {
        let task = stream.as_str().trim_start_matches(TASKS_PREFIX);
        example(out, &format!("{task} shows {}; it is {}", state(shown), state(is)).dimmed())?;
    }
    Ok(())
}

fn print_real(out: &mut impl Write, race: &Race, judgement: &Judgement) -> anyhow::Result<()> {
    let tally = Tally::of(&race.real.verdicts);
    writeln!(out, "\n{}", "What Highwater did with the same messages".bold())?;
    line(out, "applied", tally.applied, "in the order of the log")?;
    line(out, "stale", tally.stale, "kept from the state")?;
    line(out, "duplicate", tally.duplicate, "dropped")?;
    line(out, "gap", tally.gap, "held until what was missing had been fetched")?;
    line(out, "verdicts wrong", judgement.mistakes.len(), "held against the whole log by an oracle of its own")?;
    for mistake in judgement.mistakes.iter().take(EXAMPLES) {
        example(out, &mistake.red())?;
    }
    let verdict = if judgement.mistakes.is_empty() {
        "Every event got exactly one final verdict, the right one; every task ends as the log says."
    } else {
        "Something was judged wrongly."
    };
    writeln!(out, "\n{}", verdict.bold())?;
    Ok(())
}

/// One of each kind, the plainest first.
fn examples(slips: &[Slip]) -> Vec<&Slip> {
    let rank = |slip: &Slip| match slip.wrong {
        Wrong::OlderCode { .. } => 0,
        Wrong::BugAnswered { .. } => 1,
        Wrong::BugTwice { .. } => 2,
        Wrong::StatusBack { .. } => 3,
    };
    let mut examples: Vec<&Slip> = slips.iter().collect();
    examples.sort_by_key(|slip| rank(slip));
    examples.dedup_by_key(|slip| rank(slip));
    examples
}

fn line(out: &mut impl Write, name: &str, number: usize, why: &str) -> std::io::Result<()> {
    writeln!(out, "  {name:<22}{number:>5}  {why}")
}

fn example(out: &mut impl Write, text: &impl Display) -> std::io::Result<()> {
    writeln!(out, "{:31}{text}", "")
}

fn describe(slip: &Slip) -> String {
    let task = slip.stream.as_str().trim_start_matches(TASKS_PREFIX);
    let wrong = match &slip.wrong {
        Wrong::OlderCode { from, to } => format!("went back from v{from} to v{to}"),
        Wrong::BugTwice { bug } => format!("counts the bug {} twice", bug.case),
        Wrong::BugAnswered { bug, version, shown } if version < shown => {
            format!("shows the bug {} of v{version} beside v{shown}", bug.case)
        }
        Wrong::BugAnswered { bug, .. } => format!("shows the bug {}, which is fixed", bug.case),
        Wrong::StatusBack { from, to } => format!("went from {} to {}", words(*from), words(*to)),
    };
    format!("{task} {wrong} (event {})", slip.sequence)
}

fn state(task: &TaskState) -> String {
    let open = match task.open.len() {
        0 => "no open bug".to_owned(),
        1 => "1 open bug".to_owned(),
        many => format!("{many} open bugs"),
    };
    format!("v{}, {}, {open}", task.version, words(task.status))
}

fn words(status: Status) -> &'static str {
    match status {
        Status::Unwritten => "unwritten",
        Status::Written => "written",
        Status::Failing => "failing",
        Status::InCorrection => "in correction",
        Status::Corrected => "corrected",
        Status::Passed => "passed",
    }
}
