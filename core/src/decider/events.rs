//! [`DomainEvent`] and the macro that writes it.

use serde::Deserializer;
use serde_json::value::RawValue;

use crate::json::{self, Node};

/// What may happen to an entity: an enum with a variant for each type of event, written by [`events!`](crate::events).
pub trait DomainEvent: Sized {
    /// The types, with their schema versions, such as `task.planned.v1`.
    const TYPES: &'static [&'static str];

    /// The event's type.
    fn kind(&self) -> &'static str;

    /// Makes an event of its data, in whatever form that comes. `None` for a type that is not among [`DomainEvent::TYPES`].
    fn deserialize<'de, S: Deserializer<'de>>(kind: &str, data: S) -> Option<Result<Self, S::Error>>;

    /// Reads an event's data, which is JSON. `None` for a type that is not among [`DomainEvent::TYPES`].
    fn read(kind: &str, data: &str) -> Option<Result<Self, json::Error>> {
        if !Self::TYPES.contains(&kind) {
            return None;
        }
        Node::read(data).map_or_else(|error| Some(Err(error)), |data| Self::deserialize(kind, &data))
    }

    /// The event's data.
    ///
    /// # Errors
    /// Where a value is no JSON, such as a map whose keys are no texts.
    fn data(&self) -> Result<Box<RawValue>, crate::json::WriteError>;
}

/// Writes the enum of an entity's events and how they are read and written.
///
/// ```
/// use serde::{Deserialize, Serialize};
///
/// /// A lamp has a new bulb.
/// #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
/// pub struct BulbChanged {
///     /// Its power.
///     pub watts: u32,
/// }
///
/// highwater_core::events! {
///     /// What happens to a lamp.
///     pub enum LampEvent {
///         /// It has a new bulb.
///         "lamp.bulb_changed.v1" => BulbChanged(BulbChanged),
///     }
/// }
///
/// use highwater_core::decider::DomainEvent;
/// assert_eq!(LampEvent::from(BulbChanged { watts: 7 }).kind(), "lamp.bulb_changed.v1");
/// ```
#[macro_export]
macro_rules! events {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$about:meta])* $kind:literal => $variant:ident($data:ty)),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        $vis enum $name {
            $($(#[$about])* $variant($data)),+
        }

        impl $crate::decider::DomainEvent for $name {
            const TYPES: &'static [&'static str] = &[$($kind),+];

            fn kind(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $kind),+
                }
            }

            fn deserialize<'de, S>(kind: &str, data: S) -> Option<Result<Self, S::Error>>
            where
                S: $crate::serde::Deserializer<'de>,
            {
                match kind {
                    $($kind => Some($crate::serde::Deserialize::deserialize(data).map(Self::$variant)),)+
                    _ => None,
                }
            }

            fn data(&self) -> Result<Box<$crate::json::value::RawValue>, $crate::json::WriteError> {
                match self {
                    $(Self::$variant(data) => $crate::json::value::to_raw_value(data)),+
                }
            }
        }

        $(
            impl From<$data> for $name {
                fn from(data: $data) -> Self {
                    Self::$variant(data)
                }
            }
        )+
    };
}
