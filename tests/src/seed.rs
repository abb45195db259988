//! What a test does at random, and does again where it is told to.

use std::env;

use rand::{SeedableRng, rngs::StdRng};

const VARIABLE: &str = "HIGHWATER_SEED";

/// Numbers of a seed that is printed: the one that `HIGHWATER_SEED` names, or else another one each time.
///
/// # Panics
/// Where that names no number.
#[must_use]
pub fn random() -> StdRng {
    let seed = env::var(VARIABLE).map_or_else(|_| rand::random(), |text| text.parse().expect("a number"));
    println!("{VARIABLE}={seed}");
    StdRng::seed_from_u64(seed)
}
