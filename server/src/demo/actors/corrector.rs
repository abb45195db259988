//! The corrector: looks for a program that passes the cases reported to it so far. It starts at the first report, so what
//! it writes may still be wrong where nobody has told it yet.

use std::convert::Infallible;

use highwater_core::event::EventId;
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{
    GaveUp,
    actor::{Colleague, Condition, Identity},
};
use crate::demo::{
    craft::{repair::repair, script::hash},
    facts::{CorrectionCompleted, CorrectionStarted, Fact},
};

/// Corrects whenever a report about the current version is open.
pub(super) async fn correct(identity: Identity, rng: StdRng) -> Result<Infallible, GaveUp> {
    let mut corrector = Colleague::join(identity, rng).await?;
    loop {
        corrector.catch_up()?;
        match corrector.dossier.open_report() {
            Some(report) => answer(&mut corrector, &report).await?,
            None => corrector.listen().await?,
        }
    }
}

async fn answer(corrector: &mut Colleague, report: &EventId) -> Result<(), GaveUp> {
    let target = corrector.dossier.state.version;
    let started = Fact::CorrectionStarted(CorrectionStarted { target_version: target.get() });
    let started = corrector.say(&started, target, report, Condition::None).await?;
    corrector.think().await?;
    corrector.catch_up()?;
    let code = find_repair(corrector).await?;
    let addresses = corrector.dossier.reports.iter().map(|report| report.id.clone()).collect();
    let next = target.next().ok_or(GaveUp::NoRepair { version: target.get() })?;
    let completed = Fact::CorrectionCompleted(CorrectionCompleted { hash: hash(&code), code, addresses });
    let completed = corrector.say(&completed, next, &started, Condition::None).await?;
    // What it has said is part of what it knows once it has read it: nothing is corrected twice.
    while !corrector.dossier.versions.iter().any(|written| written.by == completed) {
        corrector.listen().await?;
    }
    Ok(())
}

async fn find_repair(corrector: &mut Colleague) -> Result<String, GaveUp> {
    let version = corrector.dossier.state.version.get();
    let versions: Vec<String> = corrector.dossier.versions.iter().map(|written| written.code.clone()).collect();
    let wanted = corrector.dossier.wanted();
    let mut rng = StdRng::seed_from_u64(corrector.rng.next_u64());
    let search = move || repair(&versions, &wanted, &mut rng);
    tokio::task::spawn_blocking(search).await?.ok_or(GaveUp::NoRepair { version })
}
