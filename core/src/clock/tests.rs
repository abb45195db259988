use super::*;

fn clock(text: &str) -> VectorClock {
    text.parse().expect("a test's clock is valid")
}

fn full() -> VectorClock {
    let mut clock = VectorClock::new();
    for n in 0..ACTORS_MAX {
        clock.set(&format!("actor-{n}"), 1).expect("within the limit");
    }
    clock
}

#[test]
fn the_four_answers() {
    for (left, right, answer) in [
        ("", "", Causality::Equal),
        ("a=1", "a=1", Causality::Equal),
        ("", "a=1", Causality::Before),
        ("a=1,b=2", "a=1,b=3", Causality::Before),
        ("b=2", "a=1,b=2,c=1", Causality::Before),
        ("a=1", "b=1", Causality::Concurrent),
        ("a=2,b=1", "a=1,b=2", Causality::Concurrent),
        ("a=2,c=1", "a=1,b=1,c=1", Causality::Concurrent),
    ] {
        assert_eq!(clock(left).compare(&clock(right)), answer, "{left} to {right}");
        assert_eq!(clock(right).compare(&clock(left)), answer.inverse(), "{right} to {left}");
    }
}

#[test]
fn receiving_merges_then_ticks() {
    let mut corrector = clock("corrector=1,generator=1");
    assert_eq!(corrector.observe(&clock("generator=2,tester=4"), "corrector"), Ok(2));
    assert_eq!(corrector, clock("corrector=2,generator=2,tester=4"));
    assert_eq!(corrector.get("nobody"), 0);
}

#[test]
fn a_counter_stays_within_its_range() {
    let mut clock = VectorClock::new();
    let out_of_range = Err(ClockError::CounterOutOfRange { actor: "a".into() });
    assert_eq!(clock.set("a", 0), out_of_range);
    assert_eq!(clock.set("a", COUNTER_MAX + 1), out_of_range);
    assert!(clock.is_empty());

    clock.set("a", COUNTER_MAX - 1).unwrap();
    assert_eq!(clock.tick("a"), Ok(COUNTER_MAX));
    assert_eq!(clock.tick("a"), Err(ClockError::CounterOutOfRange { actor: "a".into() }));
    assert_eq!(clock.get("a"), COUNTER_MAX);
}

#[test]
fn an_actor_stays_within_its_length() {
    let mut clock = VectorClock::new();
    assert_eq!(clock.tick(""), Err(ClockError::ActorEmpty));
    let longest = "x".repeat(ACTOR_BYTES_MAX);
    assert_eq!(clock.tick(&longest), Ok(1));
    assert_eq!(clock.tick(&(longest + "x")), Err(ClockError::ActorTooLong { bytes: ACTOR_BYTES_MAX + 1 }));
}

#[test]
fn a_full_clock_refuses_a_new_actor_and_is_unchanged() {
    let mut clock = full();
    assert_eq!(clock.tick("one too many"), Err(ClockError::Full));
    assert_eq!(clock.tick("actor-7"), Ok(2));

    let mut newer = VectorClock::new();
    newer.set("actor-0", 9).unwrap();
    newer.set("one too many", 1).unwrap();
    let before = clock.clone();
    assert_eq!(clock.merge(&newer), Err(ClockError::Full));
    assert_eq!(clock.observe(&before, "one too many"), Err(ClockError::Full));
    assert_eq!(clock, before);
}

#[test]
fn observing_with_a_spent_counter_changes_nothing() {
    let mut clock = VectorClock::new();
    clock.set("a", COUNTER_MAX).unwrap();
    let before = clock.clone();
    assert!(clock.observe(&"b=1".parse().unwrap(), "a").is_err());
    assert_eq!(clock, before);
}

#[test]
fn text_is_sorted_and_encoded() {
    let mut clock = VectorClock::new();
    for actor in ["tester", "a=b,c%d", "Z", "tab\there", "next\u{85}line", "https://x.example/é"] {
        clock.tick(actor).unwrap();
    }
    let text = "Z=1,a%3Db%2Cc%25d=1,https://x.example/é=1,next%C2%85line=1,tab%09here=1,tester=1";
    assert_eq!(clock.to_string(), text);
    assert_eq!(text.parse(), Ok(clock));
}

#[test]
fn order_is_that_of_the_actors_not_of_their_encoding() {
    // `+` sorts before `,`, and `,` before `-`, although `%2C` would come first.
    let clock = clock("-=3,%2C=2,+=1");
    assert_eq!(clock.to_string(), "+=1,%2C=2,-=3");
}

#[test]
fn reading_is_lax_in_order_and_encoding_only() {
    assert_eq!(clock("b=2,a=1"), clock("a=1,b=2"));
    assert_eq!(clock("%61%c3%A9=1"), clock("aé=1"));
    assert_eq!(clock("a=9007199254740991").get("a"), COUNTER_MAX);
    assert_eq!(clock(""), VectorClock::new());

    for (text, at) in [
        (",", 0),
        ("a", 0),
        ("a=1,", 4),
        ("a=1,,b=1", 4),
        ("a=", 0),
        ("a=0", 0),
        ("a=01", 0),
        ("a=+1", 0),
        ("a=-1", 0),
        ("a= 1", 0),
        ("a=1=1", 0),
        ("a=9007199254740992", 0),
        ("a=99999999999999999999999", 0),
        ("b=1,a%=1", 4),
        ("a%4=1", 0),
        ("a%4g=1", 0),
        ("a%+1=1", 0),
        ("a%FF=1", 0),
        ("a\tb=1", 0),
    ] {
        match text.parse::<VectorClock>() {
            Err(ClockError::Text { at: found, .. }) => assert_eq!(found, at, "{text:?}"),
            other => panic!("{text:?} was read as {other:?}"),
        }
    }
    assert_eq!("=1".parse::<VectorClock>(), Err(ClockError::ActorEmpty));
    assert_eq!("a=1,%61=2".parse::<VectorClock>(), Err(ClockError::ActorTwice { actor: "a".into() }));
    assert_eq!(format!("{},x=1", full()).parse::<VectorClock>(), Err(ClockError::Full));
}

#[test]
fn serde_goes_through_the_text() {
    let clock = clock("corrector=2,generator=1");
    let json = serde_json::to_string(&clock).unwrap();
    assert_eq!(json, r#""corrector=2,generator=1""#);
    assert_eq!(serde_json::from_str::<VectorClock>(&json).unwrap(), clock);
    assert_eq!(serde_json::from_str::<VectorClock>(r#""\u0061=1""#).unwrap().get("a"), 1);
    assert!(serde_json::from_str::<VectorClock>(r#"{"a":1}"#).is_err());
    assert!(serde_json::from_str::<VectorClock>(r#""a=0""#).is_err());
}
