//! Actors against a real server, at full speed.

use std::sync::Arc;

use highwater_core::{
    clock::Causality,
    envelope::{parse_event, scan_page},
    event::{Actor, Event, EventId},
    stream::StreamName,
    version::{Revision, Version},
};
use rand::{SeedableRng, rngs::StdRng};
use tokio_util::sync::CancellationToken;

use super::{
    GaveUp,
    actor::{Colleague, Condition, Identity, Voice},
    corrector::correct,
    generator::generate,
    tester::test,
};
use crate::{
    demo::{
        craft::catalogue::CATALOGUE,
        facts::{Bug, BugReport, CorrectionCompleted, CorrectionStarted, Fact},
        pace::Pace,
        proxy::Faults,
        stage::{Setting, Stage},
    },
    remote::Remote,
};

const STREAM: &str = "space:demo:tasks:clamp-test";

struct Office {
    stage: Stage,
    remote: Arc<Remote>,
}

impl Office {
    async fn open() -> Self {
        let setting = Setting {
            listen: "127.0.0.1:0".to_owned(),
            any_port: false,
            data: None,
            heartbeat_ms: None,
            faults: Faults::NONE,
            pace: Pace::new(1_000.0),
            seed: 1,
        };
        let stage = Stage::set(setting, CancellationToken::new()).await.unwrap();
        let remote = Arc::new(Remote::new(&stage.server_url()).unwrap());
        Self { stage, remote }
    }

    fn identity(&self, name: &str) -> Identity {
        Identity {
            name: Actor::new(name).unwrap(),
            stream: StreamName::new(STREAM).unwrap(),
            remote: Arc::clone(&self.remote),
            pace: Pace::new(1_000.0),
        }
    }

    async fn log(&self) -> Vec<Event> {
        let page = self.remote.stream_page(STREAM, Revision::ZERO.next().unwrap()).await.unwrap();
        let events = scan_page(page.as_bytes()).unwrap().events;
        events.into_iter().map(|event| parse_event(event).unwrap()).collect()
    }
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(3)
}

fn version(number: u64) -> Version {
    Version::new(number).unwrap()
}

fn started() -> Fact {
    Fact::CorrectionStarted(CorrectionStarted { target_version: 1 })
}

#[tokio::test]
async fn a_name_that_is_taken_is_left_alone() {
    let office = Office::open().await;
    generate(office.identity("generator-1"), &CATALOGUE[0], rng()).await.unwrap();
    let again = generate(office.identity("generator-2"), &CATALOGUE[0], rng()).await;
    assert!(matches!(again, Err(GaveUp::Contended)), "{again:?}");
    assert_eq!(office.log().await.len(), 1);
    office.stage.strike().await.unwrap();
}

#[tokio::test]
async fn who_has_forgotten_its_counter_finds_it_in_the_log() {
    let office = Office::open().await;
    generate(office.identity("generator-1"), &CATALOGUE[0], rng()).await.unwrap();
    let mut forgetful = Voice::new(office.identity("generator-1"));
    let id = forgetful.say(&started(), version(1), None, Condition::None, &mut rng()).await.unwrap();
    let log = office.log().await;
    let [first, second] = &log[..] else { panic!("{log:?}") };
    assert_eq!(second.id, id);
    assert_eq!(first.clock.compare(&second.clock), Causality::Before);
    office.stage.strike().await.unwrap();
}

#[tokio::test]
async fn a_successor_goes_on_where_the_log_ends() {
    let office = Office::open().await;
    generate(office.identity("generator-1"), &CATALOGUE[0], rng()).await.unwrap();
    let cause = office.log().await[0].id.clone();
    for _ in 0..2 {
        let mut corrector = Colleague::join(office.identity("corrector-1"), rng()).await.unwrap();
        assert_eq!(corrector.dossier.versions.len(), 1);
        corrector.say(&started(), version(1), &cause, Condition::None).await.unwrap();
    }
    let counters: Vec<u64> = office.log().await.iter().map(|event| event.clock.get("corrector-1")).collect();
    assert!(counters.is_sorted_by(|one, next| one < next), "{counters:?}");
    office.stage.strike().await.unwrap();
}

#[tokio::test]
async fn a_correction_of_what_is_gone_is_refused() {
    let office = Office::open().await;
    generate(office.identity("generator-1"), &CATALOGUE[0], rng()).await.unwrap();
    let corrected = |code: &str| {
        Fact::CorrectionCompleted(CorrectionCompleted { code: code.into(), hash: code.into(), addresses: vec![] })
    };
    let mut quick = Voice::new(office.identity("corrector-1"));
    quick.say(&corrected("quick"), version(2), None, Condition::None, &mut rng()).await.unwrap();
    let mut slow = Voice::new(office.identity("corrector-2"));
    let refused = slow.say(&corrected("slow"), version(2), None, Condition::None, &mut rng()).await;
    assert!(matches!(refused, Err(GaveUp::Contended)), "{refused:?}");
    let bug = Bug { case: "f(1)".into(), expected: "1".into(), got: "2".into() };
    let report = Fact::BugReportReceived(BugReport { bug, hash: "first".into() });
    let late = slow.say(&report, version(1), None, Condition::None, &mut rng()).await;
    assert!(late.is_ok(), "a late report is a fact: {late:?}");
    office.stage.strike().await.unwrap();
}

#[tokio::test]
async fn a_tester_that_is_replaced_does_not_test_again() {
    let office = Office::open().await;
    generate(office.identity("generator-1"), &CATALOGUE[0], rng()).await.unwrap();
    let work = async {
        tokio::select! {
            passed = test(office.identity("tester-1"), &CATALOGUE[0], rng()) => passed.unwrap(),
            Err(reason) = correct(office.identity("corrector-1"), rng()) => panic!("{reason}"),
        }
    };
    let passed = work.await;
    assert!(passed > version(1), "the first version is wrong");
    let log = office.log().await;
    let ids: Vec<&EventId> = log.iter().map(|event| &event.id).collect();
    let successor = Colleague::join(office.identity("tester-1"), rng()).await.unwrap();
    assert_eq!(successor.dossier.checked, passed);
    assert!(successor.dossier.state.open.is_empty(), "all reports are answered: {ids:?}");
    office.stage.strike().await.unwrap();
}
