//! Prints a long history of one task, as random as a fixed seed makes it: a line for each event, and now and then the snapshot that this
//! program, as a server would, has folded until then. The tests of the npm package fold the same in WebAssembly.
//!
//! Some events are about earlier versions, some of unknown types or newer schemas, some have data that is not what their type says.

use std::io::{self, BufWriter, Write};

use highwater_core::{
    decider::{Origin, testing::Log},
    domain::{entities, task::Task},
    envelope::write_event,
    event::{Actor, Data, EventId, EventType, NewEvent},
    stream::StreamName,
    version::Version,
};
use serde_json::{Value, json};

const STREAM: &str = "space:1:tasks:task-abc";
const EVENTS: usize = 12_000;
/// So many events between two snapshots.
const SNAPSHOT_EVENTS: usize = 500;
const ACTORS: [&str; 4] = ["generator", "tester", "corrector", "device:%C3%BC%20=,;"];
/// Texts that JSON has to escape, or need not.
const TEXTS: [&str; 6] = ["plain", "", "\"quoted\" \\ and\nbroken", "ünï·code 𝄞", "\u{1}\u{7f}", "</script>"];

/// Numbers that look random, and are the same at every run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, max: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % max as u64).expect("below a usize")
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

fn main() -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let stream = StreamName::new(STREAM).expect("a stream's name");
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut log = Log::new(entities());
    let mut written = 0;
    while written < EVENTS {
        let reports: Vec<_> =
            log.projection::<Task>(&stream).state().pending_bugs.iter().map(|bug| bug.report.clone()).collect();
        let reports: Vec<_> = reports.iter().filter(|_| random.below(3) == 0).map(EventId::as_str).collect();
        let version = log.projection::<Task>(&stream).mark().version;
        if random.below(10) < 7 {
            let command = command(&mut random, &reports);
            let mut origin = Origin::new(id(&mut random, &log), Actor::new(random.one(&ACTORS)).expect("an actor"));
            origin.version = (random.below(3) == 0).then_some(version);
            // Many are refused, as it comes.
            let _ = log.command("task", &stream, &origin, &command.to_string());
        } else {
            log.record(event(&mut random, &stream, &reports, version));
        }
        for recorded in &log.events()[written..] {
            let mut line = br#"{"event":"#.to_vec();
            write_event(recorded, &mut line);
            line.extend_from_slice(b"}\n");
            out.write_all(&line)?;
        }
        let before = written;
        written = log.events().len();
        if before / SNAPSHOT_EVENTS != written / SNAPSHOT_EVENTS {
            let snapshot = log.projection::<Task>(&stream).snapshot();
            writeln!(out, r#"{{"snapshot":{}}}"#, Value::String(snapshot))?;
        }
    }
    out.flush()
}

fn id(random: &mut Random, log: &Log) -> EventId {
    EventId::new(&format!("command-{}-{}", log.events().len(), random.below(1_000_000))).expect("visible ASCII")
}

fn command(random: &mut Random, reports: &[&str]) -> Value {
    let text = random.one(&TEXTS);
    let hash = random.one(&["abc", "def"]);
    let case = json!({ "case": text, "expected": "1", "got": "2" });
    match random.below(16) {
        0 => json!({ "type": "gather_requirement", "data": { "requirement": text } }),
        1 => json!({ "type": "plan", "data": { "steps": TEXTS } }),
        2 => json!({ "type": "generate_code", "data": { "task": text, "code": text, "hash": hash } }),
        3 => json!({ "type": "generate_tests", "data": { "count": random.below(9), "tests": text } }),
        4 => json!({ "type": "refine_code", "data": { "code": text } }),
        5 => json!({ "type": "check_quality", "data": { "passed": random.below(2) == 0, "addresses": reports } }),
        6 => json!({ "type": "analyze_dead_code", "data": { "unused": [text, hash] } }),
        7 => json!({ "type": "report_bug", "data": { "bug": case, "hash": hash } }),
        8..=10 => json!({ "type": "report_bug", "data": { "bug": text } }),
        11 => json!({ "type": "request_correction", "data": { "reports": reports, "reason": text } }),
        12 => json!({ "type": "start_correction" }),
        13 => json!({ "type": "complete_correction", "data": { "code": text, "hash": hash, "addresses": reports } }),
        14 => json!({ "type": "request_urgent_fix", "data": { "reports": reports } }),
        _ => json!({ "type": "intervene", "data": { "note": text } }),
    }
}

/// An event that no decider has let pass.
fn event(random: &mut Random, stream: &StreamName, reports: &[&str], version: Version) -> NewEvent {
    let text = random.one(&TEXTS);
    let (kind, data) = match random.below(9) {
        0 => ("task.planned.v7", json!({ "graph": {} })),
        1 => ("weather.changed.v1", json!(1.5)),
        2 => ("task.planned.v1", json!([["a"]])),
        3 => ("task.test_generated.v1", json!({ "count": random.one(&[-1.0, 1.5, 1e300]) })),
        4 => (
            "task.bug_report_received.v1",
            json!({ "bug": [text, "1", "2"], "code_hash": null, "more": { "x": [text] } }),
        ),
        5 => ("task.bug_report_received.v1", json!({ "bug": text, "code_hash": text })),
        6 => ("task.code_refined.v1", json!({ "code": text, "hash": "abc" })),
        7 => ("task.correction_completed.v1", json!({ "code": text, "addresses": reports })),
        _ => ("task.quality_checked.v1", json!({ "passed": true, "passed ": false, "cases": random.below(9) })),
    };
    let source = Actor::new(random.one(&ACTORS)).expect("an actor");
    let mut event = NewEvent::new(stream.clone(), source, EventType::new(kind).expect("an event's type"));
    event.data = match random.below(12) {
        0 => Data::None,
        1 => Data::Binary(text.as_bytes().to_vec()),
        _ => Data::json(&data.to_string()).expect("JSON"),
    };
    // Stale, current, or one above.
    let about = u64::from(version.get()) + 1 - random.below(3).min(version.get() as usize + 1) as u64;
    event.version = (random.below(2) == 0).then(|| Version::new(about).expect("a version"));
    event
}
