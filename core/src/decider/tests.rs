use proptest::{collection::vec, prelude::*};

use super::{
    testing::{Log, Scenario},
    *,
};
use crate::{
    clock::VectorClock,
    domain::task::{BugReportReceived, CodeRefined, CorrectionCompleted, Planned, Task, TaskEvent},
    event::{Actor, Data, EventId},
    json,
    version::{Revision, Version},
};

/// A lamp, whose version is its bulb's.
#[derive(Debug)]
enum Lamp {}

#[derive(Clone, Debug, Default, PartialEq, Json)]
struct LampState {
    watts: u32,
    is_on: bool,
}

#[derive(Clone, Debug, PartialEq, Json)]
#[json(tag = "type", content = "data")]
enum LampCommand {
    ChangeBulb(BulbChanged),
    /// Does what it may not: changes the bulb to the one after the next.
    SkipABulb {},
    /// Does what it may not: raises the version by switching.
    SwitchAsIfChanged {},
    SwitchTwice {},
    SwitchOnAll {
        lamps: Vec<String>,
    },
    LookAt {
        stream: StreamName,
    },
}

#[derive(Clone, Debug, PartialEq, Json)]
struct BulbChanged {
    #[json(default)]
    watts: u32,
}

#[derive(Clone, Debug, PartialEq, Json)]
struct Switched {
    on: bool,
}

crate::events! {
    enum LampEvent {
        "lamp.bulb_changed.v1" => BulbChanged(BulbChanged),
        "lamp.switched.v1" => Switched(Switched),
    }
}

impl Decider for Lamp {
    const ENTITY: &'static str = "lamp";
    const STREAMS: &'static str = "house:*:lamps:*";
    const SCHEMA: u32 = 1;
    const RAISING: &'static [&'static str] = &["lamp.bulb_changed.v1"];

    type State = LampState;
    type Command = LampCommand;
    type Event = LampEvent;

    fn decide(command: LampCommand, context: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
        let lamp = context.own::<Self>()?;
        let switched = |on| context.event(&Switched { on });
        let raised = |event, by| {
            let version = Version::new(u64::from(lamp.mark().version.get()) + by).ok();
            Ok(vec![NewEvent { version, ..event }])
        };
        match command {
            LampCommand::ChangeBulb(data) => raised(context.event(&data), 1),
            LampCommand::SkipABulb {} => raised(context.event(&BulbChanged { watts: 9 }), 2),
            LampCommand::SwitchAsIfChanged {} => raised(switched(true), 1),
            LampCommand::SwitchTwice {} => Ok(vec![switched(true), switched(false)]),
            LampCommand::SwitchOnAll { lamps } => {
                let mut events = Vec::new();
                for id in lamps {
                    let stream = context.beside("lamps", &id)?;
                    if !context.of::<Self>(&stream)?.state().is_on {
                        events.push(context.event_in(&stream, &Switched { on: true }));
                    }
                }
                Ok(events)
            }
            LampCommand::LookAt { stream } => context.of::<Self>(&stream).map(|_| Vec::new()),
        }
    }

    fn evolve(mut state: LampState, event: LampEvent, _: &Event) -> LampState {
        match event {
            LampEvent::BulbChanged(data) => state.watts = data.watts,
            LampEvent::Switched(data) => state.is_on = data.on,
        }
        state
    }
}

/// An entity of which only the name and the streams matter, its state and what raises its version.
macro_rules! entity {
    ($type:ident, $name:literal, $streams:literal) => {
        entity!($type, $name, $streams, (), []);
    };
    ($type:ident, $name:literal, $streams:literal, $state:ty, [$($raising:literal)*]) => {
        enum $type {}

        impl Decider for $type {
            const ENTITY: &'static str = $name;
            const STREAMS: &'static str = $streams;
            const SCHEMA: u32 = 1;
            const RAISING: &'static [&'static str] = &[$($raising),*];

            type State = $state;
            type Command = ();
            type Event = LampEvent;

            fn decide((): (), _: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
                Ok(Vec::new())
            }

            fn evolve(state: $state, _: LampEvent, _: &Event) -> $state {
                state
            }
        }
    };
}

entity!(OtherLamp, "lamp", "street:*:lamps:*");
entity!(Everything, "everything", "**");
entity!(House, "house", "house:**");
entity!(Kitchen, "kitchen", "house:kitchen:*:top");
entity!(Street, "street", "street:*:lamps:*");
entity!(Short, "short", "house:*:lamps");
entity!(NoTopic, "no_topic", "house");
entity!(Misspelt, "misspelt", "house:*:lamps:*", (), ["lamp.bulb_change.v1"]);
entity!(Lit, "lit", "house:*:candles:*", Candle, []);

#[derive(Clone, Debug, PartialEq, Json)]
struct Candle {
    #[json(skip_none)]
    height_mm: Option<u32>,
}

impl Default for Candle {
    fn default() -> Self {
        Self { height_mm: Some(200) }
    }
}

const STREAM: &str = "house:1:lamps:a";

fn lamps() -> Entities {
    Entities::new().with::<Lamp>()
}

fn stream(name: &str) -> StreamName {
    StreamName::new(name).unwrap()
}

fn origin() -> Origin {
    Origin::new(EventId::new("command").unwrap(), Actor::new("user").unwrap())
}

/// What is decided without anything being loaded by itself.
fn decide(stream: &StreamName, origin: &Origin, command: &str, streams: &Streams) -> Result<Decision, Rejection> {
    let now = Log::new(lamps()).now;
    let events = lamps().decide("lamp", command, &Context { stream, origin, now, streams })?;
    Ok(Decision::new(events, streams))
}

fn refusal(entity: &str, stream_name: &str, command: &str) -> Refusal {
    let log = Log::new(lamps());
    log.decide(entity, &stream(stream_name), &origin(), command).unwrap_err()
}

#[test]
#[should_panic(expected = "there are two entities of the name lamp")]
fn two_entities_of_one_name_are_a_mistake() {
    let _ = lamps().with::<OtherLamp>();
}

#[test]
fn two_entities_that_may_share_a_stream_are_a_mistake() {
    let panics = |entities: fn() -> Entities| std::panic::catch_unwind(entities).is_err();
    assert!(panics(|| lamps().with::<Everything>()));
    assert!(panics(|| lamps().with::<House>()));
    assert!(panics(|| lamps().with::<Kitchen>()), "house:kitchen:lamps:top is of both");
    assert!(panics(|| Entities::new().with::<Everything>().with::<Lamp>()));
    assert!(panics(|| Entities::new().with::<NoTopic>()));
    assert!(panics(|| Entities::new().with::<Misspelt>()), "no such event could raise a version");
    let both = lamps().with::<Street>().with::<Short>();
    assert_eq!(both.iter().map(Entity::name).collect::<Vec<_>>(), ["lamp", "short", "street"]);
    assert_eq!(both.of(&stream("street:1:lamps:a")).map(Entity::name), Some("street"));
    assert_eq!(both.of(&stream("house:1:lamps")).map(Entity::name), Some("short"));
    assert!(both.of(&stream("house:1:doors:a")).is_none());
}

#[test]
fn a_snapshot_is_gone_on_from_whatever_the_default_is() {
    let snapshot = Projection::<Lit>::default().snapshot().replace(r#""height_mm":200"#, "");
    let entities = Entities::new().with::<Lit>();
    let restored = entities.get("lit").unwrap().restore(&snapshot).unwrap();
    assert_eq!(restored.of::<Lit>().unwrap().state(), &Candle { height_mm: None });
    assert_eq!(restored.snapshot(), snapshot);
}

#[test]
fn an_entity_that_is_not_known_is_a_404_which_names_those_that_are() {
    let refusal = refusal("door", STREAM, r#"{"type":"switch_twice"}"#);
    assert_eq!((refusal.kind(), refusal.code()), (RefusalKind::NotFound, "unknown_entity"));
    assert_eq!(refusal.detail(), "there is no entity 'door': there are lamp");
}

#[test]
fn a_stream_of_something_else_is_refused() {
    let refusal = refusal("lamp", "house:1:doors:a", r#"{"type":"switch_twice"}"#);
    assert_eq!((refusal.kind(), refusal.code()), (RefusalKind::Invalid, "wrong_stream"));
    let log = Log::new(lamps().with::<Street>());
    let look = r#"{"type":"look_at","data":{"stream":"street:1:lamps:a"}}"#;
    let refusal = log.decide("lamp", &stream(STREAM), &origin(), look).unwrap_err();
    assert_eq!((refusal.kind(), refusal.code()), (RefusalKind::Invalid, "wrong_stream"));
}

#[test]
fn a_command_is_read_with_and_without_data() {
    let log = Log::new(lamps());
    for command in [
        r#"{"type":"change_bulb"}"#,
        r#"{"type":"change_bulb","data":null}"#,
        r#"{"type":"change_bulb","data":{}}"#,
        r#"{"data":{"watts":0,"colour":"a field of a later time"},"type":"change_bulb"}"#,
    ] {
        let decision = log.decide("lamp", &stream(STREAM), &origin(), command).unwrap();
        let Data::Json(data) = &decision.events[0].data else { panic!("an event's data is JSON") };
        assert_eq!(data.get(), r#"{"watts":0}"#, "{command}");
    }
}

#[test]
fn a_command_that_is_none_is_refused() {
    for command in [
        "",
        "{}",
        "[]",
        r#"{"type":"explode"}"#,
        r#"{"type":"change_bulb","data":{"watts":"many"}}"#,
        r#"{"type":"change_bulb","data":[1}"#,
        r#"{"type":7}"#,
    ] {
        let refusal = refusal("lamp", STREAM, command);
        assert_eq!((refusal.kind(), refusal.code()), (RefusalKind::Invalid, "invalid_command"), "{command}");
    }
}

#[test]
fn what_is_needed_is_loaded_one_after_the_other_and_all_of_it_is_expected() {
    let (own, command) = (stream(STREAM), r#"{"type":"switch_on_all","data":{"lamps":["b","c"]}}"#);
    let mut log = Log::new(lamps());
    log.command("lamp", &stream("house:1:lamps:b"), &origin(), r#"{"type":"switch_twice"}"#).unwrap();
    let mut streams = Streams::default();
    for needed in [STREAM, "house:1:lamps:b", "house:1:lamps:c"] {
        let needed = stream(needed);
        assert_eq!(decide(&own, &origin(), command, &streams), Err(Rejection::Needs(needed.clone())));
        streams.insert(needed.clone(), log.projection::<Lamp>(&needed).into());
    }
    let decision = decide(&own, &origin(), command, &streams).unwrap();
    let expected = |name, revision| (stream(name), Revision::new(revision).unwrap());
    let all = [expected(STREAM, 0), expected("house:1:lamps:b", 2), expected("house:1:lamps:c", 0)];
    assert_eq!(decision.expected, all);
    assert_eq!(
        decision.events.iter().map(|event| event.stream.as_str()).collect::<Vec<_>>(),
        ["house:1:lamps:b", "house:1:lamps:c"]
    );
}

#[test]
fn the_events_of_a_command_have_its_id_and_say_where_they_come_from() {
    let origin = Origin {
        time: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        causation_id: Some(EventId::new("cause").unwrap()),
        correlation_id: Some(EventId::new("undertaking").unwrap()),
        clock: Some("user=4".parse::<VectorClock>().unwrap()),
        ..origin()
    };
    let decision = Log::new(lamps()).decide("lamp", &stream(STREAM), &origin, r#"{"type":"switch_twice"}"#).unwrap();
    let ids: Vec<&str> = decision.events.iter().map(|event| event.id.as_ref().unwrap().as_str()).collect();
    assert_eq!(ids, ["command", "command.1"]);
    for event in &decision.events {
        assert_eq!(event.command_id.as_ref(), Some(&origin.command_id));
        assert_eq!((&event.source, event.time), (&origin.actor, origin.time));
        assert_eq!((&event.causation_id, &event.correlation_id), (&origin.causation_id, &origin.correlation_id));
    }
    let clocks: Vec<_> = decision.events.iter().map(|event| event.clock.clone()).collect();
    assert_eq!(clocks, [origin.clock, None], "a counter stands on one event");
}

#[test]
fn an_id_that_leaves_no_room_for_those_of_its_events_is_refused() {
    let origin = Origin { command_id: EventId::new(&"x".repeat(255)).unwrap(), ..origin() };
    let log = Log::new(lamps());
    assert!(log.decide("lamp", &stream(STREAM), &origin, r#"{"type":"change_bulb"}"#).is_ok());
    let refusal = log.decide("lamp", &stream(STREAM), &origin, r#"{"type":"switch_twice"}"#).unwrap_err();
    assert_eq!((refusal.kind(), refusal.code()), (RefusalKind::Invalid, "invalid_command"));
}

#[test]
fn a_version_rises_by_one_and_by_what_may_raise_it() {
    let lamp = Scenario::<Lamp>::new(lamps(), STREAM)
        .when("user", LampCommand::SkipABulb {})
        .then_refused("unknown_version")
        .when("user", LampCommand::SwitchAsIfChanged {})
        .then_refused("unknown_version")
        .when("user", LampCommand::ChangeBulb(BulbChanged { watts: 7 }))
        .then([LampEvent::BulbChanged(BulbChanged { watts: 7 })])
        .when_about(2, "user", LampCommand::SwitchTwice {})
        .then_refused("unknown_version");
    assert_eq!(lamp.projection().mark().version.get(), 1);
    let lamp = lamp.when_about(0, "user", LampCommand::SwitchTwice {});
    assert_eq!(lamp.events().len(), 2, "what is about an earlier version is recorded");
}

#[test]
fn an_id_is_one_segment_of_a_name() {
    for id in ["", "a:b", "a/b", "*", "a b", &"x".repeat(600)] {
        let command = json::to_string(&LampCommand::SwitchOnAll { lamps: vec![id.into()] });
        let refusal = refusal("lamp", STREAM, &command);
        assert_eq!((refusal.kind(), refusal.code()), (RefusalKind::Invalid, "invalid_id"), "{id}");
    }
}

#[test]
fn an_event_is_judged_before_it_moves_the_state() {
    let mut lamp = Scenario::<Lamp>::new(lamps(), STREAM)
        .given_about(1, "user", BulbChanged { watts: 7 })
        .given_about(0, "user", Switched { on: true })
        .given_about(1, "user", Switched { on: true });
    let events = lamp.log().events().to_vec();
    let mut projection = Projection::<Lamp>::default();
    let applied: Vec<Applied> = events.iter().map(|event| projection.apply(event)).collect();
    assert_eq!(applied, [Applied::Applied, Applied::Stale, Applied::Applied]);
    assert_eq!(projection.apply(&events[1]), Applied::Duplicate);
    let binary = Event { data: Data::Binary(vec![1]), revision: Revision::new(4).unwrap(), ..events[2].clone() };
    assert!(matches!(projection.apply(&binary), Applied::Unreadable(_)));
    assert_eq!(projection.set_aside(), SetAside { stale: 1, unknown: 0, unreadable: 1 });
    assert_eq!(projection.state(), &LampState { watts: 7, is_on: true });
}

#[test]
fn a_snapshot_of_another_schema_or_of_nothing_is_not_used() {
    let snapshot = Projection::<Lamp>::default().snapshot();
    assert!(Projection::<Lamp>::restore(&snapshot).is_ok());
    let of_schema_2 = snapshot.replace(r#""schema":1"#, r#""schema":2"#);
    let error = Projection::<Lamp>::restore(&of_schema_2).err();
    assert_eq!(error, Some(InvalidSnapshot::Schema { found: 2, current: 1 }));
    for broken in ["", "{}", r#"{"schema":1}"#, &snapshot.replace("watts", "volts")] {
        let error = Projection::<Lamp>::restore(broken).err();
        assert!(matches!(error, Some(InvalidSnapshot::Unreadable(_))), "{broken}");
    }
}

fn task_event() -> impl Strategy<Value = TaskEvent> {
    prop_oneof![
        Just(TaskEvent::from(Planned { steps: vec!["write it".into()] })),
        "[a-z]{3}".prop_map(|code| TaskEvent::from(CodeRefined { code, hash: None })),
        "[a-z]{3}".prop_map(|bug| {
            let bug = crate::domain::task::Bug::Words(bug);
            TaskEvent::from(BugReportReceived { bug, hash: None })
        }),
        (1u32..20).prop_map(|number| {
            let addresses = vec![EventId::new(&format!("event-{number}")).unwrap()];
            TaskEvent::from(CorrectionCompleted { code: "…".into(), hash: None, addresses })
        }),
    ]
}

proptest! {
    #[test]
    fn a_snapshot_and_the_tail_are_the_whole(events in vec((0u32..4, task_event()), 1..30), cut in 0usize..30) {
        let mut task = Scenario::<Task>::new(Entities::new().with::<Task>(), "space:1:tasks:t");
        for (version, event) in events {
            task = task.given_about(version, "actor", event);
        }
        let events = task.log().events().to_vec();
        let mut projection = Projection::<Task>::default();
        for event in events.iter().take(cut) {
            projection.apply(event);
        }
        let mut restored = Projection::<Task>::restore(&projection.snapshot()).unwrap();
        for event in events.iter().skip(cut) {
            restored.apply(event);
        }
        prop_assert_eq!(restored.snapshot(), task.projection().snapshot());
    }
}
