//! The verdict table cell by cell, and any delivery held against a reference that keeps everything.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

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
            r#"{{"subject":"{stream}","sequence":"{sequence:016}","revision":{revision},"version":{version},"data":1}}"#
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
fn a_loaded_state_brings_its_marks() {
    let (mut reconciler, attempt) = started(After::Position(at(30)));
    let state =
        HighWater { revision: Revision::new(5).unwrap(), version: Version::new(2).unwrap(), sequence: sequence_of(31) };
    assert!(reconciler.load(at(31), "a:1", state));
    assert!(!reconciler.load(elsewhere(31), "a:1", state), "of another log");
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
    let verdicts: Vec<_> = page.iter().map(|entry| reconciler.added_event(at(14), true, &entry.envelope())).collect();
    assert_eq!(verdicts, [Verdict::Apply, Verdict::Apply, Verdict::Stale, Verdict::Apply].map(Some));
    assert_eq!(reconciler.added_event(at(14), true, b"{}"), Some(Verdict::Unreadable));
    assert_eq!(reconciler.resume(), After::Position(at(11)));

    let attempt = reconciler.connect();
    assert_eq!(give(&mut reconciler, attempt, 11, &entry(12, "a:1", 5, 1)), Some(Verdict::Apply));
    assert_eq!(give(&mut reconciler, attempt, 12, &page[3]), Some(Verdict::Duplicate));
    assert_eq!(give(&mut reconciler, attempt, 14, &entry(15, "b:1", 5, 2)), Some(Verdict::Apply));
    assert_eq!((reconciler.poll(), reconciler.resume()), (None, After::Position(at(15))));
}

#[test]
fn a_reader_that_has_not_begun_begins_where_an_added_topic_was_read_to() {
    let (mut reconciler, attempt) = started(After::Latest);
    assert_eq!(reconciler.added_event(at(14), true, &entry(2, "b:1", 1, 1).envelope()), Some(Verdict::Apply));
    assert_eq!(reconciler.resume(), After::Latest, "the connection may still tell");
    assert_eq!(give(&mut reconciler, attempt, 15, &entry(16, "a:1", 4, 1)), Some(Verdict::Gap));

    let attempt = reconciler.connect();
    assert_eq!(reconciler.resume(), After::Position(at(14)), "a server of another log has it reset");
    assert_eq!(give(&mut reconciler, attempt, 14, &entry(15, "b:1", 2, 1)), Some(Verdict::Apply));
    assert_eq!(give(&mut reconciler, attempt, 15, &entry(16, "a:1", 4, 1)), Some(Verdict::Apply));
}

#[test]
fn what_an_added_topic_has_lost_is_told() {
    let (mut reconciler, _) = started(After::Earliest);
    assert_eq!(reconciler.added_event(at(7), true, &entry(7, "b:1", 3, 1).envelope()), Some(Verdict::Apply));
    let lost =
        Output::Lost { stream: b"b:1"[..].into(), from: Revision::new(1).unwrap(), to: Revision::new(2).unwrap() };
    assert_eq!((reconciler.poll(), reconciler.poll()), (Some(lost), None));
    assert_eq!(reconciler.added_event(elsewhere(8), true, &entry(8, "b:1", 4, 1).envelope()), None);
}

#[test]
fn nothing_is_lost_before_where_an_added_topic_was_begun() {
    let (mut reconciler, _) = started(After::Position(at(10)));
    assert_eq!(reconciler.added_event(at(12), false, &entry(12, "b:1", 7, 1).envelope()), Some(Verdict::Apply));
    assert_eq!(reconciler.lost(), None);
    assert_eq!(reconciler.added_event(at(14), false, &entry(14, "b:1", 9, 1).envelope()), Some(Verdict::Apply));
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

/// What a network does with what a server sends.
#[derive(Clone, Debug)]
enum Fate {
    Deliver,
    Repeat,
    Lose,
    Swap,
    Cut,
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        4 => Just(Fate::Deliver), 2 => Just(Fate::Repeat), 1 => Just(Fate::Lose), 2 => Just(Fate::Swap), 1 => Just(Fate::Cut),
    ];
    prop::collection::vec(fate, 0..200)
}

fn logs() -> impl Strategy<Value = Vec<Entry>> {
    let event = (0_usize..3, 0_u32..5, 1_u64..4);
    prop::collection::vec(event, 1..40).prop_map(|events| {
        let mut revisions = BTreeMap::new();
        let mut sequence = 0;
        let place = |(stream, version, jump): (usize, u32, u64)| {
            let stream = ["a:1", "a:2", "a:3"][stream];
            sequence += jump;
            let revision = revisions.entry(stream).or_insert(0);
            *revision += 1;
            Entry { sequence, stream, revision: *revision, version }
        };
        events.into_iter().map(place).collect()
    })
}

/// The reference: every event of the log once, in its order; stale where its stream had a higher version before it.
fn expected(log: &[Entry]) -> Vec<(u64, Verdict)> {
    let judge = |(at, entry): (usize, &Entry)| {
        let stale = log[..at].iter().any(|before| before.stream == entry.stream && before.version > entry.version);
        (entry.sequence, if stale { Verdict::Stale } else { Verdict::Apply })
    };
    log.iter().enumerate().map(judge).collect()
}

/// A client, its server and the network between them.
struct World<'a> {
    log: &'a [Entry],
    reconciler: Reconciler,
    attempt: Attempt,
    judged: Vec<(u64, Verdict)>,
    given: u64,
    /// The log's end when the reader first came.
    begin: u64,
    /// Which of the fetches are refused; none of those after these.
    refusals: std::vec::IntoIter<bool>,
    /// The connection is over.
    cut: bool,
}

impl World<'_> {
    fn prev_of(&self, sequence: u64) -> u64 {
        self.log.iter().map(|entry| entry.sequence).filter(|before| *before < sequence).max().unwrap_or(0)
    }

    fn deliver(&mut self, entry: &Entry) {
        if self.cut {
            return;
        }
        self.given += 1;
        let prev = self.prev_of(entry.sequence);
        let verdict = give(&mut self.reconciler, self.attempt, prev, entry);
        if let Some(verdict @ (Verdict::Apply | Verdict::Stale)) = verdict {
            self.judged.push((entry.sequence, verdict));
        }
        self.drain();
        if let (false, After::Position(cursor)) = (self.cut, self.reconciler.resume()) {
            assert!(cursor.sequence.get() >= prev, "{prev} is missing and not fetched");
        }
    }

    /// Does what the reconciler asks for; pages have two events at most. One that is refused ends the connection.
    fn drain(&mut self) {
        while let (false, Some(output)) = (self.cut, self.reconciler.poll()) {
            match output {
                Output::Released { verdict: verdict @ (Verdict::Apply | Verdict::Stale), position, .. } => {
                    self.judged.push((position.sequence.get(), verdict));
                }
                Output::Released { .. } => {}
                Output::Fetch(_) if self.refusals.next() == Some(true) => self.cut = true,
                Output::Fetch(Missing::Log { after }) => {
                    let after = after.sequence.get();
                    let log = self.log;
                    let page = || log.iter().filter(|entry| entry.sequence > after).take(2);
                    page().for_each(|entry| self.deliver(entry));
                    let end = page().last().map_or(after, |entry| entry.sequence);
                    self.reconciler.caught_up(self.attempt, at(end), sequence_of(end));
                    self.reconciler.fetched(self.attempt);
                }
                other => panic!("nothing is lost here: {other:?}"),
            }
        }
    }

    fn run(&mut self, fates: &[Fate]) {
        let mut fates = fates.iter();
        let mut late_ready = true;
        loop {
            self.attempt = self.reconciler.connect();
            self.cut = false;
            let cursor = match self.reconciler.resume() {
                After::Position(cursor) => cursor.sequence.get(),
                _ => self.begin,
            };
            let mut due: Vec<_> = self.log.iter().filter(|entry| entry.sequence > cursor).collect();
            due.reverse();
            if std::mem::take(&mut late_ready)
                && let Some(overtaking) = due.pop()
            {
                self.deliver(overtaking);
            }
            self.reconciler.handle(self.attempt, &ready(cursor));
            self.drain();
            while let (false, Some(entry)) = (self.cut, due.pop()) {
                match fates.next().unwrap_or(&Fate::Deliver) {
                    Fate::Deliver => self.deliver(entry),
                    Fate::Repeat => [entry, entry].into_iter().for_each(|entry| self.deliver(entry)),
                    Fate::Lose => {}
                    Fate::Swap => {
                        if let Some(later) = due.pop() {
                            self.deliver(later);
                        }
                        self.deliver(entry);
                    }
                    Fate::Cut => self.cut = true,
                }
            }
            if !self.cut {
                let head = self.log.last().map_or(0, |entry| entry.sequence);
                self.reconciler.caught_up(self.attempt, at(head), sequence_of(head));
                self.drain();
            }
            if !self.cut {
                return;
            }
        }
    }
}

proptest! {
    #[test]
    fn any_delivery_ends_in_every_event_judged_once_in_order(
        log in logs(),
        fates in fates(),
        refusals in prop::collection::vec(any::<bool>(), 0..20),
        events_max in 1_usize..8,
        begin in prop::option::of(0_usize..4),
    ) {
        let limits = HoldLimits { events_max, ..HoldLimits::default() };
        let skipped = begin.unwrap_or(0).min(log.len());
        let before = log.get(skipped.wrapping_sub(1)).map_or(0, |entry| entry.sequence);
        let after = if begin.is_some() { After::Latest } else { After::Position(at(0)) };
        let mut reconciler = Reconciler::new(after, limits);
        let attempt = reconciler.connect();
        let mut world = World {
            log: &log,
            reconciler,
            attempt,
            judged: Vec::new(),
            given: 0,
            begin: before,
            refusals: refusals.into_iter(),
            cut: false,
        };
        world.run(&fates);

        prop_assert_eq!(&world.judged, &expected(&log[skipped..]));
        let head = log.last().map_or(0, |entry| entry.sequence);
        prop_assert_eq!(world.reconciler.resume(), After::Position(at(head)));
        let Counts { applied, stale, duplicate, unreadable, discarded, dropped, .. } = world.reconciler.counts();
        let accounted = applied + stale + duplicate + unreadable + discarded + dropped + world.reconciler.held() as u64;
        prop_assert_eq!(accounted, world.given);
        let once: BTreeSet<_> = world.judged.iter().map(|(sequence, _)| sequence).collect();
        prop_assert_eq!(once.len(), world.judged.len());
    }
}
