//! Figures of what Criterion measured: its samples are the rounds.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use highwater_report::{Bound, Figure};
use serde_json::Value;

/// A figure of core's benchmarks, which are named by group and function.
pub(super) struct Benchmark {
    pub(super) name: &'static str,
    of: Of,
    goal: Option<Bound>,
}

enum Of {
    /// The nanoseconds that one of what it counts takes.
    Time(&'static str),
    /// The bytes that it takes in a nanosecond, which are GB a second.
    Rate(&'static str),
    /// The time of one by that of another, which the figure calls so.
    Ratio(&'static str, &'static str, &'static str),
}

/// All of core's.
pub(super) const CORE: [Benchmark; 11] = [
    Benchmark {
        name: "a verdict: an event of 256 streams in, its header scanned, judged, the marks moved",
        of: Of::Time("verdict/event"),
        goal: None, // It is for the least: a mean is of whatever else the machine does, too.
    },
    Benchmark {
        name: "decoding an event stream in chunks of 64 KiB",
        of: Of::Rate("decode/frames"),
        goal: Some(Bound::AtLeast(1.5)),
    },
    Benchmark {
        name: "time to decode it",
        of: Of::Ratio("decode/frames", "decode/newlines", "memchr finding the newlines"),
        goal: None,
    },
    Benchmark { name: "scan of an event's header", of: Of::Time("scan/header"), goal: None },
    Benchmark {
        name: "time of serde_json for the whole event",
        of: Of::Ratio("scan/serde_json_value", "scan/header", "the header scan"),
        goal: Some(Bound::AtLeast(5.0)),
    },
    Benchmark {
        name: "time of serde_json for the header alone, borrowed",
        of: Of::Ratio("scan/serde_json_header", "scan/header", "the header scan"),
        goal: None,
    },
    Benchmark { name: "comparing clocks of 3 actors", of: Of::Time("clock/3_actors"), goal: None },
    Benchmark { name: "comparing clocks of 256 actors", of: Of::Time("clock/256_actors"), goal: None },
    Benchmark { name: "folding an event as it is stored, of 10,000", of: Of::Time("fold/stored"), goal: None },
    Benchmark { name: "folding an event that is parsed, of 10,000", of: Of::Time("fold/parsed"), goal: None },
    Benchmark {
        name: "a state of 10,000 events from a snapshot",
        of: Of::Ratio("fold/from_snapshot", "fold/stored", "from all that is stored"),
        goal: None,
    },
];

impl Benchmark {
    /// The benchmarks that it takes.
    pub(super) fn ids(&self) -> impl Iterator<Item = &'static str> {
        let (first, second) = match self.of {
            Of::Time(id) | Of::Rate(id) => (id, None),
            Of::Ratio(id, other, _) => (id, Some(other)),
        };
        [first].into_iter().chain(second)
    }

    /// The figure, of what lies in Criterion's folder.
    pub(super) fn figure(&self, folder: &Path) -> Figure {
        let (over, unit) = match self.of {
            Of::Time(_) => ("", " ns"),
            Of::Rate(_) => ("", " GB/s"),
            Of::Ratio(_, _, over) => (over, ""),
        };
        Figure {
            name: self.name.to_owned(),
            over: over.to_owned(),
            unit: unit.to_owned(),
            must: None,
            goal: self.goal,
            rounds: self.rounds(folder).into(),
        }
    }

    fn rounds(&self, folder: &Path) -> Result<Vec<f64>> {
        match self.of {
            Of::Time(id) => times_ns(folder, id),
            Of::Rate(id) => Ok(times_ns(folder, id)?.into_iter().map(f64::recip).collect()),
            Of::Ratio(id, other, _) => {
                let (times, others) = (times_ns(folder, id)?, times_ns(folder, other)?);
                Ok(times.iter().zip(&others).map(|(time, other)| time / other).collect())
            }
        }
    }
}

/// Forgets what was measured before, lest it be taken for new.
pub(super) fn clear(folder: &Path, benchmarks: &[&Benchmark]) -> Result<()> {
    for id in benchmarks.iter().flat_map(|benchmark| benchmark.ids()) {
        let measured = folder.join(id);
        if measured.is_dir() {
            fs::remove_dir_all(&measured).with_context(|| format!("cannot remove {}", measured.display()))?;
        }
    }
    Ok(())
}

/// What one element or byte took, a value for each sample.
fn times_ns(folder: &Path, id: &str) -> Result<Vec<f64>> {
    let measured = folder.join(id).join("new");
    let (sample, benchmark) = (read(&measured.join("sample.json"))?, read(&measured.join("benchmark.json"))?);
    let throughput = benchmark["throughput"].as_object().and_then(|throughput| throughput.values().next());
    let counted = throughput.and_then(Value::as_f64).with_context(|| format!("{id} does not say what it counts"))?;
    let numbers = |name: &str| -> Result<Vec<f64>> {
        let values = sample[name].as_array().with_context(|| format!("{id} has no {name}"))?;
        values.iter().map(|value| value.as_f64().ok_or_else(|| anyhow!("{id}: {value} is no number"))).collect()
    };
    let (passes, times) = (numbers("iters")?, numbers("times")?);
    ensure!(passes.len() == times.len(), "{id} has samples without a time");
    Ok(passes.iter().zip(&times).map(|(passes, time)| time / passes / counted).collect())
}

fn read(file: &Path) -> Result<Value> {
    let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is broken", file.display()))
}

#[cfg(test)]
mod tests {
    use highwater_report::{Rounds, Verdict};

    use super::*;
    use crate::project;

    fn measured(folder: &Path, id: &str, throughput: &str, times: &str) {
        let new = folder.join(id).join("new");
        fs::create_dir_all(&new).unwrap();
        fs::write(new.join("benchmark.json"), format!(r#"{{"throughput":{throughput}}}"#)).unwrap();
        fs::write(new.join("sample.json"), format!(r#"{{"iters":[1.0,2.0],"times":{times}}}"#)).unwrap();
    }

    #[test]
    fn a_figure_is_what_one_of_what_is_counted_took() {
        let folder = tempfile::tempdir().unwrap();
        measured(folder.path(), "scan/header", r#"{"Elements":10}"#, "[100.0,400.0]");
        measured(folder.path(), "scan/serde_json_value", r#"{"Elements":10}"#, "[600.0,800.0]");
        measured(folder.path(), "decode/frames", r#"{"Bytes":1000}"#, "[500.0,500.0]");
        let rounds = |of| Benchmark { name: "", of, goal: None }.figure(folder.path()).rounds;
        assert_eq!(rounds(Of::Time("scan/header")), Rounds::Measured(vec![10.0, 20.0]));
        assert_eq!(rounds(Of::Rate("decode/frames")), Rounds::Measured(vec![2.0, 4.0]));
        assert_eq!(rounds(Of::Ratio("scan/serde_json_value", "scan/header", "")), Rounds::Measured(vec![6.0, 2.0]));
    }

    #[test]
    fn what_was_measured_before_is_not_taken_for_new() {
        let folder = tempfile::tempdir().unwrap();
        measured(folder.path(), "scan/header", r#"{"Elements":10}"#, "[100.0,400.0]");
        let scan = CORE.iter().find(|benchmark| benchmark.ids().eq(["scan/header"])).unwrap();
        assert_eq!(scan.figure(folder.path()).verdict(), Verdict::Told);
        clear(folder.path(), &[scan]).unwrap();
        assert_eq!(scan.figure(folder.path()).verdict(), Verdict::NotMeasured);
    }

    #[test]
    fn each_figure_is_of_benchmarks_that_there_are() {
        let folder = project::root().join("core/benches/core");
        let sources = fs::read_dir(folder).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
        let sources: Vec<_> = sources.collect();
        for id in CORE.iter().flat_map(Benchmark::ids) {
            let (group, function) = id.split_once('/').unwrap();
            let is_there = |source: &String| {
                source.contains(&format!("benchmark_group(\"{group}\")")) && source.contains(&format!("\"{function}\""))
            };
            assert!(sources.iter().any(is_there), "{id}");
        }
    }
}
