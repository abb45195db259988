//! [`DomainEvent`] and the macro that writes it.

use crate::json::{self, Node, Raw, ToJson};

/// What may happen to an entity: an enum with a variant for each type of event, written by [`events!`](crate::events).
pub trait DomainEvent: Sized {
    /// The types, with their schema versions, such as `task.planned.v1`.
    const TYPES: &'static [&'static str];

    /// The event's type.
    fn kind(&self) -> &'static str;

    /// Makes an event of its data. `None` for a type that is not among [`DomainEvent::TYPES`].
    fn of(kind: &str, data: &Node<'_>) -> Option<Result<Self, json::Error>>;

    /// Reads an event's data, which is JSON. `None` for a type that is not among [`DomainEvent::TYPES`].
    fn read(kind: &str, data: &str) -> Option<Result<Self, json::Error>> {
        if !Self::TYPES.contains(&kind) {
            return None;
        }
        Node::parse(data).map_or_else(|error| Some(Err(error)), |data| Self::of(kind, &data))
    }

    /// The event's data, as JSON.
    fn data(&self) -> Raw;

    /// Data with something in every member that an event of this type may have. `None` for a type that is not among
    /// [`DomainEvent::TYPES`].
    fn sample(kind: &str) -> Option<Raw>;
}

/// What an event of one type says: what a variant of a [`DomainEvent`] holds, written by [`events!`](crate::events) too.
pub trait EventData: ToJson {
    /// The event's type.
    const KIND: &'static str;
}

/// Writes the enum of an entity's events and how they are read and written. Each type of event has a type of data of its own, which
/// is defined in the same crate.
///
/// ```
/// use highwater_core::json::Json;
///
/// /// A lamp has a new bulb.
/// #[derive(Clone, Debug, PartialEq, Json)]
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

            fn of(kind: &str, data: &$crate::json::Node<'_>) -> Option<Result<Self, $crate::json::Error>> {
                let mut event = match kind {
                    $($kind => Self::$variant($crate::json::FromJson::placeholder()),)+
                    _ => return None,
                };
                let value: &mut dyn $crate::json::FromJson = match &mut event {
                    $(Self::$variant(data) => data),+
                };
                Some(value.read(data).map(|()| event))
            }

            fn data(&self) -> $crate::json::Raw {
                $crate::json::Raw::of(match self {
                    $(Self::$variant(data) => data as &dyn $crate::json::ToJson),+
                })
            }

            fn sample(kind: &str) -> Option<$crate::json::Raw> {
                match kind {
                    $($kind => Some($crate::json::Raw::sample_of::<$data>()),)+
                    _ => None,
                }
            }
        }

        $(
            impl $crate::decider::EventData for $data {
                const KIND: &'static str = $kind;
            }

            impl From<$data> for $name {
                fn from(data: $data) -> Self {
                    Self::$variant(data)
                }
            }
        )+
    };
}
