//! For frontends in Rust: a set of topics as a stream of verdicts, in the browser, without any JavaScript of ours.
//!
//! ```no_run
//! use futures_util::StreamExt;
//! use highwater_client::browser::{InvalidOptions, Status, Verdict, subscribe};
//!
//! # async fn follow() -> Result<(), InvalidOptions> {
//! let mut verdicts = subscribe("https://example.org", ["space:42:**"])?;
//! while let Some(verdict) = verdicts.next().await {
//!     match verdict {
//!         Verdict::Apply { event, .. } => println!("{} {:?}", event.stream, event.data),
//!         Verdict::Reset { .. } => println!("forget all state: it is told anew"),
//!         Verdict::Lost { stream, .. } => println!("load the state of {stream}"),
//!         Verdict::Unreadable { error, .. } => println!("the state has not moved: {error}"),
//!         Verdict::Status(Status::Failed { error }) => println!("nothing more comes: {error}"),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`Options`] say more than [`subscribe`] does: where to start, headers, limits, a token for each request. They come from
//! JavaScript as well, as an object with the names that the npm package's options have, and a [`Status`] goes there the same
//! way:
//!
//! ```no_run
//! use highwater_client::browser::{InvalidOptions, Options, Status, Verdicts};
//! use wasm_bindgen::JsValue;
//!
//! fn open(options: JsValue) -> Result<Verdicts, InvalidOptions> {
//!     Options::try_from(options)?.subscribe_with_token(async || Ok::<_, String>("a token, asked for anew".into()))
//! }
//!
//! fn show(status: &Status) -> Result<JsValue, serde_wasm_bindgen::Error> {
//!     JsValue::try_from(status)
//! }
//! ```
//!
//! The stream is lazy and holds little: it connects once it is polled, and stops reading from the network while it is not.
//! It goes on by itself through lost connections, restarts of the server, pages that sleep, and proxies that keep event streams
//! back. Dropped, it leaves no connection, timer or listener behind.

mod alarm;
mod awake;
mod cause;
mod exchange;
mod fetch;
mod machine;
mod options;
mod request;
mod verdict;
mod verdicts;

pub use highwater_core::control::ResetReason;
pub use highwater_core::event::{Data, Event, InvalidEvent};
pub use highwater_core::topic::InvalidTopics;
pub use highwater_core::version::{After, Position, Revision};

pub use cause::{Cause, Failure, Refusal};
pub use options::{InvalidOptions, Options};
pub use verdict::{Status, Verdict};
pub use verdicts::Verdicts;

/// Follows topics of the server at a URL, from what is recorded from then on. For anything else there are [`Options`].
///
/// # Errors
/// [`InvalidOptions`] where the URL is none, or a topic.
pub fn subscribe(
    url: impl Into<String>,
    topics: impl IntoIterator<Item = impl Into<String>>,
) -> Result<Verdicts, InvalidOptions> {
    Options::new(url, topics).subscribe()
}
