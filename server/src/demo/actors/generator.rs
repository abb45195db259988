//! The generator: writes the first version of a function, and gets it slightly wrong.

use highwater_core::version::Version;
use rand::rngs::StdRng;
use tokio::time::sleep;

use super::{
    GaveUp,
    actor::{Condition, Identity, Voice},
};
use crate::demo::{
    craft::{catalogue::Specification, repair::draft, script::hash},
    facts::{CodeGenerated, Fact},
};

/// Writes a function's first version into a new stream.
///
/// # Errors
/// [`GaveUp::Contended`] where the stream is not new.
pub(super) async fn generate(
    identity: Identity,
    specification: &'static Specification,
    mut rng: StdRng,
) -> Result<(), GaveUp> {
    sleep(identity.pace.thinking(&mut rng)).await;
    let (code, mut rng) = tokio::task::spawn_blocking(move || {
        let code = draft(specification, &specification.cases()?, &mut rng)?;
        Ok::<_, GaveUp>((code, rng))
    })
    .await??;
    let hash = hash(&code);
    let fact = Fact::CodeGenerated(CodeGenerated { task: specification.task.to_owned(), code, hash });
    let first = Version::ZERO.next().unwrap_or(Version::MAX);
    Voice::new(identity).say(&fact, first, None, Condition::NewStream, &mut rng).await?;
    Ok(())
}
