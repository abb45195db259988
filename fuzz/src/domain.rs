//! Entities as a page has them: what events come to is what they come to on a server, however many are handed in at once; a snapshot is gone on
//! from; a command moves nothing unless events are made, and decides the same again.
//!
//! The first line is the entity's number and a snapshot, or nothing; each line after it a list of events, or a request to decide.

use highwater_client::domain::Domain;
use highwater_core::{decider::Entity, domain::entities, envelope::parse_event, event::Event, json};
use serde_json::Value;

use crate::input::choice_and_text;

/// See the [module](self).
pub fn check(input: &[u8]) {
    let Some((choice, text)) = choice_and_text(input) else { return };
    let mut lines = text.split('\n');
    let (entity, snapshot) = (usize::from(choice.wrapping_sub(b'0')), lines.next().unwrap_or_default());
    let mut domain = Domain::new(entities());
    let Some(number) = domain.open(entity, snapshot) else { return };
    let entities = entities();
    let entity_of_server = entities.iter().nth(entity).expect("the domain has it");
    for line in lines {
        if line.starts_with('[') {
            check_events(&mut domain, number, line, entity_of_server);
        } else {
            check_request(&mut domain, number, line);
        }
        let snapshot = domain.snapshot(number);
        let again = domain.open(entity, &snapshot).expect("a snapshot can be gone on from");
        assert_eq!(domain.snapshot(again), snapshot);
        domain.close(again);
    }
}

fn check_events(domain: &mut Domain, number: usize, events: &str, entity: &Entity) {
    let before = domain.snapshot(number);
    let one_by_one = domain.copy(number).expect("it is open");
    // What no page hands in.
    let told = domain.apply(one_by_one, events);
    assert!(serde_json::from_str::<Value>(&told).is_ok(), "{told}");
    domain.close(one_by_one);

    let one_by_one = domain.copy(number).expect("it is open");
    let items = json::items(events).unwrap_or_default();
    let lines: Vec<_> = items.iter().map(|item| lines(item)).collect();
    let told = domain.apply(number, &lines.join("\n"));
    assert!(serde_json::from_str::<Value>(&told).is_ok(), "{told}");
    let after = domain.snapshot(number);
    for event in &lines {
        domain.apply(one_by_one, event);
    }
    assert_eq!(domain.snapshot(one_by_one), after);
    domain.close(one_by_one);

    let recorded: Result<Vec<Event>, _> = items.iter().map(|item| parse_event(item.as_bytes())).collect();
    if let Ok(recorded) = recorded {
        let mut folded = entity.restore(&before).expect("the domain wrote it");
        recorded.iter().for_each(|event| drop(folded.apply(event)));
        assert_eq!(folded.snapshot(), after);
    }
}

/// An event as a page hands it in: its attributes, and its data. Of a member that is there twice, the last one counts, as in JavaScript.
fn lines(event: &str) -> String {
    let (mut attributes, mut data) = (Vec::new(), "");
    for (name, value) in json::members(event).unwrap_or_default() {
        match &*name {
            "data" => data = value,
            _ => attributes.push(format!("{}:{value}", Value::from(&*name))),
        }
    }
    let without_breaks = |text: &str| text.replace(['\n', '\r'], " ");
    format!("{{{}}}\n{}", without_breaks(&attributes.join(",")), without_breaks(data))
}

fn check_request(domain: &mut Domain, number: usize, request: &str) {
    let before = domain.snapshot(number);
    let copies = [domain.copy(number), domain.copy(number)].map(|copy| copy.expect("it is open"));
    let [(told, moved), again] = copies.map(|copy| (domain.decide(copy, request), domain.snapshot(copy)));
    assert_eq!((&told, &moved), (&again.0, &again.1), "the same again");
    assert_eq!(domain.snapshot(number), before, "a copy is one");
    copies.into_iter().for_each(|copy| domain.close(copy));

    let told: Value = serde_json::from_str(&told).expect("an answer is JSON");
    let told = told.as_object().filter(|told| told.len() == 1).expect("of one kind");
    assert!(told.contains_key("events") || moved == before, "{told:?}");
    domain.decide(number, request);
}
