//! Shared helpers of the tests.

pub mod command;
pub mod data;
pub mod exposition;
pub mod http;
pub mod server;
