use super::*;
use crate::{
    decider::{Applied, Context, Entities, Projection, Rejection, testing::Log},
    event::{Actor, EventType, NewEvent},
    json::Json,
    stream::StreamName,
};

/// A lamp. Its first schema told how strong a bulb is in candles, its second in watts; the third tells what kind of bulb it is.
enum Lamp {}

#[derive(Clone, Debug, Default, PartialEq, Json)]
struct BulbChanged {
    watts: u32,
    bulb: String,
}

crate::events! {
    enum LampEvent {
        "lamp.bulb_changed.v3" => BulbChanged(BulbChanged),
    }
}

impl Decider for Lamp {
    const ENTITY: &'static str = "lamp";
    const STREAMS: &'static str = "house:*:lamps:*";
    const SCHEMA: u32 = 3;
    const UPCASTS: &'static [Upcast] = &[
        Upcast { from: "lamp.bulb_changed.v2", to: "lamp.bulb_changed.v3", step: with_a_kind },
        Upcast { from: "lamp.bulb_changed.v1", to: "lamp.bulb_changed.v2", step: in_watts },
        Upcast { from: "lamp.turned.v1", to: "lamp.turned.v1", step: with_a_kind },
    ];

    type State = BulbChanged;
    type Command = ();
    type Event = LampEvent;

    fn decide((): (), _: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
        Ok(Vec::new())
    }

    fn evolve(_: BulbChanged, event: LampEvent, _: &Event) -> BulbChanged {
        let LampEvent::BulbChanged(data) = event;
        data
    }
}

fn in_watts(mut data: Map<String, Value>) -> Map<String, Value> {
    let candles = data.remove("candles").and_then(|candles| candles.as_u64()).unwrap_or(0);
    data.insert("watts".into(), (candles * 3).into());
    data
}

fn with_a_kind(mut data: Map<String, Value>) -> Map<String, Value> {
    data.insert("bulb".into(), "filament".into());
    data
}

fn recorded(kind: &str, data: &str) -> Event {
    let stream = StreamName::new("house:1:lamps:a").unwrap();
    let event = NewEvent::new(stream, Actor::new("user").unwrap(), EventType::new(kind).unwrap());
    Log::new(Entities::new()).record(NewEvent { data: Data::json(data).unwrap(), ..event })
}

#[test]
fn every_schema_is_read_as_the_newest() {
    for (kind, data) in [
        ("lamp.bulb_changed.v1", r#"{"candles":2}"#),
        ("lamp.bulb_changed.v2", r#"{"watts":6}"#),
        ("lamp.bulb_changed.v3", r#"{"watts":6,"bulb":"filament"}"#),
    ] {
        let mut lamp = Projection::<Lamp>::default();
        assert_eq!(lamp.apply(&recorded(kind, data)), Applied::Applied, "{kind}");
        assert_eq!(lamp.state(), &BulbChanged { watts: 6, bulb: "filament".into() }, "{kind}");
    }
}

#[test]
fn what_is_newer_than_the_reader_is_not_guessed_at() {
    for kind in ["lamp.bulb_changed.v4", "lamp.exploded.v1"] {
        assert!(matches!(read::<Lamp>(&recorded(kind, r#"{"watts":6,"bulb":"x"}"#)), Read::Unknown), "{kind}");
    }
}

#[test]
fn data_that_is_not_what_its_type_says_is_unreadable_in_every_schema() {
    for (kind, data) in [
        ("lamp.bulb_changed.v1", "[2]"),
        ("lamp.bulb_changed.v2", r#"{"watts":"six"}"#),
        ("lamp.bulb_changed.v3", r#"{"watts":6}"#),
    ] {
        assert!(matches!(read::<Lamp>(&recorded(kind, data)), Read::Unreadable(_)), "{kind}");
    }
}

#[test]
fn a_step_that_leads_nowhere_is_an_end() {
    assert!(matches!(read::<Lamp>(&recorded("lamp.turned.v1", "{}")), Read::Unknown));
}
