//! A clock's text: it is read as its grammar says, whatever the order of its pairs, and written in one way. Clocks of two lines are compared
//! and merged as the laws of a lattice say.

use std::collections::BTreeMap;

use highwater_core::clock::{ACTOR_BYTES_MAX, ACTORS_MAX, COUNTER_MAX, Causality, VectorClock};
use highwater_core::json;

/// See the [module](self).
pub fn check(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let clocks: Vec<_> = text.split('\n').take(2).filter_map(clock).collect();
    let [one, other] = &clocks[..] else { return };
    assert_eq!(one.compare(other), other.compare(one).inverse());
    let knows = |one: &VectorClock, other: &VectorClock| other.iter().all(|(actor, counter)| one.get(actor) >= counter);
    let causality = match (knows(one, other), knows(other, one)) {
        (true, true) => Causality::Equal,
        (true, false) => Causality::After,
        (false, true) => Causality::Before,
        (false, false) => Causality::Concurrent,
    };
    assert_eq!(one.compare(other), causality);
    let mut merged = one.clone();
    if merged.merge(other).is_ok() {
        let highest = |actor: &str| one.get(actor).max(other.get(actor));
        assert!(merged.iter().all(|(actor, counter)| counter == highest(actor)));
        assert!(knows(&merged, one) && knows(&merged, other));
    } else {
        assert_eq!(merged, *one);
    }
}

fn clock(text: &str) -> Option<VectorClock> {
    let clock = text.parse::<VectorClock>().ok();
    let is_meant = meaning(text);
    let counters = |clock: &VectorClock| clock.iter().map(|(actor, counter)| (actor.to_owned(), counter)).collect();
    assert_eq!(clock.as_ref().map(counters), is_meant, "{text:?}");
    let clock = clock?;
    let written = clock.to_string();
    assert_eq!(written.parse(), Ok(clock.clone()));
    assert_eq!(json::from_str(&json::to_string(&clock)), Ok(clock.clone()));
    assert!(clock.iter().is_sorted_by(|(one, _), (other, _)| one < other));
    let reversed: Vec<_> = written.split(',').rev().collect();
    assert_eq!(reversed.join(",").parse(), Ok(clock.clone()));
    Some(clock)
}

/// The grammar, read the plain way.
fn meaning(text: &str) -> Option<BTreeMap<String, u64>> {
    let mut counters = BTreeMap::new();
    for pair in text.split(',').filter(|_| !text.is_empty()) {
        let (actor, digits) = pair.split_once('=')?;
        let actor = decoded(actor)?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
        let counter = digits.parse().ok().filter(|counter| is_number && (1..=COUNTER_MAX).contains(counter))?;
        let is_name = (1..=ACTOR_BYTES_MAX).contains(&actor.len());
        (is_name && counters.insert(actor, counter).is_none()).then_some(())?;
    }
    (counters.len() <= ACTORS_MAX).then_some(counters)
}

fn decoded(actor: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = actor.bytes();
    while let Some(byte) = rest.next() {
        let digit = |digit: Option<u8>| char::from(digit?).to_digit(16);
        bytes.push(if byte == b'%' { (digit(rest.next())? << 4 | digit(rest.next())?) as u8 } else { byte });
    }
    (!actor.contains(char::is_control)).then_some(())?;
    String::from_utf8(bytes).ok()
}
