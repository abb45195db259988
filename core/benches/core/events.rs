//! What is measured with: events of tasks whose actors write, test and correct without end, as a log has recorded them.

use highwater_core::{
    envelope::write_event,
    event::{Data, Event, NewEvent, Recording},
    time::Timestamp,
    version::{Revision, Sequence, Version},
};

/// Where an event stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) stream: &'a str,
    pub(crate) sequence: u64,
    pub(crate) revision: u64,
    pub(crate) version: u64,
}

/// The next event of a task: code, a correction begun, two reports, a check, a correction; then again.
pub(crate) fn task_event(Place { stream, sequence, revision, version }: Place<'_>) -> Event {
    let (round, step) = ((revision - 1) / 6, (revision - 1) % 6);
    let code =
        r"fn sort(mut list) { for i in 0..list.len { for j in 0..i { if list[j] > list[i] { swap(i, j) } } } list }";
    let (kind, actor, data) = match step {
        0 => ("code_refined", "generator", format!(r#"{{"code":"{code}","hash":"{round:016x}"}}"#)),
        1 => ("correction_started", "corrector", "{}".to_owned()),
        2 | 3 => {
            let bug = r#"{"case":"sort([3, 1, 2])","expected":"[1, 2, 3]","got":"[3, 1, 2]"}"#;
            ("bug_report_received", "tester", format!(r#"{{"bug":{bug},"hash":"{round:016x}"}}"#))
        }
        4 => ("quality_checked", "tester", r#"{"passed":false,"cases":20,"failed":2}"#.to_owned()),
        _ => {
            let addresses = format!(r#"["{}","{}"]"#, id(sequence - 3), id(sequence - 2));
            let data = format!(r#"{{"code":"{code}","hash":"{round:016x}-2","addresses":{addresses}}}"#);
            ("correction_completed", "corrector", data)
        }
    };
    let event = NewEvent {
        causation_id: (revision > 1).then(|| id(sequence - 1).parse().expect("an id")),
        command_id: id(sequence).parse().ok(),
        data: Data::json(&data).expect("JSON"),
        ..NewEvent::new(
            stream.parse().expect("a stream"),
            actor.parse().expect("an actor"),
            format!("task.{kind}.v1").parse().expect("a type"),
        )
    };
    event.record(Recording {
        id: id(sequence).parse().expect("an id"),
        recorded_time: Timestamp::from_unix_micros(1_767_225_600_000_000 + 1_234 * sequence as i64).expect("a time"),
        sequence: Sequence::new(sequence).expect("in range"),
        revision: Revision::new(revision).expect("in range"),
        version: Version::new(version).expect("in range"),
        clock: format!("corrector={revision},generator={revision},tester={revision}").parse().expect("a clock"),
    })
}

/// An event as it is stored and served.
pub(crate) fn envelope(event: &Event) -> Vec<u8> {
    let mut envelope = Vec::new();
    write_event(event, &mut envelope);
    envelope
}

fn id(number: u64) -> String {
    format!("019aa2f4-6a53-7c1e-9a57-{number:012x}")
}
