//! What another process has used: CPU time and resident memory. Known on Linux only.

use std::{fs, time::Duration};

use anyhow::{Context, Result};

/// The CPU time of all threads that a process has or had, in user and in kernel mode.
#[cfg(target_os = "linux")]
pub(crate) fn cpu_time(process_id: u32) -> Result<Duration> {
    use nix::{time::clock_getcpuclockid, unistd::Pid};

    let process = Pid::from_raw(process_id.try_into()?);
    Ok(clock_getcpuclockid(process)?.now()?.into())
}

/// As on Linux, where it is known.
#[cfg(not(target_os = "linux"))]
pub(crate) fn cpu_time(_process_id: u32) -> Result<Duration> {
    anyhow::bail!("the CPU time of another process is measured on Linux only")
}

/// The memory of a process that is resident.
pub(crate) fn resident_bytes(process_id: u32) -> Result<u64> {
    let path = format!("/proc/{process_id}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let kib = text.lines().find_map(|line| line.strip_prefix("Rss:")?.strip_suffix("kB")?.trim().parse::<u64>().ok());
    Ok(1024 * kib.with_context(|| format!("no resident memory in {path}"))?)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{hint::black_box, process, time::Instant};

    use super::*;

    #[test]
    fn work_and_memory_show() {
        let me = process::id();
        let (cpu_before, bytes_before, started) = (cpu_time(me).unwrap(), resident_bytes(me).unwrap(), Instant::now());
        let mut memory = vec![1_u8; 64 * 1024 * 1024];
        while cpu_time(me).unwrap() - cpu_before < Duration::from_millis(20) {
            memory.iter_mut().step_by(4096).for_each(|byte| *byte = black_box(*byte).wrapping_add(1));
            assert!(started.elapsed() < Duration::from_secs(60), "a busy process uses CPU time");
        }
        assert!(resident_bytes(me).unwrap() > bytes_before + 32 * 1024 * 1024);
        black_box(memory);
    }
}
