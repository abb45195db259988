//! The WebAssembly half of the npm package `highwater`: a shell over [`highwater_core`], bytes in, verdicts out.
//!
//! JavaScript fetches, and writes what arrives straight into the decoder's buffer; here it is split into frames and
//! judged. Each call leaves records that JavaScript reads from memory once the call is over: JavaScript is
//! never called from here, so whatever its listeners do, nothing of ours is under way.

pub mod exports;
mod inputs;
mod outputs;
mod session;

pub use inputs::{Event, Fate, PageKind};
pub use outputs::{Kind, Reason, StatusCode, Transport};
pub use session::Session;

/// Half the size of the standard library's, which matters here and nowhere else.
#[cfg(target_family = "wasm")]
#[global_allocator]
static ALLOCATOR: rlsf::SmallGlobalTlsf = rlsf::SmallGlobalTlsf::new();
