//! The verdict table cell by cell, holding, fetching and beginning.

mod delivery;
mod pages;

use super::*;
use crate::{
    control::ResetReason,
    envelope::scan_page,
    sse::{Decoder, encode_control, encode_event},
};

const EPOCH: &str = "k3x9q7ma";

/// An event of the log: stream, revision, version; its sequence is what its place in the log says.
#[derive(Clone, Debug)]
struct Entry {
    sequence: u64,
    stream: &'static str,
    revision: u32,
    version: u32,
}

impl Entry {
    fn envelope(&self) -> Vec<u8> {
        let Self { sequence, stream, revision, version } = self;
        format!(
            r#"{{"specversion":"1.0","id":"event-{sequence}","source":"tester","type":"test.happened.v1","subject":"{stream}","time":"2026-11-20T12:23:40.199775Z","recordedtime":"2026-11-20T12:23:40.201112Z","datacontenttype":"application/json","sequence":"{sequence:016}","revision":{revision},"version":{version},"data":1}}"#
        )
        .into_bytes()
    }
}

fn at(sequence: u64) -> Position {
    Position::new(EPOCH.parse().unwrap(), sequence_of(sequence))
}

/// In another log.
fn elsewhere(sequence: u64) -> Position {
    Position::new("00000000".parse().unwrap(), sequence_of(sequence))
}

fn sequence_of(sequence: u64) -> Sequence {
    Sequence::new(sequence).unwrap()
}

fn entry(sequence: u64, stream: &'static str, revision: u32, version: u32) -> Entry {
    Entry { sequence, stream, revision, version }
}

/// Hands an event in as the network delivers it.
fn give(reconciler: &mut Reconciler, attempt: Attempt, prev: u64, entry: &Entry) -> Option<Verdict> {
    let envelope = entry.envelope();
    reconciler.event(attempt, &Arrival { position: at(entry.sequence), prev: sequence_of(prev), envelope: &envelope })
}

fn started(after: After) -> (Reconciler, Attempt) {
    let mut reconciler = Reconciler::new(after, HoldLimits::default());
    let attempt = reconciler.connect();
    (reconciler, attempt)
}

fn verdicts(after: After, arrivals: &[(u64, Entry)]) -> Vec<Option<Verdict>> {
    let (mut reconciler, attempt) = started(after);
    arrivals.iter().map(|(prev, entry)| give(&mut reconciler, attempt, *prev, entry)).collect()
}

#[test]
fn events_in_order_apply() {
    use Verdict::Apply;
    let arrivals = [(0, entry(1, "a:1", 1, 1)), (1, entry(4, "a:2", 1, 0)), (4, entry(5, "a:1", 2, 2))];
    assert_eq!(verdicts(After::Earliest, &arrivals), [Some(Apply); 3]);
}

#[test]
fn what_was_judged_is_a_duplicate() {
    use Verdict::{Apply, Duplicate};
    let known = [(0, entry(1, "a:1", 1, 1)), (0, entry(1, "a:1", 1, 1))];
    assert_eq!(verdicts(After::Earliest, &known), [Some(Apply), Some(Duplicate)]);
    let unknown = [(5, entry(9, "a:1", 3, 1)), (5, entry(8, "a:2", 3, 1))];
    assert_eq!(verdicts(After::Position(at(5)), &unknown), [Some(Apply), Some(Duplicate)]);
}

#[test]
fn a_duplicate_is_told_before_a_gap_and_a_gap_before_staleness() {
    use Verdict::{Apply, Duplicate, Gap};
    let arrivals = [
        (0, entry(1, "a:1", 1, 5)),
        (7, entry(1, "a:1", 1, 5)),
        (3, entry(9, "a:1", 2, 1)),
        (3, entry(9, "a:1", 2, 1)),
    ];
    assert_eq!(verdicts(After::Earliest, &arrivals), [Some(Apply), Some(Duplicate), Some(Gap), Some(Duplicate)]);
}

#[test]
fn an_older_version_is_stale_and_an_equal_one_is_not() {
    use Verdict::{Apply, Stale};
    let arrivals = [
        (0, entry(1, "a:1", 1, 1)),
        (1, entry(2, "a:1", 2, 2)),
        (2, entry(3, "a:1", 3, 1)),
        (3, entry(4, "a:1", 4, 2)),
        (4, entry(5, "a:2", 1, 0)),
    ];
    assert_eq!(verdicts(After::Earliest, &arrivals), [Some(Apply), Some(Apply), Some(Stale), Some(Apply), Some(Apply)]);
}

#[test]
fn a_superseded_attempt_means_nothing() {
    let (mut reconciler, old) = started(After::Earliest);
    let attempt = reconciler.connect();
    assert_eq!(give(&mut reconciler, old, 0, &entry(1, "a:1", 1, 1)), None);
    reconciler.caught_up(old, at(50), Sequence::ZERO);
    for message in [ready(50), reset("00000000-0"), Message::Unplaced, Message::Unknown] {
        assert_eq!(reconciler.handle(old, &message), Handled::Discarded, "{message:?}");
    }
    assert_eq!(give(&mut reconciler, attempt, 0, &entry(1, "a:1", 1, 1)), Some(Verdict::Apply));
    assert_eq!(reconciler.counts().discarded, 1);
}

#[test]
fn what_is_held_is_released_in_order_once_the_gap_is_filled() {
    let (mut reconciler, attempt) = started(After::Earliest);
    let [one, two, three] = [entry(1, "a:1", 1, 1), entry(2, "a:1", 2, 2), entry(3, "a:1", 3, 1)];
    assert_eq!(give(&mut reconciler, attempt, 2, &three), Some(Verdict::Gap));
    assert_eq!(give(&mut reconciler, attempt, 1, &two), Some(Verdict::Gap));
    assert_eq!(reconciler.poll(), Some(Output::Fetch(Missing::Log { after: at(0) })));
    assert_eq!(reconciler.poll(), None);
    assert_eq!(give(&mut reconciler, attempt, 0, &one), Some(Verdict::Apply));
    let released = |verdict, entry: &Entry| {
        Some(Output::Released { verdict, position: at(entry.sequence), envelope: entry.envelope().into() })
    };
    assert_eq!(reconciler.poll(), released(Verdict::Apply, &two));
    assert_eq!(reconciler.poll(), released(Verdict::Stale, &three));
    assert_eq!(reconciler.poll(), None);
    assert_eq!(reconciler.resume(), After::Position(at(3)));
    assert_eq!(reconciler.counts(), Counts { applied: 2, stale: 1, gap: 2, ..Counts::default() });
}

/// Tabs that share a connection are given the chain of all their topics; the pages that each of them fetches are of its own.
#[test]
fn what_is_held_goes_once_a_page_of_fewer_topics_shows_that_nothing_is_missing() {
    let (mut reconciler, attempt) = started(After::Earliest);
    let held = entry(3, "a:1", 1, 1);
    assert_eq!(give(&mut reconciler, attempt, 2, &held), Some(Verdict::Gap));
    assert_eq!(reconciler.poll(), Some(Output::Fetch(Missing::Log { after: at(0) })));
    // 1 and 2 are of other tabs' topics.
    assert_eq!(give(&mut reconciler, attempt, 0, &held), Some(Verdict::Duplicate));
    let released = Output::Released { verdict: Verdict::Apply, position: at(3), envelope: held.envelope().into() };
    assert_eq!(reconciler.poll(), Some(released));
    reconciler.fetched(attempt);
    assert_eq!(reconciler.poll(), None);
    assert_eq!(reconciler.resume(), After::Position(at(3)));
}

#[test]
fn a_heartbeat_moves_a_cursor_only_where_nothing_is_missing() {
    let (mut reconciler, attempt) = started(After::Earliest);
    reconciler.caught_up(attempt, at(10), sequence_of(0));
    assert_eq!(reconciler.resume(), After::Position(at(10)));
    reconciler.caught_up(attempt, at(20), sequence_of(15));
    assert_eq!(reconciler.resume(), After::Position(at(10)));
    assert_eq!(reconciler.poll(), Some(Output::Fetch(Missing::Log { after: at(10) })));
}

#[test]
fn a_fetch_that_does_not_bring_what_is_said_to_be_there_ends_in_a_new_connection() {
    let (mut reconciler, attempt) = started(After::Earliest);
    reconciler.caught_up(attempt, at(20), sequence_of(15));
    assert!(matches!(reconciler.poll(), Some(Output::Fetch(_))));
    reconciler.caught_up(attempt, at(0), sequence_of(0));
    reconciler.fetched(attempt);
    assert_eq!(reconciler.poll(), Some(Output::Reconnect));
    assert!(matches!(reconciler.poll(), Some(Output::Fetch(_))));
    reconciler.connect();
    assert_eq!(reconciler.poll(), None);
}

fn ready(sequence: u64) -> Message<'static> {
    Message::Control { kind: ControlKind::Ready, position: Some(at(sequence)), prev: Some(sequence_of(sequence)) }
}

fn reset(to: &str) -> Message<'static> {
    let kind = ControlKind::Reset(ResetReason::EpochChanged);
    Message::Control { kind, position: Some(to.parse().unwrap()), prev: Some(Sequence::ZERO) }
}

#[test]
fn latest_begins_where_the_server_says() {
    let (mut reconciler, attempt) = started(After::Latest);
    assert_eq!(reconciler.resume(), After::Latest);
    reconciler.handle(attempt, &ready(30));
    assert_eq!(give(&mut reconciler, attempt, 30, &entry(31, "a:1", 9, 4)), Some(Verdict::Apply));
    assert_eq!(give(&mut reconciler, attempt, 31, &entry(32, "a:1", 10, 3)), Some(Verdict::Stale));
}

#[test]
fn what_comes_before_latest_has_begun_waits_for_its_beginning() {
    let (mut reconciler, attempt) = started(After::Latest);
    assert_eq!(give(&mut reconciler, attempt, 29, &entry(30, "a:1", 9, 1)), Some(Verdict::Gap));
    reconciler.caught_up(attempt, at(30), sequence_of(30));
    assert_eq!((reconciler.poll(), reconciler.resume()), (None, After::Latest));
    reconciler.handle(attempt, &ready(28));
    assert_eq!(reconciler.poll(), Some(Output::Fetch(Missing::Log { after: at(28) })));
    assert_eq!(give(&mut reconciler, attempt, 28, &entry(29, "a:2", 4, 1)), Some(Verdict::Apply));
    assert!(matches!(reconciler.poll(), Some(Output::Released { verdict: Verdict::Apply, .. })));
    assert_eq!(reconciler.resume(), After::Position(at(30)));
}

#[test]
fn what_is_missing_before_a_held_event_is_fetched_on_every_connection() {
    let (mut reconciler, attempt) = started(After::Earliest);
    assert_eq!(give(&mut reconciler, attempt, 2, &entry(3, "a:1", 3, 1)), Some(Verdict::Gap));
    let fetch = Some(Output::Fetch(Missing::Log { after: at(0) }));
    assert_eq!(reconciler.poll(), fetch);
    // The fetch fails; of what the next connection brings, only the held event arrives.
    let attempt = reconciler.connect();
    reconciler.handle(attempt, &ready(0));
    assert_eq!(reconciler.poll(), None);
    assert_eq!(give(&mut reconciler, attempt, 2, &entry(3, "a:1", 3, 1)), Some(Verdict::Duplicate));
    assert_eq!(reconciler.poll(), fetch);
}

#[test]
fn latest_begins_with_the_first_connection_that_says_where() {
    let (mut reconciler, attempt) = started(After::Latest);
    give(&mut reconciler, attempt, 29, &entry(30, "a:1", 9, 1));
    let attempt = reconciler.connect();
    assert_eq!((reconciler.held(), reconciler.counts().dropped), (0, 1));
    reconciler.handle(attempt, &ready(40));
    assert_eq!(reconciler.resume(), After::Position(at(40)));
}

#[test]
fn an_unreadable_event_is_told_once_and_does_not_stop_the_rest() {
    let (mut reconciler, attempt) = started(After::Earliest);
    let broken = Arrival { position: at(1), prev: Sequence::ZERO, envelope: b"{\"subject\":" };
    assert_eq!(reconciler.event(attempt, &broken), Some(Verdict::Unreadable));
    assert_eq!(reconciler.event(attempt, &broken), Some(Verdict::Duplicate));
    assert_eq!(give(&mut reconciler, attempt, 1, &entry(2, "a:2", 1, 1)), Some(Verdict::Apply));
    let elsewhere = entry(7, "a:2", 2, 1).envelope();
    let misplaced = Arrival { position: at(3), prev: sequence_of(2), envelope: &elsewhere };
    assert_eq!(reconciler.event(attempt, &misplaced), Some(Verdict::Unreadable));
}

#[test]
fn a_reset_forgets_and_goes_on_and_is_not_heeded_twice() {
    let (mut reconciler, attempt) = started(After::Earliest);
    give(&mut reconciler, attempt, 0, &entry(1, "a:1", 1, 9));
    give(&mut reconciler, attempt, 5, &entry(6, "a:1", 2, 9));
    let heeded = Handled::Control(ControlKind::Reset(ResetReason::EpochChanged));
    assert_eq!(reconciler.handle(attempt, &reset("00000000-0")), heeded);
    assert_eq!((reconciler.held(), reconciler.counts().dropped, reconciler.mark("a:1")), (0, 1, None));
    let again = entry(1, "a:1", 1, 1).envelope();
    let arrival = Arrival { position: elsewhere(1), prev: Sequence::ZERO, envelope: &again };
    assert_eq!(reconciler.event(attempt, &arrival), Some(Verdict::Apply));
    for repeated in ["00000000-0", "11111111-0"] {
        assert_eq!(reconciler.handle(attempt, &reset(repeated)), Handled::Discarded, "{repeated}");
        assert_eq!((reconciler.resume().to_string().as_str(), reconciler.poll()), ("00000000-1", None));
    }
    assert!(reconciler.mark("a:1").is_some());
    let attempt = reconciler.connect();
    assert_eq!(reconciler.handle(attempt, &reset("11111111-0")), heeded, "each connection may reset once");
    assert_eq!(reconciler.resume().to_string(), "11111111-0");
}

#[test]
fn a_reset_to_the_log_that_is_read_is_none() {
    let (mut reconciler, attempt) = started(After::Earliest);
    give(&mut reconciler, attempt, 0, &entry(1, "a:1", 1, 9));
    let attempt = reconciler.connect();
    assert_eq!(reconciler.handle(attempt, &reset(&at(0).to_string())), Handled::Discarded);
    assert_eq!(reconciler.resume(), After::Position(at(1)));
    // Its cursor may be wrong all the same.
    let kind = ControlKind::Reset(ResetReason::CursorAhead);
    let ahead = Message::Control { kind, position: Some(at(0)), prev: Some(Sequence::ZERO) };
    assert_eq!(reconciler.handle(attempt, &ahead), Handled::Control(kind));
    assert_eq!(reconciler.resume(), After::Position(at(0)));
}

#[test]
fn a_reset_that_does_not_say_where_to_asks_for_a_new_connection() {
    let (mut reconciler, attempt) = started(After::Position(at(3)));
    let kind = ControlKind::Reset(ResetReason::CursorAhead);
    let nowhere = Message::Control { kind, position: None, prev: None };
    assert_eq!(reconciler.handle(attempt, &nowhere), Handled::Discarded);
    assert_eq!(reconciler.poll(), Some(Output::Reconnect));
    assert_eq!(reconciler.resume(), After::Position(at(3)));
}

#[test]
fn an_event_of_another_log_is_discarded_and_asks_for_a_new_connection() {
    let (mut reconciler, attempt) = started(After::Position(at(3)));
    let envelope = entry(4, "a:1", 1, 1).envelope();
    let foreign = Arrival { position: elsewhere(4), prev: sequence_of(3), envelope: &envelope };
    assert_eq!(reconciler.event(attempt, &foreign), None);
    assert_eq!(reconciler.poll(), Some(Output::Reconnect));
    assert_eq!(reconciler.resume(), After::Position(at(3)));
}

#[test]
fn an_overflowing_hold_is_dropped_whole_and_fetched_anew() {
    let limits = HoldLimits { events_max: 2, ..HoldLimits::default() };
    let mut reconciler = Reconciler::new(After::Earliest, limits);
    let attempt = reconciler.connect();
    for sequence in 2..=4 {
        give(&mut reconciler, attempt, sequence - 1, &entry(sequence, "a:1", sequence as u32, 1));
    }
    assert_eq!((reconciler.held(), reconciler.counts().dropped), (0, 3));
    assert_eq!(reconciler.poll(), Some(Output::Fetch(Missing::Log { after: at(0) })));
    for sequence in 1..=3 {
        give(&mut reconciler, attempt, sequence - 1, &entry(sequence, "a:1", sequence as u32, 1));
    }
    reconciler.caught_up(attempt, at(3), sequence_of(3));
    reconciler.fetched(attempt);
    assert_eq!(reconciler.poll(), Some(Output::Fetch(Missing::Log { after: at(3) })));
}

#[test]
fn frames_and_pages_are_read_as_what_they_are() {
    let mut wire = Vec::new();
    encode_event(&mut wire, at(42), 39, "{}");
    encode_control(&mut wire, Some(&at(50)), Some(42), r#"{"kind":"heartbeat"}"#);
    wire.extend_from_slice(b"data: no place\n\nid: k3x9q7ma-60\ndata: no prev\n\nevent: other\ndata: x\n\n");
    let mut decoder = Decoder::new();
    decoder.push(&wire);
    let event = decoder.next_frame().unwrap().map(|frame| Message::read(&frame)).unwrap();
    assert_eq!(event, Message::Event(Arrival { position: at(42), prev: sequence_of(39), envelope: b"{}" }));
    let control =
        Message::Control { kind: ControlKind::Heartbeat, position: Some(at(50)), prev: Some(sequence_of(42)) };
    assert_eq!(decoder.next_frame().unwrap().map(|frame| Message::read(&frame)), Some(control));
    for expected in [Message::Unplaced, Message::Unplaced, Message::Unknown] {
        assert_eq!(decoder.next_frame().unwrap().map(|frame| Message::read(&frame)), Some(expected));
    }

    let [one, two] =
        [entry(3, "a:1", 1, 1), entry(9, "a:1", 2, 1)].map(|entry| String::from_utf8(entry.envelope()).unwrap());
    let json = format!(r#"{{"events":[{one},{{}},{two}],"prev":2,"next":"{}"}}"#, at(12));
    let page = scan_page(json.as_bytes()).unwrap();
    let (arrivals, end) = page.arrivals().unwrap();
    let places: Vec<_> = arrivals.map(|arrival| (arrival.prev.get(), arrival.position.sequence.get())).collect();
    assert_eq!((places, end), (vec![(2, 3), (3, 4), (4, 9)], at(12)));
}
