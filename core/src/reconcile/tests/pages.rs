//! What is fetched beside the connection.

use super::*;
use crate::version::Version;

#[test]
fn a_loaded_state_brings_its_marks() {
    let (mut reconciler, attempt) = started(After::Position(at(30)));
    let state =
        HighWater { revision: Revision::new(5).unwrap(), version: Version::new(2).unwrap(), sequence: sequence_of(31) };
    assert!(reconciler.load(at(31).epoch, "a:1", state));
    assert!(!reconciler.load(elsewhere(31).epoch, "a:1", state), "of another log");
    assert_eq!(give(&mut reconciler, attempt, 30, &entry(31, "a:1", 5, 2)), Some(Verdict::Duplicate));
    assert_eq!(give(&mut reconciler, attempt, 31, &entry(32, "a:1", 6, 1)), Some(Verdict::Stale));
    assert_eq!(give(&mut reconciler, attempt, 32, &entry(33, "a:1", 7, 2)), Some(Verdict::Apply));
}

#[test]
fn a_revision_missing_below_the_cursor_is_fetched_from_its_stream() {
    let (mut reconciler, attempt) = started(After::Earliest);
    give(&mut reconciler, attempt, 0, &entry(1, "a:1", 1, 1));
    assert_eq!(give(&mut reconciler, attempt, 1, &entry(9, "a:1", 3, 1)), Some(Verdict::Gap));
    let fetch = Output::Fetch(Missing::Stream { stream: b"a:1"[..].into(), from: Revision::new(2).unwrap() });
    assert_eq!(reconciler.poll(), Some(fetch));
    assert_eq!(reconciler.stream_event(attempt, &entry(5, "a:1", 2, 1).envelope()), Some(Verdict::Apply));
    assert_eq!(reconciler.resume(), After::Position(at(1)), "one stream never moves the set's cursor");
    assert_eq!(reconciler.stream_event(attempt, &entry(6, "a:2", 1, 1).envelope()), None, "not the stream asked for");
    assert_eq!(reconciler.stream_event(attempt, &entry(12, "a:1", 4, 1).envelope()), None, "the set brings it");
    assert!(matches!(reconciler.poll(), Some(Output::Released { verdict: Verdict::Apply, .. })));
    assert_eq!(reconciler.stream_event(attempt, &entry(9, "a:1", 3, 1).envelope()), Some(Verdict::Duplicate));
    reconciler.fetched(attempt);
    assert_eq!(reconciler.poll(), None);
    assert_eq!(reconciler.resume(), After::Position(at(9)));
}

#[test]
fn a_topic_that_is_added_is_told_once_and_does_not_move_the_cursor() {
    let (mut reconciler, attempt) = started(After::Position(at(10)));
    give(&mut reconciler, attempt, 10, &entry(11, "a:1", 4, 1));
    let page = [entry(2, "b:1", 1, 1), entry(5, "b:1", 2, 2), entry(6, "b:1", 3, 1), entry(14, "b:1", 4, 2)];
    let verdicts: Vec<_> =
        page.iter().map(|entry| reconciler.added_event(at(14).epoch, true, &entry.envelope())).collect();
    assert_eq!(verdicts, [Verdict::Apply, Verdict::Apply, Verdict::Stale, Verdict::Apply].map(Some));
    assert_eq!(reconciler.added_event(at(14).epoch, true, b"{}"), Some(Verdict::Unreadable));
    assert_eq!(reconciler.resume(), After::Position(at(11)));

    let attempt = reconciler.connect();
    assert_eq!(give(&mut reconciler, attempt, 11, &entry(12, "a:1", 5, 1)), Some(Verdict::Apply));
    assert_eq!(give(&mut reconciler, attempt, 12, &page[3]), Some(Verdict::Duplicate));
    assert_eq!(give(&mut reconciler, attempt, 14, &entry(15, "b:1", 5, 2)), Some(Verdict::Apply));
    assert_eq!((reconciler.poll(), reconciler.resume()), (None, After::Position(at(15))));
}

#[test]
fn a_reader_that_has_not_begun_is_reset_where_a_topic_was_added_of_another_log() {
    let (mut reconciler, _) = started(After::Latest);
    assert_eq!(reconciler.added_event(at(0).epoch, true, &entry(2, "b:1", 1, 1).envelope()), Some(Verdict::Apply));
    let attempt = reconciler.connect();
    assert_eq!(reconciler.resume(), After::Latest);

    let ready = Message::Control { kind: ControlKind::Ready, position: Some(elsewhere(7)), prev: Some(sequence_of(7)) };
    reconciler.handle(attempt, &ready);
    assert_eq!((reconciler.poll(), reconciler.poll()), (Some(Output::Reconnect), None));
    let attempt = reconciler.connect();
    assert_eq!(reconciler.resume(), After::Position(at(0)), "a server of another log has it reset");
    reconciler.handle(attempt, &reset("00000000-0"));
    let arrival = Arrival { position: elsewhere(1), prev: Sequence::ZERO, envelope: &entry(1, "b:1", 1, 1).envelope() };
    assert_eq!(reconciler.event(attempt, &arrival), Some(Verdict::Apply));
}

#[test]
fn a_reader_that_has_not_begun_begins_with_the_log_of_an_added_topic() {
    let (mut reconciler, _) = started(After::Latest);
    assert_eq!(reconciler.added_event(at(0).epoch, true, &entry(2, "b:1", 1, 1).envelope()), Some(Verdict::Apply));
    let attempt = reconciler.connect();
    reconciler.handle(attempt, &ready(14));
    assert_eq!(give(&mut reconciler, attempt, 14, &entry(15, "b:1", 2, 1)), Some(Verdict::Apply));
    assert_eq!((reconciler.poll(), reconciler.resume()), (None, After::Position(at(15))));
}

#[test]
fn what_an_added_topic_has_lost_is_told() {
    let (mut reconciler, _) = started(After::Earliest);
    assert_eq!(reconciler.added_event(at(7).epoch, true, &entry(7, "b:1", 3, 1).envelope()), Some(Verdict::Apply));
    let lost =
        Output::Lost { stream: b"b:1"[..].into(), from: Revision::new(1).unwrap(), to: Revision::new(2).unwrap() };
    assert_eq!((reconciler.poll(), reconciler.poll()), (Some(lost), None));
    assert_eq!(reconciler.added_event(elsewhere(8).epoch, true, &entry(8, "b:1", 4, 1).envelope()), None);
}

#[test]
fn nothing_is_lost_before_where_an_added_topic_was_begun() {
    let (mut reconciler, _) = started(After::Position(at(10)));
    assert_eq!(reconciler.added_event(at(12).epoch, false, &entry(12, "b:1", 7, 1).envelope()), Some(Verdict::Apply));
    assert_eq!(reconciler.lost(), None);
    assert_eq!(reconciler.added_event(at(14).epoch, false, &entry(14, "b:1", 9, 1).envelope()), Some(Verdict::Apply));
    let eight = Revision::new(8).unwrap();
    assert_eq!(reconciler.lost(), Some(Output::Lost { stream: b"b:1".as_slice().into(), from: eight, to: eight }));
}

#[test]
fn a_revision_that_the_log_no_longer_has_is_told_and_gone_without() {
    let (mut reconciler, attempt) = started(After::Earliest);
    give(&mut reconciler, attempt, 0, &entry(1, "a:1", 1, 1));
    give(&mut reconciler, attempt, 1, &entry(9, "a:1", 4, 1));
    assert!(matches!(reconciler.poll(), Some(Output::Fetch(Missing::Stream { .. }))));
    reconciler.fetched(attempt);
    let two_to_three =
        Output::Lost { stream: b"a:1"[..].into(), from: Revision::new(2).unwrap(), to: Revision::new(3).unwrap() };
    assert_eq!(reconciler.poll(), Some(two_to_three));
    assert!(matches!(reconciler.poll(), Some(Output::Released { verdict: Verdict::Apply, .. })));
    assert_eq!(reconciler.poll(), None);
}
