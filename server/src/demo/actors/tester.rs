//! The tester: really runs the version that it was told of, and reports each failing case. That takes its time, and it
//! does not look up until it is through: its later reports may be about code that is gone.

use highwater_core::{event::EventId, version::Version};
use rand::rngs::StdRng;

use super::{
    GaveUp,
    actor::{Colleague, Condition, Identity},
    dossier::Written,
};
use crate::demo::{
    craft::{
        catalogue::Specification,
        script::{Case, Program},
    },
    facts::{Bug, BugReport, Fact, QualityChecked},
};

/// Tests version after version until one passes all cases.
pub(super) async fn test(
    identity: Identity,
    specification: &'static Specification,
    rng: StdRng,
) -> Result<Version, GaveUp> {
    let cases = specification.cases()?;
    let mut tester = Colleague::join(identity, rng).await?;
    loop {
        tester.catch_up()?;
        match tester.dossier.latest().cloned() {
            Some(written) if written.version > tester.dossier.checked => {
                if check(&mut tester, &written, &cases).await? {
                    return Ok(written.version);
                }
            }
            _ => tester.listen().await?,
        }
    }
}

/// Whether the version passes.
async fn check(tester: &mut Colleague, written: &Written, cases: &[Case]) -> Result<bool, GaveUp> {
    let bugs = run(written.code.clone(), cases.to_vec()).await?;
    let failed = bugs.len();
    for bug in &bugs {
        tester.think().await?;
        let report = Fact::BugReportReceived(BugReport { bug: bug.clone(), hash: written.hash.clone() });
        tester.say(&report, written.version, &written.by, Condition::None).await?;
    }
    tester.think().await?;
    tester.catch_up()?;
    let check = Fact::QualityChecked(QualityChecked {
        hash: written.hash.clone(),
        passed: failed == 0,
        cases: cases.len(),
        failed,
        addresses: answered(tester, &bugs),
    });
    tester.say(&check, written.version, &written.by, Condition::None).await?;
    tester.dossier.checked = written.version;
    Ok(failed == 0)
}

/// The cases that fail. A program that is none fails them all.
async fn run(code: String, cases: Vec<Case>) -> Result<Vec<Bug>, GaveUp> {
    let run = move || {
        let program = Program::compile(&code);
        let got = |case: &Case| match &program {
            Ok(program) => program.call(&case.call),
            Err(error) => error.to_string(),
        };
        let bugs = cases.into_iter().filter_map(|case| {
            let got = got(&case);
            (got != case.expected).then_some(Bug { case: case.call, expected: case.expected, got })
        });
        bugs.collect()
    };
    Ok(tokio::task::spawn_blocking(run).await?)
}

/// The reports whose cases pass now.
fn answered(tester: &Colleague, failing: &[Bug]) -> Vec<EventId> {
    let fails = |case: &str| failing.iter().any(|bug| bug.case == case);
    let answered = tester.dossier.reports.iter().filter(|report| !fails(&report.bug.case));
    answered.map(|report| report.id.clone()).collect()
}
