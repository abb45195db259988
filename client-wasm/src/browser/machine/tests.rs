use highwater_core::version::Revision;
use proptest::prelude::*;

use super::*;

const NOW: u64 = 1_764_000_000_000;
const STREAM: &str = "space:42:a";

/// An event as the server writes it, of a log with one stream: its revision is its sequence.
fn envelope(sequence: u64, version: u32, data: &str) -> String {
    [
        r#"{"specversion":"1.0","id":"a","source":"tester","type":"a.told.v1","subject":"space:42:a","#,
        r#""time":"2026-11-20T12:23:40.199775Z","recordedtime":"2026-11-20T12:23:40.199775Z","#,
        &format!(r#""sequence":"{sequence:016}","revision":{sequence},"version":{version},"#),
        &format!(r#""clock":"tester={sequence}","data":{data}}}"#),
    ]
    .concat()
}

fn at(sequence: u64) -> Position {
    format!("k3x9q7ma-{sequence}").parse().unwrap()
}

fn event(sequence: u64, version: u32, data: &str) -> String {
    let envelope = envelope(sequence, version, data);
    format!("prev: {}\ndata: {envelope}\nid: {}\n\n", sequence - 1, at(sequence))
}

fn control(body: &str) -> String {
    format!("event: highwater\ndata: {body}\n\n")
}

fn page(events: &[String], next: u64) -> String {
    let events = events.join(",");
    format!(r#"{{"events":[{events}],"prev":0,"next":"{next}","head":"{next}"}}"#, next = at(next))
}

/// A machine whose connection, a stream from the beginning of the log, the server has taken.
fn connected() -> Machine {
    let options = Options { after: After::Earliest, ..Options::default() };
    let mut machine = Machine::new(&options, 7);
    machine.happened(NOW, Input::Open);
    assert_eq!(machine.next_action(), Some(Action::Connect(Transport::Stream, After::Earliest)));
    machine.happened(NOW, Input::Answered);
    assert_eq!(told(&mut machine), ["Connecting", "Replaying"]);
    machine
}

fn receive(machine: &mut Machine, text: &str) {
    machine.received(NOW, text.len(), |room| room.copy_from_slice(text.as_bytes()));
}

/// What is told, as short as tests like it.
fn told(machine: &mut Machine) -> Vec<String> {
    let mut told = Vec::new();
    while let Some(verdict) = machine.next_verdict() {
        told.push(match verdict {
            Verdict::Apply { position, .. } => format!("apply {}", position.sequence),
            Verdict::Stale { position, .. } => format!("stale {}", position.sequence),
            Verdict::Duplicate { position } => format!("duplicate {}", position.sequence),
            Verdict::Gap { position } => format!("gap {}", position.sequence),
            Verdict::Unreadable { position, stream, error, .. } => {
                let sequence = position.map(|position| position.sequence.get());
                format!("unreadable {sequence:?} {stream:?}: {error}")
            }
            Verdict::Lost { from, to, .. } => format!("lost {from} to {to}"),
            Verdict::Reset { position, .. } => format!("reset to {position}"),
            Verdict::Status(Status::BackingOff { cause, .. }) => format!("backing off: {cause}"),
            Verdict::Status(Status::Failed { error }) => format!("failed: {error}"),
            Verdict::Status(status) => format!("{status:?}"),
        });
    }
    told
}

fn refused(status: u16, body: &str) -> Cause {
    Cause::Refused(Refusal::read(status, 0, body.as_bytes()))
}

#[test]
fn each_event_gets_its_verdict() {
    let mut machine = connected();
    let stream = [event(1, 2, "1"), event(2, 1, "2"), event(2, 1, "2"), control(r#"{"kind":"ready"}"#)].concat();
    // However it is cut.
    for piece in stream.split_inclusive('a') {
        receive(&mut machine, piece);
    }
    assert_eq!(told(&mut machine), ["apply 1", "stale 2", "duplicate 2", "Live"]);
}

#[test]
fn what_is_missing_is_asked_for_and_judged_first() {
    let mut machine = connected();
    receive(&mut machine, &(event(1, 0, "1") + &event(3, 0, "3")));
    assert_eq!(told(&mut machine), ["apply 1", "gap 3"]);
    assert_eq!(machine.next_action(), Some(Action::Fetch(Missing::Log { after: at(1) }, at(1).epoch)));
    machine.fetched(NOW, PageKind::Log, page(&[envelope(2, 0, "2"), envelope(3, 0, "3")], 3).as_bytes());
    assert_eq!(told(&mut machine), ["apply 2", "apply 3", "duplicate 3"]);
}

#[test]
fn revisions_that_are_gone_are_told() {
    let mut machine = connected();
    // Nothing is missing in the set, but the stream's first two events.
    receive(&mut machine, &format!("prev: 0\ndata: {}\nid: {}\n\n", envelope(3, 0, "3"), at(3)));
    assert_eq!(told(&mut machine), ["gap 3"]);
    let missing = Missing::Stream { stream: STREAM.as_bytes().into(), from: Revision::new(1).unwrap() };
    assert_eq!(machine.next_action(), Some(Action::Fetch(missing, at(3).epoch)));
    machine.fetched(NOW, PageKind::Stream, format!(r#"{{"events":[{}]}}"#, envelope(2, 0, "2")).as_bytes());
    assert_eq!(told(&mut machine), ["lost 1 to 1", "apply 2", "apply 3"]);
}

#[test]
fn what_is_no_event_is_told_in_its_place() {
    let mut machine = connected();
    receive(&mut machine, &event(1, 0, "{broken"));
    receive(&mut machine, &format!("prev: 1\ndata: 7\nid: {}\n\n", at(2)));
    receive(&mut machine, "data: {}\n\n");
    receive(&mut machine, &event(3, 0, "3"));
    let told = told(&mut machine);
    assert!(told[0].starts_with(r#"unreadable Some(1) Some("space:42:a"): is not a CloudEvent in JSON"#), "{told:?}");
    assert!(told[1].starts_with("unreadable Some(2) None: "), "{told:?}");
    assert!(told[2].starts_with("unreadable None None: "), "{told:?}");
    assert_eq!(told.len(), 4);
}

#[test]
fn a_refusal_is_told_and_the_end() {
    let mut machine = connected();
    machine.ended(NOW, refused(403, r#"{"detail":"ask for more"}"#));
    assert_eq!(told(&mut machine), ["failed: ask for more"]);
    assert!(machine.is_over());
}

#[test]
fn a_stream_that_can_t_go_on_says_why() {
    let mut machine = connected();
    let unauthorized = control(r#"{"kind":"error","problem":{"status":401,"detail":"the token has expired"}}"#);
    receive(&mut machine, &unauthorized);
    // With another token it may go on.
    assert_eq!(machine.next_action(), Some(Action::Disconnect));
    assert_eq!(machine.next_action(), Some(Action::Connect(Transport::Stream, After::Earliest)));
    assert_eq!(told(&mut machine), ["Connecting"]);
    receive(&mut machine, &unauthorized);
    assert_eq!(told(&mut machine), ["failed: the token has expired"]);
}

#[test]
fn a_page_of_what_is_missing_that_is_refused_is_no_end() {
    let mut machine = connected();
    let cause = Cause::Missing { cause: Box::new(refused(404, "")) };
    machine.ended(NOW, cause);
    assert_eq!(told(&mut machine), ["backing off: what is missing could not be fetched: the server answered 404"]);
}

#[test]
fn a_cursor_that_a_poll_is_refused_for_is_reset() {
    let mut machine = connected();
    receive(&mut machine, &event(1, 0, "1"));
    machine.ended(NOW, refused(410, r#"{"code":"epoch_changed","earliest":"00000000-0","detail":"another log"}"#));
    assert_eq!(told(&mut machine), ["apply 1", "reset to 00000000-0", "backing off: another log"]);
}

#[test]
fn a_page_that_is_none_ends_the_connection() {
    let mut machine = connected();
    machine.fetched(NOW, PageKind::Poll, b"\xff");
    assert_eq!(told(&mut machine), ["backing off: what arrived is not of the protocol"]);
    assert_eq!(machine.next_action(), Some(Action::Disconnect));
}

/// Pieces of the protocol, and what is none of it.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![
        (1..9u64, 0..3u32).prop_map(|(sequence, version)| event(sequence, version, "1")),
        (1..9u64, 1..9u64).prop_map(|(prev, id)| format!(
            "prev: {prev}\ndata: {}\nid: {}\n\n",
            envelope(id, 0, "1"),
            at(id)
        )),
        (0..9u64)
            .prop_map(|id| format!("event: highwater\nprev: {id}\ndata: {{\"kind\":\"ready\"}}\nid: {}\n\n", at(id))),
        (0..9u64).prop_map(|id| {
            let body = r#"{"kind":"reset","reason":"cursor_expired"}"#;
            format!("event: highwater\ndata: {body}\nid: {}\n\n", at(id))
        }),
        r#"\{"kind":"(ready|goodbye|error)","(heartbeat_ms|retry_ms|problem)":[0-9]{1,12}\}"#
            .prop_map(|body| control(&body)),
        (proptest::collection::vec(1..9u64, 0..4), 0..9u64).prop_map(|(sequences, next)| {
            page(&sequences.iter().map(|sequence| envelope(*sequence, 0, "1")).collect::<Vec<_>>(), next)
        }),
    ];
    prop_oneof![
        4 => text.prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
    ]
}

proptest! {
    #[test]
    fn nothing_that_a_server_sends_makes_it_panic(pieces in proptest::collection::vec((piece(), 0..6u8), 0..30)) {
        let mut machine = connected();
        let mut now = NOW;
        for (piece, how) in pieces {
            now += 500;
            match how {
                0 => machine.fetched(now, PageKind::Log, &piece),
                1 => machine.fetched(now, PageKind::Stream, &piece),
                2 => machine.fetched(now, PageKind::Poll, &piece),
                3 => machine.ended(now, Cause::Refused(Refusal::read(410, 0, &piece))),
                _ => machine.received(now, piece.len(), |room| room.copy_from_slice(&piece)),
            }
            if machine.next_timeout().is_some_and(|at| at <= now) {
                machine.happened(now, Input::Timeout);
            }
            while let Some(action) = machine.next_action() {
                if let Action::Connect(..) = action {
                    machine.happened(now, Input::Answered);
                }
            }
            while machine.next_verdict().is_some() {}
        }
    }
}
