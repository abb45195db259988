//! Faults on the real thing: each test does to the server what the table in `docs/reliability.md` names, and holds what is
//! left against what was answered. Kills, a disk that takes nothing more and file permissions are as Unix has them.
#![cfg(unix)]

#[path = "faults/mod.rs"]
mod faults;
