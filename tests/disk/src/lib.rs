//! A disk that fails and loses power, for the program that this library is preloaded into (`LD_PRELOAD`, Linux).
//!
//! It stands before the C library where files are written and synced. Of the files of one folder it keeps, in another one, what a power
//! cut leaves for certain: what was written before they were last synced. Whoever has killed the program makes of the two folders what the
//! disk may have then, as `highwater_tests::disk` does. A file's name is synced with it, as common file systems have it; that it is removed
//! is not before the folder is synced. Files that are renamed are not seen, nor is what is written through a mapping or by other calls.
//!
//! `HIGHWATER_DISK` names a folder with all of it:
//!
//! | in it | what it is |
//! | --- | --- |
//! | `data` | the folder whose files are on this disk |
//! | `synced` | what is synced of them: at first, a copy of `data` |
//! | `lost` | what of each file a sync has failed for |
//! | `full` | while it is there, no file in `data` grows |
//! | `fault` | while it is there, `ACTION:CALL:FILE:N`: the Nth `write` or `sync` of that file is not done: it `kill`s the process, or `fail`s |
//!
//! What a sync that failed should have synced is lost, though it can be read for as long as the system runs, and no later sync brings it to
//! the disk: Linux marks it as written all the same.
#![cfg(target_os = "linux")]

mod disk;
mod fault;

use std::ffi::{c_int, c_void};

use libc::{SEEK_CUR, SYS_fdatasync, SYS_fsync, SYS_pwrite64, SYS_write, off_t, size_t, ssize_t, syscall};

use crate::disk::Disk;

/// # Safety
/// As `write(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(fd: c_int, bytes: *const c_void, count: size_t) -> ssize_t {
    // SAFETY: the caller has promised what the system asks for.
    let write = || unsafe { syscall(SYS_write, fd, bytes, count) as ssize_t };
    let Some(place) = Disk::place(fd) else { return write() };
    // SAFETY: numbers only.
    let at = unsafe { libc::lseek(fd, 0, SEEK_CUR) };
    place.write(at as u64, count, write)
}

/// # Safety
/// As `pwrite(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(fd: c_int, bytes: *const c_void, count: size_t, at: off_t) -> ssize_t {
    // SAFETY: the caller has promised what the system asks for.
    let write = || unsafe { syscall(SYS_pwrite64, fd, bytes, count, at) as ssize_t };
    match Disk::place(fd) {
        Some(place) => place.write(at as u64, count, write),
        None => write(),
    }
}

/// # Safety
/// As `pwrite(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite(fd: c_int, bytes: *const c_void, count: size_t, at: off_t) -> ssize_t {
    // SAFETY: it is the same call.
    unsafe { pwrite64(fd, bytes, count, at) }
}

/// As `fsync(2)`.
#[unsafe(no_mangle)]
pub extern "C" fn fsync(fd: c_int) -> c_int {
    // SAFETY: a number only.
    Disk::place(fd).map_or_else(|| unsafe { syscall(SYS_fsync, fd) as c_int }, |place| place.sync())
}

/// As `fdatasync(2)`.
#[unsafe(no_mangle)]
pub extern "C" fn fdatasync(fd: c_int) -> c_int {
    // SAFETY: a number only.
    Disk::place(fd).map_or_else(|| unsafe { syscall(SYS_fdatasync, fd) as c_int }, |place| place.sync())
}
