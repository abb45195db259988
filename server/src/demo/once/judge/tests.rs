use highwater_core::{
    clock::VectorClock,
    event::{Actor, Data, EventId, EventType, NewEvent, Recording},
    time::Timestamp,
    version::{Revision, Version},
};

use super::*;
use crate::demo::facts::{Bug, BugReport, CodeGenerated, CorrectionCompleted, Fact, QualityChecked};

/// Version 1, a report about it, version 2 which answers it, a late report about version 1, and a check that all is well.
fn log() -> Vec<Event> {
    let code = |code: &str| (code.to_owned(), format!("hash of {code}"));
    let bug = |case: &str| Bug { case: case.into(), expected: "1".into(), got: "2".into() };
    let ((one, one_hash), (two, two_hash)) = (code("one"), code("two"));
    let facts = [
        (1, Fact::CodeGenerated(CodeGenerated { task: "do".into(), code: one, hash: one_hash.clone() })),
        (1, Fact::BugReportReceived(BugReport { bug: bug("f(1)"), hash: one_hash.clone() })),
        (
            2,
            Fact::CorrectionCompleted(CorrectionCompleted {
                code: two,
                hash: two_hash.clone(),
                addresses: vec![id(2)],
            }),
        ),
        (1, Fact::BugReportReceived(BugReport { bug: bug("f(2)"), hash: one_hash })),
        (
            2,
            Fact::QualityChecked(QualityChecked {
                hash: two_hash,
                passed: true,
                cases: 2,
                failed: 0,
                addresses: vec![],
            }),
        ),
    ];
    facts.into_iter().zip(1..).map(|((version, fact), place)| event(place, version, &fact)).collect()
}

fn event(place: u64, version: u64, fact: &Fact) -> Event {
    let (kind, data) = (fact.kind(), fact.command().1);
    let kind = EventType::new(kind).unwrap();
    let mut event = NewEvent::new(StreamName::new("space:demo:tasks:t").unwrap(), Actor::new("a").unwrap(), kind);
    event.data = Data::json(data.get()).unwrap();
    event.record(Recording {
        id: id(place),
        recorded_time: Timestamp::from_unix_micros(0).unwrap(),
        sequence: Sequence::new(place).unwrap(),
        revision: Revision::new(place).unwrap(),
        version: Version::new(version).unwrap(),
        clock: VectorClock::new(),
    })
}

fn id(place: u64) -> EventId {
    EventId::new(&format!("event-{place}")).unwrap()
}

/// What a reader was told, as (place, verdict, way).
type Script = Vec<(u64, Verdict, Via)>;

/// Everything as it should be, with a repeat and a gap.
fn right() -> Script {
    vec![
        (1, Verdict::Apply, Via::Stream),
        (3, Verdict::Gap, Via::Stream),
        (1, Verdict::Duplicate, Via::Stream),
        (2, Verdict::Apply, Via::Page),
        (3, Verdict::Apply, Via::Hold),
        (4, Verdict::Stale, Via::Stream),
        (2, Verdict::Duplicate, Via::Stream),
        (5, Verdict::Apply, Via::Stream),
    ]
}

fn mistakes(script: &Script) -> Vec<Mistake> {
    let log = log();
    let (mut real, mut naive) = (RealClient::default(), NaiveClient::default());
    for &(place, verdict, via) in script {
        let event = log.iter().find(|event| event.sequence.get() == place).unwrap_or(&log[0]);
        if via == Via::Stream {
            naive.receive(event);
        }
        real.receive(event, Sequence::new(place).unwrap(), verdict, via);
    }
    let tally = Tally::of(&real.verdicts);
    real.counts.applied = tally.applied as u64;
    real.counts.stale = tally.stale as u64;
    real.counts.duplicate = tally.duplicate as u64;
    real.counts.gap = tally.gap as u64;
    judge(&log, &naive, &real).mistakes
}

#[test]
fn what_is_right_is_not_called_wrong() {
    assert_eq!(mistakes(&right()), []);
}

#[test]
fn a_broken_judge_is_caught() {
    let at = |place: u64| Sequence::new(place).unwrap();
    let wrong = |sequence, expected, given| Mistake::WrongVerdict { sequence, expected, given };
    let changed = |change: fn(&mut Script)| {
        let mut script = right();
        change(&mut script);
        mistakes(&script)
    };
    let stale_applied = changed(|script| script[5].1 = Verdict::Apply);
    assert!(stale_applied.contains(&wrong(at(4), Verdict::Stale, Verdict::Apply)), "{stale_applied:?}");
    assert!(stale_applied.iter().any(|mistake| matches!(mistake, Mistake::WrongState(_))), "{stale_applied:?}");
    let current_dropped = changed(|script| script[7].1 = Verdict::Stale);
    assert!(current_dropped.contains(&wrong(at(5), Verdict::Apply, Verdict::Stale)), "{current_dropped:?}");
    let repeat_applied = changed(|script| script[6].1 = Verdict::Apply);
    assert!(repeat_applied.contains(&Mistake::JudgedTwice(at(2))), "{repeat_applied:?}");
    let first_dropped = changed(|script| script[3].1 = Verdict::Duplicate);
    assert!(first_dropped.contains(&Mistake::NotJudged(at(2))), "{first_dropped:?}");
    let out_of_order = changed(|script| script.swap(3, 4));
    assert!(out_of_order.contains(&Mistake::OutOfOrder(at(2))), "{out_of_order:?}");
    let invented = changed(|script| script.push((9, Verdict::Apply, Via::Stream)));
    assert!(invented.contains(&Mistake::Invented(at(9))), "{invented:?}");
    let never_released = changed(|script| script.truncate(4));
    assert!(never_released.iter().any(|mistake| matches!(mistake, Mistake::Unaccounted { .. })), "{never_released:?}");
    let unreadable = changed(|script| script[0].1 = Verdict::Unreadable);
    assert!(unreadable.contains(&wrong(at(1), Verdict::Apply, Verdict::Unreadable)), "{unreadable:?}");
}

#[test]
fn a_counter_that_lies_is_caught() {
    let log = log();
    let mut real = RealClient::default();
    real.receive(&log[0], log[0].sequence, Verdict::Apply, Via::Stream);
    let found = judge(&log[..1], &NaiveClient::default(), &real).mistakes;
    assert!(matches!(found[..], [Mistake::Miscounted { .. }]), "{found:?}");
}

#[test]
fn the_naive_clients_slips_have_their_causes() {
    let log = log();
    let mut naive = NaiveClient::default();
    for place in [1, 2, 2, 3, 1, 4] {
        naive.receive(&log[place - 1]);
    }
    let mut late = NaiveClient::default();
    for place in [1, 3, 2] {
        late.receive(&log[place - 1]);
    }
    naive.slips.extend(late.slips);
    let judgement = judge(&log, &naive, &RealClient::default());
    let causes: Vec<(Cause, usize)> = judgement.slips.iter().map(|(cause, slips)| (*cause, slips.len())).collect();
    assert_eq!(causes, [(Cause::Stale, 1), (Cause::Duplicate, 2), (Cause::Reordered, 1)]);
    assert_eq!(judgement.lacking().count(), 0);
    assert_eq!(judgement.never_came, 1);
    assert_eq!(judgement.wrong_tasks.len(), 1);
}
