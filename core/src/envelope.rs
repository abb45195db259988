//! The envelope: an event as [CloudEvents 1.0](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md)
//! JSON, written, read, and scanned.
//!
//! Writing puts the attributes in the protocol's order and `data` last, on one line. Reading takes any order. [`scan`]
//! judges a recorded event by its header alone, without touching its data: it borrows, allocates nothing and is what the
//! browser runs for every message. There names stay as they stand in JSON: see [`JsonText`].

mod fields;
#[cfg(not(target_family = "wasm"))]
mod own;
mod parse;
mod scan;
mod scanner;
mod write;

#[cfg(not(target_family = "wasm"))]
pub use parse::parse_stored;
pub use parse::{InvalidBatch, Proposed, parse_event, parse_proposed, parse_proposed_batch, proposed_from_text};
pub use scan::{Header, InvalidHeader, JsonText, Page, number_member, scan, scan_page, text_member};
pub use write::{write_event, write_json_string, write_new_event};

#[cfg(test)]
mod tests;
