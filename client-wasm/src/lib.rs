//! Highwater in the browser: shells over [`highwater_core`], bytes in, verdicts out. There are three, each a feature.
//!
//! `browser` is for frontends in Rust: the module `browser`, a subscription as a stream. It fetches by `web-sys`, which such a
//! frontend has anyway. Leave out the default features beside it.
//!
//! `npm`, the default, is the WebAssembly half of the npm package `highwater`, made for its size: to fetch in Rust would cost it
//! 14.5 KB gzipped, more than half of what it has. So JavaScript fetches, and writes what arrives straight into the decoder's
//! buffer; here it is split into frames and judged. Each call leaves records that JavaScript reads from memory once the call is
//! over: JavaScript is never called from here, so whatever its listeners do, nothing of ours is under way.
//!
//! `domain` is for a module of entities: the module `domain`, their deciders as a page calls them. Such a module is one of its own, of this
//! project's entities (`domain/`) or of anybody's.

#[cfg(feature = "browser")]
pub mod browser;
#[cfg(feature = "domain")]
pub mod domain;
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
#[cfg(all(feature = "npm", not(target_family = "wasm")))]
pub use session::View;

/// For [`export_entities!`].
#[cfg(feature = "domain")]
#[doc(hidden)]
pub use {highwater_core, wasm_bindgen};

/// Half the size of the standard library's, which matters here and nowhere else.
#[cfg(all(feature = "npm", target_family = "wasm"))]
#[global_allocator]
static ALLOCATOR: rlsf::SmallGlobalTlsf = rlsf::SmallGlobalTlsf::new();
