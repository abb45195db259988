//! What the server is compared with. Each is started as a process of its own, says where it listens, and ends with its
//! standard input.

mod floor;
mod plain_axum;

use std::{
    io::{self, Read, Write},
    process, thread,
};

use anyhow::Result;

pub(crate) use floor::run as run_floor;
#[cfg(test)]
pub(crate) use floor::{deliver, serve as serve_floor};
pub(crate) use plain_axum::run as run_plain_axum;

/// Says where a contender listens, and makes the process end with whoever holds its input.
fn announce(address: impl std::fmt::Display) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "listening on http://{address}")?;
    out.flush()?;
    thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        process::exit(0);
    });
    Ok(())
}
