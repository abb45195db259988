//! Shared helpers of the tests.

pub mod command;
pub mod counter;
pub mod data;
pub mod disk;
pub mod exposition;
pub mod http;
pub mod seed;
pub mod server;
pub mod socket;
pub mod tls;
pub mod token;
pub mod ws;
