//! An entity of the tests' own: numbers that are added to and taken from, and moved from one to the other.

use highwater_core::{
    decider::{Context, Decider, Entities, Refusal, Rejection},
    event::{Event, NewEvent},
    json::Json,
};

/// The entity.
pub enum Counter {}

/// How much of something.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct Amount {
    /// So much.
    pub by: u32,
}

/// Something was taken.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct Taken {
    /// So much.
    pub by: u32,
}

/// What may be asked of a counter.
#[derive(Json)]
#[json(tag = "type", content = "data")]
pub enum CounterCommand {
    /// Add to it; nothing is nothing to do.
    Add(Amount),
    /// Take from it, and add to another one of the same space.
    Move {
        /// The other one.
        to: String,
        /// So much.
        by: u32,
    },
}

highwater_core::events! {
    /// What happens to a counter.
    pub enum CounterEvent {
        /// It has more.
        "counter.added.v1" => Added(Amount),
        /// It has less.
        "counter.taken.v1" => Taken(Taken),
    }
}

impl Decider for Counter {
    const ENTITY: &'static str = "counter";
    const STREAMS: &'static str = "*:*:counters:*";
    const SCHEMA: u32 = 1;

    type State = u32;
    type Command = CounterCommand;
    type Event = CounterEvent;

    fn decide(command: CounterCommand, context: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
        let value = *context.own::<Self>()?.state();
        match command {
            CounterCommand::Add(Amount { by: 0 }) => Ok(Vec::new()),
            CounterCommand::Add(amount) => {
                value.checked_add(amount.by).ok_or_else(full)?;
                context.only(&amount)
            }
            CounterCommand::Move { to, by } => {
                let other = context.beside("counters", &to)?;
                if value < by {
                    return Err(
                        Refusal::conflict("too_little", format!("it has {value}, which is less than {by}")).into()
                    );
                }
                context.of::<Self>(&other)?.state().checked_add(by).ok_or_else(full)?;
                Ok(vec![context.event(&Taken { by }), context.event_in(&other, &Amount { by })])
            }
        }
    }

    fn evolve(value: u32, event: CounterEvent, _: &Event) -> u32 {
        match event {
            CounterEvent::Added(Amount { by }) => value.saturating_add(by),
            CounterEvent::Taken(Taken { by }) => value.saturating_sub(by),
        }
    }
}

fn full() -> Refusal {
    Refusal::conflict("full", "no counter can have that much")
}

/// This entity alone.
#[must_use]
pub fn entities() -> Entities {
    Entities::new().with::<Counter>()
}
