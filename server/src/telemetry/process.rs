//! What the operating system says of the process, under the names that every Prometheus client gives it. Read at each
//! scrape; where the system does not tell, there is nothing.

use prometheus_client::registry::Registry;

#[cfg(not(target_os = "linux"))]
pub(super) fn register(_to: &mut Registry) {}

#[cfg(target_os = "linux")]
pub(super) fn register(to: &mut Registry) {
    to.register_collector(Box::new(linux::Process));
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fmt;

    use procfs::{ProcResult, WithCurrentSystemInfo, process::LimitValue};
    use prometheus_client::{
        collector::Collector,
        encoding::{DescriptorEncoder, EncodeMetric},
        metrics::{counter::ConstCounter, gauge::ConstGauge},
    };

    #[derive(Debug)]
    pub(super) struct Process;

    struct Sample {
        cpu_seconds: f64,
        start_seconds: f64,
        resident_bytes: u64,
        threads: i64,
        open_fds: usize,
        max_fds: Option<u64>,
    }

    impl Sample {
        fn take() -> ProcResult<Self> {
            let process = procfs::process::Process::myself()?;
            let stat = process.stat()?;
            let ticks_per_second = procfs::ticks_per_second();
            let max_fds = match process.limits()?.max_open_files.soft_limit {
                LimitValue::Value(most) => Some(most),
                LimitValue::Unlimited => None,
            };
            let since_boot = stat.starttime as f64 / ticks_per_second as f64;
            Ok(Self {
                cpu_seconds: (stat.utime + stat.stime) as f64 / ticks_per_second as f64,
                start_seconds: procfs::boot_time_secs()? as f64 + since_boot,
                resident_bytes: stat.rss_bytes().get(),
                threads: stat.num_threads,
                open_fds: process.fd_count()?,
                max_fds,
            })
        }
    }

    impl Collector for Process {
        fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
            // A system that hides it from its own process has nothing to tell.
            let Ok(sample) = Sample::take() else { return Ok(()) };
            let cpu = ConstCounter::new(sample.cpu_seconds);
            let kind = cpu.metric_type();
            cpu.encode(encoder.encode_descriptor("process_cpu_seconds", "Processor time used", None, kind)?)?;
            let gauges = [
                ("process_start_time_seconds", "When it was started, since 1970", Some(sample.start_seconds)),
                ("process_resident_memory_bytes", "Memory that it has", Some(sample.resident_bytes as f64)),
                ("process_threads", "Its threads", Some(sample.threads as f64)),
                ("process_open_fds", "Its open files and sockets", Some(sample.open_fds as f64)),
                ("process_max_fds", "The most of them that it may have", sample.max_fds.map(|most| most as f64)),
            ];
            for (name, help, value) in gauges {
                let Some(value) = value else { continue };
                let gauge = ConstGauge::new(value);
                gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
            }
            Ok(())
        }
    }
}
