//! Why a value is not read. On a server the error says it. In a browser it is nothing but itself: whatever says more has to be made for each
//! type and each of its fields, and all of that downloaded.

use std::fmt::Display;

use serde::de;
#[cfg(target_family = "wasm")]
use serde::de::{Expected, Unexpected};

/// Why something is not read.
#[cfg(not(target_family = "wasm"))]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

/// Why something is not read.
#[cfg(target_family = "wasm")]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a value is missing, or is not what its type says")]
pub struct Error(());

#[cfg(not(target_family = "wasm"))]
impl de::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

#[cfg(target_family = "wasm")]
impl de::Error for Error {
    fn custom<T: Display>(_: T) -> Self {
        Self(())
    }

    fn invalid_type(_: Unexpected<'_>, _: &dyn Expected) -> Self {
        Self(())
    }

    fn invalid_value(_: Unexpected<'_>, _: &dyn Expected) -> Self {
        Self(())
    }

    fn invalid_length(_: usize, _: &dyn Expected) -> Self {
        Self(())
    }

    fn unknown_variant(_: &str, _: &'static [&'static str]) -> Self {
        Self(())
    }

    fn unknown_field(_: &str, _: &'static [&'static str]) -> Self {
        Self(())
    }

    fn missing_field(_: &'static str) -> Self {
        Self(())
    }

    fn duplicate_field(_: &'static str) -> Self {
        Self(())
    }
}
