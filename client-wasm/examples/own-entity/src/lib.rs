//! A lamp: an entity of one's own. The server mounts [`entities`], and so does the page, which has this crate as WebAssembly.

use highwater_core::{
    decider::{Context, Decider, Entities, Refusal, Rejection},
    event::{Event, NewEvent},
    json::Json,
};

// To the page: all that it is to know.
highwater_client::export_entities!(entities());

/// To the server, by `AppState::with_entities`: Highwater's own entities, and the lamp.
#[must_use]
pub fn entities() -> Entities {
    highwater_core::domain::entities().with::<Lamp>()
}

/// The entity.
pub enum Lamp {}

/// How a lamp stands.
#[derive(Clone, Debug, Default, PartialEq, Json)]
pub struct LampState {
    /// Whether it is lit.
    pub is_on: bool,
    /// How often it was turned on since the bulb was changed.
    pub times: u32,
}

/// It was turned on.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct TurnedOn {}

/// It was turned off.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct TurnedOff {}

/// It has a new bulb.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct BulbChanged {
    /// Its power.
    pub watts: u32,
}

/// Be as another lamp of the house is.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct Follow {
    /// The other lamp's id.
    pub lamp: String,
}

/// What may be asked of a lamp.
#[derive(Clone, Debug, PartialEq, Json)]
#[json(tag = "type", content = "data")]
pub enum LampCommand {
    /// Turn it on.
    TurnOn(TurnedOn),
    /// Turn it off.
    TurnOff(TurnedOff),
    /// Put another bulb in.
    ChangeBulb(BulbChanged),
    /// Be as another one is.
    Follow(Follow),
}

highwater_core::events! {
    /// What happens to a lamp.
    pub enum LampEvent {
        /// It is on.
        "lamp.turned_on.v1" => TurnedOn(TurnedOn),
        /// It is off.
        "lamp.turned_off.v1" => TurnedOff(TurnedOff),
        /// It has a new bulb.
        "lamp.bulb_changed.v1" => BulbChanged(BulbChanged),
    }
}

impl Decider for Lamp {
    const ENTITY: &'static str = "lamp";
    const STREAMS: &'static str = "house:*:lamps:*";
    const SCHEMA: u32 = 1;

    type State = LampState;
    type Command = LampCommand;
    type Event = LampEvent;

    fn decide(command: LampCommand, context: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
        let lamp = context.own::<Self>()?.state();
        match command {
            LampCommand::TurnOn(_) => Ok(switch(lamp, true, context)),
            LampCommand::TurnOff(_) => Ok(switch(lamp, false, context)),
            LampCommand::ChangeBulb(_) if lamp.is_on => {
                Err(Refusal::conflict("is_hot", "the lamp is on: turn it off first").into())
            }
            LampCommand::ChangeBulb(data) => context.only(&data),
            LampCommand::Follow(Follow { lamp: other }) => {
                // Another stream: it is loaded, and has to be where it was when the event is recorded.
                let other = context.of::<Self>(&context.beside("lamps", &other)?)?;
                Ok(switch(lamp, other.state().is_on, context))
            }
        }
    }

    fn evolve(mut lamp: LampState, event: LampEvent, _: &Event) -> LampState {
        match event {
            LampEvent::TurnedOn(_) => {
                lamp.is_on = true;
                lamp.times = lamp.times.saturating_add(1);
            }
            LampEvent::TurnedOff(_) => lamp.is_on = false,
            LampEvent::BulbChanged(_) => lamp.times = 0,
        }
        lamp
    }
}

/// Nothing happens to a lamp that is so already.
fn switch(lamp: &LampState, on: bool, context: &Context<'_>) -> Vec<NewEvent> {
    match (lamp.is_on, on) {
        (false, true) => vec![context.event(&TurnedOn {})],
        (true, false) => vec![context.event(&TurnedOff {})],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use highwater_core::decider::testing::{Scenario, assert_types_are_named};

    use super::*;

    #[test]
    fn a_bulb_is_changed_while_it_is_cold() {
        assert_types_are_named::<Lamp>();
        let lit = Scenario::<Lamp>::new(entities(), "house:1:lamps:hall")
            .when("somebody", LampCommand::TurnOn(TurnedOn {}))
            .then([LampEvent::TurnedOn(TurnedOn {})])
            .when("somebody", LampCommand::TurnOn(TurnedOn {}))
            .then([])
            .when("somebody", LampCommand::ChangeBulb(BulbChanged { watts: 7 }))
            .then_refused("is_hot");
        assert_eq!(lit.state(), LampState { is_on: true, times: 1 });
        let changed = lit
            .when("somebody", LampCommand::TurnOff(TurnedOff {}))
            .then([LampEvent::TurnedOff(TurnedOff {})])
            .when("somebody", LampCommand::ChangeBulb(BulbChanged { watts: 7 }))
            .then([LampEvent::BulbChanged(BulbChanged { watts: 7 })]);
        assert_eq!(changed.state(), LampState { is_on: false, times: 0 });
    }
}
