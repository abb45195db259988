//! The server of Highwater: an append-only event log over HTTP and SSE.
//!
//! [`app`] puts a [store](store::EventStore) behind the protocol's routes, [`serve`] puts them on a socket.

/// The examples of the README, which are compiled with those of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

pub mod analysis;
pub mod app;
pub mod auth;
mod bound;
pub mod broker;
#[cfg(feature = "cli")]
pub mod cli;
pub mod commands;
pub mod config;
#[cfg(feature = "cli")]
pub mod demo;
pub mod error;
mod failpoint;
pub mod feed;
pub mod guard;
pub mod host;
mod openapi;
mod page;
pub mod projection;
#[cfg(feature = "cli")]
mod remote;
mod routes;
pub mod serve;
mod sockets;
pub mod states;
pub mod store;
mod sync;
mod telegram;
pub mod telemetry;
pub mod work;
