//! What machine it was, and when.

use std::fmt;
use std::fs;
use std::process::Command;
use std::thread;

use crate::process;

/// A machine, as it says itself.
pub(super) struct Machine {
    processor: String,
    cores: usize,
    memory_gib: f64,
    kernel: String,
    rustc: String,
    date: String,
}

impl Machine {
    /// This one, now. What it does not say is unknown.
    pub(super) fn here() -> Self {
        let said = |program: &str, arguments: &[&str]| {
            process::read(Command::new(program).args(arguments)).unwrap_or_else(|_| "unknown".to_owned())
        };
        let file = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let processor = field(&file("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown processor".to_owned());
        let memory_kib =
            field(&file("/proc/meminfo"), "MemTotal").and_then(|text| text.split(' ').next()?.parse().ok());
        Self {
            processor,
            cores: thread::available_parallelism().map_or(1, usize::from),
            memory_gib: memory_kib.unwrap_or(f64::NAN) / 1024.0 / 1024.0,
            kernel: said("uname", &["-sr"]),
            rustc: said("rustc", &["--version"]),
            date: said("date", &["--utc", "+%F"]),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, cores, memory_gib, kernel, rustc, date } = self;
        write!(f, "{date}, {processor}, {cores} cores, {memory_gib:.0} GiB of memory, {kernel}, {rustc}")
    }
}

/// What stands behind the first name and its colon.
fn field(text: &str, name: &str) -> Option<String> {
    let values = text.lines().filter_map(|line| line.split_once(':'));
    values.filter(|(named, _)| named.trim() == name).map(|(_, value)| value.trim().to_owned()).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_name() {
        let text = "processor\t: 0\nmodel name\t: A Processor\nmodel name\t: another\nMemTotal:       16384 kB\n";
        assert_eq!(field(text, "model name").as_deref(), Some("A Processor"));
        assert_eq!(field(text, "MemTotal").as_deref(), Some("16384 kB"));
        assert_eq!(field(text, "model"), None);
    }
}
