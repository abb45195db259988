//! Schemas that change: an entity whose event has had three, read by servers of every age.

use highwater_core::{
    decider::{Applied, Decider, Entities, InvalidSnapshot, Projection, SetAside, testing::Scenario},
    envelope::{parse_event, write_event},
    event::{Data, Event},
};

const STREAM: &str = "space:1:parcels:p1";

/// Writes the decider of one age. They differ in what `sent` says, and in what the state keeps of it.
macro_rules! parcel {
    (
        $age:ident, schema $schema:literal, $kind:literal, upcasts $upcasts:expr,
        Sent { $($field:ident: $type:ty),+ }, |$sent:ident| $address:expr
    ) => {
        mod $age {
            use highwater_core::{
                decider::{Context, Decider, Rejection},
                event::{Event, NewEvent},
                json::Json,
                upcast::Upcast,
            };

            pub(crate) enum Parcel {}

            /// It has come.
            #[derive(Clone, Debug, PartialEq, Json)]
            pub(crate) struct Arrived {
                /// Added later, in place: who reads older events takes the default, and who is older passes it over.
                #[json(skip_none)]
                pub(crate) by: Option<String>,
            }

            #[derive(Clone, Debug, Default, PartialEq, Json)]
            pub(crate) struct State {
                pub(crate) address: Vec<String>,
                pub(crate) has_arrived: bool,
            }

            #[derive(Clone, Debug, PartialEq, Json)]
            pub(crate) struct Sent {
                $(pub(crate) $field: $type),+
            }

            #[derive(Json)]
            #[json(tag = "type", content = "data")]
            pub(crate) enum Command {
                Send(Sent),
                Arrive(Arrived),
            }

            highwater_core::events! {
                pub(crate) enum ParcelEvent {
                    $kind => Sent(Sent),
                    "parcel.arrived.v1" => Arrived(Arrived),
                }
            }

            impl Decider for Parcel {
                const ENTITY: &'static str = "parcel";
                const STREAMS: &'static str = "space:*:parcels:*";
                const SCHEMA: u32 = $schema;
                const UPCASTS: &'static [Upcast] = $upcasts;

                type State = State;
                type Command = Command;
                type Event = ParcelEvent;

                fn decide(command: Command, context: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
                    Ok(vec![match command {
                        Command::Send(data) => context.event(&data),
                        Command::Arrive(data) => context.event(&data),
                    }])
                }

                fn evolve(mut state: State, event: ParcelEvent, _: &Event) -> State {
                    match event {
                        ParcelEvent::Sent($sent) => state.address = $address,
                        ParcelEvent::Arrived(_) => state.has_arrived = true,
                    }
                    state
                }
            }
        }
    };
}

parcel! {
    v1, schema 1, "parcel.sent.v1", upcasts &[],
    Sent { to: String }, |sent| vec![sent.to]
}
parcel! {
    v2, schema 2, "parcel.sent.v2", upcasts super::STEPS.first_chunk::<1>().unwrap(),
    Sent { street: String, town: String }, |sent| vec![sent.street, sent.town]
}
parcel! {
    v3, schema 3, "parcel.sent.v3", upcasts super::STEPS,
    Sent { street: String, town: String, country: String }, |sent| vec![sent.street, sent.town, sent.country]
}

/// One step each, whatever the newest is.
const STEPS: &[highwater_core::upcast::Upcast] = &[
    highwater_core::upcast::Upcast {
        from: "parcel.sent.v1",
        to: "parcel.sent.v2",
        step: |mut data| {
            let to = data.remove("to").unwrap_or_default();
            let to = to.as_str().unwrap_or_default();
            let (street, town) = to.split_once(", ").unwrap_or((to, ""));
            data.insert("street".to_owned(), street.into());
            data.insert("town".to_owned(), town.into());
            data
        },
    },
    highwater_core::upcast::Upcast {
        from: "parcel.sent.v2",
        to: "parcel.sent.v3",
        step: |mut data| {
            data.insert("country".to_owned(), "home".into());
            data
        },
    },
];

/// The log of a server of one age, to which a parcel was given that then arrived.
fn log_of<D: Decider>(send: D::Command, arrive: D::Command) -> Vec<Event> {
    let sent = Scenario::<D>::new(Entities::new().with::<D>(), STREAM).when("sender", send);
    let mut scenario =
        sent.then_types(D::Event::TYPES.get(..1).unwrap()).when("postman", arrive).then_types(&["parcel.arrived.v1"]);
    scenario.log().events().to_vec()
}

use highwater_core::decider::DomainEvent;

fn log_of_v1() -> Vec<Event> {
    let sent = v1::Sent { to: "1 High Street, Oldtown".into() };
    log_of::<v1::Parcel>(v1::Command::Send(sent), v1::Command::Arrive(v1::Arrived { by: None }))
}

fn log_of_v2() -> Vec<Event> {
    let sent = v2::Sent { street: "1 High Street".into(), town: "Oldtown".into() };
    log_of::<v2::Parcel>(v2::Command::Send(sent), v2::Command::Arrive(v2::Arrived { by: None }))
}

fn log_of_v3() -> Vec<Event> {
    let sent = v3::Sent { street: "1 High Street".into(), town: "Oldtown".into(), country: "home".into() };
    log_of::<v3::Parcel>(v3::Command::Send(sent), v3::Command::Arrive(v3::Arrived { by: Some("van".into()) }))
}

fn read_by<D: Decider>(events: &[Event]) -> (Vec<Applied>, Projection<D>) {
    let mut projection = Projection::<D>::default();
    let applied = events.iter().map(|event| projection.apply(event)).collect();
    (applied, projection)
}

#[test]
fn a_log_of_every_older_schema_is_read() {
    for log in [log_of_v1(), log_of_v2(), log_of_v3()] {
        let (applied, parcel) = read_by::<v3::Parcel>(&log);
        assert_eq!(applied, [Applied::Applied, Applied::Applied], "{}", log[0].kind);
        assert_eq!(parcel.set_aside(), SetAside::default());
        let address = ["1 High Street", "Oldtown", "home"].map(str::to_owned).to_vec();
        assert_eq!(*parcel.state(), v3::State { address, has_arrived: true }, "{}", log[0].kind);
    }
    let (_, parcel) = read_by::<v2::Parcel>(&log_of_v1());
    assert_eq!(parcel.state().address, ["1 High Street", "Oldtown"], "also by one that was newest once");
}

#[test]
fn what_is_stored_is_what_was_written() {
    let written = log_of_v1();
    let (_, parcel) = read_by::<v3::Parcel>(&written);
    assert_eq!(parcel.mark().revision.get(), 2);
    let Data::Json(data) = &written[0].data else { panic!("JSON data") };
    assert_eq!((written[0].kind.as_str(), data.get()), ("parcel.sent.v1", r#"{"to":"1 High Street, Oldtown"}"#));
}

#[test]
fn a_newer_event_is_handed_on_untouched_and_counted() {
    let newer = log_of_v3();
    let (applied, parcel) = read_by::<v1::Parcel>(&newer);
    assert_eq!(applied, [Applied::Unknown, Applied::Applied]);
    assert_eq!(parcel.set_aside(), SetAside { unknown: 1, ..SetAside::default() });
    assert_eq!(*parcel.state(), v1::State { address: Vec::new(), has_arrived: true }, "what it knows it reads");
    assert_eq!(parcel.mark().revision.get(), 2, "and goes on");

    let mut line = Vec::new();
    write_event(&newer[0], &mut line);
    let mut again = Vec::new();
    write_event(&parse_event(&line).unwrap(), &mut again);
    assert_eq!(line, again, "who does not know it hands on all of it");
}

#[test]
fn an_optional_field_is_added_in_place() {
    let (_, by_older) = read_by::<v1::Parcel>(&log_of_v3());
    assert!(by_older.state().has_arrived, "one that does not know the field passes it over");
    let (_, by_newer) = read_by::<v3::Parcel>(&log_of_v1());
    assert!(by_newer.state().has_arrived, "one that does takes the default");
}

#[test]
fn older_data_that_is_not_what_its_type_says_is_set_aside() {
    for data in ["7", "[]", "null"] {
        let mut log = log_of_v1();
        log[0].data = Data::json(data).unwrap();
        let (applied, parcel) = read_by::<v3::Parcel>(&log);
        assert!(matches!(&applied[..], [Applied::Unreadable(_), Applied::Applied]), "{data}: {applied:?}");
        assert_eq!(parcel.set_aside(), SetAside { unreadable: 1, ..SetAside::default() });
    }
}

#[test]
fn a_snapshot_of_another_schema_is_not_used() {
    let (_, parcel) = read_by::<v1::Parcel>(&log_of_v1());
    let snapshot = parcel.snapshot();
    assert!(Projection::<v1::Parcel>::restore(&snapshot).is_ok());
    let refused = Projection::<v3::Parcel>::restore(&snapshot).err();
    assert_eq!(refused, Some(InvalidSnapshot::Schema { found: 1, current: 3 }));
}
