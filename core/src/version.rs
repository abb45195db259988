//! The numbers that order events: [`Sequence`], [`Revision`], [`Version`], and what is made of them: [`Position`],
//! [`After`], [`HighWater`].

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    event::Event,
    json::{Error, FromJson, Json, Node, ToJson, Writer, from_node},
    number::whole_number,
};

/// A number is larger than its kind allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number of at most {max}")]
pub struct OutOfRange {
    /// The largest number allowed.
    pub max: u64,
}

macro_rules! bounded_number {
    ($(#[$doc:meta])* $name:ident: $int:ty, max $max:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "u64", into = "u64")]
        pub struct $name($int);

        impl $name {
            /// Before the first.
            pub const ZERO: Self = Self(0);
            /// The largest.
            pub const MAX: Self = Self($max);

            /// Checks and takes a number.
            ///
            /// # Errors
            /// [`OutOfRange`] above [`Self::MAX`].
            pub const fn new(number: u64) -> Result<Self, OutOfRange> {
                if number <= $max { Ok(Self(number as $int)) } else { Err(OutOfRange { max: $max }) }
            }

            /// Reads decimal digits and nothing else.
            #[must_use]
            pub fn read(text: &[u8]) -> Option<Self> {
                whole_number(text).and_then(|number| Self::new(number).ok())
            }

            /// The number itself.
            #[must_use]
            pub const fn get(self) -> $int {
                self.0
            }

            /// The one before, unless this is [`Self::ZERO`].
            #[must_use]
            pub const fn previous(self) -> Option<Self> {
                if self.0 > 0 { Some(Self(self.0 - 1)) } else { None }
            }

            /// The next one, unless this is the largest.
            #[must_use]
            pub const fn next(self) -> Option<Self> {
                if self.0 < $max { Some(Self(self.0 + 1)) } else { None }
            }
        }

        impl TryFrom<u64> for $name {
            type Error = OutOfRange;

            fn try_from(number: u64) -> Result<Self, OutOfRange> {
                Self::new(number)
            }
        }

        impl FromJson for $name {
            fn placeholder() -> Self {
                Self::ZERO
            }

            fn read(&mut self, node: &Node<'_>) -> Result<(), Error> {
                *self = Self::new(from_node(node)?).map_err(|error| Error::new(&error))?;
                Ok(())
            }

            fn sample(to: &mut Writer) {
                u64::sample(to);
            }
        }

        impl ToJson for $name {
            fn write(&self, to: &mut Writer) {
                u64::from(*self).write(to);
            }
        }

        impl From<$name> for u64 {
            fn from(number: $name) -> u64 {
                number.0.into()
            }
        }

        impl FromStr for $name {
            type Err = OutOfRange;

            fn from_str(text: &str) -> Result<Self, OutOfRange> {
                Self::read(text.as_bytes()).ok_or(OutOfRange { max: $max })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

bounded_number! {
    /// An event's place in the whole log: strictly increasing from 1, and not without holes. 0 is before the first.
    Sequence: u64, max 9_007_199_254_740_991
}
bounded_number! {
    /// An event's place in its stream: 1, 2, 3 … without holes. 0 is before the first.
    Revision: u32, max 2_147_483_647
}
bounded_number! {
    /// The entity's own version, which only moves forward. 0 where the entity has none.
    Version: u32, max 2_147_483_647
}

/// The digits and lower-case letters of [Crockford's base 32](https://www.crockford.com/base32.html).
const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Whether this is one of [`CROCKFORD`]: it has a bit in words of 32. A search would take the browser more code.
fn is_crockford(byte: &u8) -> bool {
    const BITS: [u32; 4] = [0, 0x03ff_0000, 0, 0x07df_6dfe];
    BITS.get(usize::from(byte >> 5)).is_some_and(|bits| bits >> (byte & 31) & 1 == 1)
}

const EPOCH_BYTES: usize = 8;

/// The log's generation: 8 characters of lower-case Crockford base 32. A log that was replaced has another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch([u8; EPOCH_BYTES]);

impl Epoch {
    /// The epoch of these 40 bits; higher ones are ignored.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        let digit = |at: usize| CROCKFORD[(bits >> (35 - 5 * at)) as usize & 31];
        Self(std::array::from_fn(digit))
    }

    fn read(text: &[u8; EPOCH_BYTES]) -> Option<Self> {
        text.iter().all(is_crockford).then_some(Self(*text))
    }

    /// The epoch as text, which is ASCII.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The epoch as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default() // never: these digits are ASCII
    }
}

/// The text is no position, epoch or place to start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a position such as k3x9q7ma-42, as a server gave it")]
pub struct InvalidPosition;

impl FromStr for Epoch {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        text.as_bytes().try_into().ok().and_then(Self::read).ok_or(InvalidPosition)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A place in one generation of the log, `epoch-sequence`: the SSE id, the resume token, the read-your-writes token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// The log's generation.
    pub epoch: Epoch,
    /// The place in it.
    pub sequence: Sequence,
}

impl Position {
    /// The place in this epoch.
    #[must_use]
    pub const fn new(epoch: Epoch, sequence: Sequence) -> Self {
        Self { epoch, sequence }
    }

    /// Reads a position as it is written.
    #[must_use]
    pub fn read(text: &[u8]) -> Option<Self> {
        let (epoch, rest) = text.split_first_chunk()?;
        let sequence = Sequence::read(rest.strip_prefix(b"-")?)?;
        Some(Self { epoch: Epoch::read(epoch)?, sequence })
    }
}

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        Self::read(text.as_bytes()).ok_or(InvalidPosition)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.sequence)
    }
}

/// Where a reader starts: everything after this place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// From the first event that the log still has.
    Earliest,
    /// From what is recorded after the request.
    Latest,
    /// After this position.
    Position(Position),
}

impl After {
    /// Reads a position, `earliest` or `latest`.
    #[must_use]
    pub fn read(text: &[u8]) -> Option<Self> {
        match text {
            b"earliest" => Some(Self::Earliest),
            b"latest" => Some(Self::Latest),
            position => Position::read(position).map(Self::Position),
        }
    }
}

impl FromStr for After {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        Self::read(text.as_bytes()).ok_or(InvalidPosition)
    }
}

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Earliest => f.write_str("earliest"),
            Self::Latest => f.write_str("latest"),
            Self::Position(position) => position.fmt(f),
        }
    }
}

/// The marks of one stream, below which its state never goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Json)]
pub struct HighWater {
    /// The last revision judged.
    pub revision: Revision,
    /// The highest version applied.
    pub version: Version,
    /// The highest sequence applied.
    pub sequence: Sequence,
}

impl HighWater {
    /// Where an event stands.
    #[must_use]
    pub fn of(event: &Event) -> Self {
        Self { revision: event.revision, version: event.version, sequence: event.sequence }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_bounds() {
        assert_eq!(Sequence::new(1 << 53), Err(OutOfRange { max: (1 << 53) - 1 }));
        assert_eq!(Revision::MAX.next(), None);
        assert_eq!("7".parse(), Version::new(7));
        for bad in ["", "-1", "+1", "1.0", "1e3", "2147483648", "99999999999999999999", " 1"] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
    }

    #[test]
    fn positions_go_both_ways() {
        let position: Position = "k3x9q7ma-42".parse().unwrap();
        assert_eq!(position.to_string(), "k3x9q7ma-42");
        for bad in [
            "",
            "k3x9q7ma",
            "k3x9q7ma42",
            "k3x9q7mé-42",
            "k3x9q7m-42",
            "k3x9q7mu-42",
            "K3X9Q7MA-42",
            "k3x9q7ma--1",
            "k3x9q7ma-9007199254740992",
        ] {
            assert!(bad.parse::<Position>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_epoch_has_the_digits_of_crockford_and_no_others() {
        for byte in 0..=u8::MAX {
            assert_eq!(is_crockford(&byte), CROCKFORD.contains(&byte), "{byte}");
        }
    }

    #[test]
    fn an_epoch_is_forty_bits() {
        assert_eq!(Epoch::from_bits(0).as_str(), "00000000");
        assert_eq!(Epoch::from_bits((1 << 40) - 1).as_str(), "zzzzzzzz");
        assert_eq!(Epoch::from_bits(33).as_str(), "00000011");
    }
}
