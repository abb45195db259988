//! The WebAssembly half of the npm package `highwater`: a shell over [`highwater_core`], bytes in, verdicts out.
//!
//! JavaScript fetches, and writes what arrives straight into the decoder's buffer; here it is split into frames and
//! judged. Each call leaves records that JavaScript reads from memory once the call is over: JavaScript is
//! never called from here, so whatever its listeners do, nothing of ours is under way.

#[cfg(feature = "browser")]
pub mod browser;
#[cfg(feature = "npm")]
pub mod exports;
#[cfg(feature = "npm")]
mod inputs;
#[cfg(feature = "npm")]
mod outputs;
#[cfg(feature = "npm")]
mod session;

#[cfg(feature = "npm")]
pub use inputs::{Event, Fate, PageKind};
#[cfg(feature = "npm")]
pub use outputs::{Kind, Reason, StatusCode, Transport};
#[cfg(feature = "npm")]
pub use session::Session;

/// Half the size of the standard library's, which matters here and nowhere else.
#[cfg(all(feature = "npm", target_family = "wasm"))]
#[global_allocator]
static ALLOCATOR: rlsf::SmallGlobalTlsf = rlsf::SmallGlobalTlsf::new();
